"""diqkd's classical layer: what Alice's and Bob's computers do to turn outcomes into keys."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postprocessing.design import Design
    from postprocessing.designing import ExpectedValues, Security
    from postprocessing.errors import (
        DiqkdError,
        InputFileError,
        InvalidArgumentError,
        ProtocolError,
    )
    from postprocessing.files.designs import read_design
    from postprocessing.files.layout import Layout
    from postprocessing.files.records import read_records
    from postprocessing.pipeline import DistillationReport, distill
    from postprocessing.randomness import PartyRandomness
    from postprocessing.rounds import BellSettings, LocalSettings, PartyRecord

__all__ = [
    "BellSettings",
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
    "BellSettings": "postprocessing.rounds",
    "Design": "postprocessing.design",
    "DiqkdError": "postprocessing.errors",
    "DistillationReport": "postprocessing.pipeline",
    "ExpectedValues": "postprocessing.designing",
    "InputFileError": "postprocessing.errors",
    "InvalidArgumentError": "postprocessing.errors",
    "Layout": "postprocessing.files.layout",
    "LocalSettings": "postprocessing.rounds",
    "PartyRandomness": "postprocessing.randomness",
    "PartyRecord": "postprocessing.rounds",
    "ProtocolError": "postprocessing.errors",
    "Security": "postprocessing.designing",
    "distill": "postprocessing.pipeline",
    "read_design": "postprocessing.files.designs",
    "read_records": "postprocessing.files.records",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that the command line need not wait for numba."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
