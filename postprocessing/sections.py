"""Sections: what a report or a table of values says, for any output to show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

Row = tuple[str, ...]
# Beyond it f says how little h(QBER) is, not how good a code.
_MOST_TELLING_EFFICIENCY = 2.0


@dataclass(frozen=True)
class Waterfall:
    """A picture: how the entropy of the rounds becomes a key, term by term.

    Parameters
    ----------
    terms : mapping of str to float
        Contributions to the key length in bits, costs negative.
    key_length : int
        Length of the key in bits.
    """

    terms: Mapping[str, float]
    key_length: int


@dataclass(frozen=True)
class Section:
    """A part of a report: a table, a list or a picture under a title.

    Parameters
    ----------
    title : str
        What it is.
    rows : tuple of rows of str
        The table.
    header : tuple of str
        Names of its columns, of which all but the first hold numbers; empty for pairs of a name
        and a value.
    bullets : tuple of str
        A list of sentences.
    picture : Waterfall, optional
        What to draw above the table, whose last row is then the result.
    is_detail : bool
        Whether only a complete page has it, and no summary.

    Examples
    --------
    >>> print(Section("rounds", (("key", "9 < 10"),)).to_html())
    <h2>rounds</h2>
    <div class="scroll"><table><tbody>
    <tr><td>key</td><td class="value">9 &lt; 10</td></tr>
    </tbody></table></div>
    """

    title: str
    rows: tuple[Row, ...] = ()
    header: Row = ()
    bullets: tuple[str, ...] = ()
    picture: Waterfall | None = None
    is_detail: bool = False

    def to_html(self, drawing: str = "") -> str:
        """Return the section as HTML with every text escaped.

        Parameters
        ----------
        drawing : str
            The picture as HTML, to stand above the table.
        """
        parts = [f"<h2>{escape(self.title)}</h2>", *([drawing] if drawing else [])]
        if self.rows:
            parts += ['<div class="scroll"><table>' + self._head() + "<tbody>"]
            kind = "number" if self.header else "value"
            parts += [f"<tr>{_cells('td', row, kind)}</tr>" for row in self.rows]
            parts += ["</tbody></table></div>"]
        if self.bullets:
            parts += ["<ul>", *(f"<li>{escape(text)}</li>" for text in self.bullets), "</ul>"]
        return "\n".join(parts)

    def _head(self) -> str:
        if not self.header:
            return ""
        return f"<thead><tr>{_cells('th', self.header, 'number')}</tr></thead>"


def summary_html(sections: Iterable[Section]) -> str:
    """Return the sections that are no details as HTML, for notebooks."""
    return "\n".join(section.to_html() for section in sections if not section.is_detail)


def sent_row(efficiency: float | None, bits_a_key_bit: float | None) -> Row:
    """Return what reconciliation has sent: f, or where hardly a bit differs what a key bit cost.

    Parameters
    ----------
    efficiency : float or None
        f, bits sent over n h(QBER); None where it was not measured, infinite without errors.
    bits_a_key_bit : float or None
        Bits sent a key bit, where there is an f.

    Examples
    --------
    >>> sent_row(1.06, 0.24), sent_row(10.8, 0.00153)
    (('reconciliation efficiency f', '1.06'), ('sent to reconcile', '0.00153 bits a key bit'))
    """
    if efficiency is None or bits_a_key_bit is None or efficiency <= _MOST_TELLING_EFFICIENCY:
        return "reconciliation efficiency f", number(efficiency)
    return "sent to reconcile", f"{bits_a_key_bit:.3g} bits a key bit"


def number(value: object, digits: int = 6) -> str:
    """Return a number with a few digits, a dash for None, anything else as it is.

    Two numbers, as of Alice and Bob, stand side by side.
    """
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(number(each, digits) for each in value)
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def count(value: int | None, unit: str = "") -> str:
    """Return a whole number with its unit, a dash for None."""
    return "-" if value is None else f"{value:,} {unit}".rstrip()


def pairs(values: object, name: str = "") -> tuple[Row, ...]:
    """Return nested values as pairs of a name and an exact value.

    Examples
    --------
    >>> pairs({"heralded_rounds": 10, "rates": {"achieved": 0.5, "asymptotic": None}})
    (('heralded rounds', '10'), ('rates achieved', '0.5'), ('rates asymptotic', '-'))
    """
    if isinstance(values, Mapping):
        inner = ((f"{name} {key}".strip(), value) for key, value in values.items())
        return tuple(row for key, value in inner for row in pairs(value, key))
    text = values if isinstance(values, str) else json.dumps(values, ensure_ascii=False)
    return ((name.replace("_", " "), "-" if values is None else text),)


def _cells(tag: str, row: Row, kind: str) -> str:
    """Return the cells of a row, of which all but the first are of a kind."""
    first, *others = (escape(cell) for cell in row)
    marked = (f'<{tag} class="{kind}">{cell}</{tag}>' for cell in others)
    return f"<{tag}>{first}</{tag}>" + "".join(marked)
