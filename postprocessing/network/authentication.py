"""One-time tags (Wegman and Carter): Poly1305 under keys that are each used for one packet.

The keys come from a pool that both parties hold a copy of, half of it for packets from Alice to
Bob, half for those from Bob to Alice: the two never use the same bytes. A key (r, s) of 32 bytes
makes the tag of one packet of L bytes; whoever has seen it forges another with probability at most
8⌈L/16⌉ 2⁻¹⁰⁶ (Bernstein, FSE 2005, LNCS 3557, 32), whatever their computer, as s is fresh.

A pool is known by its identity, 16 random bytes that no key is made of: packets carry it, so that
two pools that differ are told from a forged tag. It knows the soundness of the key that it was made
of, by which its tags may fail too.

The pool remembers on disk how far it has been used, before a key makes a tag and before a packet
under a key is acted upon. A crash can thus lose keys, never use one twice.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import math
import os
import secrets
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from postprocessing.checks import file_path, whole_number
from postprocessing.errors import AuthenticationError, InputFileError, SessionError
from postprocessing.files.atomic import write_output
from postprocessing.files.private import check_private
from postprocessing.network.saved_keys import (
    give_back_key,
    is_file,
    key_soundness,
    read_key,
    spend_key,
)
from postprocessing.scheme import Party

KEY_BYTES = 32
TAG_BYTES = 16

IDENTITY_BYTES = 16

_MAGIC = b"diqkd-k3"
# Magic, owner, identity, keys a direction, next key from Alice, from Bob, soundness of the key that
# it was made of, which the pools of 0.1.0 do not know, and the checksum of these.
_LAYOUTS = {_MAGIC: struct.Struct(">8s8s16sQQQd32s"), b"diqkd-k2": struct.Struct(">8s8s16sQQQ32s")}
_OWNERS = {"alice": b"alice\0\0\0", "bob": b"bob\0\0\0\0\0"}
_NOBODY = b"nobody\0\0"
_MOST_KEYS = 2**32


def forgery_bound(packet_bytes: int) -> float:
    """Return the greatest probability to forge a packet of that length, 8⌈L/16⌉ 2⁻¹⁰⁶."""
    return 8 * -(-packet_bytes // 16) * 2.0**-106


def create_pool(path: Path | str, keys: int) -> None:
    """Write a new pool of keys of the operating system's generator, for its owner's eyes only.

    Parameters
    ----------
    path : Path or str
        Where; nothing may be there.
    keys : int
        Keys a direction, 1 to 2³².

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
    path, count = file_path("path", path), whole_number("keys", keys, 1, _MOST_KEYS)
    _check_new(path)
    pool = _new_pool(secrets.token_bytes(_pool_bytes(count)), count, soundness=0.0)
    write_output(path.parent, {path.name: pool})


def create_pool_from_key(path: Path, key: Path) -> int:
    """Write a new pool of the bits of a key, which is spent by that; return its keys a direction.

    The key is marked spent, down to the disk, before the pool is written: a crash loses it, a disk
    without room for the pool does not. Its first 16 bytes become the pool's identity, which is
    public, and tag nothing. The pool remembers the key's soundness, see `KeyPool.soundness`.

    Parameters
    ----------
    path : Path
        Where; nothing may be there.
    key : Path
        The file of a key that both parties hold and use for nothing else.

    Raises
    ------
    InputFileError
        If the path is taken or cannot be written, or the key is too short, unconfirmed, spent, no
        secret, or not secure at finite size.
    """
    # What is told of a key is beside the file, not beside a link to it.
    key = Path(os.path.realpath(key))
    count = (len(read_key(key)) - IDENTITY_BYTES) // (2 * KEY_BYTES)
    if count < 1:
        text = f"key must be at least {_pool_bytes(1)} bytes long, {str(key)!r} is not"
        raise InputFileError(text)
    _check_new(path)
    soundness = key_soundness(key)
    told = math.nan if soundness is None else soundness
    pool = _new_pool(spend_key(key)[: _pool_bytes(count)], count, soundness=told)
    try:
        write_output(path.parent, {path.name: pool})
    except InputFileError:
        give_back_key(key, path.parent)
        raise
    return count


def _pool_bytes(count: int) -> int:
    """Return the random bytes that a pool is made of."""
    return IDENTITY_BYTES + 2 * count * KEY_BYTES


