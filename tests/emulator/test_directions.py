"""Measurement directions: none does better than the optimal ones, and flips that really correct."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from emulator import (
    BellState,
    CavityCat,
    CavityLink,
    Directions,
    EntangledCoherent,
    HeraldedStates,
    Imperfections,
    Link,
    SinglePhoton,
    predict,
)
from emulator.states.directions import Freedom, best_directions
from postprocessing.errors import InvalidArgumentError

Table: TypeAlias = npt.NDArray[np.float64]
Model: TypeAlias = EntangledCoherent | SinglePhoton | BellState | CavityCat

# Signs of the CHSH game and key pair, (Alice's setting, Bob's), by the number of Alice's settings.
GAMES = {
    3: (((1, 0, 1), (1, 1, -1), (2, 0, 1), (2, 1, 1)), (0, 0)),
    2: (((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, -1)), (0, 2)),
}
FREE = Freedom.of(())
HALF_PI = math.pi / 2


def vectors(angles: Any) -> Table:
    """Return unit vectors (x, y, z) of (θ, φ)."""
    theta, phi = np.reshape(angles, (-1, 2)).T
    return np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)


def game(correlations: Table, alice: Any, bob: Any) -> tuple[float, float]:
    """Return S and the correlation of the key pair."""
    pairs = vectors(alice) @ correlations @ vectors(bob).T
    signs, key = GAMES[len(pairs)]
    return sum(sign * pairs[x, y] for x, y, sign in signs), pairs[key]


def entropy(p: float) -> float:
    """Return the binary entropy in bits."""
    return -sum(q * math.log2(q) for q in (p, 1 - p) if q > 0)


def key_fraction(chsh: float, agreement: float) -> float:
    """Return 1 − h(e) − h((1 + √((S/2)² − 1))/2), or a slope to it where S is at most 2."""
    if chsh <= 2:
        return chsh - 4
    root = math.sqrt(max((min(chsh, 2 * math.sqrt(2)) / 2) ** 2 - 1, 0))
    return 1 - entropy(min(max((1 - agreement) / 2, 0), 1)) - entropy((1 + root) / 2)


def random_correlations(rng: np.random.Generator) -> Table:
    """Return T of a random state not far from a maximally entangled one."""
    unitary = np.linalg.qr(rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)))[0]
    ket = np.kron(np.eye(2), unitary) @ np.array([1, 0, 0, 1]) / math.sqrt(2)
    matrix = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    noise = matrix @ matrix.conj().T
    weight = rng.uniform(0, 0.4)
    rho = (1 - weight) * np.outer(ket, ket.conj()) + weight * noise / np.trace(noise)
    return HeraldedStates({"yes": rho}, {"yes": "1"}).correlations


def greatest(merit: Callable[[Table], float], size: int, rng: np.random.Generator) -> float:
    """Return the greatest value over angles that is found from several starts."""
    found = -math.inf
    for _ in range(6):
        start = rng.uniform(-math.pi, math.pi, size)
        found = max(found, -minimize(lambda angles: -merit(angles), start, method="BFGS").fun)
    return found


@pytest.mark.parametrize("reference", ["alice", "bob"])
@pytest.mark.parametrize("seed", range(4))
def test_free_directions_reach_the_bound_of_horodecki(reference: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    correlations = random_correlations(rng)
    first, second, _ = np.linalg.svd(correlations)[1]
    best = best_directions(correlations, reference, FREE)
    chsh, agreement = game(correlations, best.alice, best.bob)
    assert chsh == pytest.approx(2 * math.hypot(first, second), rel=1e-12)
    assert agreement == pytest.approx(first, rel=1e-12)
    count = len(best.alice)
    assert count == (3 if reference == "bob" else 2)

    def s_of(angles: Table) -> float:
        return game(correlations, angles[: 2 * count], angles[2 * count :])[0]

    assert greatest(s_of, 10, rng) == pytest.approx(chsh, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_no_free_directions_make_more_key(seed: int) -> None:
    """All five directions at once, by an optimisation that knows nothing of singular vectors."""
    rng = np.random.default_rng(seed)
    correlations = random_correlations(rng)
    best = best_directions(correlations, "bob", FREE)
    found = key_fraction(*game(correlations, best.alice, best.bob))

    def fraction(angles: Table) -> float:
        return key_fraction(*game(correlations, angles[:6], angles[6:]))

    assert greatest(fraction, 10, rng) <= found + 1e-7


LINKS = st.builds(
    Link,
    arm_alice_km=st.floats(0, 150),
    arm_bob_km=st.floats(0, 150),
    detector_efficiency=st.tuples(st.floats(0.3, 1), st.floats(0.3, 1)),
    dark_count_probability=st.tuples(st.floats(0, 1e-4), st.floats(0, 1e-4)),
    phase_offset_rad=st.just(0.0) | st.floats(-math.pi, math.pi),
    phase_noise_rad=st.just(0.0) | st.floats(0, 0.6),
)
NO_PHASE = LINKS.map(lambda link: replace(link, phase_offset_rad=0.0, phase_noise_rad=0.0))
WEAR = st.builds(
    Imperfections,
    white_noise_visibility=st.floats(0.8, 1),
    dephasing_alice=st.floats(0, 0.2),
    dephasing_bob=st.floats(0, 0.2),
    readout_error_alice=st.floats(0, 0.1),
    readout_error_bob=st.floats(0, 0.1),
)
POPULATIONS = st.tuples(st.floats(1e-3, 0.3), st.floats(1e-3, 0.3))
OVERLAPS = st.floats(0.5, 1)
MODELS = st.one_of(
    st.builds(
        EntangledCoherent,
        LINKS,
        st.tuples(st.floats(1e-3, 0.4), st.floats(1e-3, 0.4)),
        imperfections=WEAR,
    ),
    st.builds(SinglePhoton, LINKS, POPULATIONS, OVERLAPS, imperfections=WEAR),
    st.builds(BellState, NO_PHASE, mode_overlap=OVERLAPS, imperfections=WEAR),
)
PAULI_AXES = {"ecs": "x", "single_photon": "z", "bell_state": "xy"}


def allowed(model: Model, kinds: list[int], turns: list[float]) -> list[tuple[float, float]]:
    """Return directions of Bob for which his correction is a flip, as numbers choose them."""
    axes = {"x": (HALF_PI, 0.0), "y": (HALF_PI, HALF_PI), "z": (0.0, 0.0)}
    across: dict[str, Callable[[float], tuple[float, float]]] = {
        "x": lambda turn: (turn, HALF_PI),
        "z": lambda turn: (HALF_PI, turn),
    }
    paulis = PAULI_AXES[model.name]
    if len(paulis) > 1:
        return [axes["xyz"[kind % 3]] for kind in kinds]
    return [
        axes[paulis] if k % 3 == 0 else across[paulis](t) for k, t in zip(kinds, turns, strict=True)
    ]


def worn_correlations(model: Model) -> Table:
    """Return T of the corrected state after imperfections, the readout's contrast included."""
    worn = model.imperfections
    readout = (1 - 2 * worn.readout_error_alice) * (1 - 2 * worn.readout_error_bob)
    # Dephasing of one side scales its x and y: entries of T with one of them by that side alone.
    correlations = model.heralded_states().correlations.copy()
    correlations[:2] *= 1 - 2 * worn.dephasing_alice
    correlations[:, :2] *= 1 - 2 * worn.dephasing_bob
    return readout * worn.white_noise_visibility * correlations


