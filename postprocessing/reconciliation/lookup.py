"""Codes by name: shipped ones and those made to measure."""

from __future__ import annotations

from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation.codes import QCLDPCCode, code_family
from postprocessing.reconciliation.ladder import grown_code


def get_code(name: str) -> QCLDPCCode:
    """Return a code by its name.

    Parameters
    ----------
    name : str
        That of a shipped code, as `diqkd codes` lists them, or of one that was made to measure, as
        `reconcile` tells it.

    Returns
    -------
    QCLDPCCode
        The code.

    Raises
    ------
    InvalidArgumentError
        If there is no such code.

    Examples
    --------
    >>> get_code("fast0.04-512-53x200").frame_bits, get_code("heavy0.036-64-36x157-0").frame_bits
    (102400, 10048)
    """
    family = code_family()
    if isinstance(name, str) and name in family:
        return family[name]
    try:
        return grown_code(str(name))
    except InvalidArgumentError as error:
        allowed = f"one of {', '.join(family)}, or {error.allowed}"
        raise InvalidArgumentError("code", name, allowed) from None
