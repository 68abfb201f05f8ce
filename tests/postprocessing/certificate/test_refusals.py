"""What is refused: one bit more than is proved, and designs with errors of every kind."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from claims import Values
from flint import ctx
from plain_rounds import XIE_SCHEME

from postprocessing.certificate import METHODS, UNITS_A_BIT, NotProvedError, certify, prove
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.design.stored import values_of

EXPECTED = ExpectedValues(XIE_SCHEME, 2.7, 0.01, 1.4)
FIXED = tuple(name for name in METHODS if name not in ("renyi", "renyi_weighted"))


@cache
def _designed(method: str) -> str:
    values = values_of(Security(method=method, soundness=1e-8).design(EXPECTED, 2_000_000))
    values["length"]["bits"] = prove(values).bits
    return json.dumps(values)


def designed(method: str) -> Values:
    """Return a design that claims what is proved."""
    values: Values = json.loads(_designed(method))
    return values


def moved(values: Values, path: str, change: Callable[[Any], Any]) -> Values:
    """Return the values with one of them changed."""
    values = copy.deepcopy(values)
    *names, last = path.split(".")
    place = values
    for name in names:
        place = place[name]
    place[last] = change(place[last])
    return values


def parameter(name: str) -> str:
    return f"length.parameters.{name}"


@pytest.mark.parametrize("method", FIXED)
def test_what_is_proved_is_certified_and_no_bit_more(method: str) -> None:
    values = designed(method)
    assert certify(values).bits == values["length"]["bits"] > 1000
    with pytest.raises(NotProvedError, match=r"claims (\d+) bits, proved are (\d+)"):
        certify(moved(values, "length.bits", lambda bits: bits + 1))


def up(x: float) -> float:
    return math.nextafter(x, math.inf)


COUNTED, SCORED = ("tan22_counted", "geat_counted", "eat_rpa"), ("renyi_fixed",)
ERRORS = [
    *((m, "leakage.budget_bits", lambda b: b + 3) for m in FIXED),
    *((m, "leakage.tag_bits", lambda b: b - 1) for m in FIXED),
    *((m, "epsilons.secrecy", lambda e: e * 0.9) for m in FIXED),
    *((m, "epsilons.correctness", lambda e: e / 2) for m in FIXED),
    *((m, "heralded_rounds", lambda n: n - 1000) for m in FIXED),
    *((m, "heralded_rounds", lambda n: 10**400) for m in FIXED),
    *((m, "leakage.tag_bits", lambda b: 129) for m in FIXED),
    *((m, "leakage.tag_bits", lambda b: 0) for m in FIXED),
    *((m, "length.bits", lambda b: 10**400) for m in FIXED),
    *((m, "setting_choice", lambda c: []) for m in FIXED),
    *((m, "setting_choice", lambda c: "abc") for m in FIXED),
    *((m, "noisy_preprocessing", lambda q: 0.5) for m in FIXED),
    *(
        (m, "setting_choice.corrector_test_probability", lambda p: p * 0.99)
        for m in (*COUNTED, "tan22", "geat")
    ),
    *((m, parameter("amplification"), up) for m in ("tan22", "geat")),
    *((m, parameter("amplification"), lambda e: 10 * e) for m in ("tan22", "tan22_counted")),
    *((m, parameter("smoothing"), lambda e: 10 * e) for m in ("tan22", "geat_counted")),
    *((m, parameter("smoothing"), up) for m in ("tan22_counted", "geat_counted")),
    *((m, parameter("first_smoothing"), lambda e: e / 2) for m in ("tan22", "geat")),
    *((m, "tolerated_test_losses", lambda k: k + 1) for m in ("tan22", "geat")),
    *((m, parameter("tangent"), lambda w: w - 1e-3) for m in ("tan22", "geat")),
    *((m, parameter("tangent"), lambda w: 0.75) for m in ("tan22", "geat")),
    *((m, parameter("tangent"), lambda w: 0.9) for m in ("tan22", "geat")),
    *((m, parameter("first_excess"), lambda x: x / 10) for m in ("tan22", "geat")),
    *((m, parameter("second_excess"), lambda x: x / 10) for m in ("tan22", "geat")),
    *((m, parameter("excess"), lambda x: x / 10) for m in COUNTED),
    *((m, parameter("excess"), lambda x: 1.5) for m in COUNTED),
    *((m, parameter("most_lost"), lambda k: k + 2) for m in COUNTED),
    *((m, parameter("most_test_bits"), lambda k: k + 2) for m in COUNTED),
    *((m, parameter("most_lost"), lambda k: -1e9) for m in COUNTED),
    *((m, parameter("most_test_bits"), lambda k: -1e9) for m in COUNTED),
    *((m, parameter("loss_credits"), lambda k: [*k, 1.0]) for m in COUNTED),
    *((m, parameter("loss_credits"), lambda k: k[::-1]) for m in COUNTED),
    *((m, parameter("loss_credits"), lambda k: [-k[0], k[1]]) for m in COUNTED),
    *((m, parameter("published_wins"), lambda w: [1.0, w[1]]) for m in COUNTED),
    ("renyi_fixed", parameter("excess"), lambda x: 0.99 * x),
    ("renyi_fixed", parameter("win_credit"), lambda f: f + 1e-3),
    ("renyi_fixed", "least_score", lambda f: f - 3),
    ("renyi_fixed", "least_score", lambda f: None),
    ("renyi_weighted_fixed", parameter("excess"), lambda x: 0.99 * x),
    ("renyi_weighted_fixed", parameter("win_credits"), lambda f: [f[0] + 1e-3, f[1]]),
    ("renyi_weighted_fixed", parameter("win_credits"), lambda f: f[::-1]),
    ("renyi_weighted_fixed", parameter("loss_credits"), lambda f: [1e5, f[1]]),
    ("renyi_weighted_fixed", "least_score", lambda f: f - 3),
    ("eat_rpa", "setting_choice.coin_probability", lambda coin: 1.1),
    ("tan22", "setting_choice.setting_probability_tolerance", lambda off: 1e-6),
    ("eat_rpa", "setting_choice.setting_probability_tolerance", lambda off: 1e-6),
]


@pytest.mark.parametrize(("method", "path", "change"), ERRORS)
def test_errors_in_a_design_are_refused(
    method: str, path: str, change: Callable[[Any], Any]
) -> None:
    values = designed(method)
    if path.endswith("coin_probability"):
        values["setting_choice"]["coin_probability"] = None
    with pytest.raises((NotProvedError, TypeError)):
        certify(moved(values, path, change))


@pytest.mark.parametrize("method", FIXED)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, "1", None, True, [1.0]])
def test_no_number_may_be_anything_else(method: str, bad: object) -> None:
    values = designed(method)
    free = values["length"]["parameters"]
    paths = ["heralded_rounds", "epsilons.secrecy", "leakage.tag_bits", "leakage.budget_bits"]
    # Of counted methods the tangent is a search's hint: nothing that is proved reads it.
    unread = "tangent" if method in COUNTED else ""
    paths += [parameter(name) for name in free if name != unread]
    for path in paths:
        with pytest.raises((NotProvedError, TypeError, ValueError)):
            certify(moved(values, path, lambda _: bad))


@pytest.mark.parametrize("method", FIXED)
def test_nothing_may_be_missing(method: str) -> None:
    values = designed(method)
    for name in ("method", "heralded_rounds", "leakage", "epsilons", "length", "setting_choice"):
        with pytest.raises((KeyError, TypeError)):
            certify({key: value for key, value in values.items() if key != name})
    unread = ("tangent",) if method in COUNTED else ()
    for name in values["length"]["parameters"]:
        short = copy.deepcopy(values)
        del short["length"]["parameters"][name]
        if name not in unread:
            with pytest.raises(KeyError, match=name):
                certify(short)


def test_proof_parameters_are_free() -> None:
    """Another tangent proves about as much, and other noise with its own budget what it gives."""
    values = designed("tan22")
    close = prove(moved(values, parameter("tangent"), lambda w: w + 1e-9))
    assert abs(close.bits - values["length"]["bits"]) <= 1
    values = designed("eat_rpa")
    assert prove(moved(values, parameter("tangent"), lambda e: 1 - e)) == prove(values)
    assert prove(moved(values, "noisy_preprocessing", lambda q: 0.01)).bits > prove(values).bits


def test_what_follows_is_not_read() -> None:
    """Terms, labels and probabilities of rounds may say anything."""
    values = designed("renyi_fixed")
    lies = {"label": "certain", "round_probabilities": {"key": 1.0}, "entropy_per_key_round": 1.0}
    terms = dict.fromkeys(values["length"]["terms"], 1000000000000.0)
    lies["length"] = values["length"] | {"terms": terms, "unclipped": 1e12}
    assert certify(values | lies) == certify(values)


def test_threads_keep_out_of_each_others_precision() -> None:
    values = [designed(method) for method in (*FIXED, *FIXED)]
    with ThreadPoolExecutor(8) as pool:
        proofs = list(pool.map(prove, values))
    assert proofs == [prove(each) for each in values]


def test_no_hash_is_surer_than_its_field() -> None:
    """A tag beyond 128 bits would be trusted for what no polynomial over GF(2^128) does."""
    values = designed("tan22")
    values["leakage"]["tag_bits"], values["epsilons"]["correctness"] = 300, 1e-80
    with pytest.raises(NotProvedError, match="1 to 128 bits, not 300"):
        certify(values)


@pytest.mark.parametrize("cap", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_series_that_someone_cuts_off_prove_no_more(method: str, cap: int) -> None:
    """`ctx.cap` is the process's, and what it cuts off would read as derivatives that are 0."""
    values, kept = designed(method), ctx.cap
    least, right = values["length"]["bits"], prove(values)
    ctx.cap = cap
    try:
        proof = prove(values)
    except NotProvedError:
        return
    finally:
        ctx.cap = kept
    assert proof.bits <= least
    assert proof.units - right.units < 1e-3 * UNITS_A_BIT


