"""Heralded states of every scheme against density matrices on truncated Fock spaces.

Relative agreement of 1e-9. Beside it 1e-13 of the state's trace, and 1e-17 for coherent states:
where light interferes destructively, brute force leaves roundings of terms that ought to cancel.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
from fock_space import (
    FewPhotons,
    Matrix,
    Reals,
    click_law,
    coherent,
    half_splitter,
    mean_turn,
    one_mode_loss,
)
from test_cavity_cat_fock import POINTS as CAVITY_POINTS
from test_cavity_cat_fock import Point as CavityPoint
from test_cavity_cat_fock import announced as cavity_announced
from test_cavity_cat_fock import correction as cavity_correction

from emulator import (
    BellState,
    CavityCat,
    CavityLink,
    EntangledCoherent,
    HeraldedStates,
    Imperfections,
    Link,
    SinglePhoton,
)

# The slowest of its points are left to that test.
CAT_POINTS = [CAVITY_POINTS[k] for k in (1, 2, 3, 4, 6, 8, 9, 10, 12, 13, 15, 18)]

PAULIS = {
    "1": np.eye(2),
    "x": np.array([[0, 1], [1, 0]]),
    "y": np.array([[0, -1j], [1j, 0]]),
    "z": np.diag([1, -1]),
}


@dataclass(frozen=True)
class Case:
    """A link and the light of both senders."""

    arms: tuple[float, float]
    light: tuple[float, float] = (0.1, 0.1)
    efficiencies: tuple[float, float] = (0.8, 0.8)
    darks: tuple[float, float] = (1e-7, 1e-7)
    offset: float = 0.0
    noise: float = 0.0
    overlap: float = 1.0
    loss: float = field(default=0.2, kw_only=True)

    @property
    def transmittances(self) -> tuple[float, float]:
        alice, bob = self.arms
        return 10 ** (-self.loss * alice / 10), 10 ** (-self.loss * bob / 10)

    @property
    def link(self) -> Link:
        return Link(
            arm_alice_km=self.arms[0],
            arm_bob_km=self.arms[1],
            attenuation_db_per_km=self.loss,
            detector_efficiency=self.efficiencies,
            dark_count_probability=self.darks,
            phase_offset_rad=self.offset,
            phase_noise_rad=self.noise,
        )


ECS = [
    Case((0, 0), (0.2, 0.2), (1.0, 1.0), (0.0, 0.0)),
    Case((0, 0), (0.25, 0.1), (0.9, 0.6), (1e-3, 2e-2)),
    Case((5, 0), (0.3, 0.2), (0.8, 0.5), (1e-5, 0.0), 0.35, 0.0),
    Case((0, 30), (0.05, 0.2), (0.7, 1.0), (1e-4, 1e-6), -0.2, 0.3),
    Case((30, 110), (0.02, 0.3), (0.93, 0.6), (1e-7, 3e-6), 0.1, 0.1),
    Case((50, 10), (0.2, 0.04), (0.8, 0.8), (1e-8, 1e-8), 1.1, 0.8),
    Case((20, 25), (0.15, 0.18), (0.3, 0.9), (0.4, 0.1), 3.0, 0.2),
    Case((12, 3), (0.35, 0.1), (0.85, 0.75), (1e-6, 1e-5), -2.5, 2.0),
    Case((200, 150), (0.1, 0.03), (0.8, 0.7), (1e-7, 1e-8), 0.4, 0.5),
    Case((225, 225), (0.07, 0.07), (0.8, 0.8), (1e-7, 1e-7)),
    Case((250, 250), (0.3, 0.05), (0.8, 0.9), (1e-9, 3e-9), 0.3, 0.1),
    Case((1, 2), (0.2, 0.25), (1.0, 0.4), (1e-9, 0.0), 0.0, 6.0, loss=0.35),
]
SINGLE_PHOTON = [
    Case((0, 0), (0.3, 0.2), (1.0, 1.0), (0.0, 0.0), 0.0, 0.0, 0.9),
    Case((0, 0), (0.5, 0.7), (0.9, 0.6), (1e-3, 2e-2), 0.3, 0.1, 0.5),
    Case((5, 0), (0.05, 0.03), (0.8, 0.5), (1e-5, 0.0), -0.35, 0.4, 0.98),
    Case((0, 30), (0.05, 0.2), (0.7, 1.0), (1e-4, 1e-6), -2.2, 0.3, 0.0),
    Case((30, 110), (0.002, 0.03), (0.93, 0.6), (1e-7, 3e-6), 0.1, 0.1, 0.93),
    Case((50, 10), (0.9, 0.99), (0.8, 0.8), (1e-8, 1e-8), 1.1, 0.8, 0.7),
    Case((20, 25), (0.15, 0.18), (0.3, 0.9), (0.4, 0.1), 3.0, 0.2, 0.3),
    Case((11, 0), (1e-4, 3e-5), (0.85, 0.75), (1e-6, 1e-5), 0.2, 2.0, 0.99),
    Case((200, 150), (0.1, 0.03), (0.8, 0.7), (1e-7, 1e-8), 0.4, 0.5, 0.96),
    Case((225, 225), (0.01, 0.01), (0.8, 0.8), (1e-7, 1e-7), 0.0, 0.0, 0.95),
    Case((250, 250), (0.3, 0.05), (0.8, 0.9), (1e-9, 3e-9), 0.3, 0.1, 0.8),
    Case((3, 4), (0.4, 0.45), (1.0, 0.2), (0.0, 1e-2), -0.7, 5.0, 0.6, loss=0.4),
]
BELL_STATE = [
    Case((0, 0), efficiencies=(1.0, 1.0), darks=(0.0, 0.0), overlap=0.9),
    Case((0, 0), efficiencies=(0.9, 0.6), darks=(1e-3, 2e-2), overlap=0.5),
    Case((5, 0), efficiencies=(0.8, 0.5), darks=(1e-5, 0.0), overlap=0.98),
    Case((0, 30), efficiencies=(0.7, 1.0), darks=(1e-4, 1e-6), overlap=0.0),
    Case((30, 110), efficiencies=(0.93, 0.6), darks=(1e-7, 3e-6), overlap=0.93),
    Case((50, 10), efficiencies=(0.8, 0.8), darks=(1e-8, 1e-8), overlap=0.7),
    Case((20, 25), efficiencies=(0.3, 0.9), darks=(0.4, 0.1), overlap=0.3),
    Case((11, 0), efficiencies=(0.85, 0.75), darks=(1e-6, 1e-5), overlap=1.0),
    Case((200, 150), efficiencies=(0.8, 0.7), darks=(1e-7, 1e-8), overlap=0.96),
    Case((225, 225), darks=(1e-7, 1e-7), overlap=0.95),
    Case((250, 250), efficiencies=(0.8, 0.9), darks=(1e-9, 3e-9), overlap=0.8),
    Case((3, 4), efficiencies=(1.0, 0.2), darks=(0.0, 1e-2), overlap=0.6, loss=0.4),
]


# What cancels completely between coherent states leaves this much of rounding.
RESIDUE = 1e-17


def compare(found: HeraldedStates, expected: dict[str, Matrix], residue: float = 0.0) -> None:
    """Compare every announcement's matrix; those of heralds as `matrices` have them."""
    assert set(found.announcements) == set(expected)
    for name, matrix in expected.items():
        seen = found.matrices.get(name, found.states[name])
        bound = 1e-9 * np.abs(matrix) + 1e-13 * np.trace(matrix).real + residue
        assert (np.abs(seen - matrix) <= bound).all(), name


