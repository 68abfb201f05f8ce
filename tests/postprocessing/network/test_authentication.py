"""Pools of one-time keys: each key once, whatever happens to the process."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys

import pytest

from postprocessing.errors import (
    AuthenticationError,
    InputFileError,
    InvalidArgumentError,
    SessionError,
)
from postprocessing.network.authentication import (
    KeyPool,
    create_pool,
    create_pool_from_key,
    forgery_bound,
)


@pytest.fixture
def pools(tmp_path):
    """Paths of Alice's and Bob's copy of one pool of 20 keys a direction."""
    paths = tmp_path / "alice.pool", tmp_path / "bob.pool"
    create_pool(paths[0], 20)
    shutil.copy(*paths)
    return paths


def test_each_party_tags_with_its_own_half(pools):
    with KeyPool(pools[0], "alice") as alice, KeyPool(pools[1], "bob") as bob:
        from_alice = dict(alice.take() for _ in range(20))
        from_bob = dict(bob.take() for _ in range(20))
        assert {place: bob.peek(place) for place in from_alice} == from_alice
        assert {place: alice.peek(place) for place in from_bob} == from_bob
    keys = [*from_alice.values(), *from_bob.values()]
    assert len(set(keys)) == 40
    assert {len(key) for key in keys} == {32}


def test_pool_ends(pools):
    with KeyPool(pools[0], "alice") as alice:
        for _ in range(20):
            alice.take()
        assert alice.remaining_keys == 0
        with pytest.raises(SessionError, match="the pool of keys is used up, it has 20 keys"):
            alice.take()
        with pytest.raises(SessionError, match="the pool of keys is used up"):
            alice.peek(20)


def test_keys_stay_used(pools):
    for expected in range(3):
        with KeyPool(pools[0], "alice") as alice:
            assert alice.take()[0] == expected
            assert alice.used_keys == 2 * expected + 1
            alice.peek(4 + expected)
            alice.accept(expected)
            with pytest.raises(AuthenticationError, match="under a key that has been used"):
                alice.peek(expected)


def test_a_crash_loses_keys_and_repeats_none(pools):
    """The process dies at once after it has taken its key."""
    code = (
        "import os, sys; from pathlib import Path;"
        "from postprocessing.network.authentication import KeyPool;"
        "pool = KeyPool(Path(sys.argv[1]), 'alice');"
        "print(pool.take()[1].hex(), flush=True); os._exit(1)"
    )
    command = [sys.executable, "-c", code, str(pools[0])]
    taken = [
        subprocess.run(command, capture_output=True, text=True, check=False).stdout
        for _ in range(2)
    ]
    with KeyPool(pools[0], "alice") as alice:
        place, key = alice.take()
    assert place == 2
    assert len({*taken, f"{key.hex()}\n"}) == 3


def test_a_position_half_written_is_refused(pools):
    with KeyPool(pools[0], "alice") as alice:
        alice.take()
    content = bytearray(pools[0].read_bytes())
    content[47] ^= 1
    pools[0].write_bytes(content)
    with pytest.raises(InputFileError, match=r"auth-key must be whole, .* is damaged"):
        KeyPool(pools[0], "alice")


@pytest.mark.parametrize("change", [-1, -32, -64, 1, 64])
def test_a_pool_cut_short_or_made_longer_is_refused(pools, change):
    """Or where a direction begins would move, and its keys would be the other's."""
    content = pools[1].read_bytes()
    pools[1].write_bytes(content[:change] if change < 0 else content + bytes(change))
    with pytest.raises(InputFileError, match=r"auth-key must be whole, .* is damaged"):
        KeyPool(pools[1], "bob")


@pytest.mark.parametrize("byte", range(96))
def test_every_byte_of_the_header_is_checked(pools, byte):
    content = bytearray(pools[0].read_bytes())
    assert len(content) == 96 + 40 * 32
    content[byte] ^= 1
    pools[0].write_bytes(content)
    with pytest.raises(InputFileError, match=r"auth-key must be (whole|a pool of keys)"):
        KeyPool(pools[0], "alice")


def test_a_pool_is_known_by_its_identity(pools, tmp_path):
    """Copies have one identity, which no key is made of."""
    create_pool(tmp_path / "other.pool", 20)
    with (
        KeyPool(pools[0], "alice") as alice,
        KeyPool(pools[1], "bob") as bob,
        KeyPool(tmp_path / "other.pool", "bob") as other,
    ):
        assert alice.identity == bob.identity != other.identity
    key = bytes(range(80))
    for party in ("alice", "bob"):
        (tmp_path / f"a {party}").write_bytes(key)
        create_pool_from_key(tmp_path / f"{party}.next", tmp_path / f"a {party}")
    with (
        KeyPool(tmp_path / "alice.next", "alice") as alice,
        KeyPool(tmp_path / "bob.next", "bob") as bob,
    ):
        assert alice.identity == bob.identity == key[:16]
        assert (alice.take(), bob.take()) == ((0, key[16:48]), (0, key[48:]))


