"""JointDistribution: the checked probabilities of one pulse, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from postprocessing.checks import instance_of, real_numbers
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import BellScheme, words

if TYPE_CHECKING:
    import pandas as pd

Probabilities = npt.NDArray[np.float64]

_NORMALISATION_TOLERANCE = 1e-12
_SIGNALLING_TOLERANCE = 1e-10
_HERALD_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class JointDistribution:
    """Probabilities of herald and outcomes for each pair of settings.

    Parameters
    ----------
    scheme : BellScheme
        Settings, heralds, CHSH game and flip table.
    announcements : tuple of str
        Every possible announcement of one pulse: the heralds of `scheme` and those that herald
        nothing, such as "none" and "both".
    probabilities : ndarray of float64, shape (x, y, announcement, 2, 2)
        p(announcement, a, b | x, y) with outcome index 0 for +1 and 1 for −1, before any flip.

    Raises
    ------
    InvalidArgumentError
        If the announcements lack a herald or repeat, or if the probabilities have another shape,
        are not finite or negative, do not sum to 1, never herald, herald depending on the
        settings, or signal between Alice and Bob.

    Examples
    --------
    >>> import diqkd
    >>> diqkd.EntangledCoherent(diqkd.Link(distance_km=100)).joint_distribution()
    JointDistribution(gain 0.0140838, S 2.42035, QBER 7.00037e-06)
    """

    scheme: BellScheme
    announcements: tuple[str, ...]
    probabilities: Probabilities

    def __post_init__(self) -> None:
        """Check the table and keep a copy that nobody can change."""
        instance_of("scheme", self.scheme, BellScheme)
        object.__setattr__(self, "announcements", words("announcements", self.announcements))
        table = np.array(real_numbers("probabilities", self.probabilities))
        table.setflags(write=False)
        object.__setattr__(self, "probabilities", table)
        _check_announcements(self.scheme, self.announcements)
        _check_shape_and_range(self.scheme, self.announcements, table)
        _check_no_signalling(table)
        _check_gain(self._heralded_cells.sum(axis=(2, 3, 4)))

    def __repr__(self) -> str:
        """Return what the table comes to."""
        return f"JointDistribution(gain {self.gain:.6g}, S {self.chsh:.6g}, QBER {self.qber:.6g})"

    @property
    def gain(self) -> float:
        """Q_zz, the probability that a pulse is heralded, whatever the settings (Xie et al.)."""
        return float(self._heralded_cells[self.scheme.key_pair].sum())

    def heralded(self) -> Probabilities:
        """Return p(herald, a, b | x, y, heralded).

        Returns
        -------
        ndarray of float64, shape (x, y, herald, 2, 2)
            Heralds in the order of ``scheme.heralds``; outcomes before any flip. Each (x, y)
            sums to 1.
        """
        cells = self._heralded_cells
        total: Probabilities = cells.sum(axis=(2, 3, 4), keepdims=True)
        return cells / total

    @property
    def correlators(self) -> Probabilities:
        """⟨A_x B_y⟩ of heralded pulses after Bob's flip, shape (x, y)."""
        pairs = self._flipped_pairs
        agree = pairs[..., 0, 0] + pairs[..., 1, 1]
        differ = pairs[..., 0, 1] + pairs[..., 1, 0]
        correlators: Probabilities = (agree - differ) / (agree + differ)
        return correlators

    @property
    def chsh(self) -> float:
        """S = Σ sign ⟨A_x B_y⟩ of heralded pulses after Bob's flip."""
        correlators = self.correlators
        return float(sum(sign * correlators[x, y] for x, y, sign in self.scheme.chsh_signs))

    @property
    def chsh_at_key_setting(self) -> float:
        """The part of S from tests in which the reference has its key setting."""
        scheme, correlators = self.scheme, self.correlators
        key = scheme.key_setting(scheme.reference)
        own = 0 if scheme.reference == "alice" else 1
        at_key = [pair for pair in scheme.chsh_signs if pair[own] == key]
        return float(sum(sign * correlators[x, y] for x, y, sign in at_key))

    @property
    def qber(self) -> float:
        """Probability that the key bits of a heralded pulse differ after Bob's flip."""
        pair = self._flipped_pairs[self.scheme.key_pair]
        # Summed over the wrong outcomes: (1 − E)/2 would lose a QBER of 1e-7 to rounding.
        return float((pair[0, 1] + pair[1, 0]) / pair.sum())

    def to_frame(self) -> pd.DataFrame:
        """Return the table in long form.

        Returns
        -------
        DataFrame
            One row a cell: ``x``, ``y``, ``herald`` (labels; every announcement), ``a``, ``b``
            (1 or −1, before any flip), ``probability``.
        """
        # Help and bad input do not wait for pandas.
        import pandas as pd

        levels = (self.scheme.alice_labels, self.scheme.bob_labels, self.announcements)
        names = ["x", "y", "herald", "a", "b"]
        cells = pd.MultiIndex.from_product([*levels, (1, -1), (1, -1)], names=names)
        return cells.to_frame(index=False).assign(probability=self.probabilities.ravel())

    @property
    def _heralded_cells(self) -> Probabilities:
        """Cells of heralded pulses, shape (x, y, herald, 2, 2)."""
        heralds = [self.announcements.index(herald) for herald in self.scheme.heralds]
        return self.probabilities[:, :, heralds]

    @property
    def _flipped_pairs(self) -> Probabilities:
        """Probabilities of (heralded, a, b) after Bob's flip, shape (x, y, 2, 2)."""
        cells = self._heralded_cells
        flip = np.array(self.scheme.flip, dtype=bool).T[np.newaxis, :, :, np.newaxis, np.newaxis]
        pairs: Probabilities = np.where(flip, cells[..., ::-1], cells).sum(axis=2)
        return pairs