# Photons of a mode: with 0.35 on average, 16 or more have a probability of 1e-21.
LEVELS = 16


@cache
def entangled_coherent(case: Case) -> dict[str, Matrix]:
    """Return each announcement's matrix."""
    sides = []
    for light, transmittance in zip(case.light, case.transmittances, strict=True):
        sent = np.stack([coherent(sign * math.sqrt(light), LEVELS) for sign in (1, -1)])
        kraus = one_mode_loss(transmittance, LEVELS)
        rho = np.multiply.outer(sent, sent) / 2
        sides.append(np.einsum("mnpq,snrq->smrp", kraus, rho, optimize=True))
    alice, bob = sides
    numbers = np.arange(LEVELS)
    differences = np.subtract.outer(numbers, numbers)
    bob = bob * mean_turn(differences, case.offset, case.noise)[:, np.newaxis, :]
    splitter = half_splitter(LEVELS)
    laws = [
        np.array([click_law(n, *detector) for n in range(LEVELS)]).T
        for detector in zip(case.efficiencies, case.darks, strict=True)
    ]
    matrices = {}
    for name, (first, second) in {
        "none": (0, 0),
        "D1": (1, 0),
        "D2": (0, 1),
        "both": (1, 1),
    }.items():
        weights = np.multiply.outer(laws[0][first], laws[1][second])
        operator = np.einsum("klmn,kl,klpq->mnpq", splitter, weights, splitter, optimize=True)
        # tr(ρ E) over the light: ρ[m, m'] ρ[n, n'] E[m', n', m, n].
        state = np.einsum("smup,tnvq,pqmn->stuv", alice, bob, operator, optimize=True)
        matrices[name] = state.reshape(4, 4)
    return matrices


