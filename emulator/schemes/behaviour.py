"""Any table p(a, b | x, y): published experiments, Werner states, local strategies."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field, PlainValidator

from emulator.parameters import Efficiency, RepetitionRate, parameters
from emulator.schemes.base import ProtocolModel, Scheme
from emulator.states.distribution import JointDistribution
from emulator.states.games import ALICE_ANGLES, BOB_ANGLES, LI_SETTINGS, XIE_SETTINGS
from postprocessing.checks import file_path, probability, real_number, real_numbers
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.scheme import BellScheme

if TYPE_CHECKING:
    import pandas as pd

FloatArray: TypeAlias = npt.NDArray[np.float64]

ANNOUNCEMENTS = ("none", "herald")

_COLUMNS = ("x", "y", "a", "b", "probability")
_LAYOUTS = "A0, A1, A2 with B1, B2, or A0, A1 with B0, B1, B2"
_TSIRELSON_BOUND = 2 * math.sqrt(2)
_OUTCOMES = np.array([1.0, -1.0])

# What a table printed with seven digits may miss; a state's numbers are taken as exact.
_PRINTING = 1e-6
_ROUNDING = 1e-9
# Of sums of four probabilities; to correct so little would cost small probabilities their digits.
_ARITHMETIC = 1e-15


def _read_only(given: Any) -> FloatArray:
    """Return a sound table that nobody can change."""
    table = _sound_table(np.array(real_numbers("probabilities", given)))
    table.setflags(write=False)
    return table


HeraldProbability = Annotated[Efficiency, Field(description="of a pulse")]


@parameters
class Behaviour(ProtocolModel):
    """Devices known by the probabilities p(a, b | x, y) of their heralded outcomes alone.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (3, 2, 2, 2) or (2, 3, 2, 2)
        p(a, b | x, y) given a herald, indices (x, y, a, b), outcome index 0 for +1 and 1 for −1.
        The shape tells the settings. Alice's A0, A1, A2 and Bob's B1, B2: key (A0, B1),
        S = A1B1 − A1B2 + A2B1 + A2B2 (Xie et al.). Alice's A0, A1 and Bob's B0, B1, B2: key
        (A0, B2), S = A0B0 + A0B1 + A1B0 − A1B1 (Li et al.). Nobody flips an outcome.
    herald_probability : float
        Probability that a pulse is heralded, in (0, 1], whatever the settings.
    repetition_rate_hz : float, optional
        Pulses per second, above 0, for rates per second.

    Raises
    ------
    InvalidArgumentError
        If a number is not finite or outside its range, or if the table has another shape, is not
        normalised, signals between Alice and Bob, or has S beyond ±2√2, where no key rate is
        known; each by more than 1e-6.

    Notes
    -----
    A table rounded for print signals a little. `probabilities` holds the nearest table of the same
    correlators that does not, p = (1 + aA_x + bB_y + abE_xy)/4 with marginals A_x and B_y averaged
    over the other party's settings. Where rounding leaves it negative or beyond S = ±2√2, just
    enough white noise is mixed in.

    Examples
    --------
    >>> ions = Behaviour.from_state(chsh=2.677, qber=0.0144)
    >>> f"{ions.theory().key_rate_per_pulse:.4f}"
    '0.5834'
    """

    probabilities: Annotated[FloatArray, PlainValidator(_read_only)]
    herald_probability: HeraldProbability = 1.0
    repetition_rate_hz: RepetitionRate = None

    name: ClassVar[str] = "behaviour"
    title: ClassVar[str] = "behaviours"

    # Arrays do not compare as a whole.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        herald_probability: float = 1.0,
        repetition_rate_hz: float | None = None,
    ) -> Self:
        """Return the behaviour of a table in long form.

        Parameters
        ----------
        frame : DataFrame
            Columns ``x``, ``y`` (labels of either set of settings), ``a``, ``b`` (1 or −1) and
            ``probability``; every cell once, in any order.
        herald_probability, repetition_rate_hz
            As for the class.

        Raises
        ------
        InvalidArgumentError
            If columns, labels, outcomes or cells are others, or as for the class.
        """
        return cls(_table_of(frame), herald_probability, repetition_rate_hz)

    @classmethod
    def from_csv(
        cls,
        path: Path | str,
        herald_probability: float = 1.0,
        repetition_rate_hz: float | None = None,
    ) -> Self:
        """Return the behaviour of a CSV file with the columns of `from_frame`.

        Raises
        ------
        InputFileError
            If the file cannot be read or its table is impossible.
        InvalidArgumentError
            If another argument is outside its range.
        """
        try:
            table = _sound_table(_table_of(_read(file_path("path", path))))
        except InvalidArgumentError as error:
            raise InputFileError(f"{error} in the table {str(path)!r}") from error
        return cls(table, herald_probability, repetition_rate_hz)

    @classmethod
    def from_state(
        cls,
        chsh: float,
        qber: float | None = None,
        herald_probability: float = 1.0,
        repetition_rate_hz: float | None = None,
    ) -> Self:
        """Return a Bell-diagonal state of two qubits, measured with the settings of Xie et al.

        Its correlations are t_zz = 1 − 2Q and t_xx = t_zz − S/√2.

        Parameters
        ----------
        chsh : float
            S in [−2√2, 2√2].
        qber : float, optional
            Q in [0, 1]; by default that of a Werner state, (1 − V)/2 with V = S/(2√2).
        herald_probability, repetition_rate_hz
            As for the class.

        Raises
        ------
        InvalidArgumentError
            If a number is not finite or outside its range, or no state has this S with this Q.

        Notes
        -----
        The trapped-ion experiment of Nadlinger et al., Nature 607, 682 (2022), had S = 2.677 and
        Q = 1.44 %, and made 95 884 bits of key from n = 1.5e6 rounds. It is not a Werner state,
        whose Q at that S would be 2.7 %.
        """
        bound = _TSIRELSON_BOUND + _ROUNDING
        chsh = real_number("chsh", chsh, "in [−2√2, 2√2]", within=lambda s: abs(s) <= bound)
        if qber is None:
            qber = min(max((1 - chsh / _TSIRELSON_BOUND) / 2, 0.0), 1.0)
        qber = probability("qber", qber)
        t_zz = 1 - 2 * qber
        t_xx = t_zz - chsh / math.sqrt(2)
        if abs(t_xx) > 1 + _ROUNDING:
            least, most = math.sqrt(2) * (t_zz - 1), math.sqrt(2) * (t_zz + 1)
            allowed = f"in [{least:.6g}, {most:.6g}], what states of a QBER of {qber:g} reach"
            raise InvalidArgumentError("chsh", chsh, allowed)
        alice, bob = np.array(ALICE_ANGLES), np.array(BOB_ANGLES)
        correlators = t_zz * np.outer(np.cos(alice), np.cos(bob))
        correlators += min(max(t_xx, -1.0), 1.0) * np.outer(np.sin(alice), np.sin(bob))
        differ = (1 - correlators) / 2
        differ[XIE_SETTINGS.key_pair] = qber
        same, differ = (p[..., np.newaxis, np.newaxis] / 2 for p in (1 - differ, differ))
        return cls(np.where(np.eye(2), same, differ), herald_probability, repetition_rate_hz)

    @property
    def bell_scheme(self) -> BellScheme:
        """Settings, herald and CHSH game; no flips."""
        return _settings_of(self.probabilities)

    def joint_distribution(self) -> JointDistribution:
        """Return the probabilities of one pulse.

        Returns
        -------
        JointDistribution
            Announcements "herald" and "none"; outcomes without a herald, which nobody uses, are
            evenly distributed.
        """
        heralded = self.herald_probability * self.probabilities
        unheralded = np.full_like(heralded, (1 - self.herald_probability) / 4)
        table = np.stack([unheralded, heralded], axis=2)
        return JointDistribution(self.bell_scheme, ANNOUNCEMENTS, table)


@parameters
class BehaviourSource(Scheme):
    """Where a behaviour comes from: a table in a file, or the state of given CHSH value and QBER.

    Parameters
    ----------
    table : Path, optional
        CSV file with the columns of `Behaviour.from_frame`.
    chsh, qber : float, optional
        Of a state in place of the table, see `Behaviour.from_state`.
    herald_probability, repetition_rate_hz
        As for `Behaviour`.
    """

    table: Annotated[
        Path | None, Field(description="CSV file with the columns x, y, a, b, probability")
    ] = None
    chsh: Annotated[float | None, Field(description="CHSH value of a Bell-diagonal state")] = None
    qber: Annotated[
        float | None, Field(description="its QBER; that of a Werner state by default")
    ] = None
    herald_probability: HeraldProbability = 1.0
    repetition_rate_hz: RepetitionRate = None

    name: ClassVar[str] = Behaviour.name
    title: ClassVar[str] = Behaviour.title
    default_preset: ClassVar[str | None] = "trapped-ions-2022"
    displaced: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "table": ("chsh", "qber"),
        "chsh": ("table", "qber"),
    }

    def model(self) -> Behaviour:
        """Return the behaviour.

        Raises
        ------
        InvalidArgumentError
            Unless exactly one of `table` and `chsh` is given, or if no state is like that.
        InputFileError
            If the table cannot be read or is impossible.
        """
        pace = (self.herald_probability, self.repetition_rate_hz)
        if self.chsh is not None and self.table is None:
            return Behaviour.from_state(self.chsh, self.qber, *pace)
        if self.qber is not None:
            raise InvalidArgumentError("qber", self.qber, "given with chsh only")
        if self.table is None or self.chsh is not None:
            given = (self.table and str(self.table), self.chsh)
            raise InvalidArgumentError("table", given, "given, or else chsh, and not both")
        return Behaviour.from_csv(self.table, *pace)


def _read(path: Path) -> pd.DataFrame:
    """Return the content of a CSV file."""
    # Help and bad input do not wait for pandas.
    import pandas as pd

    try:
        text = path.read_text(encoding="utf-8-sig")
        return pd.read_csv(io.StringIO(text), dtype={"x": str, "y": str})
    except OSError as error:
        message = f"table must be a readable CSV file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error
    except ValueError as error:
        raise InputFileError(f"table must be valid CSV, {str(path)!r} is not: {error}") from error


def _table_of(frame: pd.DataFrame) -> FloatArray:
    """Return the table of a frame in long form, its cells complete."""
    import pandas as pd

    if sorted(map(str, frame.columns)) != sorted(_COLUMNS):
        raise InvalidArgumentError("columns", list(frame.columns), ", ".join(_COLUMNS))
    settings = _settings_named(frame)
    for name in ("a", "b"):
        wrong = frame[name][~frame[name].isin([1, -1])]
        if len(wrong):
            raise InvalidArgumentError(name, wrong.tolist()[0], "1 or −1 in every row")
    numbers = pd.to_numeric(frame["probability"], errors="coerce").astype(np.float64)
    wrong = frame["probability"][~np.isfinite(numbers)]
    if len(wrong):
        raise InvalidArgumentError("probability", wrong.tolist()[0], "a finite number in every row")
    labels = (settings.alice_labels, settings.bob_labels)
    cells = pd.MultiIndex.from_product([*labels, (1, -1), (1, -1)])
    given = pd.MultiIndex.from_frame(frame[["x", "y", "a", "b"]].astype({"a": int, "b": int}))
    wrong_number = {"more than once": given[given.duplicated()], "never": cells[~cells.isin(given)]}
    for times, wrong_cells in wrong_number.items():
        if len(wrong_cells):
            x, y, a, b = wrong_cells[0]
            value = f"({x}, {y}, {a}, {b}) {times}"
            raise InvalidArgumentError("(x, y, a, b)", value, "given once each")
    shape = (*map(len, labels), 2, 2)
    return np.array(numbers.set_axis(given).loc[cells], dtype=np.float64).reshape(shape)


def _settings_named(frame: pd.DataFrame) -> BellScheme:
    """Return the settings whose labels a frame has."""
    given = tuple(sorted({str(label) for label in frame[name]}) for name in ("x", "y"))
    for settings in (XIE_SETTINGS, LI_SETTINGS):
        if given == (list(settings.alice_labels), list(settings.bob_labels)):
            return settings
    value = " with ".join(", ".join(labels) for labels in given)
    raise InvalidArgumentError("settings", value, _LAYOUTS)


def _settings_of(table: FloatArray) -> BellScheme:
    """Return the settings that the shape of a table tells."""
    for settings in (XIE_SETTINGS, LI_SETTINGS):
        if table.shape == (len(settings.alice_labels), len(settings.bob_labels), 2, 2):
            return settings
    allowed = "an array of shape (3, 2, 2, 2) or (2, 3, 2, 2)"
    raise InvalidArgumentError("probabilities", table.shape, allowed)


def _sound_table(given: FloatArray) -> FloatArray:
    """Return the table without signalling, negative cells and S beyond ±2√2, all of them tiny."""
    settings = _settings_of(given)
    if not np.isfinite(given).all():
        raise InvalidArgumentError("probabilities", given.tolist(), "finite")
    table = given - _deviation(given, settings)
    least = float(table.min())
    correlators = np.einsum("xyab,a,b->xy", table, _OUTCOMES, _OUTCOMES)
    chsh = float(sum(sign * correlators[x, y] for x, y, sign in settings.chsh_signs))
    if least < -_PRINTING:
        raise InvalidArgumentError("probabilities", least, "at least 0")
    if abs(chsh) > _TSIRELSON_BOUND + _PRINTING:
        allowed = "of a CHSH value in [−2√2, 2√2], beyond which no key rate is known"
        raise InvalidArgumentError("probabilities", f"a CHSH value of {chsh:.7g}", allowed)
    least, chsh = min(least, 0.0), max(abs(chsh), _TSIRELSON_BOUND)
    noise = max(-least / (0.25 - least), 1 - _TSIRELSON_BOUND / chsh)
    sound: FloatArray = np.maximum((1 - noise) * table + noise / 4, 0.0)
    return sound


def _deviation(table: FloatArray, scheme: BellScheme) -> FloatArray:
    """Return what a table has beyond (1 + aA_x + bB_y + abE_xy)/4, after a check that it is tiny.

    A_x and B_y are averages over the other party's settings.
    """
    excess = table.sum(axis=(2, 3)) - 1
    alice = np.einsum("xyab,a->xy", table, _OUTCOMES)
    bob = np.einsum("xyab,b->xy", table, _OUTCOMES)
    moves = (alice - alice.mean(axis=1, keepdims=True), bob - bob.mean(axis=0, keepdims=True))
    parts = np.stack([excess, *moves])
    parts[np.abs(parts) < _ARITHMETIC] = 0
    patterns = np.stack(np.broadcast_arrays(1.0, _OUTCOMES[:, np.newaxis], _OUTCOMES))
    deviation: FloatArray = np.einsum("kxy,kab->xyab", parts, patterns) / 4
    if np.abs(deviation).max() > _PRINTING:
        raise _unsound(parts, scheme)
    return deviation


def _unsound(parts: FloatArray, scheme: BellScheme) -> InvalidArgumentError:
    """Return the error that names the greatest part of a deviation and where it is."""
    kind, x, y = (int(index) for index in np.unravel_index(np.abs(parts).argmax(), parts.shape))
    value = float(parts[kind, x, y])
    alice, bob = scheme.alice_labels[x], scheme.bob_labels[y]
    if kind == 0:
        found = f"a sum of {1 + value:.7g} at ({alice}, {bob})"
        return InvalidArgumentError("probabilities", found, "of sum 1 for each (x, y)")
    moved, other = (alice, bob) if kind == 1 else (bob, alice)
    found = f"a mean outcome of {moved} that with {other} is {value:+.3g} off its average"
    return InvalidArgumentError("probabilities", found, "free of signalling between the parties")
