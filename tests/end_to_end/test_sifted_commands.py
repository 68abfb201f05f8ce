"""`diqkd reconcile` and `diqkd amplify`: from two sifted keys to one, by files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from emulator.cli.app import app
from postprocessing.amplification import toeplitz_hash
from postprocessing.files.bit_strings import read_bits, write_bits

BITS, LENGTH = 40_000, 12_345


def diqkd(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    generator = np.random.default_rng(1)
    alice = generator.integers(0, 2, BITS, dtype=np.uint8)
    bob = alice ^ (generator.random(BITS) < 0.02).astype(np.uint8)
    write_bits({tmp_path / "alice.bits": alice, tmp_path / "bob.npy": bob})
    return tmp_path / "alice.bits", tmp_path / "bob.npy"


def test_two_sifted_keys_become_one_key(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    corrected, seed, *ends = (tmp_path / name for name in ("corrected", "seed", "a.key", "b.key"))
    found = diqkd("reconcile", *keys, "--qber", 0.02, "--out", corrected, "--json")
    assert found.exit_code == 0
    told = json.loads(found.stdout)
    assert told["verified"]
    assert told["corrected_errors"] == (read_bits(keys[0]) != read_bits(keys[1])).sum()
    assert 0.14 * BITS < told["leaked_bits"] < 0.5 * BITS
    assert not any("bits" in name and isinstance(value, list) for name, value in told.items())
    np.testing.assert_array_equal(read_bits(corrected), read_bits(keys[0]))
    one = diqkd("amplify", keys[0], "--length", LENGTH, "--new-seed", seed, "--out", ends[0])
    other = diqkd("amplify", corrected, "--length", LENGTH, "--seed", seed, "--out", ends[1])
    assert (one.exit_code, other.exit_code) == (0, 0)
    assert "key of 12,345 bits, seed of 52,344 bits" in one.stdout
    hashed = toeplitz_hash(read_bits(keys[0]), read_bits(seed), LENGTH)
    for end in ends:
        np.testing.assert_array_equal(read_bits(end), hashed)


def test_fresh_seeds_differ(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    seeds = [tmp_path / name for name in ("one", "other")]
    for seed in seeds:
        done = diqkd("amplify", keys[0], "--length", 9, "--new-seed", seed, "--out", f"{seed}.key")
        assert done.exit_code == 0
    # Equal once in 2^-40008.
    assert (read_bits(seeds[0]) != read_bits(seeds[1])).any()


def test_the_page_says_what_was_sent(keys: tuple[Path, Path]) -> None:
    page = diqkd("reconcile", *keys, "--qber", 0.02, "--optimise", "budget").stdout
    assert "equal tags" in page
    assert "bits sent" in page


def test_nothing_there_is_overwritten_unasked(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    for verb in (
        ("reconcile", *keys, "--qber", 0.02),
        ("amplify", keys[0], "--length", 9, "--new-seed", tmp_path / "seed"),
    ):
        refused = diqkd(*verb, "--out", there)
        assert (refused.exit_code, there.read_text()) == (2, "mine")
        assert not (tmp_path / "seed").exists()
        assert diqkd(*verb, "--out", there, "--replace").exit_code == 0
        assert there.read_text() != "mine"
        there.write_text("mine")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("reconcile", "alice.bits", "none", "--qber", 0.02), "bits must be a readable file"),
        (("reconcile", "alice.bits", "bob.npy", "--qber", 0.3), "qber must be at most 0.2"),
        (("reconcile", "alice.bits", "short", "--qber", 0.02), "as long as the other key"),
        (("amplify", "alice.bits", "--length", 9, "--out", "key"), "one of the two"),
        (("amplify", "alice.bits", "--length", 9, "--seed", "short", "--out", "key"), "seed"),
        (("amplify", "short", "--length", 9, "--new-seed", "s", "--out", "key"), "length must be"),
    ],
)
def test_refused(
    tmp_path: Path,
    keys: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[object, ...],
    message: str,
) -> None:
    monkeypatch.chdir(keys[0].parent)
    (tmp_path / "short").write_text("0101")
    refused = diqkd(*words)
    assert refused.exit_code == 2
    assert message in refused.output
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("name", ["same", "sub/../same"])
def test_no_file_takes_the_place_of_another(
    tmp_path: Path, keys: tuple[Path, Path], name: str
) -> None:
    (tmp_path / "sub").mkdir()
    words = ("amplify", keys[0], "--length", 9, "--new-seed", tmp_path / name, "--replace")
    assert diqkd(*words, "--out", tmp_path / "same").exit_code == 2
    assert not (tmp_path / "same").exists()


def test_what_was_there_is_not_taken_for_a_corrected_key(
    tmp_path: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tags that differ leave an earlier file as it is, and say so."""
    from postprocessing.reconciliation import attempts

    calls = iter(range(1000))
    monkeypatch.setattr(attempts, "verification_tag", lambda *_: bytes([next(calls)]))
    out = tmp_path / "corrected"
    out.write_text("mine")
    words = ("reconcile", *keys, "--qber", 0.02, "--mode", "throughput", "--out", out, "--replace")
    failed = diqkd(*words)
    assert failed.exit_code == 3
    assert f"no corrected key: {out} was not written" in failed.output
    assert out.read_text() == "mine"


def test_a_folder_that_is_not_there_is_told_before_the_work(
    tmp_path: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from postprocessing.reconciliation import sifted

    monkeypatch.setattr(sifted, "_reconciled", None)
    refused = diqkd("reconcile", *keys, "--qber", 0.02, "--out", tmp_path / "none" / "corrected")
    assert refused.exit_code == 2
    assert "out must be in a folder that is there" in refused.output