@pytest.mark.parametrize("case", ECS, ids=str)
def test_entangled_coherent_states(case: Case) -> None:
    expected = entangled_coherent(case)
    # Total numbers of 16 and more are cut off.
    assert abs(sum(np.trace(state) for state in expected.values()) - 1) < 1e-12
    compare(EntangledCoherent(case.link, case.light).heralded_states(), expected, RESIDUE)


def test_dark_counts_spare_the_y_correlations_of_a_faint_link() -> None:
    """At 450 km a dark count leaves ⟨σ_x σ_x⟩ > 0 of both qubits alone, and no ⟨σ_y σ_y⟩.

    A photon leaves ⟨σ_x σ_x⟩ = −⟨σ_y σ_y⟩ < 0, so the x correlations suffer and y ones do not.
    """
    case = replace(ECS[9], light=(0.12, 0.12))
    states, flip = entangled_coherent(case), np.kron(np.eye(2), PAULIS["x"])
    total = states["D1"] + flip @ states["D2"] @ flip
    gain = np.trace(total).real
    t_x, t_y, t_z = (np.trace(np.kron(PAULIS[p], PAULIS[p]) @ total).real / gain for p in "xyz")
    # Of each side's qubit alone; a herald of probability 2 p_d beside the photons' own.
    alone, share = math.exp(-4 * 0.12), 2e-7 / gain
    assert t_y == pytest.approx((1 - share) * alone, rel=1e-4)
    assert t_x == pytest.approx((2 * share - 1) * alone, rel=1e-3)
    assert t_z == pytest.approx(1 - share, rel=1e-4)
    model = EntangledCoherent(case.link, case.light)
    found = model.heralded_states().correlations
    np.testing.assert_allclose(found, np.diag([t_x, t_y, t_z]), rtol=1e-9, atol=1e-12)


def test_an_unknown_drift_is_the_mixture_of_both_signs() -> None:
    for drift in (0.2, 0.9, 2.0):
        base = replace(ECS[4], offset=0.0)
        plus, minus = (entangled_coherent(replace(base, offset=s * drift)) for s in (1, -1))
        mixed = {name: (plus[name] + minus[name]) / 2 for name in plus}
        error = (1 - math.cos(drift)) / 2
        found = EntangledCoherent(base.link, base.light, error).heralded_states()
        compare(found, mixed, RESIDUE)


