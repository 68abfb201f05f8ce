"""What the shipped codes are like: sizes, leakage, degrees, and where their waterfalls lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation.codes import QCLDPCCode, code_family
from postprocessing.reconciliation.graphs import bit_degrees, check_degrees, girth, rank
from postprocessing.reconciliation.ladder import corrected_qber
from postprocessing.reconciliation.lookup import get_code
from postprocessing.reconciliation.performance import SPLIT_SHARES, waterfall
from postprocessing.sections import Section, number


def portrait(code: QCLDPCCode, *, complete: bool = False) -> dict[str, Any]:
    """Return what a code is like, as JSON-able values.

    Parameters
    ----------
    code : QCLDPCCode
        One of the family, made to measure, or one's own.
    complete : bool, optional
        Whether to count degrees and to search for the shortest cycle too.

    Returns
    -------
    dict of str to Any
        Sizes, syndrome bits a key bit, and ``corrected``: the error rate of whole frames at which
        half of the first attempts fail (None for one's own), and what they send a bit, with
        `SPLIT_SHARES` of the block rows split.
    """
    corrected = []
    for share in SPLIT_SHARES:
        split = round(share * code.rows)
        leak = (code.rows + split) * code.lifting / code.frame_bits
        rate = _corrected(code, split, leak)
        corrected.append({"split_rows": split, "leak_per_bit": leak, "qber": rate})
    values: dict[str, Any] = {
        "name": code.name,
        "frame_bits": code.frame_bits,
        "lifting": code.lifting,
        "rows": code.rows,
        "columns": code.columns,
        "corrected": corrected,
    }
    if complete:
        values |= {"bit_degrees": bit_degrees(code), "check_degrees": check_degrees(code)}
        values |= {"girth": girth(code), "rank": rank(code)}
    return values


def _corrected(code: QCLDPCCode, split: int, leak: float) -> float | None:
    """Return the error rate of which half of the frames are corrected, if it was measured."""
    if not _is_ours(code):
        return None
    if code.name in code_family():
        return waterfall(code.name, code.frame_bits, split)[0] / code.frame_bits
    return corrected_qber(code.frame_bits, leak)


def _is_ours(code: QCLDPCCode) -> bool:
    """Tell whether it is the code that its name says, one of ours."""
    try:
        return np.array_equal(get_code(code.name).shifts, code.shifts)
    except InvalidArgumentError:
        return False


def portraits() -> list[dict[str, Any]]:
    """Return what the shipped codes are like, from the least leakage up."""
    return [portrait(code) for code in code_family().values()]


def shown(found: Sequence[dict[str, Any]]) -> tuple[Section, ...]:
    """Return codes as sections of a page; of a complete one its degrees too."""
    header = ("code-Z-rows x columns", "frame bits", "bits sent a bit", "QBER corrected")
    rows = tuple(
        (
            one["name"],
            f"{one['frame_bits']:,}",
            _span(one, "leak_per_bit"),
            _span(one, "qber"),
        )
        for one in found
    )
    sections = [Section("codes: as they are, and with all rows split", rows, header)]
    for one in found:
        if "girth" in one:
            checks, found = one["rows"] * one["lifting"], one["rank"]
            cycle = (
                ("shortest cycle", number(one["girth"])),
                ("checks", f"{checks:,}"),
                ("rank", "not computed: too large" if found is None else f"{found:,}"),
            )
            sections.append(Section(f"graph of {one['name']}", cycle))
            for kind in ("bit_degrees", "check_degrees"):
                counts = tuple((str(d), f"{count:,}") for d, count in one[kind].items())
                title = kind.replace("_", " ")
                sections.append(Section(title, counts, ("degree", "how many")))
    return tuple(sections)


def _span(one: dict[str, Any], name: str) -> str:
    values = [each[name] for each in one["corrected"]]
    if None in values:
        return "see --measure"
    return f"{number(values[0], 2)} to {number(values[-1], 2)}"
