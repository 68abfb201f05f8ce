"""What a benchmark ran on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# What kernels and peers are made of.
PACKAGES = ("diqkd", "numpy", "numba", "llvmlite", "scipy", "ldpc", "cryptomite", "randextract")
# Instructions that kernels take where they are.
_TELLING = ("sse4.1", "neon", "avx2", "avx512f", "avx512bw", "gfni", "pclmul", "vpclmulqdq")


@dataclass(frozen=True)
class Machine:
    """A machine and what is installed there.

    Parameters
    ----------
    processor : str
        Its name.
    processors : int
        Logical processors that the process may use.
    memory_gib : float or None
        Its memory, where the system tells it.
    instructions : tuple of str
        Sets of instructions that matter for kernels, as LLVM calls them.
    system, python : str
        Operating system and Python.
    packages : dict of str to str
        Versions of what is installed of `PACKAGES`.
    """

    processor: str
    processors: int
    memory_gib: float | None
    instructions: tuple[str, ...]
    system: str
    python: str
    packages: dict[str, str]


def this_machine() -> Machine:
    """Describe the machine that this runs on."""
    from llvmlite.binding import get_host_cpu_features, get_host_cpu_name

    features = get_host_cpu_features()
    return Machine(
        processor=_processor_name() or get_host_cpu_name(),
        processors=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _count(),
        memory_gib=_memory_gib(),
        instructions=tuple(name for name in _TELLING if features.get(name)),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        packages=_versions(),
    )


def _count() -> int:
    return os.cpu_count() or 1


def _processor_name() -> str:
    """Return the name that Linux has for the processor, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, OSError, ValueError):
        return None


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
