"""One reader of TOML, with one form of errors."""

import codecs

import pytest

from postprocessing.errors import InputFileError
from postprocessing.files.toml import read_toml


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "with a byte order mark"])
def test_a_file_is_read(tmp_path, mark):
    path = tmp_path / "scenario.toml"
    path.write_bytes(mark + b'scheme = "ecs"\n[axes]\nrounds = [1, 2]\n')
    assert read_toml("scenario", path) == {"scheme": "ecs", "axes": {"rounds": [1, 2]}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"rounds = ", "Invalid value"),
        (b"\xff", "can't decode byte 0xff"),
        (b"[a]\n[a]", "Cannot declare"),
        (b"rounds = " + 10_000 * b"1", "Exceeds the limit"),
        (b"rounds = " + 10_000 * b"[", "(recursion|nested)"),
    ],
)
def test_what_is_not_toml(tmp_path, content, reason):
    path = tmp_path / "sweep.toml"
    path.write_bytes(content)
    with pytest.raises(
        InputFileError, match=rf"^sweep must be valid TOML, '.*' is not: .*{reason}"
    ):
        read_toml("sweep", path)


def test_what_cannot_be_read(tmp_path):
    for path, reason in ((tmp_path / "no.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(InputFileError, match=rf"^layout must be a readable TOML .*{reason}"):
            read_toml("layout", path)
