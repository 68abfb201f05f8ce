"""Method: what a way of computing key lengths has to say about itself, and the length it gives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

from postprocessing.errors import InvalidArgumentError
from postprocessing.quantiles import exceedance
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security.block import Block, Counts
from postprocessing.security.terms import Terms

SettingsRule = Literal["local", "announced"]
P = TypeVar("P")


@dataclass(frozen=True)
class KeyLength(Generic[P]):
    """The length of the secret key, with the account that leads to it.

    Parameters
    ----------
    bits : int
        Key length, rounded down, never negative.
    unclipped : float
        The bound before rounding and clipping, in bits; negative where no key is left.
    terms : Terms
        The contributions in bits; their sum is the bound.
    parameters : object
        The free parameters the bound was evaluated at; None for a method without any.
    """

    bits: int
    unclipped: float
    terms: Terms
    parameters: P


class Method(ABC, Generic[P]):
    """A way of telling how many bits of a block are secret.

    A method is one object, in the registry `METHODS` under its name. Whoever computes a length, or
    treats rounds differently by how it is computed, asks this object.

    Attributes
    ----------
    name : str
        Its name in the registry.
    label : str
        What such a key is worth, in words; carried by every report.
    parameters : type
        The dataclass of its free parameters, which a design freezes and a design file holds.
    published_per_test : int
        Outcome bits of each test that are published: 1, the reference's, or 2, both parties'.
    charged_per_test : int
        How many of them count as leaked; the others are paid for by the method's own terms.
    rules : frozenset of str
        Ways of choosing settings that its proof covers: "local", "announced".
    varies : bool
        Whether the length follows the counts and the leakage of the run, or is fixed before it.
    scored : bool
        Whether the test is passed by a least score, and not by a count of lost tests.
    composable : bool
        Whether its keys are proved to be secure at finite size.
    peer_reviewed : bool
        Whether the proof is.
    covers_tolerance : bool
        Whether its terms hold for all probabilities of rounds between those of a block.
    tells_kinds_apart : bool
        Whether tests with the reference's key setting and the others are scored apart, so that
        they need not come equally often.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    parameters: ClassVar[type[Any]]
    published_per_test: ClassVar[Literal[1, 2]] = 1
    charged_per_test: ClassVar[int] = 1
    rules: ClassVar[frozenset[SettingsRule]] = frozenset({"local"})
    varies: ClassVar[bool] = False
    scored: ClassVar[bool] = False
    composable: ClassVar[bool] = True
    peer_reviewed: ClassVar[bool] = True
    covers_tolerance: ClassVar[bool] = False
    tells_kinds_apart: ClassVar[bool] = False

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Refuse a method of its own name that says another's words of its keys."""
        super().__init_subclass__(**keywords)
        if "name" in vars(cls) and "label" not in vars(cls):
            allowed = f"{cls.__name__}'s own, not inherited"
            raise InvalidArgumentError("label", None, allowed)

    @abstractmethod
    def optimise(self, block: Block) -> P:
        """Return the free parameters of the longest key of honest devices.

        Security must not rest on their being the best.
        """

    @abstractmethod
    def terms(self, block: Block, parameters: P) -> Terms:
        """Return the contributions to the length at given free parameters, costs negative.

        A fixed length is that of a block that is just accepted; one that varies is that of the
        block's counts. The term "leakage" is minus the block's leaked bits.
        """

    def length(self, block: Block, parameters: P | None = None) -> KeyLength[P]:
        """Return the key length of a block, with every term.

        Designs, plans, curves and `key_length` all come here.

        Parameters
        ----------
        block : Block
            The block.
        parameters : object, optional
            Free parameters, evaluated as they are; the best ones by default.

        Returns
        -------
        KeyLength
            Length, terms and parameters.

        Raises
        ------
        InvalidArgumentError
            If the parameters do not fit the block.

        Examples
        --------
        >>> from postprocessing.round_probabilities import RoundProbabilities
        >>> from postprocessing.security import METHODS, Block
        >>> marks = RoundProbabilities.announced(0.05)
        >>> block = Block(10**8, marks, win_probability=0.8375, secrecy=9e-11, leaked_bits=1.2e7)
        >>> round(METHODS["tan22"].length(block).bits / 10**8, 3)
        0.514
        """
        self.check_inputs(block.probabilities)
        chosen = self.optimise(block) if parameters is None else parameters
        terms = self.terms(block, chosen)
        if terms.get("leakage") != -block.leaked_bits:
            allowed = f"minus the leaked bits of the block, {block.leaked_bits}"
            raise InvalidArgumentError("leakage", terms.get("leakage"), allowed)
        total = terms.total
        return KeyLength(max(0, math.floor(total)), total, terms, chosen)

    def check_inputs(self, probabilities: RoundProbabilities) -> None:
        """Refuse tests of two kinds, one more frequent, where the proof is for uniform inputs.

        Raises
        ------
        InvalidArgumentError
            If so.
        """
        if not (self.tells_kinds_apart or probabilities.has_uniform_inputs):
            name, allowed = "test_at_key_setting", f"None for the method {self.name!r}"
            raise InvalidArgumentError(name, probabilities.test_at_key_setting, allowed)

    def rating(self, block: Block) -> float:
        """Return what a search before the run makes as large as possible, in bits."""
        return self.length(block).unclipped

    def settings_rating(self, block: Block) -> float:
        """Return the same for the search for the best settings."""
        return self.rating(block.smooth())

    def rating_near(self, block: Block) -> Callable[[Block], float]:
        """Return what rates blocks much like this one, in bits, for searches close by."""
        return lambda other: self.settings_rating(other)

    def tolerated_losses(self, block: Block, length: KeyLength[P] | None) -> float:
        """Return how many lost tests are never too many."""
        return block.accepted_losses

    def loss_limit(
        self, block: Block, length: KeyLength[P] | None
    ) -> tuple[tuple[float, float], float]:
        """Return what a lost test of either kind weighs, and how much lost tests may weigh.

        Devices that cheat aim at it.
        """
        return (1.0, 1.0), block.accepted_losses

    def least_score(self, block: Block, parameters: P) -> float | None:
        """Return the score that the test has to reach; None where lost tests are counted."""
        return None

    def accepts(self, block: Block, parameters: P | None, tests: Counts) -> bool:
        """Tell whether the test is passed, by what was fixed before the run."""
        return tests.lost <= block.accepted_losses

    def acceptance_rule(self, block: Block, parameters: P | None) -> str:
        """Return what the key depends on, in words."""
        return f"at most {block.accepted_losses:,} lost tests"

    def failure_probability(self, block: Block, parameters: P | None) -> float:
        """Bound the probability that honest devices fail the test or are left without a key.

        Parameters
        ----------
        block : Block
            The block, with the most that may leak.
        parameters : object
            The free parameters of the design.
        """
        return exceedance(block.rounds, block.lose_probability, int(block.accepted_losses))

    def final_bits(self, block: Block, parameters: P | None, key_rounds: int) -> int:
        """Return the length of a finished block where it varies, by its counts and its leakage.

        Never more than the key rounds less the leakage; 0 or less where there is no key.
        """
        if parameters is None:
            return 0
        return min(self.length(block, parameters).bits, key_rounds - int(block.leaked_bits))

    @property
    def cautious(self) -> Method[P] | None:
        """The same method for short blocks: a shorter key that honest devices miss less often.

        A design takes it where the length that is best in the mean would be missed too often.
        """
        return None
