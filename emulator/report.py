"""RunReport: what a run did, beside what theory expects."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import PlainSerializer

from emulator.theory.prediction import Prediction
from postprocessing.design.design import Design
from postprocessing.protocol.report import DistillationReport
from postprocessing.protocol.report_sections import accounts, details, summary
from postprocessing.protocol.terms import no_secret
from postprocessing.sections import Section, number, pairs
from postprocessing.testing import GameTally

Rates = dict[str, float | None]


@dataclass(frozen=True)
class Estimate:
    """An observed quantity beside its expectation.

    Parameters
    ----------
    estimate : float or None
        Observed value; None when it was not observed.
    standard_error : float or None
        Standard deviation of the estimate if devices behave as expected.
    expected : float or None
        Expected value; None when theory has none.
    """

    estimate: float | None
    standard_error: float | None
    expected: float | None

    @property
    def deviation(self) -> float | None:
        """Deviation from the expected value in standard errors; None where undefined."""
        if self.estimate is None or self.expected is None or not self.standard_error:
            return None
        return (self.estimate - self.expected) / self.standard_error

    def to_dict(self) -> dict[str, float | None]:
        """Return the values and the deviation."""
        return {**asdict(self), "deviation": self.deviation}


_Estimate = Annotated[Estimate, PlainSerializer(Estimate.to_dict)]
_Prediction = Annotated[Prediction, PlainSerializer(Prediction.to_dict)]


@dataclass(frozen=True, kw_only=True)
class RunReport(DistillationReport):
    """A finished run.

    Parameters
    ----------
    scheme : str
        Name of the scheme.
    scenario : dict or None
        The parameters of the run, where it was made from a scenario.
    pulses : int
        Emitted pulses; 0 when the run stopped before the quantum phase.
    gain : Estimate
        Heralded rounds over pulses.
    chsh : Estimate
        CHSH value of the test rounds.
    qber : Estimate
        Error rate of the key rounds, which the corrector knows after verification.
    key_sha256 : str or None
        Digest of the key, which is no secret.
    rates_per_pulse : dict of str to float or None
        Secret bits per pulse: asymptotic theory, the design's key, and what was achieved. The
        finite-size rate is None where the design has no finite-size length.
    rates_per_second : dict of str to float or None
        The same rates in secret bits per second; None without a repetition rate.
    prediction : Prediction
        Theory of the model.

    Notes
    -----
    It has the fields of `DistillationReport` too.

    Examples
    --------
    >>> import diqkd
    >>> model = diqkd.EntangledCoherent(diqkd.Link(distance_km=100))
    >>> report = diqkd.run(model, heralded_rounds=1000, seed=7)
    >>> report.outcome, report.abort_reason
    ('aborted', 'no key length under this design')
    """

    scheme: str
    scenario: dict[str, Any] | None = field(default=None, repr=False)
    pulses: int
    gain: _Estimate
    chsh: _Estimate
    qber: _Estimate
    key_sha256: str | None = field(repr=False)
    rates_per_pulse: Rates
    rates_per_second: Rates = field(repr=False)
    prediction: _Prediction = field(repr=False)

    @classmethod
    def of_run(
        cls,
        prediction: Prediction,
        distillation: DistillationReport,
        *,
        pulses: int,
        seed: int,
        timings_s: dict[str, float],
    ) -> RunReport:
        """Return the report of a run, with everything that follows from what is given.

        Parameters
        ----------
        prediction : Prediction
            Theory of the model.
        distillation : DistillationReport
            What the two parties made of the rounds.
        pulses, seed, timings_s
            Fields of the report.
        """
        design, key = distillation.design, distillation.alice_key
        rates = _rates(prediction, design, distillation.key_length, pulses)
        pace = prediction.repetition_rate_hz
        return cls.extending(
            distillation,
            seed=seed,
            emulated=True,
            warning=no_secret(seed, emulated=True),
            timings_s=timings_s,
            scheme=prediction.scheme,
            pulses=pulses,
            gain=_gain(prediction.gain, distillation.heralded_rounds, pulses),
            chsh=_chsh(prediction.chsh, distillation.tally, design),
            qber=_qber(prediction.qber, distillation),
            key_sha256=hashlib.sha256(key).hexdigest() if key else None,
            rates_per_pulse=rates,
            rates_per_second={
                name: None if rate is None or pace is None else rate * pace
                for name, rate in rates.items()
            },
            prediction=prediction,
        )

    @property
    def heading(self) -> str:
        """What the report is of, in words."""
        return f"Run of the scheme {self.scheme}, seed {self.seed}"

    def present(self) -> tuple[Section, ...]:
        """Return what the report says, for any output to show: a summary, then the details."""
        rounds = f"{self.heralded_rounds:,} of {self.pulses:,} pulses"
        more = (
            Section("key", (("SHA-256 of the key", self.key_sha256 or "-"),)),
            Section("theory", pairs(self.prediction.to_dict())),
            Section("scenario", pairs(self.scenario) if self.scenario else ()),
        )
        compared = (self._comparison(),) if self.pulses else ()
        shown = (Section("run", summary(self, rounds)), *compared, self._rates(), *accounts(self))
        return (*shown, *details(self, *more))

    def row(self) -> dict[str, str | int | float | None]:
        """Return the run as a row of a sweep: the columns of its outcome and its results."""
        if self.keys_match is False:
            return {
                "status": "failed",
                "reason": "the keys differ although they were verified",
            }
        names = (
            "pulses", "heralded_rounds", "key_rounds", "test_rounds", "lost_tests", "key_length",
            "asymptotic_key_length", "leaked_bits", "reconciliation_efficiency", "key_sha256",
        )  # fmt: skip
        compared = {"gain": self.gain, "chsh": self.chsh, "qber": self.qber}
        design, bound = self.design, self.prediction.plob_bound
        return {
            "status": self.outcome,
            "reason": self.abort_reason,
            **{name: getattr(self, name) for name in names},
            **{name: value.estimate for name, value in compared.items()},
            **{f"{name}_expected": value.expected for name, value in compared.items()},
            **{f"rate_{name}": rate for name, rate in self.rates_per_pulse.items()},
            "designed_key_length": design.key_length if design else None,
            "predicted_abort_probability": design.predicted_abort_probability if design else None,
            "plob_bound": bound if bound is not None and math.isfinite(bound) else None,
        }

    def _comparison(self) -> Section:
        """Return the emulation against theory."""
        named = {"gain": self.gain, "CHSH value": self.chsh, "QBER": self.qber}
        rows = []
        for name, value in named.items():
            emulated = f"{number(value.estimate)} ± {number(value.standard_error, 2)}"
            deviation = "-" if value.deviation is None else f"{value.deviation:+.2f} σ"
            rows.append((name, emulated, number(value.expected), deviation))
        header = ("quantity", "emulated", "expected", "deviation")
        return Section("emulation against theory", tuple(rows), header)

    def _rates(self) -> Section:
        """Return the rates per pulse, per heralded round and, with a repetition rate, in time."""
        timed = self.prediction.repetition_rate_hz is not None
        gain, rows = self.prediction.gain, []
        for name, rate in self.rates_per_pulse.items():
            per_round = rate / gain if gain and rate is not None else None
            if name == "achieved" and self.heralded_rounds:
                per_round = self.key_length / self.heralded_rounds
            numbers = (rate, per_round, *((self.rates_per_second[name],) if timed else ()))
            rows.append((name.replace("_", " "), *map(number, numbers)))
        units = ("per pulse", "per heralded round", *(("per second",) if timed else ()))
        return Section("rates", tuple(rows), ("secret bits", *units))


def _gain(expected: float | None, heralded_rounds: int, pulses: int) -> Estimate:
    if not pulses or expected is None:
        return Estimate(None, None, expected)
    error = math.sqrt(expected * (1 - expected) / pulses)
    return Estimate(heralded_rounds / pulses, error, expected)


def _chsh(expected: float | None, tally: GameTally | None, design: Design | None) -> Estimate:
    if tally is None or expected is None or not tally.rounds or design is None:
        return Estimate(None, None, expected)
    kind = tally.at_key_setting
    if design.setting_choice.round_probabilities.has_uniform_inputs or kind is None:
        won = 0.5 + expected / 8
        return Estimate(tally.chsh, 8 * math.sqrt(won * (1 - won) / tally.rounds), expected)
    # Of S, a sum of two parts 4w − 2.
    kinds = zip(design.win_probabilities, (kind[0], tally.rounds - kind[0]), strict=True)
    variance = sum(16 * win * (1 - win) / max(rounds, 1) for win, rounds in kinds)
    return Estimate(tally.chsh_of_kinds, math.sqrt(variance), expected)


def _qber(expected: float | None, report: DistillationReport) -> Estimate:
    errors, rounds, design = report.errors, report.key_rounds, report.design
    if errors is None or expected is None or not rounds or design is None:
        return Estimate(None, None, expected)
    # The errors that noisy preprocessing added are taken off again, in the mean.
    noise, noisy = design.noisy_preprocessing, design.key_error_rate
    scale = 1 - 2 * noise
    deviation = math.sqrt(noisy * (1 - noisy) / rounds) / scale
    return Estimate((errors / rounds - noise) / scale, deviation, expected)


def _rates(prediction: Prediction, design: Design | None, key_length: int, pulses: int) -> Rates:
    finite_size = None
    if prediction.gain and design is not None and design.length is not None:
        finite_size = design.key_length / design.heralded_rounds * prediction.gain
    return {
        "asymptotic": prediction.key_rate_per_pulse,
        "finite_size": finite_size,
        "achieved": key_length / pulses if pulses else 0.0,
    }
