"""What physics demands of heralded states, over all links of up to 500 km.

That equal arms reproduce the papers' joint tables is tested with those schemes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator import BellState, EntangledCoherent, HeraldedStates, Link, SinglePhoton

Matrix: TypeAlias = npt.NDArray[np.complex128]
Model: TypeAlias = EntangledCoherent | SinglePhoton | BellState

SWAP = np.eye(4)[[0, 2, 1, 3]]
ON_BOB = {
    p: np.kron(np.eye(2), m) for p, m in {"x": [[0, 1], [1, 0]], "z": np.diag([1, -1])}.items()
}

DARK_COUNTS = st.one_of(st.just(0.0), st.floats(1e-10, 1e-2), st.floats(0, 0.9))
EFFICIENCIES = st.one_of(st.just(1.0), st.floats(0.02, 1.0))
OFFSETS = st.one_of(st.just(0.0), st.floats(-math.pi, math.pi))
NOISES = st.one_of(st.just(0.0), st.floats(0, 0.5), st.floats(0, 20))
INTENSITIES = st.one_of(st.floats(1e-5, 1.0), st.floats(1e-3, 30.0))
POPULATIONS = st.one_of(st.floats(1e-7, 0.1), st.floats(1e-3, 0.999))
OVERLAPS = st.one_of(st.just(1.0), st.floats(0, 1))


@st.composite
def links(draw: Callable[[Any], Any], *, phases: bool = True) -> Link:
    """Links of any arms."""
    distance, share = draw(st.floats(0, 500)), draw(st.sampled_from([0.0, 0.5]) | st.floats(0, 1))
    return Link(
        arm_alice_km=distance * share,
        arm_bob_km=distance * (1 - share),
        attenuation_db_per_km=draw(st.sampled_from([0.0, 0.16, 0.2, 0.35])),
        detector_efficiency=(draw(EFFICIENCIES), draw(EFFICIENCIES)),
        dark_count_probability=(draw(DARK_COUNTS), draw(DARK_COUNTS)),
        phase_offset_rad=draw(OFFSETS) if phases else 0.0,
        phase_noise_rad=draw(NOISES) if phases else 0.0,
    )


def pairs(values: st.SearchStrategy[float]) -> st.SearchStrategy[tuple[float, float]]:
    """Two independent numbers, or one twice."""
    return st.tuples(values, values) | values.map(lambda value: (value, value))


ECS = st.builds(EntangledCoherent, links(), pairs(INTENSITIES))
SINGLE_PHOTON = st.builds(SinglePhoton, links(), pairs(POPULATIONS), OVERLAPS)
BELL_STATE = st.builds(BellState, links(phases=False), mode_overlap=OVERLAPS)
MODELS = st.one_of(ECS, SINGLE_PHOTON, BELL_STATE)


def with_link(model: Model, **changes: Any) -> Model:
    """Return the model over another link."""
    return replace(model, link=replace(model.link, **changes))


def light_of(model: Model) -> tuple[float, float]:
    """Return the intensities of Alice and Bob."""
    given = model.bright_population if isinstance(model, SinglePhoton) else model.mean_photon_number
    assert isinstance(given, tuple)
    return given


def close(found: Matrix, expected: Matrix, rtol: float = 1e-10) -> bool:
    """Whether matrices agree to `rtol` of the trace of the second."""
    return bool((np.abs(found - expected) <= rtol * np.trace(expected).real + 1e-17).all())


@settings(max_examples=150)
@given(MODELS)
def test_they_are_states_whose_traces_sum_to_one(model: Model) -> None:
    states = model.heralded_states()
    for matrix in states.states.values():
        assert np.isfinite(matrix).all()
        trace = np.trace(matrix).real
        assert trace >= 0
        # Complete interference leaves traces of 0 but for rounding.
        rounding = 1e-14 * trace + 1e-17
        np.testing.assert_allclose(matrix, matrix.conj().T, rtol=0, atol=rounding)
        assert np.linalg.eigvalsh(matrix).min() >= -rounding
    total = math.fsum(np.trace(matrix).real for matrix in states.states.values())
    assert total == pytest.approx(1, rel=0, abs=1e-12)


def source(model: Model, side: int) -> Matrix:
    """Return the qubit of one sender alone."""
    if isinstance(model, BellState):
        return np.eye(2) / 2
    light = light_of(model)[side]
    if isinstance(model, SinglePhoton):
        return np.diag([light, 1 - light])
    coherence = math.exp(-2 * light)
    return np.array([[1, coherence], [coherence, 1]]) / 2


@settings(max_examples=150)
@given(MODELS)
def test_over_all_announcements_each_side_knows_its_source_alone(model: Model) -> None:
    total = sum(model.heralded_states().states.values()).reshape(2, 2, 2, 2)
    alice, bob = np.einsum("atbt->ab", total), np.einsum("tatb->ab", total)
    np.testing.assert_allclose(alice, source(model, 0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(bob, source(model, 1), rtol=0, atol=1e-12)


@settings(max_examples=100)
@given(MODELS)
def test_exchanging_the_sides_mirrors_the_state(model: Model) -> None:
    """(b + e^(iδ) a)/√2 is c for −δ, and the same for d, up to phases of their own."""
    alice, bob = model.link.arms_km
    other = with_link(
        model,
        arm_alice_km=bob,
        arm_bob_km=alice,
        phase_offset_rad=-model.link.phase_offset_rad,
    )
    if not isinstance(other, BellState):
        other = replace(other, **{str(other.intensity_parameter): light_of(model)[::-1]})
    found, mirrored = model.heralded_states(), other.heralded_states()
    for name, matrix in found.states.items():
        assert close(SWAP @ mirrored.states[name] @ SWAP, matrix)


@settings(max_examples=100)
@given(ECS | SINGLE_PHOTON)
def test_exchanging_the_detectors_exchanges_the_heralds(model: Model) -> None:
    """A sign of Bob's light swaps the ports; his Pauli makes that sign."""
    pauli = ON_BOB["z" if isinstance(model, SinglePhoton) else "x"]
    other = with_link(
        model,
        detector_efficiency=model.link.efficiencies[::-1],
        dark_count_probability=model.link.dark_counts[::-1],
    ).heralded_states()
    for first, second in (("D1", "D2"), ("D2", "D1")):
        turned = pauli @ other.matrices[second] @ pauli
        assert close(turned, model.heralded_states().matrices[first])


