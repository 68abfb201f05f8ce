"""How often a heralded round is of which kind: key, test of either kind, or discarded."""

from __future__ import annotations

from dataclasses import dataclass, field

from postprocessing.errors import InvalidArgumentError


@dataclass(frozen=True)
class RoundProbabilities:
    """How often a heralded round is a key, a test or a discarded round.

    Parameters
    ----------
    key, test : float
        Probabilities of key and test rounds, each in (0, 1), sum at most 1; where settings have a
        tolerance, the least ones (`postprocessing.tolerance`).
    key_slack, test_slack : float, optional
        How much greater they may be then, up to 1.
    test_at_key_setting : float, optional
        Probability of a test with the reference's key setting; by default half of all tests, as
        where the inputs of the game are uniform.

    Raises
    ------
    InvalidArgumentError
        If a probability is outside its range.
    """

    key: float
    test: float
    key_slack: float = field(default=0.0, repr=False)
    test_slack: float = field(default=0.0, repr=False)
    test_at_key_setting: float | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 < self.test < 1:
            raise InvalidArgumentError("test", self.test, "a probability in (0, 1)")
        if not 0 < self.key <= 1 - self.test + 1e-12:
            raise InvalidArgumentError("key", self.key, "a probability in (0, 1 - test]")
        for name, most in (("key_slack", 1 - self.key), ("test_slack", 1 - self.test)):
            if not 0 <= getattr(self, name) <= most:
                raise InvalidArgumentError(name, getattr(self, name), f"in [0, {most:g}]")
        first = self.test_at_key_setting
        if first is not None and not 0 < first < self.test:
            raise InvalidArgumentError("test_at_key_setting", first, f"in (0, {self.test:g})")

    @classmethod
    def announced(cls, test_probability: float) -> RoundProbabilities:
        """Return the probabilities under shared test marks: nothing is discarded."""
        return cls(key=1 - test_probability, test=test_probability)

    @property
    def kinds(self) -> tuple[float, float]:
        """Probabilities of tests with the reference's key setting, and of the others."""
        if self.test_at_key_setting is None:
            return self.test / 2, self.test / 2
        return self.test_at_key_setting, self.test - self.test_at_key_setting

    @property
    def has_uniform_inputs(self) -> bool:
        """Whether the four inputs of the CHSH game are equally likely."""
        return self.test_at_key_setting is None

    @property
    def keep(self) -> float:
        """Probability that a round is kept, as key or as test."""
        return self.key + self.test

    @property
    def most_key(self) -> float:
        """The greatest probability of key rounds."""
        return self.key + self.key_slack

    @property
    def most_test(self) -> float:
        """The greatest probability of test rounds."""
        return self.test + self.test_slack
