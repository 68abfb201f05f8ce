"""How the soundness of a key is divided into secrecy and correctness."""

from __future__ import annotations

from dataclasses import dataclass

from postprocessing.errors import InvalidArgumentError

MOST_SOUNDNESS = 1e-5


def weakness(soundness: float | None) -> str | None:
    """Return why a key of some soundness is worth little; None where it is not, or claims none.

    Examples
    --------
    >>> weakness(0.5)
    'soundness 0.5 is above 1e-05: too often such keys differ, or are known to others'
    >>> weakness(1e-10) is None
    True
    """
    if soundness is None or soundness <= MOST_SOUNDNESS:
        return None
    return (
        f"soundness {soundness:.3g} is above {MOST_SOUNDNESS:.0e}: "
        "too often such keys differ, or are known to others"
    )


@dataclass(frozen=True)
class EpsilonSplit:
    """How the soundness of a protocol is divided: ε = ε_sec + 2 ε_cor.

    The correctness error counts twice since the test of the CHSH game is scored from corrected
    strings (Tan et al., Quantum 6, 880 (2022)).

    Parameters
    ----------
    secrecy : float
        ε_sec in (0, 1): trace distance of the key from an ideal one, times the probability of
        not aborting.
    correctness : float
        ε_cor in (0, 1): probability that the keys differ and nobody aborts.

    Raises
    ------
    InvalidArgumentError
        If a part is outside its range or the soundness reaches 1.

    Examples
    --------
    >>> split = EpsilonSplit.from_soundness(1e-10)
    >>> f"{split.secrecy:.2g} + 2 × {split.correctness:.2g} = {split.soundness:.2g}"
    '9e-11 + 2 × 5e-12 = 1e-10'
    """

    secrecy: float
    correctness: float

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 < self.secrecy < 1:
            raise InvalidArgumentError("secrecy", self.secrecy, "in (0, 1)")
        if not 0 < self.correctness < 1:
            raise InvalidArgumentError("correctness", self.correctness, "in (0, 1)")
        if not self.soundness < 1:
            allowed = "a split whose secrecy + 2 correctness is below 1"
            raise InvalidArgumentError("epsilons", (self.secrecy, self.correctness), allowed)

    @classmethod
    def from_soundness(cls, soundness: float) -> EpsilonSplit:
        """Give secrecy nine tenths of `soundness` in (0, 1), correctness one twentieth."""
        if not 0 < soundness < 1:
            raise InvalidArgumentError("soundness", soundness, "in (0, 1)")
        return cls(secrecy=0.9 * soundness, correctness=0.05 * soundness)

    @property
    def soundness(self) -> float:
        """ε_sec + 2 ε_cor."""
        return self.secrecy + 2 * self.correctness