def _check_announcements(scheme: BellScheme, outcomes: tuple[str, ...]) -> None:
    """Check that every herald is an announcement, and no name comes twice."""
    if len(set(outcomes)) != len(outcomes) or not set(scheme.heralds) <= set(outcomes):
        allowed = f"distinct names with the heralds {scheme.heralds} among them"
        raise InvalidArgumentError("announcements", outcomes, allowed)


def _check_shape_and_range(
    scheme: BellScheme, outcomes: tuple[str, ...], table: Probabilities
) -> None:
    """Check that the table is one of probabilities: shape, range, normalisation."""
    shape = (len(scheme.alice_labels), len(scheme.bob_labels), len(outcomes), 2, 2)
    if table.shape != shape:
        raise InvalidArgumentError("probabilities", table.shape, f"an array of shape {shape}")
    if not np.isfinite(table).all() or table.min() < 0:
        raise InvalidArgumentError("probabilities", float(table.min()), "finite and at least 0")
    totals = table.sum(axis=(2, 3, 4))
    if np.abs(totals - 1).max() > _NORMALISATION_TOLERANCE:
        raise InvalidArgumentError("probabilities", totals.tolist(), "of sum 1 for each (x, y)")


def _check_no_signalling(table: Probabilities) -> None:
    """Check that neither party's outcomes tell the other's setting."""
    alice, bob = table.sum(axis=(2, 4)), table.sum(axis=(2, 3))
    signal = max(float(np.ptp(alice, axis=1).max()), float(np.ptp(bob, axis=0).max()))
    if signal > _SIGNALLING_TOLERANCE:
        value = f"a marginal that moves by {signal:.3g}"
        raise InvalidArgumentError("probabilities", value, "free of signalling between the parties")


def _check_gain(heralded: Probabilities) -> None:
    """Check that pulses are heralded, and independently of the settings."""
    if heralded.min() <= 0:
        value = heralded.tolist()
        raise InvalidArgumentError("probabilities", value, "of positive herald probability")
    if np.ptp(heralded) > _HERALD_TOLERANCE * heralded.max():
        allowed = "of a herald probability that is the same for each (x, y)"
        raise InvalidArgumentError("probabilities", heralded.tolist(), allowed)
