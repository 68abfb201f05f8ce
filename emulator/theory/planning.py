"""Plans: the intensity, test probability and block that reach a key soonest at finite size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, Literal, get_args

import pandas as pd
from scipy.optimize import brentq, minimize_scalar

from emulator.parameters import Light
from emulator.sampling.stopping import Pulses, StoppingRule, stopping_rule
from emulator.scenario.scenario import Scenario
from emulator.schemes.base import NoPositiveKeyRateError, check_settings_rule
from emulator.schemes.drifting import start_of
from emulator.schemes.state_model import StateModel
from emulator.states.distribution import JointDistribution
from emulator.theory.link_plan import LinkPlan
from postprocessing.checks import instance_of, one_of, real_number, whole_number
from postprocessing.design.design import RARE_SHARE, Design
from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_PLANNED_ROUNDS, MOST_PULSES
from postprocessing.security import METHODS

# Far below and a little above the asymptotic optimum: a short block wants a greater violation.
_INTENSITY_FACTORS = (0.4, 1.25)
# Weights of tests with the reference's key setting that directions are tried for.
_WEIGHTS = (0.5, 1.6)

Protocol = Literal["paper", "best"]


def plan(
    scenario: Scenario,
    *,
    key_bits: int | None = None,
    seconds: float | None = None,
    protocol: Protocol = "paper",
) -> LinkPlan:
    """Return how to reach a key soonest, or how long a key a given time or block gives.

    Intensity and test probability are chosen for the finite-size length of the scenario's security
    method, not for the asymptotic rate.

    Parameters
    ----------
    scenario : Scenario
        Scheme, link, repetition rate and what is asked of the key; where neither of the next two is
        given, its stopping rule is the block: the plan has the most key bits per pulse.
    key_bits : int, optional
        Wanted key length, at least 8: the plan has the fewest pulses.
    seconds : float, optional
        Duration of the quantum phase, in place of `key_bits`, which has the longest key; needs a
        repetition rate.
    protocol : {"paper", "best"}
        Whether directions of measurement are the scenario's, or chosen with the intensity for the
        finite-size length, both sides' and in any weight of the two kinds of tests.

    Returns
    -------
    LinkPlan
        Without a key, and with the reason, when none is possible. Noise is added only where that
        is better.

    Raises
    ------
    InvalidArgumentError
        If both of the two are given or one is out of range, if there is no stopping rule in their
        place, if the scenario's security method has no finite size, or its scheme no directions to
        choose.

    Examples
    --------
    >>> from emulator.scenario.loading import load_scenario
    >>> fixed = {"mean_photon_number": 0.03, "repetition_rate_hz": 1e9}
    >>> plan(load_scenario("ecs-100km", fixed), seconds=1).heralded_rounds > 10**6
    True
    """
    instance_of("scenario", scenario, Scenario)
    one_of("protocol", protocol, get_args(Protocol))
    if key_bits is not None and seconds is not None:
        allowed = "given, or else seconds, and not both"
        raise InvalidArgumentError("key_bits", (key_bits, seconds), allowed)
    if not METHODS[scenario.method].composable:
        raise InvalidArgumentError("method", scenario.method, "a finite-size method")
    noises = [scenario.noisy_preprocessing]
    if noises == ["optimal"]:
        noises.insert(0, 0.0)
    plans = [
        _plan(_Search(scenario.replace(noisy_preprocessing=q), protocol), key_bits, seconds)
        for q in noises
    ]
    if key_bits is None:
        return max(plans, key=lambda found: found.key_length)
    return min(plans, key=lambda found: found.pulses or math.inf)


def _plan(search: _Search, key_bits: int | None, seconds: float | None) -> LinkPlan:
    """Return the plan for a key of so many bits, or for so many seconds."""
    if key_bits is not None:
        return search.soonest(whole_number("key_bits", key_bits, 8, MOST_PLANNED_ROUNDS))
    if seconds is None:
        return search.longest(stopping_rule(**search.given_rule))
    seconds = real_number("seconds", seconds)
    pace = search.pace
    if pace is None:
        raise InvalidArgumentError("seconds", seconds, "given with a repetition rate only")
    if not 1 <= seconds * pace <= MOST_PULSES:
        raise InvalidArgumentError("seconds", seconds, f"1 to {MOST_PULSES} pulses long")
    return search.longest(Pulses(math.floor(seconds * pace)))


def plan_table(
    scenario: Scenario,
    parameter: str,
    values: Iterable[float],
    *,
    key_bits: int | None = None,
    seconds: float | None = None,
    protocol: Protocol = "paper",
) -> pd.DataFrame:
    """Return the plans over the values of a parameter, one row each.

    Arguments and errors are those of `plan`; the parameter comes first in the table.
    """
    rows = []
    for value in values:
        at_value = scenario.replace(**{parameter: value})
        chosen = plan(at_value, key_bits=key_bits, seconds=seconds, protocol=protocol)
        rows.append({parameter: value, **asdict(chosen)})
    return pd.DataFrame(rows)


def best_scenario(scenario: Scenario) -> Scenario:
    """Return a scenario with intensity and directions of the most key for its own block.

    Parameters
    ----------
    scenario : Scenario
        With a stopping rule.

    Raises
    ------
    InvalidArgumentError
        As for `plan`.
    """
    return planned_scenario(scenario, plan(scenario, protocol="best"))


def planned_scenario(scenario: Scenario, found: LinkPlan) -> Scenario:
    """Return the scenario with what a plan has chosen.

    Parameters
    ----------
    scenario : Scenario
        What was planned.
    found : LinkPlan
        The plan.
    """
    changed: dict[str, Any] = {"noisy_preprocessing": found.noisy_preprocessing}
    if found.directions is not None:
        changed["directions"] = found.directions
    if scenario.intensity_parameter is not None and found.intensity is not None:
        changed[scenario.intensity_parameter] = found.intensity
    return scenario.replace(**changed)


class _Search:
    """The search for the best intensity and, if asked for, directions; all else is fixed."""

    def __init__(self, scenario: Scenario, protocol: Protocol) -> None:
        self._scenario = scenario
        self.given_rule = scenario.stopping_rule() if scenario.rounds or scenario.pulses else {}
        self._security = scenario.build_security()
        model = scenario.build_model()
        check_settings_rule(model, self._security.settings)
        self.pace = model.repetition_rate_hz
        self._rare_share = self._security.completeness * RARE_SHARE
        # Of the tests with the reference's key setting; None where directions are given.
        self._weight: float | None = None
        if protocol == "best":
            if not isinstance(model, StateModel):
                allowed = f'"paper" for {model.name}, which has no directions to choose'
                raise InvalidArgumentError("protocol", protocol, allowed)
            self._weight = 1.0
        self._start: Light | None = None
        self._impossible: str | None = None
        parameter = scenario.intensity_parameter
        if parameter is not None and getattr(scenario, parameter) == "optimal":
            try:
                self._start = getattr(start_of(model.working_point()), parameter)
            except NoPositiveKeyRateError as error:
                self._impossible = str(error)
        self._last = self._start

    def soonest(self, key_bits: int) -> LinkPlan:
        """Return the plan of the fewest pulses that give the wanted bits."""
        if self._impossible is not None:
            return self._plan(None, None, self._impossible)
        intensity = self._start
        pulses = self._pulses_needed(intensity, key_bits) or MOST_PULSES
        # The intensity of the fewest pulses has the longest key of all from these pulses, and the
        # length there is flat in the intensity: two rounds settle both.
        for _ in range(2 if self._is_free else 0):
            intensity = self._best_intensity(Pulses(pulses))
            pulses = self._pulses_needed(intensity, key_bits, near=pulses) or MOST_PULSES
        design = self._design(intensity, Pulses(pulses))
        reached = design is not None and design.key_length >= key_bits
        reason = f"no key of {key_bits:,} bits from {MOST_PULSES:.1g} pulses, the most there can be"
        return self._plan(intensity, Pulses(pulses) if reached else None, reason)

    def longest(self, block: StoppingRule) -> LinkPlan:
        """Return the plan of the most key from each pulse of a block."""
        if self._impossible is not None:
            return self._plan(None, None, self._impossible)
        kind = "pulses" if isinstance(block, Pulses) else "heralded rounds"
        reason = f"no key from {block.number:,} {kind}"
        return self._plan(self._best_intensity(block), block, reason)

    @property
    def _is_free(self) -> bool:
        """Whether there is an intensity, or a weight, to choose."""
        return self._start is not None or self._weight is not None

    def _best_intensity(self, block: StoppingRule) -> Light | None:
        """Return the intensity of the longest key; None where there is none to choose.

        Where directions are free, the weight that they are for is chosen first.
        """
        start = self._start
        if self._weight is not None:
            self._weight = self._best_weight(self._last, block)
        if start is None:
            return None
        found = _greatest(
            lambda factor: self._unclipped(_scaled(start, factor), block), _INTENSITY_FACTORS
        )
        self._last = _scaled(start, found)
        return self._last

    def _best_weight(self, intensity: Light | None, block: StoppingRule) -> float:
        """Return the weight of the longest key at an intensity."""

        def length(weight: float) -> float:
            self._weight = weight
            return self._unclipped(intensity, block)

        return _greatest(length, _WEIGHTS)

    def _directions(self, intensity: Light | None) -> str | None:
        """Return the directions of the weight in force; None where they are given."""
        if self._weight is None:
            return None
        model = self._at(intensity, None).build_model()
        assert isinstance(model, StateModel)
        return str(model.with_light().best_directions(self._weight))

    def _at(self, intensity: Light | None, directions: str | None) -> Scenario:
        """Return the scenario with what was chosen."""
        changed: dict[str, Any] = {} if directions is None else {"directions": directions}
        parameter = self._scenario.intensity_parameter
        if intensity is not None and parameter is not None:
            changed[parameter] = intensity
        return self._scenario.replace(**changed) if changed else self._scenario

    def _joint(self, intensity: Light | None) -> JointDistribution:
        scenario = self._at(intensity, self._directions(intensity))
        return scenario.build_model().joint_distribution()

    def _design(self, intensity: Light | None, block: StoppingRule) -> Design | None:
        """Return the design of a run of such a block; None without any rounds."""
        joint = self._joint(intensity)
        counted = block.rounds_to_count_on(joint.gain, self._rare_share)
        rounds = min(counted, MOST_PLANNED_ROUNDS)
        return self._security.design(joint, rounds) if rounds else None

    def _unclipped(self, intensity: Light | None, block: StoppingRule) -> float:
        """Return the key bits of a block of pulses, or for rounds the bits per 2⁵³ pulses."""
        design = self._design(intensity, block)
        if design is None or design.length is None:
            return -float(MOST_PULSES)
        bits = design.length.unclipped
        if isinstance(block, Pulses):
            return bits
        return bits / block.number * self._joint(intensity).gain * MOST_PULSES

    def _pulses_needed(
        self, intensity: Light | None, key_bits: int, near: float | None = None
    ) -> int | None:
        """Return the fewest pulses, to a hundredth, that give the wanted bits; None if none do."""

        def surplus(log_pulses: float) -> float:
            return self._unclipped(intensity, Pulses(math.floor(math.exp(log_pulses)))) - key_bits

        most = math.log(MOST_PULSES)
        low = high = min(math.log(near or max(1e6, 100.0 * key_bits)), most)
        step = math.log(1.1 if near else 8)
        while surplus(high) < 0:
            if high == most:
                return None
            low, high, step = high, min(high + step, most), 2 * step
        while low == high or surplus(low) > 0:
            low, step = low - step, 2 * step
        pulses = math.exp(brentq(surplus, low, high, xtol=4e-3))
        # The exact length jitters about the root.
        while (design := self._design(intensity, Pulses(math.floor(pulses)))) is None or (
            design.key_length < key_bits
        ):
            pulses *= 1.003
            if pulses > MOST_PULSES:
                return None
        return math.floor(pulses)

    def _plan(self, intensity: Light | None, block: StoppingRule | None, reason: str) -> LinkPlan:
        """Return the plan of a block; the reason is for one without a key."""
        design = self._design(intensity, block) if block else None
        parameter = self._scenario.intensity_parameter
        if intensity is None and parameter is not None:
            asked = getattr(self._scenario, parameter)
            intensity = asked if isinstance(asked, int | float | tuple) else None
        if design is None or block is None:
            return LinkPlan(0, 0, intensity, math.nan, 0, 0.0, 1.0, None, math.nan, None, reason)
        rounds, pulses, rare = design.heralded_rounds, block.number, self._rare_share
        if not isinstance(block, Pulses):
            pulses, rare = math.ceil(rounds / self._joint(intensity).gain), 0.0
        return LinkPlan(
            pulses=pulses,
            heralded_rounds=rounds,
            intensity=intensity,
            test_probability=design.setting_choice.round_probabilities.test,
            key_length=design.key_length,
            key_fraction=design.key_length / rounds,
            # Of so many pulses too few may be heralded.
            abort_probability=min(1.0, design.predicted_abort_probability + rare),
            seconds=None if self.pace is None else pulses / self.pace,
            noisy_preprocessing=design.noisy_preprocessing,
            directions=self._directions(intensity),
            reason=None if design.key_length else reason,
        )


def _greatest(length: Callable[[float], float], bounds: tuple[float, float]) -> float:
    """Return a factor of the greatest length, to about a thirtieth of it."""
    low, high = map(math.log, bounds)
    found = minimize_scalar(
        lambda log_factor: -length(math.exp(log_factor)),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 0.03, "maxiter": 8},
    )
    return math.exp(float(found.x))


def _scaled(light: Light, factor: float) -> Light:
    """Return brighter or fainter light of the same balance between both senders."""
    if isinstance(light, tuple):
        return light[0] * factor, light[1] * factor
    return light * factor
