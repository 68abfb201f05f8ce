"""What a run enforces, read from a design as exact rational numbers.

Nothing that follows from the rest is read: no terms, no labels, no probabilities of rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb

from postprocessing.certificate.balls import LN2, ball
from postprocessing.certificate.supremum import need

HALF, ONE = Fraction(1, 2), Fraction(1)
MOST = 1e100  # of any number
MOST_TAG_BITS = 128


def exact(name: str, value: object) -> Fraction:
    """Return a JSON number exactly."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, not {value!r}")
    need(abs(value) < MOST, f"{name} is not a number below {MOST:g}")
    return Fraction(value)


@dataclass(frozen=True)
class Claim:
    """A key length, and what it is said to follow from.

    Tests are of two kinds, with the reference's key setting and without; probabilities are the
    least ones where settings have a tolerance, and `most_test` is the greatest of all tests.
    """

    values: Any
    rounds: int
    noise: Fraction
    secrecy: Fraction
    key: Fraction
    tests: tuple[Fraction, Fraction]
    most_test: Fraction

    def free(self, name: str, most: Fraction | None = None) -> Fraction:
        """Return a free parameter, which is between 0 and `most` if given."""
        value = exact(name, self.values["length"]["parameters"][name])
        need(most is None or 0 < value < most, f"{name} is {float(value)}, out of range")
        return value

    def pair(self, name: str) -> tuple[Fraction, Fraction]:
        """Return a free parameter of both kinds of tests."""
        both = self.values["length"]["parameters"][name]
        need(isinstance(both, list | tuple) and len(both) == 2, f"{name} are not two numbers")
        return exact(name, both[0]), exact(name, both[1])

    @property
    def budget(self) -> arb:
        """Bits that may leak."""
        return arb(count("budget_bits", self.values["leakage"]["budget_bits"]))

    @property
    def acceptance(self) -> arb:
        """log2(1/ε_sec)."""
        return -ball(self.secrecy).log() / LN2


def count(name: str, value: object) -> int:
    """Return a whole number of at least 0."""
    number = exact(name, value)
    need(number.denominator == 1 and number >= 0, f"{name} is {float(number)}, not a count")
    return int(number)


def claim_of(values: Any, *, announced: bool, tolerant: bool) -> Claim:
    """Read a claim; KeyError or TypeError where something is missing or of another type.

    Raises
    ------
    NotProvedError
        If a number is out of its range, or settings are not as the proof needs them: with shared
        marks, with a tolerance.
    """
    n, tag = count("rounds", values["heralded_rounds"]), count("tag", values["leakage"]["tag_bits"])
    noise = exact("noisy_preprocessing", values["noisy_preprocessing"])
    secrecy, correctness = (exact(e, values["epsilons"][e]) for e in ("secrecy", "correctness"))
    need(n >= 1, f"heralded_rounds is {n}, below 1")
    need(0 <= noise < HALF, f"noisy_preprocessing is {float(noise)}, not in [0, 1/2)")
    need(secrecy > 0 and secrecy + 2 * correctness < 1, "ε_sec + 2 ε_cor is not in (0, 1)")
    # A polynomial hash of n/128 blocks misses an error with n/128 · 2⁻ᵗ at the most.
    need(1 <= tag <= MOST_TAG_BITS, f"a tag has 1 to {MOST_TAG_BITS} bits, not {tag}")
    missed = Fraction(-(-n // 128), 2**tag)
    need(
        missed <= correctness, f"tags of {tag} bits miss an error with {float(missed):.3g} > ε_cor"
    )
    choice = values["setting_choice"] if "setting_choice" in values else values["local_settings"]
    need(isinstance(choice, dict), "the choice of settings is not an object")
    off = exact("tolerance", choice.get("setting_probability_tolerance", 0))
    need(tolerant or not off, "the proof does not cover a tolerance of settings")
    if "test_probability" in choice:
        need(announced, "the proof does not cover announced marks")
        law = _marked(exact("test_probability", choice["test_probability"]), off)
    else:
        law = _local(choice, off, own_coin=not tolerant)
    return Claim(values, n, noise, secrecy, *law)


Law = tuple[Fraction, tuple[Fraction, Fraction], Fraction]


def _marked(gamma: Fraction, off: Fraction) -> Law:
    """Return the probabilities of a claim under shared marks."""
    need(0 <= off < min(gamma, (1 - gamma) / 2, HALF), "marks are not within (0, 1)")
    least, most = ((gamma + by) * (HALF + by) ** 2 for by in (-off, off))
    return 1 - gamma - off, (2 * least, 2 * least), 4 * most


def _local(choice: Any, off: Fraction, *, own_coin: bool) -> Law:
    """Return the probabilities of a claim where each side draws its settings alone."""
    names = "corrector_test_probability", "reference_test_probability"
    gamma, p = (exact(name, choice[name]) for name in names)
    need(0 < gamma < 1 and 0 < p <= HALF, "test probabilities are not in (0, 1) and (0, 1/2]")
    need(0 <= off < min(gamma / 2, p, (1 - gamma) / 2), "a setting might never be chosen")
    coin, own = p / (1 - p), choice.get("coin_probability")
    if own is not None:
        need(own_coin, "the proof needs tests of both kinds equally often")
        coin = exact("coin_probability", own)
        need(0 < coin <= 1, f"coin_probability is {float(coin)}, not in (0, 1]")
    key = (1 - gamma - 2 * off) * (1 - p - off)
    if not off:
        kinds = gamma * (1 - p) * coin, gamma * p
        return key, kinds, kinds[0] + kinds[1]
    least, most = (
        (gamma / 2 + by) * extreme(p + by, (1 - p + by) * min(coin + by, ONE))
        for by, extreme in ((-off, min), (off, max))
    )
    return key, (2 * least, 2 * least), 4 * most
