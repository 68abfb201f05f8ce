"""The cache of compiled kernels on disk: never stale, and never in the way.

A compiled kernel holds the code of all kernels that it calls. numba compiles one anew when its own
file has changed, not when one of those has; here the sources of all kernels are part of what a
cached one is known by.

The cache is beside the sources; where that folder is read-only it is the user's, or else a
temporary one; where none can be written to, kernels are compiled in every process.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import sys
import tempfile
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    InTreeCacheLocator,
)

# Folders and files of these names hold kernels, and nothing else does.
_HOLD_KERNELS = frozenset({"kernels", "simd"})


def kernel_cache(function: Callable[..., Any]) -> KernelCache | None:
    """Return where a kernel is kept once it is compiled; None, and a warning, where nothing is."""
    try:
        return KernelCache(function)
    except (RuntimeError, OSError):
        _warn()
        return None


def kernel_files(package: Path) -> list[Path]:
    """Return the files below a package's folder that may hold kernels, sorted."""
    files = (file.relative_to(package) for file in package.rglob("*.py"))
    return sorted(package / file for file in files if _HOLD_KERNELS & {*file.with_suffix("").parts})


def sources_digest(*packages: Path) -> str:
    """Return a digest of names and contents of all kernel files below some folders."""
    digest = hashlib.sha256()
    for package in packages:
        for file in kernel_files(package):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(package)} {content}\n".encode())
    return digest.hexdigest()


@cache
def _digest_for(package: str) -> str:
    """Return the digest of what the kernels of a package are made of: its own and these here.

    Taken when the first of them is imported: files may change under a running process.
    """
    folders = [Path(__file__).parents[1]]
    folders += map(Path, getattr(sys.modules.get(package), "__path__", ()))
    return sources_digest(*dict.fromkeys(folders))


@cache
def _warn() -> None:
    """Say, once, that kernels are not kept."""
    sys.stderr.write(
        "warning: no folder can hold compiled kernels, every process compiles them anew; "
        "set NUMBA_CACHE_DIR to one that can be written to\n"
    )


class _TemporaryLocator(InTreeCacheLocator):
    """A folder of the user's own among the temporary files, the last resort."""

    def __init__(self, function: Any, file: str) -> None:
        super().__init__(function, file)
        self._own = Path(tempfile.gettempdir()) / f"diqkd-kernels-{os.geteuid()}"
        self._cache_path = str(self._own / self.get_suitable_cache_subpath(file))

    def ensure_cache_path(self) -> None:
        """Make the folder; refuse one in which others could have put code for us to run.

        Raises
        ------
        OSError
            If it is such a folder, or cannot be written to.
        """
        self._own.mkdir(mode=0o700, exist_ok=True)
        found = self._own.lstat()
        is_private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        if not is_private or found.st_uid != os.geteuid():
            raise PermissionError(f"{self._own} must be the user's alone")
        super().ensure_cache_path()


class _Implementation(CompileResultCacheImpl):
    """numba's way to store kernels, with one more place to store them in."""

    _locator_classes = [*CompileResultCacheImpl._locator_classes, _TemporaryLocator]  # noqa: RUF012


class _CacheFile(IndexDataCacheFile):
    """Index and code of a kernel, whose index never points at other code than its own."""

    def save(self, key: Any, data: Any) -> None:
        """Write the code under a name that was never used, and only then the index.

        numba writes the index first, over a name that old code may have: a full disk in between, or
        another process, would find that code under the new sources' stamp.
        """
        name = self._data_name(uuid.uuid4().int)
        self._save_data(name, data)
        self._save_index({**self._load_index(), key: name})


class KernelCache(FunctionCache):
    """What is kept of one kernel, for each of the types it was compiled for.

    Parameters
    ----------
    function : callable
        The kernel's Python function.

    Raises
    ------
    RuntimeError, OSError
        If no folder can hold it.
    """

    _impl_class = _Implementation

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        package = function.__module__.partition(".")[0]
        stamp = (self._impl.locator.get_source_stamp(), _digest_for(package))
        self._cache_file = _CacheFile(self.cache_path, self._impl.filename_base, stamp)

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return a kept kernel, None if there is none; forget those that a crash has damaged."""
        try:
            return super().load_overload(signature, target_context)
        except (OSError, EOFError, pickle.UnpicklingError):
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep a kernel, unless the disk is full or not to be written to any more."""
        try:
            super().save_overload(signature, data)
        except OSError:
            _warn()