@pytest.mark.parametrize("method", METHODS)
def test_an_enclosure_holds_the_length(method: str) -> None:
    proof = prove(designed(method))
    low, high = proof.enclosure
    assert Fraction(low) <= Fraction(proof.units + 1, UNITS_A_BIT)
    assert Fraction(high) > Fraction(proof.units, UNITS_A_BIT)
    assert low < high


def test_methods_without_a_proof_are_refused() -> None:
    with pytest.raises(NotProvedError, match="no proof is known for the method 'asymptotic'"):
        prove(designed("tan22") | {"method": "asymptotic"})


@pytest.mark.parametrize("method", ["tan22", "renyi", "renyi_weighted_fixed", "tan22_counted"])
def test_announced_marks_need_a_proof_of_their_own(method: str) -> None:
    marks = {"test_probability": 0.05}
    design = Security(method=method).design(EXPECTED, 10**7)
    with pytest.raises(NotProvedError, match="announced marks"):
        prove(values_of(design) | {"setting_choice": marks})


def test_a_coin_of_its_own_needs_kinds_told_apart() -> None:
    values = designed("tan22")
    values["setting_choice"]["coin_probability"] = 1.0
    with pytest.raises(NotProvedError, match="equally often"):
        prove(values)


@pytest.mark.parametrize("method", [*COUNTED, "renyi_weighted_fixed"])
def test_a_tolerance_of_settings_needs_a_proof_of_its_own(method: str) -> None:
    values = designed(method)
    values["setting_choice"] |= {"setting_probability_tolerance": 1e-9, "coin_probability": None}
    with pytest.raises(NotProvedError, match="tolerance of settings"):
        prove(values)