ANGLES = st.tuples(st.floats(-3, 3), st.floats(-3, 3))


@settings(max_examples=60)
@given(
    MODELS,
    st.lists(ANGLES, min_size=3, max_size=3),
    st.lists(st.integers(0, 5), min_size=2, max_size=2),
    st.lists(st.floats(-3, 3), min_size=2, max_size=2),
)
def test_flips_correct_as_the_gate_would(
    model: Model, alice: list[Any], kinds: list[int], turns: list[float]
) -> None:
    bob = allowed(model, kinds, turns)
    chsh, agreement = game(worn_correlations(model), alice, bob)
    flipped = replace(model, directions=Directions(alice, bob)).joint_distribution()
    awaiting = replace(model, directions=Directions(alice, bob), measurement="after_herald")
    for joint in (flipped, awaiting.joint_distribution()):
        assert joint.chsh == pytest.approx(chsh, abs=1e-9)
        assert joint.qber == pytest.approx((1 - agreement) / 2, abs=1e-9)


@settings(max_examples=60)
@given(MODELS, st.data())
def test_no_allowed_directions_do_better(model: Model, data: st.DataObject) -> None:
    model = replace(model, directions="optimal")
    best, correlations = model.best_directions(), worn_correlations(model)
    # Taken at their word, they are allowed, and do what they promise.
    joint = replace(model, directions=best).joint_distribution()
    chsh, agreement = game(correlations, best.alice, best.bob)
    assert joint.chsh == pytest.approx(chsh, abs=1e-9)
    assert joint.qber == pytest.approx((1 - agreement) / 2, abs=1e-9)
    found = key_fraction(chsh, agreement)
    for _ in range(20):
        kinds = data.draw(st.lists(st.integers(0, 5), min_size=2, max_size=2))
        turns = data.draw(st.lists(st.floats(-3, 3), min_size=2, max_size=2))
        key, other = vectors(allowed(model, kinds, turns)) @ correlations.T
        # Alice's best answers to Bob's directions.
        rival = np.linalg.norm(key + other) + np.linalg.norm(key - other)
        assert key_fraction(float(rival), float(np.linalg.norm(key))) <= found + 1e-9


