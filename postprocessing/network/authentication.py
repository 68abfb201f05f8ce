"""One-time tags (Wegman and Carter): Poly1305 under keys that are each used for one packet.

The keys come from a pool that both parties hold a copy of, half of it for packets from Alice to
Bob, half for those from Bob to Alice: the two never use the same bytes. A key (r, s) of 32 bytes
makes the tag of one packet of L bytes; whoever has seen it forges another with probability at most
8⌈L/16⌉ 2⁻¹⁰⁶ (Bernstein, FSE 2005, LNCS 3557, 32), whatever their computer, as s is fresh.

A pool is known by its identity, 16 random bytes that no key is made of: packets carry it, so that
two pools that differ are told from a forged tag.

The pool remembers on disk how far it has been used, before a key makes a tag and before a packet
under a key is acted upon. A crash can thus lose keys, never use one twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import stat
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from postprocessing.checks import whole_number
from postprocessing.errors import AuthenticationError, InputFileError, SessionError
from postprocessing.files.atomic import write_output
from postprocessing.network.key_files import read_key, spend_key
from postprocessing.scheme import Party

KEY_BYTES = 32
TAG_BYTES = 16

IDENTITY_BYTES = 16

_MAGIC = b"diqkd-k2"
# Magic, owner, identity, keys a direction, next key from Alice, from Bob, checksum of these.
_HEADER = struct.Struct(">8s8s16sQQQ32s")
_OWNERS = {"alice": b"alice\0\0\0", "bob": b"bob\0\0\0\0\0"}
_NOBODY = b"nobody\0\0"
_MOST_KEYS = 2**32


def forgery_bound(packet_bytes: int) -> float:
    """Return the greatest probability to forge a packet of that length, 8⌈L/16⌉ 2⁻¹⁰⁶."""
    return 8 * -(-packet_bytes // 16) * 2.0**-106


def create_pool(path: Path, keys: int) -> None:
    """Write a new pool of keys of the operating system's generator, for its owner's eyes only.

    Parameters
    ----------
    path : Path
        Where; nothing may be there.
    keys : int
        Keys a direction.

    Raises
    ------
    InputFileError
        If the path is taken or cannot be written.
    InvalidArgumentError
        If the number is out of range.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     create_pool(Path(folder, "alice.pool"), keys=100)
    ...     Path(folder, "alice.pool").stat().st_size >= 2 * 100 * KEY_BYTES
    True
    """
    count = whole_number("keys", keys, 1, _MOST_KEYS)
    _check_new(path)
    _write_new(path, secrets.token_bytes(_pool_bytes(count)), count)


def create_pool_from_key(path: Path, key: Path) -> int:
    """Write a new pool of the bits of a key, which is spent by that; return its keys a direction.

    The key is marked spent, down to the disk, before the pool is written: a crash loses it. Its
    first 16 bytes become the pool's identity, which is public, and tag nothing.

    Parameters
    ----------
    path : Path
        Where; nothing may be there.
    key : Path
        The file of a key that both parties hold and use for nothing else.

    Raises
    ------
    InputFileError
        If the path is taken or cannot be written, or the key is too short, unconfirmed, spent, or
        no secret.
    """
    count = (len(read_key(key)) - IDENTITY_BYTES) // (2 * KEY_BYTES)
    if count < 1:
        text = f"key must be at least {_pool_bytes(1)} bytes long, {str(key)!r} is not"
        raise InputFileError(text)
    _check_new(path)
    _write_new(path, spend_key(key)[: _pool_bytes(count)], count)
    return count


def _pool_bytes(count: int) -> int:
    """Return the random bytes that a pool is made of."""
    return IDENTITY_BYTES + 2 * count * KEY_BYTES


def _check_new(path: Path) -> None:
    if not path.parent.is_dir():
        raise InputFileError(f"pool must be in an existing folder, got {str(path)!r}")
    if os.path.lexists(path):
        raise InputFileError(f"pool must be a new file, {str(path)!r} exists")


def _write_new(path: Path, content: bytes, count: int) -> None:
    identity, keys = content[:IDENTITY_BYTES], content[IDENTITY_BYTES:]
    write_output(path.parent, {path.name: _header(_NOBODY, identity, count, (0, 0)) + keys})


class KeyPool:
    """A party's pool of one-time keys, open and locked.

    Parameters
    ----------
    path : Path
        The file; it belongs to the first party that opens it, and to no other from then on.
    party : {"alice", "bob"}
        Whose pool it is.

    Raises
    ------
    InputFileError
        If the file is no pool, is damaged, belongs to the other party, is in use, or can be read by
        other users.
    SessionError
        If it cannot be written to.

    Notes
    -----
    A copy of a used pool, or one restored from a backup, would use keys again: never make one.
    """

    def __init__(self, path: Path, party: Party) -> None:
        self._path, self._party = path, party
        self._own = 0 if party == "alice" else 1
        self._guard = threading.Lock()
        self._identity: bytes
        self._capacity: int
        if not path.is_file():
            raise InputFileError(f"auth-key must be a pool of keys, got {str(path)!r}")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            message = f"auth-key must be readable and writable, got {str(path)!r}"
            raise InputFileError(message) from error
        try:
            self._lock()
            self._check_private()
            self._positions = self._take_over()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others use the file."""
        os.close(self._descriptor)

    @property
    def identity(self) -> bytes:
        """What tells this pool and its copy from all others; public."""
        return self._identity

    @property
    def used_keys(self) -> int:
        """Number of keys used so far, in both directions."""
        return sum(self._positions)

    @property
    def remaining_keys(self) -> int:
        """Number of keys left in the direction that has fewer."""
        return self._capacity - max(self._positions)

    def take(self) -> tuple[int, bytes]:
        """Return a key to tag one packet with, and its place; it is never returned again.

        Raises
        ------
        SessionError
            If the pool is used up or cannot be written to.
        """
        with self._guard:
            place = self._positions[self._own]
            self._check_left(place)
            self._advance(self._own, place + 1)
        return place, self._key(self._own, place)

    def peek(self, place: int) -> bytes:
        """Return the key that the peer says it tagged a packet with.

        The peer may have lost some keys, not used one twice: places before the last accepted are
        refused. A wrong tag leaves the position as it is, or a stranger could use up the pool by
        packets alone; every attempt has the same small chance, `forgery_bound`.

        Raises
        ------
        AuthenticationError
            If a packet under this or a later key has been accepted before.
        SessionError
            If the pool is used up.
        """
        peer = 1 - self._own
        if place < self._positions[peer]:
            raise AuthenticationError("a packet under a key that has been used: a replay")
        self._check_left(place)
        return self._key(peer, place)

    def accept(self, place: int) -> None:
        """Remember, before a packet is acted upon, that its key and those before are used.

        Raises
        ------
        SessionError
            If the pool cannot be written to.
        """
        with self._guard:
            self._advance(1 - self._own, place + 1)

    def _check_left(self, place: int) -> None:
        if place >= self._capacity:
            text = f"the pool of keys is used up, it has {self._capacity} keys a direction"
            raise SessionError(text)

    def _key(self, direction: int, place: int) -> bytes:
        offset = _HEADER.size + (direction * self._capacity + place) * KEY_BYTES
        try:
            key = os.pread(self._descriptor, KEY_BYTES, offset)
        except OSError as error:
            text = f"the pool of keys {str(self._path)!r} cannot be read ({error.strerror})"
            raise SessionError(text) from error
        if len(key) < KEY_BYTES:
            raise SessionError(f"the pool of keys {str(self._path)!r} has been cut short")
        return key

    def _advance(self, direction: int, position: int) -> None:
        """Write a new position down to the disk."""
        positions = list(self._positions)
        positions[direction] = position
        self._write((positions[0], positions[1]))

    def _write(self, positions: tuple[int, int]) -> None:
        try:
            owner = _OWNERS[self._party]
            header = _header(owner, self._identity, self._capacity, positions)
            os.pwrite(self._descriptor, header, 0)
            os.fsync(self._descriptor)
        except OSError as error:
            text = f"the pool of keys {str(self._path)!r} cannot be written to ({error.strerror})"
            raise SessionError(text) from error
        self._positions = positions

    def _lock(self) -> None:
        """Keep others from the file itself, by whatever name they open it.

        A lock file, as of `filelock`, would go by the name, and a link to the pool has another. On
        the pool itself that library would empty it: it opens what it locks to be written anew.
        """
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputFileError(f"auth-key must not be in use, {str(self._path)!r} is") from error
        except OSError as error:
            text = f"auth-key must be where files can be locked, got {str(self._path)!r}"
            raise InputFileError(f"{text} ({error.strerror})") from error

    def _check_private(self) -> None:
        """Refuse keys that others may have seen."""
        found = os.fstat(self._descriptor)
        mode = stat.S_IMODE(found.st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            text = f"auth-key must be its owner's alone (0600), {str(self._path)!r} has mode"
            raise InputFileError(f"{text} {mode:04o}")
        if found.st_uid != os.geteuid():
            text = f"auth-key must be the user's own file, {str(self._path)!r} is of user"
            raise InputFileError(f"{text} {found.st_uid}")

    def _take_over(self) -> tuple[int, int]:
        """Read the header, check it, and make the pool the party's own."""
        header = os.pread(self._descriptor, _HEADER.size, 0)
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            raise InputFileError(f"auth-key must be a pool of keys, {str(self._path)!r} is not")
        _, owner, self._identity, self._capacity, from_alice, from_bob, _ = _HEADER.unpack(header)
        positions = (from_alice, from_bob)
        size = _HEADER.size + 2 * self._capacity * KEY_BYTES
        whole = header == _header(owner, self._identity, self._capacity, positions)
        if not whole or os.fstat(self._descriptor).st_size != size:
            # A position half written must not pass for an earlier one, nor a key of a pool that was
            # cut short for one of the other direction.
            raise InputFileError(f"auth-key must be whole, {str(self._path)!r} is damaged")
        if owner not in (_NOBODY, _OWNERS[self._party]):
            raise InputFileError(f"auth-key must be {self._party}'s, {str(self._path)!r} is not")
        self._write(positions)
        return positions


def _header(owner: bytes, identity: bytes, count: int, positions: tuple[int, int]) -> bytes:
    fields = (_MAGIC, owner, identity, count, *positions)
    plain = _HEADER.pack(*fields, bytes(32))[: -hashlib.sha256().digest_size]
    return _HEADER.pack(*fields, hashlib.sha256(plain).digest())
