"""The Rényi keys: the single-round bound against qubit strategies, and the bound's ingredients."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postprocessing.errors import InvalidArgumentError
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import LocalSettings
from postprocessing.security import (
    METHODS,
    Block,
    Counts,
    RenyiParameters,
    chsh_entropy,
    renyi_entropy,
    win_probability,
)
from postprocessing.security.renyi import accumulated_entropy
from postprocessing.security.renyi_optimum import least_score

LOW, HIGH = 0.75, (2 + math.sqrt(2)) / 4
X, Z = np.array([[0, 1], [1, 0]]), np.diag([1, -1])
BELL = np.array([1, 0, 0, 1]) / math.sqrt(2)
Array = npt.NDArray[Any]

excesses = st.floats(-7, -0.01).map(lambda exponent: 10.0**exponent)
noises = st.just(0.0) | st.floats(1e-4, 0.49)
marks_of_blocks = st.floats(-4, -0.4).map(
    lambda e: RoundProbabilities.announced(10**e)
) | st.floats(-2, -0.31).map(lambda e: LocalSettings(10**e, 10**e).round_probabilities)


@dataclasses.dataclass
class Strategy:
    """A two-qubit state with its purification at the adversary, and both sides' observables."""

    weights: Array
    vectors: Array
    alice: tuple[Array, Array]
    bob: tuple[Array, Array]

    def powers(self, operators: list[Array], alpha: float) -> float:
        """Return Σ Tr (ρ_E^s ρ_E[M] ρ_E^s)^α, s = (1 − α)/(2α), over operators M on both qubits."""
        scale = self.weights ** (1 / (2 * alpha))
        states = [
            scale[:, None] * (self.vectors.conj().T @ m @ self.vectors).T * scale for m in operators
        ]
        spectra = np.linalg.eigvalsh(np.array(states))
        return float((np.maximum(spectra, 0) ** alpha).sum())

    def chsh(self) -> float:
        """Return S."""
        state = (self.vectors * self.weights) @ self.vectors.conj().T
        a, b = self.alice, self.bob
        operator = np.kron(a[0], b[0] + b[1]) + np.kron(a[1], b[0] - b[1])
        return float(np.trace(state @ operator).real)

    def key_operators(self, noise: float) -> list[Array]:
        """Return Alice's outcome projectors of her first observable, with noise added."""
        plus, minus = (np.kron(p, np.eye(2)) for p in projectors(self.alice[0]))
        return [(1 - noise) * plus + noise * minus, noise * plus + (1 - noise) * minus]

    def test_power(self, alpha: float) -> tuple[float, float]:
        """Return the powers of won and of lost tests with uniform inputs."""
        won, lost = [], []
        for x, y in np.ndindex(2, 2):
            pairs = [
                (s, t, np.kron(p, q))
                for s, p in enumerate(projectors(self.alice[x]))
                for t, q in enumerate(projectors(self.bob[y]))
            ]
            for s, t, operator in pairs:
                (won if (s ^ t) == (x & y) else lost).append(operator)
        return self.powers(won, alpha) / 4, self.powers(lost, alpha) / 4


def projectors(observable: Array) -> tuple[Array, Array]:
    return (np.eye(2) + observable) / 2, (np.eye(2) - observable) / 2


def sign(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.where(values >= 0, 1, -1)) @ vectors.conj().T


def strategy(rng: np.random.Generator) -> Strategy:
    """Draw a state near a Bell state, Alice's angle, and Bob's best answer to both."""

    def gaussian(*shape: int) -> Array:
        return rng.normal(size=shape) + 1j * rng.normal(size=shape)

    noise = gaussian(4, rng.integers(1, 5))
    mixed = noise @ noise.conj().T
    pure = BELL + rng.uniform(0, 0.3) * gaussian(4)
    pure = np.outer(pure, pure.conj())
    share = rng.uniform(0, 0.3) * rng.integers(0, 2)
    state = (1 - share) * pure / np.trace(pure) + share * mixed / np.trace(mixed)
    weights, vectors = np.linalg.eigh(state)
    angle = rng.uniform(0.6, 2.5)
    alice = (Z, math.cos(angle) * Z + math.sin(angle) * X)
    blocks = state.reshape(2, 2, 2, 2)
    bob = tuple(
        sign(np.einsum("ij,jkil->kl", a, blocks))
        for a in (alice[0] + alice[1], alice[0] - alice[1])
    )
    return Strategy(np.maximum(weights, 0), vectors, alice, (bob[0], bob[1]))


def violating_strategies(count: int) -> list[Strategy]:
    rng, found = np.random.default_rng(20), []
    while len(found) < count:
        drawn = strategy(rng)
        if drawn.chsh() > 2:
            found.append(drawn)
    return found


