"""DIQKD between two atoms in cavities, entangled by cat codes of light (Li et al.)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, InstanceOf

from emulator.parameters import Positive, parameters
from emulator.schemes.base import (
    NoPositiveKeyRateError,
    NoWorkingPointError,
)
from emulator.schemes.cat_amplitude import amplitude_for_rate, optimal_amplitude
from emulator.schemes.cat_code import (
    CatCode,
    CatPerformance,
    Complexes,
    Discrimination,
    LossOrder,
    LossSegments,
    Reals,
    cat_performance,
    residue_probabilities,
)
from emulator.schemes.cavity_link import CavityLink, Placement
from emulator.schemes.state_model import StateModel, check_directions
from emulator.states.directions import Directions, Pauli
from emulator.states.games import LI_SETTINGS
from emulator.states.heralded import HeraldedStates
from emulator.states.imperfections import Matrices, Table
from postprocessing.checks import probability
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import BellScheme

__all__ = ["CavityCat", "CavityLink", "UnreachableRateError", "cat_states"]

_ALICE_ANGLES = (0.0, math.pi / 2)


class UnreachableRateError(NoWorkingPointError, InvalidArgumentError):
    """No amplitude heralds at the wanted entanglement rate."""


@parameters
class CavityCat(StateModel):
    """Light reflected from Alice's and then Bob's cavity entangles their atoms.

    Alice prepares a cat code and entangles it with her atom, Bob measures the syndrome of photon
    loss, reflects the light once more and tells its two states apart without error: a success
    heralds the pair, with the syndrome s and the outcome u.

    Assumptions:

    A1. Conditional rotations and the readout of atoms are ideal; no dark counts.
    A2. Every inefficiency is a pure loss of photons.
    A3. Alice's reflections herald a photon number n ≡ r0 (mod M). Her class is taken as given:
        probabilities and rates are those per attempt of this class.
    A4. Bob's reflections measure n mod M without disturbing more than that.
    A5. Alice's coherence decays by exp(−n L/(c_f t_c)) while her atom waits. An attempt begins
        every max(L/c_f, t0) all the same: for n = 2 she needs a second atom.
    A6. The discrimination never errs, succeeds equally often for both states, and inconclusive
        attempts are discarded, whatever the settings.
    A7. Photons are lost in four segments, see `LossSegments`: losses between Alice's last rotation
        and the syndrome dephase only from M photons on, losses before it or from there to Bob's
        rotation from the first, later ones cost successes alone. No loss touches σ_z, so QBER = 0.

    Bob applies his correction to his atom before he measures: diag(1, e^(iφ(s − 2 r0))) for u = 0,
    diag(1, e^(iφs)) and then σ_x for u = 1. This phase gate is no flip of a classical bit, so the
    flip table is empty. Alice's settings are σ_z and σ_x; Bob's cosθ σ_z + sinθ σ_x with
    θ = atan V, −atan V and 0 (the key), V the success-averaged visibility, memory included.

    Parameters
    ----------
    link : CavityLink
        Cavities, fibre, memory and detectors.
    loss_order : {0, 1, 3}
        Photon losses that the code corrects.
    amplitude : float or "optimal"
        α in [1e-9, 1e3] of the coherent states that make up the light, or the one of highest
        asymptotic key rate.
    entanglement_rate_hz : float, optional
        Takes the smallest α with this R_eg in Hz (above 0) instead; not beside an amplitude.
    placement : {"alice", "lumped", "strict"}
        Where the losses of the link are counted; see `CavityLink.segments`.
    segments : LossSegments, optional
        The four transmittances as numbers, in place of those of the link.
    discrimination : {"bound", "linear_optics"}
        How the states of light are told apart; the 3-loss code has the bound alone.
    travel_times : {1, 2}
        Alice measures when the pulse arrives, before she knows of a success, or waits for the
        herald. Settings are local and independent in both cases.
    photon_class : int
        r0 in 0..l.
    imperfections, directions
        As for every scheme: what wears the atoms down further, and how they are measured.
    phase_gate : bool
        False for a study of what happens without Bob's phase gate: he still undoes the bit flip of
        u = 1. `theory` and the choice of the amplitude speak of the scheme with the gate.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range, or an amplitude stands beside an entanglement rate.

    Examples
    --------
    >>> model = CavityCat(CavityLink(distance_km=10), loss_order=1, amplitude=1.25)
    >>> theory = model.theory()
    >>> round(theory.gain, 4), round(theory.chsh, 4), round(model.joint_distribution().chsh, 4)
    (0.5364, 2.4905, 2.4905)
    """

    link: CavityLink
    loss_order: Annotated[LossOrder, Field(description="photon losses the code corrects")] = 0
    amplitude: Annotated[
        Annotated[float, Field(ge=1e-9, le=1e3)] | Literal["optimal"],
        Field(description="α of the light"),
    ] = "optimal"
    entanglement_rate_hz: Annotated[
        Positive | None,
        Field(description="take the faintest light that heralds at this rate instead"),
    ] = None
    placement: Annotated[Placement, Field(description="where the losses are counted")] = "alice"
    segments: InstanceOf[LossSegments] | None = None
    discrimination: Annotated[
        Discrimination, Field(description="of the light's states, unambiguous")
    ] = "bound"
    travel_times: Annotated[
        Literal[1, 2],
        Field(description="for which Alice's memory waits; 2 includes the herald's way back"),
    ] = 1
    photon_class: Annotated[
        int, Field(description="of Alice's light, modulo the code's components")
    ] = 0
    phase_gate: bool = True

    name: ClassVar[str] = "cavity_cat"
    title: ClassVar[str] = "cavity QED with cat codes"
    default_preset: ClassVar[str | None] = "cavity-1-loss-10km"
    intensity_parameter: ClassVar[str | None] = "amplitude"
    settings: ClassVar[BellScheme] = LI_SETTINGS
    later: ClassVar[frozenset[str]] = StateModel.later | {"drift"}
    may_await_herald: ClassVar[bool] = True
    displaced: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "amplitude": ("entanglement_rate_hz",),
        "entanglement_rate_hz": ("amplitude",),
    }

    def __post_init__(self) -> None:
        """Check what depends on more than one parameter; code and link check theirs."""
        super().__post_init__()
        rate = self.entanglement_rate_hz
        if rate is not None and self.amplitude != "optimal":
            allowed = "left out where an amplitude is given"
            raise InvalidArgumentError("entanglement_rate_hz", rate, allowed)
        if self.segments is not None:
            for name, value in vars(self.segments).items():
                probability(f"segments.{name}", value)
        _ = self.code, self.segments_in_force
        check_directions(self, ())

    @property
    def code(self) -> CatCode:
        """The code with its photon class and discrimination."""
        return CatCode(self.loss_order, self.photon_class, self.discrimination)

    @property
    def segments_in_force(self) -> LossSegments:
        """The transmittances set by hand, or those of the link."""
        return self.segments or self.link.segments(self.loss_order, self.placement)

    @property
    def plob_bound(self) -> float:
        """Repeaterless bound −log2(1 − τ0 τ1 τ2 τ3) of all losses, detectors included.

        In bits per pulse; infinite where nothing is lost.
        """
        total = float(self.segments_in_force.total)
        return math.inf if total == 1 else -math.log1p(-total) / math.log(2)

    @property
    def repetition_rate_hz(self) -> float:
        """Attempts per second."""
        return self.link.repetition_rate_hz

    @property
    def heralds(self) -> tuple[str, ...]:
        """Syndrome and outcome of a success: "s0u0", "s0u1", "s1u0", ..."""
        return tuple(f"s{s}u{u}" for s in range(self.code.components) for u in (0, 1))

    @property
    def awaits_herald(self) -> bool:
        """Whether Alice's memory waits until Bob's herald has come back, and with it a mark."""
        return self.travel_times == 2

    def with_light(self) -> Self:
        """Return the model with its amplitude chosen.

        Raises
        ------
        NoPositiveKeyRateError
            If the amplitude is to be optimal and none gives a positive key rate.
        UnreachableRateError
            If no amplitude heralds at the entanglement rate.
        """
        if self.amplitude != "optimal":
            return self
        alpha, wanted = self.coherent_amplitude, self.entanglement_rate_hz
        if alpha is None and wanted is None:
            raise NoPositiveKeyRateError
        if alpha is None:
            allowed = f"in reach of the link, at most {self.repetition_rate_hz:.9g} Hz"
            raise UnreachableRateError("entanglement_rate_hz", wanted, allowed)
        # A rate may take light that is fainter or brighter than one may ask for.
        point = copy(self)
        vars(point).update(amplitude=alpha, entanglement_rate_hz=None)
        return point

    @cached_property
    def coherent_amplitude(self) -> float | None:
        """α in force; None if the wanted rate is out of reach or no amplitude gives a key."""
        code, segments = self.code, self.segments_in_force
        if self.entanglement_rate_hz is not None:
            wanted = self.entanglement_rate_hz
            found = float(amplitude_for_rate(code, segments, self.repetition_rate_hz, wanted))
            return None if math.isnan(found) else found
        if self.amplitude == "optimal":
            return optimal_amplitude(code, segments, self._key_rates)
        return self.amplitude

    @property
    def intensity(self) -> float | None:
        """Mean photon number of Alice's cat; None where there is no `coherent_amplitude`.

        It is |α|² times the ratio of the weights of the photon classes r0 − 1 and r0.
        """
        if self.coherent_amplitude is None:
            return None
        squared, code = self.coherent_amplitude**2, self.code
        weights = residue_probabilities(squared, code.components)
        return float(squared * weights[code.photon_class - 1] / weights[code.photon_class])

    @property
    def fidelity(self) -> float:
        """Success-averaged F with the Bell state, memory included; raises as `theory`."""
        return (1 + self._visibility) / 2

    def heralded_states(self) -> HeraldedStates:
        """Return the states of one attempt after Bob's correction.

        Returns
        -------
        HeraldedStates
            Announcements: the heralds, then "s0 inconclusive", ...; the atoms of inconclusive
            attempts are not used, and are left maximally mixed.

        Raises
        ------
        NoPositiveKeyRateError
            If the amplitude is to be optimal and none gives a positive key rate.
        UnreachableRateError
            If no amplitude heralds at the entanglement rate.
        InvalidArgumentError
            If no attempt ever succeeds.
        """
        return cat_states(
            self._performance,
            memory_dephasing=self.link.dephasing(self.travel_times),
            phase_gate=self.phase_gate,
        )

    @property
    def corrects_by_gate(self) -> bool:
        """Whether Bob corrects on his atom: his light has come, he need not wait for anything."""
        return True

    @property
    def paper_directions(self) -> Directions:
        """σ_z and σ_x of Alice, θ = ± atan V and 0 of Bob (Li et al.); raises as a run."""
        theta = math.atan(self._visibility)
        return Directions(_ALICE_ANGLES, (theta, -theta, 0.0))

    @cached_property
    def _performance(self) -> CatPerformance:
        """Success and dephasing at the amplitude in force."""
        alpha = self.with_light().amplitude
        assert alpha != "optimal"
        performance = cat_performance(self.code, self.segments_in_force, alpha**2)
        if not performance.success_probability > 0:
            allowed = "bright enough for a success probability above 0"
            raise InvalidArgumentError("amplitude", alpha, allowed)
        return performance

    def _key_rates(self, success: Reals, visibility: Reals) -> Reals:
        """Return how good amplitudes are, from P and from V of a perfect memory."""
        coherence = success * (1 - self.link.dephasing(self.travel_times)) * visibility
        matrices = np.zeros((len(success), 1, 4, 4), dtype=np.complex128)
        matrices[:, 0, [0, 3], [0, 3]] = success[:, np.newaxis] / 2
        matrices[:, 0, [0, 3], [3, 0]] = coherence[:, np.newaxis] / 2
        return self.key_rates(matrices, ("1",))

    def chsh_and_agreement(
        self, correlations: Table, corrections: tuple[Pauli, ...]
    ) -> tuple[Table, Table]:
        """Return S and the key pair's correlation of many states, each at its own V's angles."""
        if self.directions != "paper":
            return super().chsh_and_agreement(correlations, corrections)
        t_x, t_z = correlations[..., 0, 0], correlations[..., 2, 2]
        kept = self.imperfections.coherence_kept
        undamped = np.divide(t_x, t_z * kept, out=np.zeros_like(t_x), where=t_z * kept != 0)
        theta = np.arctan(undamped)
        contrast = self.worn.readout_contrast
        return 2 * contrast * (t_z * np.cos(theta) + t_x * np.sin(theta)), contrast * t_z

    @property
    def _visibility(self) -> float:
        """V = 2F − 1, memory included."""
        coherence = 1 - self.link.dephasing(self.travel_times)
        return coherence * float(self._performance.visibility)


def cat_states(
    performance: CatPerformance, *, memory_dephasing: float = 0.0, phase_gate: bool = True
) -> HeraldedStates:
    """Return the atoms' states of one attempt, Bob's correction made.

    Syndrome s, class r and discrimination u leave, with probability p(s, r) P_r/2, the state
    (|++⟩⟨++| + |−−⟩⟨−−| + c |−−⟩⟨++| + c* |++⟩⟨−−|)/2: parts F = (1 + Re c)/2 of φ⁺ and 1 − F
    of φ⁻, where no phase is left.

    Parameters
    ----------
    performance : CatPerformance
        Success and dephasing at one point (no further axes).
    memory_dephasing : float
        1 − D in [0, 1], lost coherence of Alice's memory.
    phase_gate : bool
        Whether Bob undid the phase; the flip of his atom for u = 1 is undone in any case.

    Returns
    -------
    HeraldedStates
        Heralds (s, u) = (0, 0), (0, 1), (1, 0), ..., then inconclusive attempts by syndrome.
    """
    weights = performance.success[:, :, np.newaxis] / 2
    coherences = weights * (1 - _lost_coherence(performance, memory_dephasing, phase_gate))
    populations = np.repeat(weights.sum(axis=1), 2, axis=-1)
    states: dict[str, Matrices] = {}
    for (s, u), population in np.ndenumerate(populations):
        coherence = coherences[s, :, u].sum()
        state = np.zeros((4, 4), dtype=np.complex128)
        state[0, 0] = state[3, 3] = population / 2
        state[3, 0], state[0, 3] = coherence / 2, coherence.conjugate() / 2
        states[f"s{s}u{u}"] = state
    corrections: dict[str, Pauli] = dict.fromkeys(states, "1")
    for s, failed in enumerate(performance.inconclusive):
        states[f"s{s} inconclusive"] = failed * np.eye(4, dtype=np.complex128) / 4
    return HeraldedStates(states, corrections)


def _lost_coherence(
    performance: CatPerformance, memory_dephasing: float, phase_gate: bool
) -> Complexes:
    """Return 1 − c of each pair, shape (s, r, u)."""
    code = performance.code
    before = performance.syndrome_dephasing[:, np.newaxis]
    after = performance.unseen_dephasing[code.unseen_loss]
    pairs = np.stack([np.conj(after), after], axis=-1)
    lost = before[..., np.newaxis] + (1 - before[..., np.newaxis]) * pairs
    lost = memory_dephasing + (1 - memory_dephasing) * lost
    if phase_gate:
        return np.asarray(lost)
    syndrome = np.arange(code.components)
    turns = np.stack([2 * code.photon_class - syndrome, syndrome], axis=-1)
    angles = (code.rotation_angle * turns)[:, np.newaxis]
    turned: Complexes = -np.expm1(1j * angles) + np.exp(1j * angles) * lost
    return turned