@settings(max_examples=100)
@given(ECS | SINGLE_PHOTON)
def test_the_opposite_phase_conjugates_the_state(model: Model) -> None:
    other = with_link(model, phase_offset_rad=-model.link.phase_offset_rad).heralded_states()
    for name, matrix in model.heralded_states().states.items():
        assert close(other.states[name].conj(), matrix)


@settings(max_examples=60)
@given(links(), st.floats(1e-9, 1e-6), st.sampled_from(["D1", "D2"]))
def test_faint_single_photons_leave_bell_states(link: Link, light: float, herald: str) -> None:
    """No dark counts, one phase, and as much light from both sides as arrives."""
    link = replace(link, dark_count_probability=0.0, phase_noise_rad=0.0)
    t_a, t_b = link.arm_transmittances
    most = max(t_a, t_b)
    model = SinglePhoton(link, (light * t_b / most, light * t_a / most))
    rho = model.heralded_states().matrices[herald]
    turn = np.exp(1j * link.phase_offset_rad) * (1 if herald == "D1" else -1)
    # The photon that c = (a + e^(iδ) b)/√2 takes came from Alice, or from Bob with the phase.
    ideal = np.array([0, 1, turn, 0]) / math.sqrt(2)
    fidelity = (ideal.conj() @ rho @ ideal / np.trace(rho)).real
    assert fidelity == pytest.approx(1, abs=10 * light)


@settings(max_examples=60)
@given(SINGLE_PHOTON, st.floats(9.5, 300))
def test_a_random_phase_leaves_no_coherence_of_single_photons(model: Model, noise: float) -> None:
    for matrix in with_link(model, phase_noise_rad=noise).heralded_states().matrices.values():
        across = np.abs(matrix - np.diag(np.diag(matrix)))
        assert across.max() <= 1e-16 * np.trace(matrix).real


@settings(max_examples=60)
@given(ECS, st.floats(9.5, 300))
def test_a_random_phase_leaves_no_z_correlation_of_coherent_states(
    model: Model, noise: float
) -> None:
    """Its sign is all that tells the ports: then every pair of spins is as likely."""
    for matrix in with_link(model, phase_noise_rad=noise).heralded_states().matrices.values():
        populations = np.diag(matrix).real
        np.testing.assert_allclose(populations, populations[0], rtol=1e-9, atol=1e-18)


