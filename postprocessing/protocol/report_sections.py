"""What a report says: the sections that reports of all kinds share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from postprocessing.protocol.abort_reasons import TOO_FEW_ROUNDS
from postprocessing.protocol.report_fields import ReportFields
from postprocessing.protocol.transcript import Transcript
from postprocessing.sections import Row, Section, Waterfall, count, number, pairs, sent_row
from postprocessing.security import TERM_LABELS, binary_entropy
from postprocessing.security.epsilons import weakness


def summary(
    report: ReportFields, heralded_rounds: str | None = None, *more: Row
) -> tuple[Row, ...]:
    """Return what came of a distillation, as pairs of a name and a value.

    Parameters
    ----------
    report : ReportFields
        The report.
    heralded_rounds : str, optional
        What to say of them, by default their number.
    *more : pairs of str
        What to say at the end.
    """
    return (
        ("outcome", ended(report)),
        ("keys equal", {True: "yes", False: "NO", None: "-"}[report.keys_match]),
        ("key length", count(report.key_length, "bits")),
        (
            "asymptotic key length",
            count(report.asymptotic_key_length, "bits of these key rounds"),
        ),
        *worth(report),
        ("heralded rounds", heralded_rounds or count(report.heralded_rounds or None)),
        ("key / test rounds", f"{report.key_rounds:,} / {report.test_rounds:,}"),
        ("leaked bits", count(report.leaked_bits)),
        sent_row(report.reconciliation_efficiency, _sent_per_bit(report)),
        ("reconciliation", _code(report)),
        ("frames disclosed", f"{report.failed_frames} of {report.frames}"),
        ("seed", number(report.seed)),
        ("time", f"{seconds(report):.1f} s"),
        *more,
    )


def ended(report: ReportFields) -> str:
    """Return how it ended, and why without a key."""
    if report.abort_reason is None:
        return report.outcome
    told = f"{report.outcome}: {report.abort_reason}"
    if report.abort_reason == TOO_FEW_ROUNDS and report.design is not None:
        told += f" ({report.heralded_rounds:,} of {report.design.heralded_rounds:,})"
    return told


def worth(report: ReportFields, soundness: float | None = None) -> tuple[Row, ...]:
    """Return what the key is worth: the label, its ε beside it, and whether that is much.

    Parameters
    ----------
    report : ReportFields
        The report.
    soundness : float, optional
        The ε to look at, by default that of the report's parts.
    """
    whole = (report.epsilons or {}).get("soundness") if soundness is None else soundness
    weak = weakness(whole)
    rows = (("security", report.label or "-"), ("soundness", _soundness(report.epsilons)))
    return rows if weak is None else (*rows, ("warning", weak))


def seconds(report: ReportFields) -> float:
    """Return the seconds that it took, as far as they are known."""
    return report.timings_s.get("total", sum(report.timings_s.values()))


def accounts(report: ReportFields) -> tuple[Section, ...]:
    """Return where the key went, or what the design counted on; nothing without terms."""
    title, terms = report.waterfall
    rounds = report.design.heralded_rounds if report.design is not None else 0
    if not terms or not rounds:
        return ()
    rows = [
        (TERM_LABELS.get(name, name), f"{bits:+,.0f}", f"{bits / rounds:+.5f}")
        for name, bits in terms.items()
    ]
    rows.append(("key, whole bytes", count(report.key_length), f"{report.key_length / rounds:.5f}"))
    header = ("term", "bits", "bits per heralded round")
    picture = Waterfall(terms, report.key_length)
    return (Section(title, tuple(rows), header, picture=picture),)


def details(report: ReportFields, *more: Section) -> tuple[Section, ...]:
    """Return what only a complete page has room for.

    Parameters
    ----------
    report : ReportFields
        The report.
    *more : Section
        Details of its own kind.
    """
    numbers = (
        ("lost tests", count(report.lost_tests)),
        ("corrected errors", count(report.corrected_errors)),
        ("SHA-256 of the design", report.design_sha256 or "-"),
    )
    sections = (
        Section("numbers", numbers),
        _transcript(report.transcript),
        Section("design", pairs(report.design.to_dict()) if report.design is not None else ()),
        Section("assumptions", bullets=report.assumptions),
        *more,
        Section("time spent (s)", pairs(report.timings_s)),
        Section("versions", pairs(report.versions)),
    )
    told = (section for section in sections if section.rows or section.bullets)
    return tuple(replace(section, is_detail=True) for section in told)


def _sent_per_bit(report: ReportFields) -> float | None:
    """Return what was sent to reconcile a key bit, which f says of so many errors."""
    efficiency, errors = report.reconciliation_efficiency, report.corrected_errors
    if efficiency is None or not errors:
        return None
    return efficiency * float(binary_entropy(errors / report.key_rounds))


def _code(report: ReportFields) -> str:
    """Return mode and code of the reconciliation."""
    if report.design is None or report.design.leakage is None:
        return "-"
    return f"{report.design.leakage.mode}, code {report.design.leakage.reconciliation.code}"


def _soundness(epsilons: Mapping[str, float | None] | None) -> str:
    """Return the soundness and its parts in words, a dash where none is claimed."""
    match epsilons:
        case {"secrecy": float(secrecy), "correctness_twice": float(twice), "soundness": whole}:
            return f"{whole:.3g} = {secrecy:.3g} secrecy + 2 × {twice / 2:.3g}"
    return "-"


def _transcript(transcript: Transcript) -> Section:
    """Return the public messages with the bits that they leak."""
    rows: list[Row] = [
        (f"{place}. {row.message}", row.sender, count(row.leaked_bits))
        for place, row in enumerate(transcript.rows, start=1)
    ]
    if rows:
        rows.append(("in all", "", count(transcript.leaked_bits)))
    return Section("transcript", tuple(rows), ("message", "sender", "leaked bits"))