def heralded_by(light: FewPhotons, density: Matrix, operator: Reals) -> Matrix:
    """Return tr over the light of the state behind a diagonal operator."""
    return np.einsum("sitj,ij->st", density, np.diag(operator))


def split(ports: int, internal: int) -> Reals:
    """Return the beam splitter for modes in the order (side, polarisation and internal mode)."""
    mixing = np.array([[1, 1], [1, -1]]) / math.sqrt(2)
    return np.kron(mixing, np.eye(ports * internal))


@cache
def single_photon(case: Case) -> dict[str, Matrix]:
    """Return each announcement's matrix; modes a, a', b, b' of which Bob's photon is in two."""
    light = FewPhotons(4)
    alice = light.creation(0)
    bob = case.overlap * light.creation(2) + math.sqrt(1 - case.overlap**2) * light.creation(3)
    (q_a, q_b), one = case.light, np.eye(len(light.vacuum))
    from_alice = [math.sqrt(q_a) * alice, math.sqrt(1 - q_a) * one]
    from_bob = [math.sqrt(q_b) * bob, math.sqrt(1 - q_b) * one]
    ket = np.stack([a @ b @ light.vacuum for a in from_alice for b in from_bob])
    (t_a, t_b), density = case.transmittances, np.multiply.outer(ket, ket).astype(complex)
    density = light.lose(density, [t_a, t_a, t_b, t_b])
    of_bob = light.numbers[:, 2:].sum(axis=1)
    turn = mean_turn(np.subtract.outer(of_bob, of_bob), case.offset, case.noise)
    density = density * turn[np.newaxis, :, np.newaxis, :]
    unitary = light.lift(split(1, 2))
    density = np.einsum("ki,sitj,lj->sktl", unitary, density, unitary.conj(), optimize=True)
    clicks = light.clicks([[0, 1], [2, 3]], list(case.efficiencies), list(case.darks))
    names = {(0, 0): "none", (1, 0): "D1", (0, 1): "D2", (1, 1): "both"}
    return {names[p]: heralded_by(light, density, operator) for p, operator in clicks.items()}


@pytest.mark.parametrize("case", SINGLE_PHOTON, ids=str)
def test_single_photons(case: Case) -> None:
    model = SinglePhoton(case.link, case.light, case.overlap)
    compare(model.heralded_states(), single_photon(case))


@cache
def bell_state(case: Case) -> dict[str, Matrix]:
    """Return each announcement's matrix; modes (side, polarisation, internal mode)."""
    light = FewPhotons(8)
    rest = math.sqrt(1 - case.overlap**2)
    alice = [light.creation(0), light.creation(2)]
    bob = [case.overlap * light.creation(4 + m) + rest * light.creation(5 + m) for m in (0, 2)]
    ket = np.stack([a @ b @ light.vacuum / 2 for a in alice for b in bob])
    (t_a, t_b), density = case.transmittances, np.multiply.outer(ket, ket).astype(complex)
    density = light.lose(density, [t_a] * 4 + [t_b] * 4)
    unitary = light.lift(split(2, 2))
    density = np.einsum("ki,sitj,lj->sktl", unitary, density, unitary.conj(), optimize=True)
    (e_c, e_d), (p_c, p_d) = case.efficiencies, case.darks
    detectors = [[0, 1], [2, 3], [4, 5], [6, 7]]
    clicks = light.clicks(detectors, [e_c, e_c, e_d, e_d], [p_c, p_c, p_d, p_d])
    # Clicks of c_H, c_V, d_H, d_V.
    plus, minus = [(1, 1, 0, 0), (0, 0, 1, 1)], [(1, 0, 0, 1), (0, 1, 1, 0)]
    found = {name: np.zeros((4, 4), dtype=complex) for name in ("none", "psi+", "psi-")}
    for pattern, operator in clicks.items():
        name = "psi+" if pattern in plus else "psi-" if pattern in minus else "none"
        found[name] += heralded_by(light, density, operator)
    return found