@pytest.fixture(scope="module")
def strategies() -> list[Strategy]:
    return violating_strategies(1200)


def test_no_qubit_strategy_knows_more_than_the_bound(strategies: list[Strategy]) -> None:
    rng = np.random.default_rng(21)
    slacks = []
    for one in strategies:
        excess = 10 ** rng.uniform(-3, -0.01)
        noise = float(rng.choice([0.0, rng.uniform(0, 0.5)]))
        power = one.powers(one.key_operators(noise), 1 + excess)
        entropy = -math.log2(power) / excess
        slacks.append(entropy - renyi_entropy(win_probability(one.chsh()), excess, noise))
    assert min(slacks) > -1e-11
    assert min(slacks) < 1e-2


def test_no_qubit_strategy_beats_the_credits(strategies: list[Strategy]) -> None:
    """Whatever the devices do in a round, 2^{−δκ} bounds its moment, with its tests' credits."""
    rng = np.random.default_rng(22)
    for one in strategies:
        excess = 10 ** rng.uniform(-3, -0.1)
        test = 10 ** rng.uniform(-2, -0.3)
        marks = RoundProbabilities(key=(1 - test) * float(rng.choice([1, 0.8])), test=test)
        noise = float(rng.choice([0.0, rng.uniform(0, 0.4)]))
        credit, gap = rng.normal() / excess / 10, rng.exponential() / excess / 10
        design = RenyiParameters(excess, credit, credit - gap, 0.83)
        won, lost = one.test_power(1 + excess)
        moment = marks.key * one.powers(one.key_operators(noise), 1 + excess) + 1 - marks.keep
        moment += test * 2 ** (excess * design.win_credit) * won
        moment += test * 2 ** (excess * design.loss_credit) * lost
        assert -math.log2(moment) / excess >= accumulated_entropy(design, marks, noise) - 1e-9


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_phase_flips_attain_the_bound(noise: float) -> None:
    for chsh in (2.1, 2.5, 2.8):
        coherence = math.sqrt(chsh**2 / 4 - 1)
        weights = np.array([(1 + coherence) / 2, (1 - coherence) / 2, 0, 0])
        vectors = np.column_stack([BELL, np.kron(Z, np.eye(2)) @ BELL, [0, 1, 0, 0], [0, 0, 1, 0]])
        angle = math.atan(coherence)
        bob = (
            math.cos(angle) * Z + math.sin(angle) * X,
            math.cos(angle) * Z - math.sin(angle) * X,
        )
        flips = Strategy(weights, vectors, (Z, X), bob)
        assert flips.chsh() == pytest.approx(chsh, rel=1e-12)
        entropy = -math.log2(flips.powers(flips.key_operators(noise), 1.2)) / 0.2
        assert entropy == pytest.approx(renyi_entropy(win_probability(chsh), 0.2, noise), rel=1e-9)


@given(st.floats(LOW, HIGH), noises)
@settings(deadline=None)
def test_order_one_is_the_von_neumann_entropy(win: float, noise: float) -> None:
    limit = renyi_entropy(win, 1e-9, noise)
    assert limit == pytest.approx(chsh_entropy(win, noise), abs=1e-6)
    assert limit <= chsh_entropy(win, noise) + 1e-12


@given(st.floats(LOW, HIGH), excesses, excesses, noises)
@settings(deadline=None)
def test_entropy_falls_with_the_order(win: float, one: float, other: float, noise: float) -> None:
    low, high = sorted((one, other))
    assert renyi_entropy(win, high, noise) <= renyi_entropy(win, low, noise) + 1e-9


@given(excesses, noises)
@settings(deadline=None)
def test_moment_is_concave_in_the_win_probability(excess: float, noise: float) -> None:
    """The chords that bound the maximum over devices rest on it."""
    wins = np.linspace(LOW, HIGH, 400)
    moments = np.expm1(-excess * math.log(2) * renyi_entropy(wins, excess, noise)) / excess
    bends = np.diff(moments, 2)
    assert bends.max() <= 1e-9 * np.abs(moments).max() + 1e-15 / excess


