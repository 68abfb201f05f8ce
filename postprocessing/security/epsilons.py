"""How the soundness of a key is divided into secrecy and correctness."""

from __future__ import annotations

from dataclasses import dataclass

from postprocessing.checks import real_number
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
        for name in ("secrecy", "correctness"):
            part = real_number(name, getattr(self, name), "in (0, 1)", within=lambda e: 0 < e < 1)
            object.__setattr__(self, name, part)
        if not self.soundness < 1:
            allowed = "a split whose secrecy + 2 correctness is below 1"
            raise InvalidArgumentError("epsilons", (self.secrecy, self.correctness), allowed)

    @classmethod
    def from_soundness(cls, soundness: float) -> EpsilonSplit:
        """Give secrecy nine tenths of `soundness` in [1e-300, 1), correctness one twentieth."""
        soundness = real_number(
            "soundness", soundness, "in [1e-300, 1)", within=lambda e: 1e-300 <= e < 1
        )
        return cls(secrecy=0.9 * soundness, correctness=0.05 * soundness)

    @property
    def soundness(self) -> float:
        """ε_sec + 2 ε_cor."""
        return self.secrecy + 2 * self.correctness