@settings(max_examples=60)
@given(SINGLE_PHOTON)
def test_noise_and_overlap_scale_the_coherence_of_single_photons(model: SinglePhoton) -> None:
    ideal = with_link(replace(model, mode_overlap=1.0), phase_noise_rad=0.0).heralded_states()
    kept = model.mode_overlap * math.exp(-(model.link.phase_noise_rad**2) / 2)
    for name, matrix in model.heralded_states().matrices.items():
        assert matrix[1, 2] == pytest.approx(
            kept * ideal.matrices[name][1, 2], rel=1e-12, abs=1e-30
        )


def transmittances(link: Link) -> tuple[Decimal, Decimal]:
    """Return 10^(−βd/10) of both arms."""
    loss = Decimal(link.attenuation_db_per_km)
    alice, bob = (Decimal(10) ** (-loss * Decimal(arm) / 10) for arm in link.arms_km)
    return alice, bob


def exact_single_photon(model: SinglePhoton) -> dict[str, tuple[list[Decimal], Decimal]]:
    """Return the populations of D1 and D2, and their coherence without its phase."""
    link = model.link
    (q_a, q_b), v = map(Decimal, light_of(model)), Decimal(model.mode_overlap)
    t_a, t_b = transmittances(link)
    one = Decimal(1)
    silent = [
        [(one - Decimal(p)) * factor for factor in (one, one - Decimal(e), (one - Decimal(e)) ** 2)]
        for e, p in zip(link.efficiencies, link.dark_counts, strict=True)
    ]

    def herald(name: str, c: int, d: int) -> Decimal:
        first, second = silent[0][c], silent[1][d]
        return (one - first) * second if name == "D1" else first * (one - second)

    found = {}
    for name in ("D1", "D2"):
        zero, c, d = (herald(name, *n) for n in ((0, 0), (1, 0), (0, 1)))
        mean = (c + d) / 2
        two = (1 + v * v) / 4 * (herald(name, 2, 0) + herald(name, 0, 2))
        two += (1 - v * v) / 2 * herald(name, 1, 1)
        some = (t_a * (1 - t_b) + (1 - t_a) * t_b) * mean
        populations = [
            q_a * q_b * (t_a * t_b * two + some + (1 - t_a) * (1 - t_b) * zero),
            q_a * (1 - q_b) * (t_a * mean + (1 - t_a) * zero),
            (1 - q_a) * q_b * (t_b * mean + (1 - t_b) * zero),
            (1 - q_a) * (1 - q_b) * zero,
        ]
        weight = (q_a * (1 - q_a) * q_b * (1 - q_b) * t_a * t_b).sqrt()
        found[name] = populations, weight * v * (c - d) / 2
    return found


@settings(max_examples=100)
@given(SINGLE_PHOTON)
def test_single_photons_to_nine_digits_at_any_loss(model: SinglePhoton) -> None:
    model = with_link(model, phase_noise_rad=0.0, phase_offset_rad=0.0)
    states = model.heralded_states().matrices
    with localcontext(prec=60):
        exact = exact_single_photon(model)
    for name, (populations, coherence) in exact.items():
        expected = [float(value) for value in (*populations, coherence)]
        found = [*np.diag(states[name]).real, states[name][1, 2].real]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-30)


Complex: TypeAlias = tuple[Decimal, Decimal]


def times(first: Complex, second: Complex) -> Complex:
    """Return a product."""
    (a, b), (c, d) = first, second
    return a * c - b * d, a * d + b * c


def exponential(exponent: Complex) -> Complex:
    """Return e^z, by its series after halving."""
    real, imaginary = exponent
    halvings = 12
    small = (real.exp(), Decimal(0)), (Decimal(0), imaginary / 2**halvings)
    term: Complex = (Decimal(1), Decimal(0))
    total = term
    for n in range(1, 25):
        a, b = times(term, small[1])
        term = a / n, b / n
        total = total[0] + term[0], total[1] + term[1]
    for _ in range(halvings):
        total = times(total, total)
    return times(total, small[0])


def overlap(bra: Complex, ket: Complex) -> Complex:
    """Return ⟨v|u⟩ of coherent states."""
    a, b = times((bra[0], -bra[1]), ket)
    length = (bra[0] ** 2 + bra[1] ** 2 + ket[0] ** 2 + ket[1] ** 2) / 2
    return exponential((a - length, b))