# No key, and two pairs of directions of equal S: that with fewer errors is the better one.
EQUAL_IN_CHSH = EntangledCoherent(
    Link(
        distance_km=0.0, detector_efficiency=1.0, dark_count_probability=0.0, phase_offset_rad=0.5
    ),
    0.25,
    imperfections=Imperfections(white_noise_visibility=0.8125),
)


@settings(max_examples=60)
@example(EQUAL_IN_CHSH)
@given(MODELS)
def test_flips_cost_the_schemes_states_nothing(model: Model) -> None:
    """Their symmetries make the allowed directions the singular vectors, but for two Paulis'."""
    model = replace(model, directions="optimal")
    flips, gate = model.theory(), replace(model, measurement="after_herald").theory()
    assert flips.chsh == pytest.approx(gate.chsh, rel=1e-9)
    assert flips.qber == pytest.approx(gate.qber, abs=1e-9)


@settings(max_examples=40)
@given(LINKS, POPULATIONS, OVERLAPS, st.floats(-math.pi, math.pi))
def test_directions_undo_a_known_phase_of_single_photons(
    link: Link, light: tuple[float, float], overlap: float, offset: float
) -> None:
    """It turns Bob's qubit about z, and so may his directions, in a plane that flips allow."""
    model = SinglePhoton(link, light, overlap, directions="optimal")
    turned = replace(model, link=replace(link, phase_offset_rad=offset)).theory()
    assert turned.chsh == pytest.approx(model.theory().chsh, rel=1e-9)
    assert turned.qber == pytest.approx(model.theory().qber, abs=1e-9)


def test_inverted_readouts_are_turned_back() -> None:
    """A readout that errs nearly always is a good one with the opposite direction."""
    models = [
        EntangledCoherent(
            LINK, 0.05, imperfections=Imperfections(readout_error_alice=r), directions="optimal"
        )
        for r in (0.01, 0.99)
    ]
    right, inverted = (model.theory() for model in models)
    assert inverted.chsh == pytest.approx(right.chsh, rel=1e-9)
    assert inverted.qber == pytest.approx(right.qber, rel=1e-9)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_the_cavity_scheme_reaches_the_bound(order: Any) -> None:
    link = CavityLink(5, coherence_time_s=1e-3)
    model = CavityCat(
        link, order, 0.8, directions="optimal", placement="strict" if order < 3 else "alice"
    )
    first, second, _ = np.linalg.svd(model.heralded_states().correlations)[1]
    # `heralded_states` has the memory in it.
    theory = model.theory()
    assert theory.chsh == pytest.approx(2 * math.hypot(first, second), rel=1e-9)
    assert theory.qber == pytest.approx((1 - first) / 2, abs=1e-12)
    assert theory.chsh >= replace(model, directions="paper").theory().chsh - 1e-12


LINK = Link(distance_km=50)
THREE = (0.0, 0.7, -0.7)


@pytest.mark.parametrize(
    ("model", "bob"),
    [
        (EntangledCoherent(LINK, 0.1), (0.0, 0.3)),
        (EntangledCoherent(LINK, 0.1), ((HALF_PI, 0.2), 0.0)),
        (EntangledCoherent(LINK, 0.1), ((0.4, 1.0), 0.0)),
        (SinglePhoton(LINK, 0.1), (0.0, 0.3)),
        (SinglePhoton(LINK, 0.1), (0.0, (1.2, HALF_PI))),
        (BellState(LINK), (0.0, 0.3)),
        (BellState(LINK), (0.0, (HALF_PI, 0.3))),
        (BellState(LINK), (0.0, (0.3, HALF_PI))),
    ],
)
def test_directions_that_no_flip_corrects_are_refused(model: Model, bob: Any) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        replace(model, directions=(THREE, bob))
    assert refused.value.argument == "directions"
    free = replace(model, directions=(THREE, bob), measurement="after_herald")
    expected = game(worn_correlations(model), [(t, 0.0) for t in THREE], as_pairs(bob))[0]
    assert free.joint_distribution().chsh == pytest.approx(expected, rel=1e-9)


def as_pairs(angles: Any) -> list[tuple[float, float]]:
    """Return every direction as (θ, φ)."""
    return [one if isinstance(one, tuple) else (one, 0.0) for one in angles]