@given(excesses, marks_of_blocks, st.floats(-3, 3), st.floats(0, 3), noises)
@settings(max_examples=60, deadline=None)
def test_accumulated_entropy_is_below_every_device(
    excess: float, marks: RoundProbabilities, level: float, gap: float, noise: float
) -> None:
    """κ on a dense grid of devices: never above the truth, and tight."""
    credit = level / excess / 3
    design = RenyiParameters(excess, credit, credit - gap / excess / 3, 0.8)
    wins = np.linspace(LOW, HIGH, 50_001)
    power = np.exp2(-excess * np.asarray(renyi_entropy(wins, excess)))
    noisy = np.exp2(-excess * np.asarray(renyi_entropy(wins, excess, noise)))
    won = np.minimum(wins, power)
    moments = marks.key * noisy + 1 - marks.keep
    moments += marks.test * 2 ** (excess * design.win_credit) * won
    moments += marks.test * 2 ** (excess * design.loss_credit) * (power - won)
    truth = -math.log2(moments.max()) / excess
    bound = accumulated_entropy(design, marks, noise)
    tolerance = 1e-6 + 1e-14 / excess
    assert truth - 1e-5 - tolerance <= bound <= truth + tolerance


@given(
    st.floats(4, 10).map(lambda e: round(10**e)),
    st.floats(0.76, 0.85),
    st.floats(-3, -0.5).map(lambda e: 10**e),
    st.floats(-4, -0.5).map(lambda e: 10**e),
)
@settings(max_examples=60, deadline=None)
def test_honest_devices_seldom_miss_the_least_score(
    rounds: int, win: float, tests: float, share: float
) -> None:
    """Chernoff's bound holds for 4000 blocks drawn: the count is binomial of at most that share."""
    design = RenyiParameters(1e-3, 100.0, -500.0, win)
    marks = RoundProbabilities.announced(tests)
    block = Block(rounds, marks, win, 1e-10, 0.0, completeness_share=share)
    least = least_score(block, design)
    rng = np.random.default_rng(rounds)
    law = [tests * win, tests * (1 - win), 1 - tests]
    counts = rng.multinomial(rounds, law, size=4000)
    won, lost = (design.score(Counts(*one)) for one in ((1, 0), (0, 1)))
    missed = int((counts[:, 0] * won + counts[:, 1] * lost < least).sum())
    # Six standard deviations above: false alarms stay below 1e-6 over all examples.
    assert missed <= 4000 * share + 6 * math.sqrt(4000 * share) + 4


MARKS = RoundProbabilities.announced(0.02)
BLOCK = Block(10**7, MARKS, win_probability=0.8375, secrecy=9e-11, leaked_bits=9e5)


def test_fixed_parameters_reproduce_the_length() -> None:
    best = METHODS["renyi"].length(BLOCK)
    assert isinstance(best.parameters, RenyiParameters)
    tests = 10**7 * 0.02
    counted = dataclasses.replace(BLOCK, counts=Counts(tests * 0.8375, tests * (1 - 0.8375)))
    assert METHODS["renyi"].length(counted, best.parameters) == best


@pytest.mark.parametrize("method", ["renyi", "renyi_fixed"])
def test_no_neighbouring_parameters_give_a_longer_key(method: str) -> None:
    best = METHODS[method].length(BLOCK)
    own = best.parameters
    assert isinstance(own, RenyiParameters)
    for order in (0.8, 0.97, 1, 1.03, 1.25):
        for level in (0.8, 0.97, 1, 1.03, 1.25):
            for gap in (0.8, 0.97, 1, 1.03, 1.25):
                credit = own.win_credit * level
                moved = RenyiParameters(
                    own.excess * order,
                    credit,
                    credit - (own.win_credit - own.loss_credit) * gap,
                    own.published_win,
                )
                length = METHODS[method].length(BLOCK, moved)
                assert length.unclipped <= best.unclipped * (1 + 1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"excess": 0.0}, "excess must be"),
        ({"excess": 1.0}, "excess must be"),
        ({"published_win": 1.0}, "published_win must be"),
        ({"loss_credit": 200.0}, "win_credit must be finite, and at least loss_credit"),
        ({"win_credit": math.inf}, "win_credit must be finite"),
    ],
)
def test_parameters_out_of_range(changed: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        dataclasses.replace(RenyiParameters(1e-4, 100.0, -500.0, 0.83), **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rounds": 0}, "rounds must be"),
        ({"won": -1}, "won must be"),
        ({"lost": math.nan}, "lost must be"),
        ({"leaked_bits": -1.0}, "leaked_bits must be"),
        ({"secrecy": 0.0}, "secrecy must be"),
        ({"noisy_preprocessing": 0.5}, "noisy_preprocessing must be"),
    ],
)
def test_lengths_reject(changed: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "rounds": 1000,
        "probabilities": RoundProbabilities.announced(0.1),
        "win_probability": 0.83,
        "leaked_bits": 10.0,
        "secrecy": 1e-10,
    }
    given = {"won": 83, "lost": 17} | changed
    won, lost = given.pop("won"), given.pop("lost")
    with pytest.raises(InvalidArgumentError, match=message):
        Block(**(arguments | given), counts=Counts(won, lost))
