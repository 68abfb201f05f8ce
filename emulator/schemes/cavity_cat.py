"""DIQKD between two atoms in cavities, entangled by cat codes of light (Li et al.)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, InstanceOf

from emulator.schemes.base import (
    NoPositiveKeyRateError,
    NoWorkingPointError,
    ProtocolModel,
    Theory,
)
from emulator.schemes.cat_amplitude import amplitude_for_rate, optimal_amplitude
from emulator.schemes.cat_code import (
    CatCode,
    CatPerformance,
    Discrimination,
    LossOrder,
    LossSegments,
    cat_performance,
    residue_probabilities,
)
from emulator.schemes.cavity_link import CavityLink, Placement
from emulator.schemes.distribution import JointDistribution, Probabilities
from emulator.schemes.parameters import Positive, parameters
from postprocessing.checks import probability
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import BellScheme

__all__ = ["CavityCat", "CavityLink", "UnreachableRateError", "joint_table"]

_ALICE_ANGLES = (0.0, math.pi / 2)


class UnreachableRateError(NoWorkingPointError, InvalidArgumentError):
    """No amplitude heralds at the wanted entanglement rate."""


@parameters
class CavityCat(ProtocolModel):
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
    may_await_herald: ClassVar[bool] = True
    displaced: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "amplitude": ("entanglement_rate_hz",),
        "entanglement_rate_hz": ("amplitude",),
    }

    def __post_init__(self) -> None:
        """Check what depends on more than one parameter; code and link check theirs."""
        rate = self.entanglement_rate_hz
        if rate is not None and self.amplitude != "optimal":
            allowed = "left out where an amplitude is given"
            raise InvalidArgumentError("entanglement_rate_hz", rate, allowed)
        if self.segments is not None:
            for name, value in vars(self.segments).items():
                probability(f"segments.{name}", value)
        _ = self.code, self.segments_in_force

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

    @property
    def bell_scheme(self) -> BellScheme:
        """Settings and heralds; CHSH game of Li et al., Eq. (5); Alice is the reference."""
        return BellScheme(
            alice_labels=("A0", "A1"),
            bob_labels=("B0", "B1", "B2"),
            heralds=self.heralds,
            key_pair=(0, 2),
            chsh_signs=((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, -1)),
            flip=((False,) * 3,) * len(self.heralds),
        )

    def working_point(self) -> Self:
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
            coherence = 1 - self.link.dephasing(self.travel_times)
            return optimal_amplitude(code, segments, coherence)
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

    def theory(self) -> Theory[float]:
        """Return gain P, S = 2√(1 + V²) (Li et al., Eq. (6)) and QBER 0.

        Raises
        ------
        NoPositiveKeyRateError
            If the amplitude is to be optimal and none gives a positive key rate.
        UnreachableRateError
            If no amplitude heralds at the entanglement rate.
        InvalidArgumentError
            If no attempt ever succeeds.
        """
        chsh = 2 * math.hypot(1, self._visibility)
        return Theory(gain=float(self._performance.success_probability), chsh=chsh, qber=0.0)

    def joint_distribution(self) -> JointDistribution:
        """Return the exact probabilities of one attempt.

        Returns
        -------
        JointDistribution
            Announcements: the heralds, then "s0 inconclusive", ...; the atoms of inconclusive
            attempts are not used, and their outcomes stand as fair coins.

        Raises
        ------
        NoPositiveKeyRateError, UnreachableRateError, InvalidArgumentError
            As for `theory`.
        """
        theta = math.atan(self._visibility)
        table = joint_table(
            self._performance,
            _ALICE_ANGLES,
            (theta, -theta, 0.0),
            memory_dephasing=self.link.dephasing(self.travel_times),
            phase_gate=self.phase_gate,
        )
        failures = tuple(f"s{s} inconclusive" for s in range(self.code.components))
        return JointDistribution(self.bell_scheme, self.heralds + failures, table)

    @cached_property
    def _performance(self) -> CatPerformance:
        """Success and dephasing at the amplitude in force."""
        alpha = self.working_point().amplitude
        assert alpha != "optimal"
        performance = cat_performance(self.code, self.segments_in_force, alpha**2)
        if not performance.success_probability > 0:
            allowed = "bright enough for a success probability above 0"
            raise InvalidArgumentError("amplitude", alpha, allowed)
        return performance

    @property
    def _visibility(self) -> float:
        """V = 2F − 1, memory included."""
        coherence = 1 - self.link.dephasing(self.travel_times)
        return coherence * float(self._performance.visibility)


def joint_table(
    performance: CatPerformance,
    alice_angles: Sequence[float],
    bob_angles: Sequence[float],
    *,
    memory_dephasing: float = 0.0,
    phase_gate: bool = True,
    bit_flip: bool = True,
) -> Probabilities:
    """Return the probabilities of one attempt for atoms measured in the x–z plane.

    An outcome pair of syndrome s, class r and discrimination u has the probability
    p(s, r) P_r/2 × [1 + ab(cosθ_A cosθ_B + Re c sinθ_A sinθ_B)]/4: F parts of φ⁺ and 1 − F of φ⁻,
    each a square of a sine or cosine, so that nothing cancels.

    Parameters
    ----------
    performance : CatPerformance
        Success and dephasing at one point (no further axes).
    alice_angles, bob_angles : sequence of float
        θ of cosθ σ_z + sinθ σ_x in rad, one for each setting.
    memory_dephasing : float
        1 − D in [0, 1], lost coherence of Alice's memory.
    phase_gate, bit_flip : bool
        Whether Bob undid the phase, and for u = 1 the flip of his atom, before he measured.

    Returns
    -------
    ndarray of float64, shape (x, y, announcement, 2, 2)
        Announcements (s, u) = (0, 0), (0, 1), (1, 0), ..., then inconclusive ones by syndrome,
        spread evenly over the outcomes; outcome index 0 for +1 and 1 for −1.
    """
    code = performance.code
    infidelity = _infidelities(performance, memory_dephasing, phase_gate)
    weights = performance.success[:, :, np.newaxis] / 4
    bad = (weights * infidelity).sum(axis=1).ravel()
    good = (weights * (1 - infidelity)).sum(axis=1).ravel()
    inconclusive = np.repeat(performance.inconclusive / 4, 4).reshape(-1, 2, 2)
    inverted = np.tile([False, not bit_flip], code.components)
    table = np.empty((len(alice_angles), len(bob_angles), 3 * code.components, 2, 2))
    for x, alice in enumerate(alice_angles):
        for y, bob in enumerate(bob_angles):
            near, far = (alice - bob) / 2, (alice + bob) / 2
            agree = good * math.cos(near) ** 2 + bad * math.cos(far) ** 2
            differ = good * math.sin(near) ** 2 + bad * math.sin(far) ** 2
            # Without the flip undone u = 1 leaves ψ±, the state φ± measured by Bob at π − θ.
            crossed = good * math.sin(far) ** 2 + bad * math.sin(near) ** 2
            apart = good * math.cos(far) ** 2 + bad * math.cos(near) ** 2
            same = np.where(inverted, crossed, agree)
            other = np.where(inverted, apart, differ)
            pairs = np.stack([same, other, other, same], axis=-1)
            table[x, y] = np.concatenate([pairs.reshape(-1, 2, 2), inconclusive])
    return table


def _infidelities(
    performance: CatPerformance, memory_dephasing: float, phase_gate: bool
) -> Probabilities:
    """Return 1 − F = (1 − Re c)/2 of each pair, shape (s, r, u)."""
    code = performance.code
    before = performance.syndrome_dephasing[:, np.newaxis]
    after = performance.unseen_dephasing[code.unseen_loss]
    pairs = np.stack([np.conj(after), after], axis=-1)
    lost = before[..., np.newaxis] + (1 - before[..., np.newaxis]) * pairs
    lost = memory_dephasing + (1 - memory_dephasing) * lost
    if not phase_gate:
        syndrome = np.arange(code.components)
        turns = np.stack([2 * code.photon_class - syndrome, syndrome], axis=-1)
        angles = (code.rotation_angle * turns)[:, np.newaxis]
        lost = 2 * np.sin(angles / 2) ** 2 - 1j * np.sin(angles) + np.exp(1j * angles) * lost
    infidelity: Probabilities = np.clip(lost.real / 2, 0.0, 1.0)
    return infidelity