def test_a_pool_has_one_owner_and_one_user(pools):
    with (
        KeyPool(pools[0], "alice"),
        pytest.raises(InputFileError, match="auth-key must not be in use"),
    ):
        KeyPool(pools[0], "alice")
    with pytest.raises(InputFileError, match="auth-key must be bob's"):
        KeyPool(pools[0], "bob")
    with KeyPool(pools[0], "alice"):
        pass


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "pool"
    with pytest.raises(InputFileError, match="auth-key must be a pool of keys"):
        KeyPool(path, "alice")
    for content in (b"", b"x" * 1000, b"diqkd-k2"):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(InputFileError, match=r"auth-key must be a pool of keys, .* is not"):
            KeyPool(path, "alice")


def test_new_pools(tmp_path):
    path = tmp_path / "pool"
    create_pool(path, 3)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with KeyPool(path, "alice") as pool:
        assert pool.remaining_keys == 3
    with pytest.raises(InputFileError, match="pool must be a new file"):
        create_pool(path, 3)
    with pytest.raises(InvalidArgumentError, match="keys must be a whole number"):
        create_pool(tmp_path / "other", 0)
    with pytest.raises(InputFileError, match="pool must be in an existing folder"):
        create_pool(tmp_path / "none" / "other", 1)


def test_forgery_bound():
    """Bernstein (2005): 8⌈L/16⌉ 2⁻¹⁰⁶."""
    assert forgery_bound(16) == 2.0**-103
    assert forgery_bound(17) == 2.0**-102
    assert forgery_bound(1 << 20) == 2.0 ** (-106 + 3 + 16)


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_a_pool_has_one_user_under_all_its_names(pools, tmp_path, kind):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.pool"
    if kind == "hard":
        link.hardlink_to(pools[0])
    else:
        link.symlink_to(pools[0])
    with KeyPool(pools[0], "alice") as alice:
        place, _ = alice.take()
        with pytest.raises(InputFileError, match=r"auth-key must not be in use, .*link.pool' is"):
            KeyPool(link, "alice")
    with KeyPool(link, "alice") as again:
        assert again.take()[0] == place + 1


def test_a_pool_in_use_by_another_process(pools):
    code = (
        "import sys; from pathlib import Path;"
        "from postprocessing.network.authentication import KeyPool;"
        "KeyPool(Path(sys.argv[1]), 'alice')"
    )
    with KeyPool(pools[0], "alice"):
        command = [sys.executable, "-c", code, str(pools[0])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "auth-key must not be in use" in done.stderr


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_pool_that_others_can_reach_is_refused(pools, mode):
    pools[0].chmod(mode)
    match = rf"auth-key must be its owner's alone \(0600\), .*alice.pool' has mode {mode:04o}"
    with pytest.raises(InputFileError, match=match):
        KeyPool(pools[0], "alice")


def test_a_pool_of_another_user_is_refused(pools, monkeypatch):
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with pytest.raises(InputFileError, match=f"auth-key must be the user's own .* user {user}"):
        KeyPool(pools[0], "alice")


def test_a_full_disk_ends_the_session_and_repeats_no_key(pools, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    with KeyPool(pools[0], "alice") as alice:
        first = alice.take()
        alice.accept(0)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            for act in (alice.take, lambda: alice.accept(1)):
                with pytest.raises(SessionError, match=r"cannot be written to \(No space left"):
                    act()
    with KeyPool(pools[0], "alice") as alice:
        assert alice.take()[0] > first[0]
        with pytest.raises(AuthenticationError, match="a replay"):
            alice.peek(0)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SessionError, match=r"the pool of keys .* cannot be written to"):
        KeyPool(pools[0], "alice")
    monkeypatch.setattr(os, "pread", lambda *_: full(_))
    with pytest.raises(SessionError, match=r"the pool of keys .* cannot be read \(No space"):
        KeyPool(pools[0], "alice")


def test_a_position_cut_short_by_a_full_disk_gives_no_key(pools, monkeypatch):
    with KeyPool(pools[0], "alice") as alice:
        monkeypatch.setattr(os, "pwrite", lambda file, header, place: len(header) // 2)
        with pytest.raises(SessionError, match=r"cannot be written to \(No space left"):
            alice.take()


def test_a_new_pool_is_in_its_folder_for_good(tmp_path, monkeypatch):
    synced = []
    original = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: (synced.append(os.fstat(file).st_ino), original(file))
    )
    create_pool(tmp_path / "pool", 3)
    assert synced == [(tmp_path / "pool").stat().st_ino, tmp_path.stat().st_ino]