@pytest.mark.parametrize("case", BELL_STATE, ids=str)
def test_bell_states(case: Case) -> None:
    compare(BellState(case.link, mode_overlap=case.overlap).heralded_states(), bell_state(case))


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("point", CAT_POINTS, ids=str)
def test_cat_codes(point: CavityPoint, gate: bool) -> None:
    """All four segments of loss, so that the coherence has a phase; without the gate as well."""
    wait = -math.log(point.memory) if point.memory < 1 else 0.0
    memory = 5e-6 / wait if wait else math.inf
    model = CavityCat(
        CavityLink(1, coherence_time_s=memory),
        loss_order=point.order,
        amplitude=point.alpha,
        segments=point.segments,
        photon_class=point.photon_class,
        discrimination="linear_optics" if point.linear else "bound",
        phase_gate=gate,
    )
    found = model.heralded_states()
    conclusive, inconclusive = cavity_announced(point)
    assert len(found.heralds) == 2 * point.components
    for s, states in enumerate(conclusive):
        for u, atoms in enumerate(states):
            flip = np.array([[0, 1], [1, 0]]) if u else np.eye(2)
            done = cavity_correction(point, s, u) if gate else flip
            expected = np.einsum("be,aecf,df->abcd", done, atoms, done.conj()).reshape(4, 4)
            seen = found.matrices[f"s{s}u{u}"]
            np.testing.assert_allclose(seen, expected, rtol=1e-9, atol=1e-13)
        failed = found.states[f"s{s} inconclusive"]
        assert np.trace(failed).real == pytest.approx(inconclusive[s], rel=1e-9, abs=1e-13)


def test_some_cat_codes_leave_a_phase() -> None:
    phases = []
    for point in CAT_POINTS:
        for s, states in enumerate(cavity_announced(point)[0]):
            gate = cavity_correction(point, s, 0)
            state = np.einsum("be,aecf,df->abcd", gate, states[0], gate.conj()).reshape(4, 4)
            phases.append(abs(np.angle(state[3, 0])) if abs(state[3, 0]) > 1e-6 else 0.0)
    assert sum(0.01 < phase < 3.1 for phase in phases) >= 5


def random_state(rng: np.random.Generator) -> Matrix:
    """Return a random density matrix of two qubits."""
    matrix = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    rho = matrix @ matrix.conj().T
    return rho / np.trace(rho)


def eigenprojectors(theta: float, phi: float) -> list[Matrix]:
    """Return the projectors on +1 and −1 of a direction, by diagonalisation."""
    vector = (math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta))
    observable = sum(n * PAULIS[axis] for n, axis in zip(vector, "xyz", strict=True))
    _, columns = np.linalg.eigh(observable)
    return [np.outer(columns[:, k], columns[:, k].conj()) for k in (1, 0)]


def worn_and_measured(
    rho: Matrix, worn: Imperfections, alice: tuple[float, float], bob: tuple[float, float]
) -> Reals:
    """Return p[a, b] of Kraus operators, projective measurement and binary symmetric channels."""
    v = worn.white_noise_visibility
    paulis = [np.kron(p, q) for p in PAULIS.values() for q in PAULIS.values()]
    rho = v * rho + (1 - v) / 16 * sum(pauli @ rho @ pauli.conj().T for pauli in paulis)
    for side, dephasing in enumerate((worn.dephasing_alice, worn.dephasing_bob)):
        turn = np.kron(*[PAULIS["z"], np.eye(2)][:: 1 if side == 0 else -1])
        kraus = [math.sqrt(1 - dephasing) * np.eye(4), math.sqrt(dephasing) * turn]
        rho = sum(k @ rho @ k.conj().T for k in kraus)
    ideal = np.array(
        [
            [np.trace(np.kron(p, q) @ rho).real for q in eigenprojectors(*bob)]
            for p in eigenprojectors(*alice)
        ]
    )
    read = np.zeros((2, 2))
    errors = worn.readout_error_alice, worn.readout_error_bob
    for a, b, flip_a, flip_b in itertools.product((0, 1), repeat=4):
        weight = math.prod(r if f else 1 - r for r, f in zip(errors, (flip_a, flip_b), strict=True))
        read[a ^ flip_a, b ^ flip_b] += weight * ideal[a, b]
    return read


