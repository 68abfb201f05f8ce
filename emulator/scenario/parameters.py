"""The schemes by name, with the parameters of each: a scenario becomes a model.

Models are imported only when one is built, so that help and bad input answer at once.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from emulator.scenario.axes import parse_axis
from emulator.scenario.scenario import NumberOrOptimal, Scenario, TakeWholeNumber, WholeNumber
from postprocessing.errors import InvalidArgumentError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from emulator.schemes.base import ProtocolModel
    from emulator.schemes.optics import Link
    from postprocessing.design.request import Security


def _unlimited(value: object) -> object:
    """Take "unlimited" and infinity for no limit."""
    return None if value in ("unlimited", "inf", math.inf) else value


RepetitionRate = Annotated[float | None, Field(description="pulses per second, for rates in time")]


class LinkScenario(Scenario):
    """Schemes whose herald comes from Charlie, midway between the users."""

    # Parameters that may change while a run goes on.
    drifting: ClassVar[frozenset[str]] = frozenset(
        {
            "attenuation_db_per_km",
            "dark_count_probability",
            "detector_efficiency",
            "distance_km",
        }
    )

    distance_km: Annotated[float, Field(description="fibre between the users")] = 100.0
    attenuation_db_per_km: Annotated[float, Field(description="fibre loss")] = 0.2
    detector_efficiency: Annotated[float, Field(description="of the light's detectors")] = 0.8
    dark_count_probability: Annotated[float, Field(description="per detector and pulse")] = 1e-7
    repetition_rate_hz: RepetitionRate = None
    drift: Annotated[
        str | None,
        Field(description="parameter that changes during the run, NAME=START:STOP:PARTS"),
    ] = None

    @abstractmethod
    def build_steady_model(self) -> ProtocolModel:
        """Return the model without drift."""

    def working_point(self) -> dict[str, object]:
        """Return the parameters that are chosen once, for the start of a run, and then kept."""
        return {}

    def build_model(self) -> ProtocolModel:
        """Return the scheme with its parameters, in parts if one of them drifts."""
        if self.drift is None:
            return self.build_steady_model()
        from emulator.schemes.drifting import Drifting

        name, values = parse_axis("drift", self.drift)
        if name not in self.drifting:
            allowed = f"of one of {', '.join(sorted(self.drifting))}"
            raise InvalidArgumentError("drift", self.drift, allowed)
        start = self.replace(drift=None, **{name: values[0]})
        chosen = start.working_point()
        parts = (start.replace(**{**chosen, name: value}) for value in values)
        return Drifting(tuple(part.build_steady_model() for part in parts))

    def link(self) -> Link:
        """Return fibre and detectors."""
        from emulator.schemes.optics import Link

        return Link(
            distance_km=self.distance_km,
            detector_efficiency=self.detector_efficiency,
            dark_count_probability=self.dark_count_probability,
            attenuation_db_per_km=self.attenuation_db_per_km,
        )


class EntangledCoherentScenario(LinkScenario):
    """Entangled coherent states (Xie et al.)."""

    default_preset: ClassVar[str | None] = "ecs-100km"
    intensity_parameter: ClassVar[str | None] = "mean_photon_number"
    drifting: ClassVar[frozenset[str]] = LinkScenario.drifting | {
        "mean_photon_number",
        "misalignment_error",
    }

    scheme: Literal["ecs"] = "ecs"
    misalignment_error: Annotated[float, Field(description="e_d of the phase drift")] = 0.0
    mean_photon_number: Annotated[
        NumberOrOptimal, Field(description='of each sender\'s pulse, or "optimal"')
    ] = "optimal"

    def working_point(self) -> dict[str, object]:
        """Return the intensity, which the senders do not adjust as devices drift."""
        intensity = self.build_steady_model().intensity
        return {} if intensity is None else {"mean_photon_number": intensity}

    def build_steady_model(self) -> ProtocolModel:
        """Return the scheme with its parameters."""
        from emulator.schemes.entangled_coherent import EntangledCoherent

        return EntangledCoherent(
            self.link(),
            mean_photon_number=self.mean_photon_number,
            misalignment_error=self.misalignment_error,
            repetition_rate_hz=self.repetition_rate_hz,
        )


class BellStateScenario(LinkScenario):
    """Two-photon interference (the rival scheme in Xie et al.)."""

    default_preset: ClassVar[str | None] = "bell-state-50km"

    scheme: Literal["bell_state"] = "bell_state"

    def build_steady_model(self) -> ProtocolModel:
        """Return the scheme with its parameters."""
        from emulator.schemes.bell_state import BellState

        return BellState(self.link(), repetition_rate_hz=self.repetition_rate_hz)


class CavityCatScenario(Scenario):
    """Cat codes in cavity QED (Li et al.)."""

    default_preset: ClassVar[str | None] = "cavity-1-loss-10km"
    intensity_parameter: ClassVar[str | None] = "amplitude"
    displaced: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **Scenario.displaced,
        "amplitude": ("entanglement_rate_hz",),
        "entanglement_rate_hz": ("amplitude",),
    }

    scheme: Literal["cavity_cat"] = "cavity_cat"
    distance_km: Annotated[float, Field(description="fibre between the users")] = 10.0
    attenuation_db_per_km: Annotated[float, Field(description="fibre loss")] = 0.2
    interaction_efficiency: Annotated[float, Field(description="of one cavity reflection")] = 1.0
    down_conversion_efficiency: Annotated[float, Field(description="to telecom light")] = 1.0
    up_conversion_efficiency: Annotated[float, Field(description="back from telecom light")] = 1.0
    detector_efficiency: Annotated[float, Field(description="of the light's detectors")] = 1.0
    coherence_time_s: Annotated[
        float | None,
        BeforeValidator(_unlimited),
        Field(description='of Alice\'s memory, or "unlimited" (the default)'),
    ] = None
    gate_time_s: Annotated[float, Field(description="of the slowest operation")] = 0.0
    loss_order: Annotated[
        Literal[0, 1, 3], TakeWholeNumber, Field(description="photon losses the code corrects")
    ] = 0
    amplitude: Annotated[NumberOrOptimal, Field(description='α of the light, or "optimal"')] = (
        "optimal"
    )
    entanglement_rate_hz: Annotated[
        float | None, Field(description="take the faintest light that heralds at this rate instead")
    ] = None
    placement: Annotated[
        Literal["alice", "lumped", "strict"], Field(description="where the losses are counted")
    ] = "alice"
    discrimination: Annotated[
        Literal["bound", "linear_optics"], Field(description="of the light's states, unambiguous")
    ] = "bound"
    travel_times: Annotated[
        Literal[1, 2],
        TakeWholeNumber,
        Field(description="for which Alice's memory waits; 2 includes the herald's way back"),
    ] = 1
    photon_class: Annotated[
        WholeNumber,
        Field(description="of Alice's light, modulo the code's components"),
    ] = 0
    settings: Annotated[
        Literal["local", "announced"],
        Field(
            description="chosen by each side alone, or by marks announced before measuring, "
            "which needs 2 travel times and geat"
        ),
    ] = "local"

    def build_security(self) -> Security:
        """Return what is asked of the keys, with the choice of settings."""
        return replace(super().build_security(), settings=self.settings)

    def build_model(self) -> ProtocolModel:
        """Return the scheme with its parameters."""
        from emulator.schemes.cavity_cat import CavityCat
        from emulator.schemes.cavity_link import CavityLink

        link = CavityLink(
            distance_km=self.distance_km,
            attenuation_db_per_km=self.attenuation_db_per_km,
            interaction_efficiency=self.interaction_efficiency,
            down_conversion_efficiency=self.down_conversion_efficiency,
            up_conversion_efficiency=self.up_conversion_efficiency,
            detector_efficiency=self.detector_efficiency,
            coherence_time_s=(math.inf if self.coherence_time_s is None else self.coherence_time_s),
            gate_time_s=self.gate_time_s,
        )
        return CavityCat(
            link,
            loss_order=self.loss_order,
            amplitude=self.amplitude,
            entanglement_rate_hz=self.entanglement_rate_hz,
            placement=self.placement,
            discrimination=self.discrimination,
            travel_times=self.travel_times,
            photon_class=self.photon_class,
        )


class BehaviourScenario(Scenario):
    """Any table of conditional probabilities, or the state of given CHSH value and QBER."""

    default_preset: ClassVar[str | None] = "trapped-ions-2022"
    displaced: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **Scenario.displaced,
        "table": ("chsh", "qber"),
        "chsh": ("table", "qber"),
    }
    file_parameters: ClassVar[frozenset[str]] = frozenset({"table"})

    scheme: Literal["behaviour"] = "behaviour"
    table: Annotated[
        Path | None, Field(description="CSV file with the columns x, y, a, b, probability")
    ] = None
    chsh: Annotated[float | None, Field(description="CHSH value of a Bell-diagonal state")] = None
    qber: Annotated[
        float | None, Field(description="its QBER; that of a Werner state by default")
    ] = None
    herald_probability: Annotated[float, Field(description="of a pulse")] = 1.0
    repetition_rate_hz: RepetitionRate = None

    def build_model(self) -> ProtocolModel:
        """Return the behaviour.

        Raises
        ------
        InvalidArgumentError
            Unless exactly one of `table` and `chsh` is given, or if the table is impossible.
        InputFileError
            If the table cannot be read.
        """
        from emulator.schemes.behaviour import Behaviour

        pace = (self.herald_probability, self.repetition_rate_hz)
        if self.chsh is not None and self.table is None:
            return Behaviour.from_state(self.chsh, self.qber, *pace)
        if self.qber is not None:
            raise InvalidArgumentError("qber", self.qber, "given with chsh only")
        if self.table is None or self.chsh is not None:
            given = (self.table and str(self.table), self.chsh)
            raise InvalidArgumentError("table", given, "given, or else chsh, and not both")
        return Behaviour.from_csv(self.table, *pace)


SCHEMES: dict[str, type[Scenario]] = {
    "ecs": EntangledCoherentScenario,
    "bell_state": BellStateScenario,
    "cavity_cat": CavityCatScenario,
    "behaviour": BehaviourScenario,
}


def parameters_by_scheme() -> dict[str, dict[str, FieldInfo]]:
    """Return every parameter name with the schemes that have it: the schemes' own first."""
    found: dict[str, dict[str, FieldInfo]] = {}
    for scheme, scenario_class in SCHEMES.items():
        for name, field in scenario_class.model_fields.items():
            found.setdefault(name, {})[scheme] = field
    return dict(sorted(found.items(), key=lambda item: item[0] in Scenario.model_fields))
