"""One-time tags (Wegman and Carter): Poly1305 under keys that are each used for one packet.

The keys come from a pool that both parties hold a copy of, half of it for packets from Alice to
Bob, half for those from Bob to Alice: the two never use the same bytes. A key (r, s) of 32 bytes
makes the tag of one packet of L bytes; whoever has seen it forges another with probability at most
8⌈L/16⌉ 2⁻¹⁰⁶ (Bernstein, FSE 2005, LNCS 3557, 32), whatever their computer, as s is fresh.

The pool remembers on disk how far it has been used, before a key makes a tag and before a packet
under a key is acted upon. A crash can thus lose keys, never use one twice.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from postprocessing.checks import whole_number
from postprocessing.errors import AuthenticationError, InputFileError, SessionError
from postprocessing.keys import write_output
from postprocessing.rounds import Party

KEY_BYTES = 32
TAG_BYTES = 16

_MAGIC = b"diqkd-k1"
# Magic, owner, next key from Alice, next key from Bob, checksum of these.
_HEADER = struct.Struct(">8s8sQQ32s")
_OWNERS = {"alice": b"alice\0\0\0", "bob": b"bob\0\0\0\0\0"}
_NOBODY = b"nobody\0\0"
_MOST_KEYS = 2**32


def forgery_bound(packet_bytes: int) -> float:
    """Return the greatest probability to forge a packet of that length, 8⌈L/16⌉ 2⁻¹⁰⁶."""
    return 8 * -(-packet_bytes // 16) * 2.0**-106


def create_pool(path: Path, keys: int | None = None, *, content: bytes | None = None) -> int:
    """Write a new pool of keys, readable by its owner only; return its keys a direction.

    Parameters
    ----------
    path : Path
        Where; nothing may be there.
    keys : int, optional
        Keys a direction, drawn from the operating system's generator.
    content : bytes, optional
        The keys themselves instead: secret bytes that both parties share and use for nothing else.

    Raises
    ------
    InputFileError
        If the path is taken or cannot be written, or the content is no key a direction.
    InvalidArgumentError
        If the number is out of range.
    """
    if content is None:
        count = whole_number("keys", keys, 1, _MOST_KEYS)
        content = secrets.token_bytes(2 * count * KEY_BYTES)
    count = len(content) // (2 * KEY_BYTES)
    if count == 0:
        message = f"a pool must have a key a direction, got {len(content)} bytes"
        raise InputFileError(message)
    if not path.parent.is_dir():
        raise InputFileError(f"pool must be in an existing folder, got {str(path)!r}")
    header = _header(_NOBODY, (0, 0))
    write_output(path.parent, {path.name: header + content[: 2 * count * KEY_BYTES]})
    return count


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
        If the file is no pool, is damaged, belongs to the other party, or is in use.

    Notes
    -----
    A copy of a used pool, or one restored from a backup, would use keys again: never make one.
    """

    def __init__(self, path: Path, party: Party) -> None:
        self._path, self._party = path, party
        self._own = 0 if party == "alice" else 1
        self._guard = threading.Lock()
        self._lock = FileLock(f"{path}.lock", mode=0o600)
        if not path.is_file():
            raise InputFileError(f"auth-key must be a pool of keys, got {str(path)!r}")
        try:
            self._lock.acquire(timeout=0)
        except (Timeout, OSError) as error:
            raise InputFileError(f"auth-key must not be in use, {str(path)!r} is") from error
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            self._lock.release()
            message = f"auth-key must be readable and writable, got {str(path)!r}"
            raise InputFileError(message) from error
        try:
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
        self._lock.release()

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
            If the pool is used up.
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
        """Remember, before a packet is acted upon, that its key and those before are used."""
        with self._guard:
            self._advance(1 - self._own, place + 1)

    def _check_left(self, place: int) -> None:
        if place >= self._capacity:
            text = f"the pool of keys is used up, it has {self._capacity} keys a direction"
            raise SessionError(text)

    def _key(self, direction: int, place: int) -> bytes:
        offset = _HEADER.size + (direction * self._capacity + place) * KEY_BYTES
        return os.pread(self._descriptor, KEY_BYTES, offset)

    def _advance(self, direction: int, position: int) -> None:
        """Write a new position down to the disk."""
        positions = list(self._positions)
        positions[direction] = position
        self._write((positions[0], positions[1]))

    def _write(self, positions: tuple[int, int]) -> None:
        os.pwrite(self._descriptor, _header(_OWNERS[self._party], positions), 0)
        os.fsync(self._descriptor)
        self._positions = positions

    def _take_over(self) -> tuple[int, int]:
        """Read the header, check it, and make the pool the party's own."""
        size = os.fstat(self._descriptor).st_size - _HEADER.size
        self._capacity = size // (2 * KEY_BYTES)
        header = os.pread(self._descriptor, _HEADER.size, 0)
        if size < 2 * KEY_BYTES or not header.startswith(_MAGIC):
            raise InputFileError(f"auth-key must be a pool of keys, {str(self._path)!r} is not")
        _, owner, from_alice, from_bob, _ = _HEADER.unpack(header)
        positions = (from_alice, from_bob)
        if header != _header(owner, positions):
            # A position half written must not pass for an earlier one.
            raise InputFileError(f"auth-key must be whole, {str(self._path)!r} is damaged")
        if owner not in (_NOBODY, _OWNERS[self._party]):
            raise InputFileError(f"auth-key must be {self._party}'s, {str(self._path)!r} is not")
        self._write(positions)
        return positions


def _header(owner: bytes, positions: tuple[int, int]) -> bytes:
    fields = (_MAGIC, owner, *positions)
    plain = _HEADER.pack(*fields, bytes(32))[: -hashlib.sha256().digest_size]
    return _HEADER.pack(*fields, hashlib.sha256(plain).digest())