def random_wear(rng: np.random.Generator) -> Imperfections:
    """Return imperfections from anywhere in their ranges."""
    return Imperfections(*(rng.uniform(0, most) for most in (1, 0.5, 0.5, 1, 1)))


@pytest.mark.parametrize("seed", range(12))
def test_imperfections(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(3))
    rhos = [random_state(rng) for _ in weights]
    names = ("yes", "perhaps", "no")
    states = HeraldedStates(
        {name: w * rho for name, w, rho in zip(names, weights, rhos, strict=True)},
        {"yes": "1", "perhaps": "x"},
    )
    worn = random_wear(rng)
    alice = [tuple(rng.uniform(-4, 4, 2)) for _ in range(3)]
    bob = [tuple(rng.uniform(-4, 4, 2)) for _ in range(2)]
    table = states.probabilities(alice, bob, worn)
    measured = states.measured(alice, bob, worn)
    for x, y, h in itertools.product(range(3), range(2), range(3)):
        expected = weights[h] * worn_and_measured(rhos[h], worn, alice[x], bob[y])
        k = states.announcements.index(names[h])
        np.testing.assert_allclose(table[x, y, k], expected, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(measured.probabilities[x, y, k], expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("scheme", ["ecs", "single_photon", "bell_state"])
def test_the_way_to_the_joint_distribution(scheme: str, seed: int) -> None:
    """Of qubits that wait: gate of Bob, white noise, dephasing and memory, measurement, readout."""
    rng = np.random.default_rng(seed)
    case = {"ecs": ECS, "single_photon": SINGLE_PHOTON, "bell_state": BELL_STATE}[scheme][seed]
    worn, memory = random_wear(rng), 10 ** rng.uniform(-4, -2)
    alice, bob = ([tuple(rng.uniform(-3, 3, 2)) for _ in range(n)] for n in (3, 2))
    options = {
        "imperfections": worn,
        "directions": (alice, bob),
        "measurement": "after_herald",
        "coherence_time_s": memory,
    }
    if scheme == "ecs":
        model, brute = EntangledCoherent(case.link, case.light, **options), entangled_coherent(case)
        gates = {"D1": "1", "D2": "x"}
    elif scheme == "single_photon":
        model = SinglePhoton(case.link, case.light, case.overlap, **options)
        brute, gates = single_photon(case), {"D1": "1", "D2": "z"}
    else:
        model = BellState(case.link, mode_overlap=case.overlap, **options)
        brute, gates = bell_state(case), {"psi+": "y", "psi-": "x"}
    residue = RESIDUE if scheme == "ecs" else 0.0
    joint = model.joint_distribution()
    # Light to Charlie and his answer back, at 2e8 m/s.
    lost = [(1 - math.exp(-2 * arm * 1e3 / 2e8 / memory)) / 2 for arm in case.arms]
    kept = [
        (1 - 2 * given) * (1 - 2 * more)
        for given, more in zip((worn.dephasing_alice, worn.dephasing_bob), lost, strict=True)
    ]
    total = replace(worn, dephasing_alice=(1 - kept[0]) / 2, dephasing_bob=(1 - kept[1]) / 2)
    for k, name in enumerate(joint.announcements):
        gate = np.kron(np.eye(2), PAULIS[gates.get(name, "1")])
        rho = gate @ brute[name] @ gate.conj().T
        for x, y in itertools.product(range(3), range(2)):
            expected = worn_and_measured(rho, total, alice[x], bob[y])
            bound = 1e-9 * expected + 1e-12 * np.trace(rho).real + residue
            assert (np.abs(joint.probabilities[x, y, k] - expected) <= bound).all()
