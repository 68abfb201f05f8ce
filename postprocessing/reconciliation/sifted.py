"""Sifted keys by themselves: reconciled and verified outside of any protocol of ours."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

import numpy as np

from postprocessing.bits import Bits, PackedBits
from postprocessing.checks import (
    check_bits,
    instance_of,
    one_of,
    probability,
    thread_count,
    whole_number,
)
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation.attempts import in_steps, on_ladder
from postprocessing.reconciliation.codes import QCLDPCCode
from postprocessing.reconciliation.cost import StepPlan
from postprocessing.reconciliation.ladder import MOST_LADDER_QBER, LadderPlan, planned
from postprocessing.reconciliation.performance import binary_entropy
from postprocessing.reconciliation.selection import MODES, MOST_QBER, Mode, candidates, with_given
from postprocessing.reconciliation.verification import MOST_TAG_BITS
from postprocessing.sections import Section, number, sent_row

# What a budget is exceeded with.
_BUDGET_PROBABILITY = 2.5e-3


@dataclass(frozen=True, eq=False)
class ReconciledKey:
    """A sifted key after error correction, and what that cost.

    Parameters
    ----------
    corrected_bits : ndarray of uint8 or None
        The corrector's bits, whose tag is the reference's; None where it is not.
    leaked_bits : int
        All that was sent about the key: syndromes, flags, disclosed frames, the tag, and the bit
        that says whether it is equal. It varies from key to key.
    budget_bits : int
        The same as it was planned before the keys were looked at: keys with the expected error rate
        exceed it at most once in 400 times.
    key_bits : int
        Length n of the key.
    undetected_probability : float
        Bound on the probability that a different string passes: ⌈n/128⌉ 2^−bits for one tag of the
        key, and for a ladder so much for each frame and attempt.
    efficiency : float
        f, the leaked bits over n h(QBER) at the QBER that was expected; infinite where it is 0.
    attempts : int
        Rounds of syndromes and flags.
    seconds : float
        Wall time of encoding, decoding and verification, and of growing a code that is not there.
    corrected_errors : int or None
        Bits that were changed; None without a corrected key.
    iterations : float
        Decoder iterations that led to a frame's syndrome, on average; NaN if none did.
    code : str
        Name of the code.
    frames, disclosed_frames : int
        Frames of the key, and those that failed to the last and were sent whole.

    Examples
    --------
    >>> import numpy as np, diqkd
    >>> key = np.ones(90_000, np.uint8)
    >>> diqkd.reconcile(key, key, qber=0.05)
    ReconciledKey(verified, 1 frame of ..., ... bits leaked, f = 1.0..., ... s)
    """

    corrected_bits: Bits | None = field(repr=False)
    leaked_bits: int
    budget_bits: int
    key_bits: int
    undetected_probability: float
    efficiency: float
    attempts: int
    seconds: float
    corrected_errors: int | None
    iterations: float
    code: str
    frames: int
    disclosed_frames: int

    @property
    def verified(self) -> bool:
        """Whether the tags were equal."""
        return self.corrected_bits is not None

    @property
    def is_spent(self) -> bool:
        """Whether as much was sent as there is: nothing secret is left."""
        return self.leaked_bits >= self.key_bits

    def to_dict(self) -> dict[str, Any]:
        """Return what it cost as JSON-able values, never the bits: they may be a key.

        The errors and the iterations are the corrector's own: they were not sent.
        """
        values = {name: value for name, value in vars(self).items() if name != "corrected_bits"}
        finite = {
            k: None if isinstance(v, float) and not isfinite(v) else v for k, v in values.items()
        }
        return {"verified": self.verified, "is_spent": self.is_spent, **finite}

    def present(self) -> tuple[Section, ...]:
        """Return what it cost as sections of a page."""
        verdict = "equal tags" if self.verified else "different tags: there is no corrected key"
        spent = ": as many as the key has, nothing secret is left" if self.is_spent else ""
        rows = (
            ("verification", verdict),
            ("different strings pass", f"with a probability of {self.undetected_probability:.3g}"),
            ("bits sent", f"{self.leaked_bits:,} of {self.key_bits:,}{spent}"),
            ("planned at most", f"{self.budget_bits:,}"),
            sent_row(self.efficiency, self.leaked_bits / self.key_bits),
            (
                "errors corrected",
                "–" if self.corrected_errors is None else f"{self.corrected_errors:,}",
            ),
            ("code", self.code),
            ("frames", f"{self.frames:,}, {self.disclosed_frames:,} of them disclosed"),
            ("attempts", f"{self.attempts:,}"),
            ("iterations a frame", number(self.iterations)),
            ("time", f"{self.seconds:.3g} s"),
        )
        return (Section("reconciliation", rows),)

    def __repr__(self) -> str:
        """Return what it cost, never the bits: they may be a key."""
        verdict = "verified" if self.verified else "failed"
        frames = f"{self.frames} frame{'' if self.frames == 1 else 's'} of {self.code}"
        return (
            f"ReconciledKey({verdict}, {frames}, {self.leaked_bits:,} bits leaked, "
            f"f = {self.efficiency:.4g}, {self.seconds:.3g} s)"
        )


def reconcile(
    reference_bits: Bits,
    corrector_bits: Bits,
    *,
    qber: float,
    mode: Mode | Literal["auto"] = "auto",
    optimise: Literal["mean", "budget"] = "mean",
    verification_bits: int = 50,
    code: QCLDPCCode | None = None,
    threads: int | None = None,
) -> ReconciledKey:
    """Correct one party's sifted key towards the other's, and count all that crosses the channel.

    Both sides are played here, each from its own key and what the other sends. The code follows
    from the length and the expected error rate alone, never from the keys.

    Parameters
    ----------
    reference_bits, corrector_bits : ndarray of uint8, shape (n,)
        The keys of both parties, n ≥ 1, one bit 0 or 1 an element.
    qber : float
        Expected error rate, in [0, 0.2]; in throughput mode, and for keys of fewer than 1000 bits
        or more than 1.2e7, in [0, 0.12].
    mode : {"auto", "throughput", "efficiency"}, optional
        Codes to choose from: those that decode fast, those that leak little — long ones, and for
        keys of up to 1.2e7 bits codes made to measure —, or all.
    optimise : {"mean", "budget"}, optional
        Choose the code of the least expected leakage, or of the least that is exceeded once in 400
        times: by what a key pays for.
    verification_bits : int, optional
        Length of the tag, or of each on a ladder: enough that `undetected_probability` is below 1,
        and at most 128.
    code : QCLDPCCode, optional
        The code to use, in the place of the best one: of `get_code`, or one's own (`bring_code`).
        As nobody knows how often its frames fail, `budget_bits` is then the most that can be sent.
    threads : int, optional
        Threads that share the frames, in [1, 1000]; by default one a processor. The bits do not
        depend on it.

    Returns
    -------
    ReconciledKey
        The corrected key, or that there is none; and what was sent.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range, or the keys differ in length.

    Examples
    --------
    >>> import numpy as np
    >>> generator = np.random.default_rng(1)
    >>> alice = generator.integers(0, 2, 90_000, dtype=np.uint8)
    >>> bob = alice ^ (generator.random(90_000) < 0.02).astype(np.uint8)
    >>> found = reconcile(alice, bob, qber=0.02)
    >>> np.array_equal(found.corrected_bits, alice), found.leaked_bits < 0.2 * len(alice)
    (True, True)
    """
    for name, bits in (("reference_bits", reference_bits), ("corrector_bits", corrector_bits)):
        check_bits(name, bits)
    if not len(reference_bits):
        raise InvalidArgumentError("reference_bits", "no bits", "at least one")
    if len(corrector_bits) != len(reference_bits):
        lengths = f"{len(corrector_bits)} bits", f"as long as the other key ({len(reference_bits)})"
        raise InvalidArgumentError("corrector_bits", *lengths)
    error_rate = probability("qber", qber)
    if error_rate > MOST_LADDER_QBER:
        raise InvalidArgumentError("qber", qber, f"at most {MOST_LADDER_QBER}")
    chosen = one_of("mode", mode, ("auto", *MODES))
    of_budget = one_of("optimise", optimise, ("mean", "budget")) == "budget"
    tag_bits = whole_number("verification_bits", verification_bits, 1, MOST_TAG_BITS)
    threads = thread_count(threads)
    keys = PackedBits.from_bits(reference_bits), PackedBits.from_bits(corrector_bits)
    plan: StepPlan | LadderPlan
    if code is not None:
        adaptation = with_given(instance_of("code", code, QCLDPCCode), len(reference_bits))
        plan = StepPlan(adaptation, len(reference_bits), error_rate, tag_bits)
    else:
        modes = tuple(each for each in MODES if chosen in ("auto", each))
        plan = cheapest(modes, len(reference_bits), error_rate, tag_bits, of_budget=of_budget)
    if plan.undetected_probability() >= 1:
        allowed = f"enough to tell strings of {len(reference_bits)} bits apart"
        raise InvalidArgumentError("verification_bits", verification_bits, allowed)
    return _reconciled(*keys, plan, error_rate, threads)


def cheapest(
    modes: tuple[Mode, ...], key_bits: int, qber: float, tag_bits: int, *, of_budget: bool
) -> StepPlan | LadderPlan:
    """Return the plan of the least cost."""
    adaptations = (a for each in modes for a in candidates(each, key_bits, qber))
    plans: list[StepPlan | LadderPlan]
    plans = [StepPlan(adaptation, key_bits, qber, tag_bits) for adaptation in adaptations]
    if "efficiency" in modes:
        least = _BUDGET_PROBABILITY if of_budget else 0.0
        ladder = planned(key_bits, qber, tag_bits, of_budget=least)
        plans.extend([ladder] if ladder else [])
    if not plans:
        allowed = f"at most {MOST_QBER} for keys of this length, or in throughput mode"
        raise InvalidArgumentError("qber", qber, allowed)
    if of_budget:
        return min(plans, key=lambda plan: plan.budget_bits(_BUDGET_PROBABILITY))
    return min(plans, key=lambda plan: plan.expected_bits())


def _reconciled(
    reference: PackedBits,
    received: PackedBits,
    plan: StepPlan | LadderPlan,
    qber: float,
    threads: int,
) -> ReconciledKey:
    """Carry out a plan and say what it cost."""
    started = time.perf_counter()
    if isinstance(plan, LadderPlan):
        found = on_ladder(reference, received, plan, qber, threads)
    else:
        found = in_steps(reference, received, plan, qber, threads)
    decoded = found.iterations[found.iterations >= 0]
    corrected, leaked = found.corrected, found.leaked_bits
    return ReconciledKey(
        corrected_bits=corrected.to_bits() if found.matches else None,
        leaked_bits=leaked,
        budget_bits=plan.budget_bits(_BUDGET_PROBABILITY),
        key_bits=len(reference),
        undetected_probability=plan.undetected_probability(),
        efficiency=leaked / (len(reference) * binary_entropy(qber)) if qber else np.inf,
        attempts=found.attempts,
        seconds=time.perf_counter() - started,
        corrected_errors=(corrected ^ received).ones if found.matches else None,
        iterations=float(decoded.mean()) if len(decoded) else np.nan,
        code=plan.code,
        frames=len(found.iterations),
        disclosed_frames=found.disclosed_frames,
    )