def exact_entangled_coherent(model: EntangledCoherent) -> dict[str, list[Complex]]:
    """Return the elements of D1 and D2 row by row, for a fixed phase."""
    link, zero = model.link, Decimal(0)
    sent = [Decimal(light).sqrt() for light in light_of(model)]
    kept = [t.sqrt() for t in transmittances(link)]
    lost = [(1 - t).sqrt() for t in transmittances(link)]
    turn = exponential((zero, Decimal(link.phase_offset_rad)))
    half = Decimal("0.5").sqrt()
    rows = []
    for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        fibres = [(s * a * leak, zero) for s, a, leak in zip(signs, sent, lost, strict=True)]
        a, b = (s * a * keep for s, a, keep in zip(signs, sent, kept, strict=True))
        of_bob = b * turn[0], b * turn[1]
        ports = [(half * (a + s * of_bob[0]), half * s * of_bob[1]) for s in (1, -1)]
        rows.append((fibres, ports))
    found: dict[str, list[Complex]] = {"D1": [], "D2": []}
    for (ket_fibres, ket_ports), (bra_fibres, bra_ports) in ((k, b) for k in rows for b in rows):
        element: Complex = (Decimal("0.25"), zero)
        for bra, ket in zip(bra_fibres, ket_fibres, strict=True):
            element = times(element, overlap(bra, ket))
        silent, click = [], []
        for j in (0, 1):
            seen, dark = Decimal(link.efficiencies[j]), Decimal(link.dark_counts[j])
            (u, v), (s, o) = (ket_ports[j], bra_ports[j]), (seen.sqrt(), (1 - seen).sqrt())
            unseen = overlap((o * v[0], o * v[1]), (o * u[0], o * u[1]))
            bra, ket = (s * v[0], s * v[1]), (s * u[0], s * u[1])
            length = (bra[0] ** 2 + bra[1] ** 2 + ket[0] ** 2 + ket[1] ** 2) / 2
            none = (1 - dark) * (-length).exp()
            whole = overlap(bra, ket)
            silent.append(times(unseen, (none, zero)))
            click.append(times(unseen, (whole[0] - none, whole[1])))
        found["D1"].append(times(element, times(click[0], silent[1])))
        found["D2"].append(times(element, times(silent[0], click[1])))
    return found


@settings(max_examples=40)
@given(ECS)
def test_coherent_states_to_nine_digits_at_any_loss(model: EntangledCoherent) -> None:
    model = with_link(model, phase_noise_rad=0.0)
    states = model.heralded_states().matrices
    with localcontext(prec=60):
        exact = exact_entangled_coherent(model)
    for name, elements in exact.items():
        expected = np.array([complex(float(a), float(b)) for a, b in elements]).reshape(4, 4)
        bound = np.maximum(1e-9 * np.abs(expected), 1e-18)
        assert (np.abs(states[name] - expected) <= bound).all()


def test_the_brightest_light_has_states_too() -> None:
    link = Link(distance_km=0, phase_offset_rad=0.3)
    for light in (1e4, 1e5, 3e5, 1e6):
        states = EntangledCoherent(link, (light, light)).heralded_states().states.values()
        assert math.fsum(np.trace(rho).real for rho in states) == pytest.approx(1, abs=1e-12)


def test_any_phase_noise_is_a_number() -> None:
    link = Link(distance_km=10, phase_noise_rad=1e300)
    assert np.abs(SinglePhoton(link, 0.1).heralded_states().matrices["D1"][1, 2]) == 0


def test_the_states_are_those_of_announcements_alone() -> None:
    """Heralds are what `matrices` has, and their traces the probabilities of the announcements."""
    link = Link(arm_alice_km=30, arm_bob_km=110, dark_count_probability=(1e-5, 1e-6))
    states: HeraldedStates = SinglePhoton(link, (0.01, 0.4), 0.9).heralded_states()
    assert tuple(states.matrices) == states.heralds == ("D1", "D2")
    assert set(states.announcements) == {"none", "D1", "D2", "both"}
    table = states.probabilities([0.4, (1.0, 2.0)], [0.1])
    traces = [np.trace(matrix).real for matrix in states.states.values()]
    np.testing.assert_allclose(table.sum(axis=(3, 4)), np.broadcast_to(traces, (2, 1, 4)))
