"""The one way in which kernels are compiled.

Kernels hold no lock of Python's, check no bounds, divide as numpy does, and are cached on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, overload

import numba as nb

from postprocessing.simd.cache import kernel_cache

Function: TypeAlias = Callable[..., Any]
Inline: TypeAlias = Literal["never", "always"]


@overload
def kernel(function: Function) -> Any: ...


@overload
def kernel(*, fastmath: bool = ..., inline: Inline = ...) -> Callable[[Function], Any]: ...


def kernel(
    function: Function | None = None, *, fastmath: bool = False, inline: Inline = "never"
) -> Any:
    """Compile a function on plain arrays and numbers at its first call.

    Parameters
    ----------
    function : callable, optional
        The kernel; without it, a decorator with the options is returned.
    fastmath : bool
        Whether sums of floats may be reordered.
    inline : {"never", "always"}
        Whether other kernels take the code of this one into their own before they are compiled.

    Returns
    -------
    Any
        The kernel. Its type is not told: inside of other kernels, mypy would take the types of
        numba for those of Python.
    """

    def compiled(body: Function) -> Any:
        made: Any = nb.njit(
            nogil=True, boundscheck=False, error_model="numpy", fastmath=fastmath, inline=inline
        )(body)
        cache = kernel_cache(body)
        if cache is not None:
            # As `cache=True` does with numba's own.
            made._cache = cache
        return made

    return compiled if function is None else compiled(function)


def intrinsic(function: Function) -> Any:
    """Make a function of kernels whose code is emitted: it returns a signature and the emitter."""
    return nb.extending.intrinsic(function)