def _check_new(path: Path) -> None:
    try:
        exists = path.parent.is_dir()
    except OSError as error:
        text = f"pool must be in a folder one can enter, got {str(path)!r} ({error.strerror})"
        raise InputFileError(text) from error
    if not exists:
        raise InputFileError(f"pool must be in an existing folder, got {str(path)!r}")
    if os.path.lexists(path):
        raise InputFileError(f"pool must be a new file, {str(path)!r} exists")


def _new_pool(content: bytes, count: int, *, soundness: float) -> bytes:
    """Return the file of a pool that is made of some bytes."""
    identity, keys = content[:IDENTITY_BYTES], content[IDENTITY_BYTES:]
    return _header(_MAGIC, _NOBODY, identity, count, 0, 0, soundness) + keys


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
        If it cannot be read or written to.

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
        self._magic: bytes
        self._told: list[float]
        if not is_file(path):
            raise InputFileError(f"auth-key must be a pool of keys, got {str(path)!r}")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            message = f"auth-key must be readable and writable, got {str(path)!r}"
            raise InputFileError(message) from error
        try:
            self._lock()
            check_private("auth-key", path, self._descriptor)
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
    def soundness(self) -> float | None:
        """What the pool adds to the soundness of every key made with it.

        That of the key that it was made of: 0 for random bits, None where nobody knows.
        """
        return None if not self._told or math.isnan(self._told[0]) else self._told[0]

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
        offset = _LAYOUTS[self._magic].size + (direction * self._capacity + place) * KEY_BYTES
        key = self._read(KEY_BYTES, offset)
        if len(key) < KEY_BYTES:
            raise SessionError(f"the pool of keys {str(self._path)!r} has been cut short")
        return key

    def _read(self, size: int, offset: int) -> bytes:
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            text = f"the pool of keys {str(self._path)!r} cannot be read ({error.strerror})"
            raise SessionError(text) from error

    def _advance(self, direction: int, position: int) -> None:
        """Write a new position down to the disk."""
        positions = list(self._positions)
        positions[direction] = position
        self._write((positions[0], positions[1]))

    def _write(self, positions: tuple[int, int]) -> None:
        try:
            owner = _OWNERS[self._party]
            header = self._header_of(owner, positions)
            if os.pwrite(self._descriptor, header, 0) != len(header):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._descriptor)
        except OSError as error:
            text = f"the pool of keys {str(self._path)!r} cannot be written to ({error.strerror})"
            raise SessionError(text) from error
        self._positions = positions

    def _header_of(self, owner: bytes, positions: tuple[int, int]) -> bytes:
        """Return the header, in the layout in which the pool was made."""
        place: tuple[bytes | float, ...] = (owner, self._identity, self._capacity, *positions)
        return _header(self._magic, *place, *self._told)

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

    def _take_over(self) -> tuple[int, int]:
        """Read the header, check it, and make the pool the party's own."""
        start = self._read(_LAYOUTS[_MAGIC].size, 0)
        self._magic = start[: len(_MAGIC)]
        layout = _LAYOUTS.get(self._magic)
        header = start[: layout.size] if layout else b""
        if layout is None or len(header) < layout.size:
            raise InputFileError(f"auth-key must be a pool of keys, {str(self._path)!r} is not")
        _, owner, self._identity, self._capacity, *more, _ = layout.unpack(header)
        positions, self._told = (more[0], more[1]), more[2:]
        size = layout.size + 2 * self._capacity * KEY_BYTES
        whole = header == self._header_of(owner, positions)
        if not whole or os.fstat(self._descriptor).st_size != size:
            # A position half written must not pass for an earlier one, nor a key of a pool that was
            # cut short for one of the other direction.
            raise InputFileError(f"auth-key must be whole, {str(self._path)!r} is damaged")
        if owner not in (_NOBODY, _OWNERS[self._party]):
            raise InputFileError(f"auth-key must be {self._party}'s, {str(self._path)!r} is not")
        self._write(positions)
        return positions


def _header(magic: bytes, *fields: bytes | float) -> bytes:
    """Return a header of its magic, its fields in order, and their checksum."""
    layout = _LAYOUTS[magic]
    plain = layout.pack(magic, *fields, bytes(32))[: -hashlib.sha256().digest_size]
    return layout.pack(magic, *fields, hashlib.sha256(plain).digest())
