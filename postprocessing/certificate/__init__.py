"""Proofs of key lengths that trust no optimiser and no floating-point number.

What a run enforces is read as exact rationals, what its proof parameters promise is computed in
ball arithmetic over every device, and the length is what is certain. Nothing else of this project
is imported here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf, nextafter
from threading import Lock
from typing import Any

from flint import arb, ctx

from postprocessing.certificate import lengths
from postprocessing.certificate.balls import PRECISION_BITS
from postprocessing.certificate.claim import Claim, claim_of
from postprocessing.certificate.lengths import UNITS_A_BIT, Length
from postprocessing.certificate.supremum import NotProvedError, need

__all__ = ["METHODS", "UNITS_A_BIT", "NotProvedError", "Proof", "certify", "prove"]

# The precision is that of the process, whoever computes.
_PRECISION = Lock()
_tan22 = partial(lengths.accumulated, announced=False)
_geat = partial(lengths.accumulated, announced=True)
_tan22_counted = partial(lengths.counted, hashing=partial(lengths.smoothed, announced=False))
_geat_counted = partial(lengths.counted, hashing=partial(lengths.smoothed, announced=True))
_eat_rpa = partial(lengths.counted, hashing=lengths.at_renyi_order)
# Of each method its proof, and whether that covers announced marks, and a tolerance of settings.
METHODS: dict[str, tuple[Callable[[Claim], Length], bool, bool]] = {
    "tan22": (_tan22, False, True),
    "geat": (_geat, True, True),
    "tan22_counted": (_tan22_counted, False, False),
    "geat_counted": (_geat_counted, True, False),
    "eat_rpa": (_eat_rpa, True, False),
    "renyi": (partial(lengths.renyi, varies=True, weighted=False), False, True),
    "renyi_fixed": (partial(lengths.renyi, varies=False, weighted=False), False, True),
    "renyi_weighted": (partial(lengths.renyi, varies=True, weighted=True), False, False),
    "renyi_weighted_fixed": (partial(lengths.renyi, varies=False, weighted=True), False, False),
}


@dataclass(frozen=True)
class Proof:
    """What is proved of a design.

    Parameters
    ----------
    method : str
        Its method.
    bits : int
        The length; where it varies, what there is before the score and the leakage of the run.
    units : int
        The same in multiples of 2⁻³² bits.
    score_units : tuple of int
        What a won and a lost test with the reference's key setting, and of the others, add to the
        length where scores decide, or cost where tests are counted, in multiples of 2⁻³² bits.
    account : dict of str to float
        Contributions in bits, costs negative.
    enclosure : (float, float)
        Bits between which the exact bound lies.
    worst_coherence : float
        E of the worst device.
    cells : int
        Of the proof that there is none worse.
    varies : bool
        Whether the run adds its score to the length, and takes its leakage off.
    """

    method: str
    bits: int
    units: int
    score_units: tuple[int, ...]
    account: dict[str, float]
    enclosure: tuple[float, float]
    worst_coherence: float
    cells: int
    varies: bool


def prove(values: Any) -> Proof:
    """Prove the length that follows from the values of a design, whatever it claims.

    Raises
    ------
    NotProvedError
        If no length follows.
    KeyError, TypeError
        If something is missing or of another type.
    """
    with _PRECISION, ctx.workprec(PRECISION_BITS):
        method = values["method"]
        need(method in METHODS, f"no proof is known for the method {method!r}")
        proof, announced, tolerant = METHODS[method]
        length = proof(claim_of(values, announced=announced, tolerant=tolerant))
        total = sum(length.account.values(), arb(0))
        account = {name: float(bits.mid()) for name, bits in length.account.items()}
        low, high = float(total.lower()), float(total.upper())
        ends = nextafter(low, -inf), nextafter(high, inf)
        units, place = lengths.floor(UNITS_A_BIT * total), length.worst
        numbers = method, lengths.floor(total), units, length.score_units, account, ends, place
        return Proof(*numbers, length.cells, length.varies)


def certify(values: Any) -> Proof:
    """Prove a design and hold its claimed length against what is proved.

    A length that varies is the proof's own function of the counts of a run: there, nothing is
    claimed beside it. Raises as `prove` does, and `NotProvedError` if more is claimed.
    """
    need(values["length"] is not None, "claims no key")
    proof, claimed = prove(values), values["length"]["bits"]
    need(type(claimed) is int, f"the claimed length is {claimed!r}, not a whole number")
    rounds = values["heralded_rounds"]
    need(proof.varies or claimed <= rounds, f"claims {claimed} bits of {rounds} rounds")
    holds = proof.varies or claimed <= proof.bits
    need(holds, f"claims {claimed} bits, proved are {proof.bits}")
    return proof
