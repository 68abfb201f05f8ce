"""RunReport: what a run did, beside what theory expects, as values and as JSON."""

from __future__ import annotations

import hashlib
import math
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

from emulator.theory.prediction import Prediction
from postprocessing.design.design import Design
from postprocessing.design.leakage import VERDICT_BITS
from postprocessing.protocol.distillation import DistillationReport
from postprocessing.protocol.messages import DisclosedFrames, DisclosedTests, FrameStatus, Syndromes
from postprocessing.security import binary_entropy
from postprocessing.security.assumptions import assumptions
from postprocessing.security.methods import leaked_per_test


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


@dataclass(frozen=True)
class RunReport:
    """A finished run.

    Parameters
    ----------
    prediction : Prediction
        Theory of the model.
    seed : int
        Seed of the run.
    design : Design or None
        The frozen design; None when the model has no intensity to work at.
    distillation : DistillationReport
        What the two parties made of the rounds.
    pulses, heralded_rounds : int
        Emitted pulses and heralded rounds; 0 when the run stopped before the quantum phase.
    timings_s : dict
        Seconds spent in each stage, and in all.

    Examples
    --------
    >>> import diqkd
    >>> model = diqkd.EntangledCoherent(diqkd.Link(distance_km=100))
    >>> report = diqkd.run(model, heralded_rounds=1000, seed=7)
    >>> report.outcome, report.abort_reason
    ('aborted', 'no key length under this design')
    """

    prediction: Prediction
    seed: int
    design: Design | None
    distillation: DistillationReport = field(repr=False)
    pulses: int
    heralded_rounds: int
    timings_s: dict[str, float]

    @property
    def alice_key(self) -> bytes | None:
        """Alice's key, None after an abort."""
        return self.distillation.alice_key

    @property
    def bob_key(self) -> bytes | None:
        """Bob's key, None after an abort."""
        return self.distillation.bob_key

    @property
    def abort_reason(self) -> str | None:
        """Why there is no key."""
        return self.distillation.abort_reason

    @property
    def outcome(self) -> str:
        """Either "key" or "aborted"."""
        return "key" if self.abort_reason is None else "aborted"

    @property
    def keys_match(self) -> bool | None:
        """Whether the keys are equal, None without keys."""
        return None if self.alice_key is None else self.alice_key == self.bob_key

    @property
    def key_length(self) -> int:
        """Length of the key in bits."""
        return self.distillation.key_length

    @property
    def leaked_bits(self) -> int:
        """Outcome-dependent bits on the transcript."""
        return self.distillation.transcript.leaked_bits

    @property
    def gain(self) -> Estimate:
        """Heralded rounds over pulses."""
        expected = self.prediction.gain
        if not self.pulses or expected is None:
            return Estimate(None, None, expected)
        error = math.sqrt(expected * (1 - expected) / self.pulses)
        return Estimate(self.heralded_rounds / self.pulses, error, expected)

    @property
    def chsh(self) -> Estimate:
        """CHSH value of the test rounds."""
        tally, expected = self.distillation.tally, self.prediction.chsh
        if tally is None or expected is None or not tally.rounds:
            return Estimate(None, None, expected)
        won = 0.5 + expected / 8
        return Estimate(tally.chsh, 8 * math.sqrt(won * (1 - won) / tally.rounds), expected)

    @property
    def qber(self) -> Estimate:
        """Error rate of the key rounds, which the corrector knows after verification."""
        errors, expected = self.distillation.errors, self.prediction.qber
        rounds = self.distillation.key_rounds
        if errors is None or expected is None or not rounds or self.design is None:
            return Estimate(None, None, expected)
        # The errors that noisy preprocessing added are taken off again, in the mean.
        noise, noisy = self.design.noisy_preprocessing, self.design.key_error_rate
        scale = 1 - 2 * noise
        deviation = math.sqrt(noisy * (1 - noisy) / rounds) / scale
        return Estimate((errors / rounds - noise) / scale, deviation, expected)

    @property
    def reconciliation_efficiency(self) -> float | None:
        """f: everything sent to reconcile over n h(errors/n); None where there was no error."""
        errors, rounds = self.distillation.errors, self.distillation.key_rounds
        if not errors:
            return None
        sent = self.distillation.transcript.leaked_by(Syndromes, FrameStatus, DisclosedFrames)
        return sent / (rounds * float(binary_entropy(errors / rounds)))

    @property
    def asymptotic_key_length(self) -> int | None:
        """Key length the asymptotic formula gives for the same rounds; None if not reconciled."""
        if self.design is None or self.distillation.errors is None:
            return None
        tally = self.distillation.tally
        counts = (self.distillation.key_rounds, tally.rounds if tally else 0)
        return self.design.asymptotic_key_length(*counts, self.leaked_bits)

    @property
    def key_terms(self) -> dict[str, float]:
        """Contributions to the key length in bits, costs negative; empty without a key."""
        if self.design is None or self.abort_reason is not None:
            return {}
        tally = self.distillation.tally
        if self.design.length is not None and tally is not None:
            terms = self.design.terms(tally.rounds, tally.lost, self.leaked_bits)
            return itemised(terms, self.design, tally.rounds)
        tests = self.distillation.transcript.leaked_by(DisclosedTests)
        entropy = self.distillation.key_rounds * self.design.entropy_per_key_round
        return {"expected_entropy": entropy, "sent": float(tests - self.leaked_bits)}

    @property
    def designed_terms(self) -> dict[str, float]:
        """Contributions to the key length that the design counts on; empty without such a one."""
        design = self.design
        if design is None or design.length is None or design.leakage is None:
            return {}
        return itemised(asdict(design.length.terms), design, design.leakage.test_rounds)

    @property
    def rates_per_pulse(self) -> dict[str, float | None]:
        """Secret bits per pulse: asymptotic theory, the design's key, and what was achieved.

        The finite-size rate is None where the design has no finite-size length.
        """
        gain, design = self.prediction.gain, self.design
        finite_size = None
        if gain and design is not None and design.length is not None:
            finite_size = design.key_length / design.heralded_rounds * gain
        return {
            "asymptotic": self.prediction.key_rate_per_pulse,
            "finite_size": finite_size,
            "achieved": self.key_length / self.pulses if self.pulses else 0.0,
        }

    @property
    def rates_per_second(self) -> dict[str, float | None]:
        """The same rates in secret bits per second; None without a repetition rate."""
        pace = self.prediction.repetition_rate_hz
        return {
            name: None if rate is None or pace is None else rate * pace
            for name, rate in self.rates_per_pulse.items()
        }

    def _epsilons(self) -> dict[str, float | None] | None:
        """Return how the soundness is divided; no secrecy is claimed at finite size by some."""
        if self.design is None:
            return None
        split = self.design.epsilons
        claimed = self.design.method != "asymptotic"
        return {
            "secrecy": split.secrecy if claimed else None,
            "correctness_twice": 2 * split.correctness,
            "soundness": split.soundness if claimed else None,
        }

    def to_dict(self) -> dict[str, object]:
        """Return everything but the keys as JSON values; null where undefined."""
        tally = self.distillation.tally
        fingerprint = hashlib.sha256(self.alice_key).hexdigest() if self.alice_key else None
        return {
            "scheme": self.prediction.scheme,
            "outcome": self.outcome,
            "abort_reason": self.abort_reason,
            "seed": self.seed,
            "pulses": self.pulses,
            "heralded_rounds": self.heralded_rounds,
            "key_rounds": self.distillation.key_rounds,
            "test_rounds": tally.rounds if tally else 0,
            "lost_tests": tally.lost if tally else None,
            "gain": self.gain.to_dict(),
            "chsh": self.chsh.to_dict(),
            "qber": self.qber.to_dict(),
            "corrected_errors": self.distillation.errors,
            "leaked_bits": self.leaked_bits,
            "reconciliation_efficiency": self.reconciliation_efficiency,
            "frames": self.distillation.frames,
            "failed_frames": self.distillation.failed_frames,
            "design": self.design.to_dict() if self.design else None,
            "design_sha256": self.design.fingerprint() if self.design else None,
            "security": self.design.label if self.design else None,
            "assumptions": assumptions(self.design.setting_choice if self.design else None),
            "epsilons": self._epsilons(),
            "key_length": self.key_length,
            "asymptotic_key_length": self.asymptotic_key_length,
            "key_terms": self.key_terms,
            "designed_terms": self.designed_terms,
            "keys_match": self.keys_match,
            "key_sha256": fingerprint,
            "rates_per_pulse": self.rates_per_pulse,
            "rates_per_second": self.rates_per_second,
            "prediction": self.prediction.to_dict(),
            "transcript": self.distillation.transcript.to_list(),
            "timings_s": self.timings_s,
            "versions": _versions(),
        }


def itemised(terms: dict[str, float], design: Design, test_rounds: int) -> dict[str, float]:
    """Split the leakage into published tests, reconciliation and verification.

    Parameters
    ----------
    terms : dict of str to float
        Contributions to a key length in bits, costs negative.
    design : Design
        The design with a leakage plan.
    test_rounds : int
        Number of test rounds; a fixed length has the budgeted number charged.

    Returns
    -------
    dict of str to float
        The same sum in more terms.
    """
    plan = design.leakage
    if plan is None or "leakage" not in terms:
        return dict(terms)
    tests = plan.test_rounds if design.method != "renyi" else test_rounds
    published = tests * leaked_per_test(design.method)
    verification = plan.tag_bits + VERDICT_BITS
    parts = {
        "published_tests": -float(published),
        "reconciliation": terms["leakage"] + published + verification,
        "verification": -float(verification),
    }
    if not published:
        del parts["published_tests"]
    split: dict[str, float] = {}
    for name, bits in terms.items():
        split |= parts if name == "leakage" else {name: bits}
    return split


def _versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    packages = ("diqkd", "numpy", "numba", "scipy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