@pytest.mark.parametrize("counts", [(2, 2), (2, 3), (3, 3), (4, 2), (3, 1)])
def test_other_numbers_of_directions_are_refused(counts: tuple[int, int]) -> None:
    alice, bob = ([0.0] * count for count in counts)
    for model in (EntangledCoherent(LINK, 0.1), SinglePhoton(LINK, 0.1), BellState(LINK)):
        with pytest.raises(InvalidArgumentError) as refused:
            replace(model, directions=(alice, bob))
        assert refused.value.argument == "directions"
    if counts != (2, 3):
        with pytest.raises(InvalidArgumentError) as refused:
            CavityCat(CavityLink(5), amplitude=1.0, directions=(alice, bob))
        assert refused.value.argument == "directions"


def test_a_right_angle_of_a_few_digits_is_one() -> None:
    """The text that the message for a wrong form shows as an example."""
    EntangledCoherent(LINK, 0.1, directions="0, 0.785, -0.785; 0, 1.571")


def test_no_number_is_refused_by_the_models_own_name() -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        EntangledCoherent(LINK, 0.1, directions=(THREE, (0.0, math.nan)))
    assert refused.value.argument == "directions"


def test_no_herald_is_refused_with_optimal_directions_too() -> None:
    link = Link(distance_km=0, detector_efficiency=1.0, dark_count_probability=0.0)
    for directions in ("paper", "optimal"):
        # So bright that both detectors always click.
        model = EntangledCoherent(
            replace(link, phase_offset_rad=HALF_PI), (5e3, 5e3), directions=directions
        )
        with pytest.raises(InvalidArgumentError):
            model.joint_distribution()


FINITE = st.floats(-1e300, 1e300)
SIDE = st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=4)


@given(SIDE, SIDE)
def test_text_comes_back_as_the_same_directions(alice: Any, bob: Any) -> None:
    directions = Directions(alice, bob)
    assert Directions.parse(str(directions)) == directions
    assert str(Directions.parse(str(directions))) == str(directions)


@pytest.mark.parametrize(
    "text", ["", "0", "0; 0; 0", "0,; 0", "0:1:2; 0", "x; 0", "nan; 0", "0; inf", ";"]
)
def test_texts_that_list_no_directions_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        Directions.parse(text)
    assert refused.value.argument == "directions"


def newest(distance: float, error: float = 0.0) -> EntangledCoherent:
    """Return the link of the published figures."""
    link = Link(
        distance_km=distance,
        detector_efficiency=0.8,
        dark_count_probability=1e-7,
        attenuation_db_per_km=0.2,
    )
    return EntangledCoherent(link, misalignment_error=error)


def rate_in_the_plane(model: EntangledCoherent) -> float:
    """Return the rate at tan θ = C_x/C_z in the x–z plane, with the best intensity."""

    def rate(logarithm: float) -> float:
        point = replace(model, mean_photon_number=math.exp(logarithm))
        correlations = point.heralded_states().correlations
        theta = math.atan2(correlations[0, 0], correlations[2, 2])
        given = Directions((0.0, theta, -theta), (0.0, HALF_PI))
        # A1 and A2 exchange where C_x is negative: S = A1B1 − A1B2 + A2B1 + A2B2.
        rates = [replace(point, directions=d) for d in (given, swapped(given))]
        return max(one.theory().key_rate_per_pulse for one in rates)

    logs = np.linspace(math.log(0.03), math.log(0.2), 12)
    start = max(logs, key=rate)
    found = minimize_scalar(
        lambda x: -rate(x), bounds=(start - 0.2, start + 0.2), options={"xatol": 1e-7}
    )
    return -float(found.fun)


def swapped(directions: Directions) -> Directions:
    """Return the directions with A1 and A2 exchanged."""
    key, first, second = directions.alice
    return Directions((key, second, first), directions.bob)


@pytest.mark.parametrize(
    ("distance", "plane", "optimal"),
    [(100, 1.139, 1.139), (200, 1.142, 1.142), (450, 1.909, 2.320)],
)
def test_rates_against_the_papers_directions(distance: float, plane: float, optimal: float) -> None:
    """At 450 km the y direction, which dark counts spare, makes more than all of the x–z plane."""
    model = newest(distance)
    paper = predict(model).key_rate_per_pulse
    in_plane = rate_in_the_plane(model)
    best = predict(replace(model, directions="optimal")).key_rate_per_pulse
    assert in_plane / paper == pytest.approx(plane, abs=1e-3)
    assert best / paper == pytest.approx(optimal, abs=1e-3)
    assert best >= in_plane * (1 - 1e-9)


def test_directions_make_keys_where_the_papers_have_none() -> None:
    model = newest(450, 0.01)
    assert predict(model).key_rate_per_pulse == 0
    in_plane = rate_in_the_plane(model)
    assert in_plane == pytest.approx(1.088e-7, abs=0.0005e-7)
    assert predict(replace(model, directions="optimal")).key_rate_per_pulse > in_plane
