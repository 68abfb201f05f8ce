"""diqkd's classical layer: what Alice's and Bob's computers do to turn outcomes into keys."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postprocessing.design.design import Design
    from postprocessing.design.request import ExpectedValues, Security
    from postprocessing.errors import (
        DiqkdError,
        InputFileError,
        InvalidArgumentError,
        ProtocolError,
    )
    from postprocessing.files.designs import read_design
    from postprocessing.files.layout import Layout
    from postprocessing.files.records import read_records
    from postprocessing.protocol.distillation import distill
    from postprocessing.protocol.randomness import PartyRandomness
    from postprocessing.protocol.report import DistillationReport
    from postprocessing.records import PartyRecord
    from postprocessing.scheme import BellScheme, LocalSettings

__all__ = [
    "BellScheme",
    "Design",
    "DiqkdError",
    "DistillationReport",
    "ExpectedValues",
    "InputFileError",
    "InvalidArgumentError",
    "Layout",
    "LocalSettings",
    "PartyRandomness",
    "PartyRecord",
    "ProtocolError",
    "Security",
    "distill",
    "read_design",
    "read_records",
]

_HOMES = {
    "BellScheme": "postprocessing.scheme",
    "Design": "postprocessing.design.design",
    "DiqkdError": "postprocessing.errors",
    "DistillationReport": "postprocessing.protocol.report",
    "ExpectedValues": "postprocessing.design.request",
    "InputFileError": "postprocessing.errors",
    "InvalidArgumentError": "postprocessing.errors",
    "Layout": "postprocessing.files.layout",
    "LocalSettings": "postprocessing.scheme",
    "PartyRandomness": "postprocessing.protocol.randomness",
    "PartyRecord": "postprocessing.records",
    "ProtocolError": "postprocessing.errors",
    "Security": "postprocessing.design.request",
    "distill": "postprocessing.protocol.distillation",
    "read_design": "postprocessing.files.designs",
    "read_records": "postprocessing.files.records",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that the command line need not wait for numba."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
