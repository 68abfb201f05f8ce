"""What a key is worth and where its bits went: the terms of a report, and their names."""

from __future__ import annotations

from collections.abc import Mapping

from postprocessing.design.design import Design
from postprocessing.design.leakage import VERDICT_BITS
from postprocessing.security import METHODS, binary_entropy
from postprocessing.testing import GameTally

REPRODUCIBLE = "reproducible from a seed: not a secret key"
EMULATED = "from emulated rounds: not a secret key"


def no_secret(seed: object, emulated: object) -> str | None:
    """Return why a key is no secret, None where it may be one.

    Parameters
    ----------
    seed : int or None
        The seed of coins and hash seeds.
    emulated : bool
        Whether the rounds were emulated.
    """
    if seed is not None:
        return REPRODUCIBLE
    return EMULATED if emulated else None


def claimed_epsilons(design: Design) -> dict[str, float | None]:
    """Return how the soundness is divided; a method that is not composable claims no secrecy."""
    split = design.epsilons
    claimed = METHODS[design.method].composable
    return {
        "secrecy": split.secrecy if claimed else None,
        "correctness_twice": 2 * split.correctness,
        "soundness": split.soundness if claimed else None,
    }


def efficiency(errors: int | None, key_rounds: int, sent: int) -> float | None:
    """Return f, what was sent to reconcile over n h(errors/n); None where there was no error."""
    if not errors:
        return None
    return sent / (key_rounds * float(binary_entropy(errors / key_rounds)))


def key_terms(
    design: Design, key_rounds: int, tests: GameTally, leaked_bits: int
) -> dict[str, float]:
    """Return the contributions to the key of a finished run in bits, costs negative.

    Parameters
    ----------
    design : Design
        The design of the run.
    key_rounds : int
        Number of key rounds.
    tests : GameTally
        Number of test rounds, and of lost ones, which a fixed length does not ask for.
    leaked_bits : int
        Outcome-dependent bits on the transcript, published tests included.
    """
    if design.length is not None:
        return itemised(design.terms(tests, leaked_bits), design, tests.rounds)
    published = tests.rounds * METHODS[design.method].published_per_test
    entropy = key_rounds * design.entropy_per_key_round
    return {"expected_entropy": entropy, "sent": float(published - leaked_bits)}


def designed_terms(design: Design) -> dict[str, float]:
    """Return the contributions to the key that a design counts on; empty without a length."""
    if design.length is None or design.leakage is None:
        return {}
    return itemised(design.length.terms, design, design.leakage.test_rounds)


def itemised(terms: Mapping[str, float], design: Design, test_rounds: int) -> dict[str, float]:
    """Split the leakage into published tests, reconciliation and verification.

    Parameters
    ----------
    terms : mapping of str to float
        Contributions to a key length in bits, costs negative.
    design : Design
        The design with a leakage budget.
    test_rounds : int
        Number of test rounds; a fixed length has the budgeted number charged.

    Returns
    -------
    dict of str to float
        The same sum in more terms.
    """
    budget = design.leakage
    if budget is None or "leakage" not in terms:
        return {name: float(bits) for name, bits in terms.items()}
    method = METHODS[design.method]
    published = (test_rounds if method.varies else budget.test_rounds) * method.charged_per_test
    verification = budget.tag_bits + VERDICT_BITS
    parts = {
        "published_tests": -float(published),
        "reconciliation": float(terms["leakage"] + published + verification),
        "verification": -float(verification),
    }
    if not published:
        del parts["published_tests"]
    split: dict[str, float] = {}
    for name, bits in terms.items():
        split |= parts if name == "leakage" else {name: float(bits)}
    return split
