"""Ladders: the graph, the climb, the plan and its cost, against independent computations."""

from __future__ import annotations

import hashlib
import itertools
import json

import numpy as np
import pytest

from postprocessing.bits import PackedBits
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import attempts, get_code, reconcile
from postprocessing.reconciliation.codes import QCLDPCCode
from postprocessing.reconciliation.construction import ladder_rating
from postprocessing.reconciliation.frames import deal
from postprocessing.reconciliation.graphs import light_set
from postprocessing.reconciliation.ladder import (
    Climber,
    Ladder,
    LadderPlan,
    grown_code,
    planned,
    syndromes,
)
from postprocessing.reconciliation.ladder.ladder import climbed_graph
from postprocessing.reconciliation.ladder.lengths import RATINGS_FILE, Rating
from postprocessing.reconciliation.ladder.planning import _from_the_top, _path
from postprocessing.reconciliation.performance import binary_entropy

SMALL = Ladder("light0.1-64-5x12-0", 12 * 64, (0, 5, 64, 101, 320))


def lifted(shifts: np.ndarray, lifting: int) -> np.ndarray:
    """The parity-check matrix block by block, by its definition."""
    rows, columns = shifts.shape
    matrix = np.zeros((rows * lifting, columns * lifting), np.int64)
    for row, column in zip(*np.nonzero(shifts >= 0), strict=True):
        for check in range(lifting):
            place = (check + shifts[row, column]) % lifting
            matrix[row * lifting + check, column * lifting + place] ^= 1
    return matrix


def matrix_of(graph, rows: int, columns: int, lifting: int) -> np.ndarray:
    shifts = np.full((rows, columns), -1)
    for row in range(rows):
        for column, shift in graph.edges[graph.row_starts[row] : graph.row_starts[row + 1]]:
            shifts[row, column] = shift
    return lifted(shifts, lifting)


def test_the_bits_sent_are_the_syndrome_and_halves_of_it():
    code, generator = SMALL.mother, np.random.default_rng(1)
    key = generator.integers(0, 2, (3, SMALL.frame_bits), dtype=np.uint8)
    frames = deal(PackedBits.from_bits(np.concatenate([*key])), SMALL)
    dealt = np.array([np.unpackbits(w.view(np.uint8), bitorder="little") for w in frames.words])
    sent = syndromes(SMALL, frames)
    whole = dealt @ lifted(code.shifts, 64).T % 2
    np.testing.assert_array_equal(sent[:, : SMALL.whole_bits], whole)
    for place, row in enumerate(code.split_order):
        first = SMALL.whole_bits + 64 * place
        halves = np.where(code._halves[[row]], code.shifts[[row]], -1)
        expected = dealt @ lifted(halves, 64).T % 2
        np.testing.assert_array_equal(sent[:, first : first + 64], expected)


def test_split_checks_share_a_bit_of_their_own():
    """Both halves and the bit between them add up to the check, whatever the bit is."""
    code, split = SMALL.mother, SMALL.split_rows
    graph = climbed_graph(SMALL)
    matrix = matrix_of(graph, code.rows + split, SMALL.columns + split, 64)
    bits, auxiliary = np.split(matrix, [SMALL.columns * 64], axis=1)
    for place, row in enumerate(code.split_order[:split]):
        kept = slice(64 * row, 64 * row + 64)
        half = slice(64 * (code.rows + place), 64 * (code.rows + place) + 64)
        whole = lifted(code.shifts[[row]], 64)
        np.testing.assert_array_equal((bits[kept] + bits[half]) % 2, whole)
        own = np.zeros((64, auxiliary.shape[1]), np.int64)
        own[:, 64 * place : 64 * place + 64] = np.eye(64)
        np.testing.assert_array_equal(auxiliary[kept], own)
        np.testing.assert_array_equal(auxiliary[half], own)


@pytest.mark.parametrize(("length", "qber"), [(3_000, 0.1), (10_000, 0.036), (40_000, 0.01)])
def test_a_climb_ends_at_the_reference(length: int, qber: float):
    """Rungs are told bit by bit of what is known; nothing told earlier is forgotten."""
    plan = planned(length, qber, 50)
    assert plan is not None
    ladder, generator = plan.ladder, np.random.default_rng(2)
    key = generator.integers(0, 2, length, dtype=np.uint8)
    received = key ^ (generator.random(length) < qber).astype(np.uint8)
    sent = syndromes(ladder, deal(PackedBits.from_bits(key), ladder))
    climber = Climber.of(ladder, deal(PackedBits.from_bits(received), ladder), qber)
    for step in range(ladder.steps):
        before, first, last = climber.posteriors.copy(), *ladder.bits_sent(step)
        further = climber.further(sent[:, first:last], step, 1)
        np.testing.assert_array_equal(climber.posteriors, before)
        climber = further
        if climber.met[0]:
            break
    np.testing.assert_array_equal(climber.frames.bits().to_bits(), key)
    assert 0 < step < ladder.steps - 1
    assert climber.iterations[0] > 0


def test_codes_never_change():
    """Both parties grow them from the name: other shifts in another version would be no key."""
    known = {
        "heavy0.036-64-36x157-0": "28a9ce0635ccfef9",
        "light0.1-64-5x12-0": "28551670b57c1cd4",
        "heavy0.08-512-79x400-3": "8b91e595074287e2",
    }
    for name, digest in known.items():
        shifts = grown_code(name).shifts.astype("<i2")
        assert hashlib.sha256(shifts.tobytes()).hexdigest()[:16] == digest
        assert get_code(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "heavy0.036-64-36x157-",
        "heavy0.037-64-36x157-0",
        "wide0.036-64-36x157-0",
        "heavy0.036-64-157x36-0",
        "heavy0.036-64-2x157-0",
        "heavy0.036-63-36x157-0",
        "heavy0.036-64-36x157-0 ",
        "heavy0.036-064-36x157-0",
        "heavy0.036-64-36x157-00",
        "heavy0.036-64-36x157-\uff10",
        "heavy0.036-4096-9998x9999-0",
    ],
)
def test_names_of_no_code(name: str):
    with pytest.raises(InvalidArgumentError, match="must be"):
        get_code(name)


def test_a_shape_is_the_name_of_its_first_sound_code():
    shape = "heavy0.08-64-31x79"
    found = get_code(shape)
    first = int(found.name.removeprefix(f"{shape}-"))
    for seed in range(first + 1):
        code = get_code(f"{shape}-{seed}")
        sets = ((12, 2), (4, 3), (5, 3), (6, 3), (8, 3))
        assert any(light_set(code, *limits) for limits in sets) == (seed < first)
    np.testing.assert_array_equal(found.shifts, code.shifts)


def brute_light_sets(code: QCLDPCCode, most: int) -> int:
    """The least number of light bits with at most one odd check, by trying all sets."""
    matrix = lifted(code.shifts, code.lifting)
    weights = matrix.sum(axis=0)
    checks = [sum(1 << int(c) for c in np.flatnonzero(column)) for column in matrix.T]
    light = [bit for bit in range(len(weights)) if weights[bit] <= 3]
    starts = [bit for bit in light if bit % code.lifting == 0]
    for size in range(2, most + 1):
        for start in starts:
            others = [bit for bit in light if bit != start]
            for rest in itertools.combinations(others, size - 1):
                odd = checks[start]
                for bit in rest:
                    odd ^= checks[bit]
                if odd.bit_count() <= 1:
                    return size
    return 0


@pytest.mark.parametrize("seed", range(12))
def test_small_sets_that_checks_do_not_see_are_found(seed: int):
    """Sizes of up to four, by trying all sets of a graph with few columns."""
    generator = np.random.default_rng(seed)
    shifts = generator.integers(0, 6, (3, 3)).astype(np.int16)
    shifts[generator.random((3, 3)) < 0.2] = -1
    shifts[0, (shifts >= 0).sum(axis=0) < 2] = 0
    shifts[1, (shifts >= 0).sum(axis=0) < 2] = 3
    code = QCLDPCCode("random", 64, shifts)
    least = brute_light_sets(code, 3)
    for most in (2, 3):
        found = light_set(code, most, 3)
        assert (found > 0) == (0 < least <= most)
        assert found <= most


def test_the_codes_that_are_taken_have_no_small_light_sets():
    for length, qber in ((10_000, 0.036), (10_000, 0.0144), (10_000, 0.078), (100_000, 0.036)):
        plan = planned(length, qber, 50)
        assert plan is not None
        code = plan.ladder.mother
        for most, heaviest in ((12, 2), (4, 3), (5, 3)):
            assert light_set(code, most, heaviest) == 0


def test_rungs_are_those_of_the_least_cost():
    """Against all subsets of eight places."""
    generator = np.random.default_rng(3)
    for _ in range(20):
        places = np.cumsum(generator.integers(1, 30, 8)).astype(float)
        short = np.sort(generator.random(8))[::-1].copy()
        attempt = float(generator.integers(1, 20))
        beyond, following = _from_the_top(places, short, attempt, 200.0)
        start = int(np.argmin(places + attempt + short * beyond))

        def cost(rungs, places=places, short=short, attempt=attempt) -> float:
            total, before, reached = 0.0, 0.0, 1.0
            for rung in rungs:
                total += reached * (places[rung] - before + attempt)
                before, reached = places[rung], short[rung]
            return total + reached * 200.0

        subsets = (
            (*rungs, 7) for size in range(8) for rungs in itertools.combinations(range(7), size)
        )
        best = min(cost(rungs) for rungs in subsets)
        assert cost(tuple(_path(following, start))) == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize(
    ("frames", "last"), [(1, 1e-6), (5, 1e-6), (1, 1e-4), (2, 1e-3), (16, 1.5e-4)]
)
def test_cost_and_budget_are_those_of_the_failures(frames: int, last: float):
    """4 · 10^5 keys drawn; exceeded less often than once in 400, and the next lower one is not."""
    failures = (0.7, 0.3, 0.1, 0.02, 2e-3, last)
    ladder = Ladder("heavy0.036-64-36x157-0", 10_048, (0, 40, 90, 150, 300, 500))
    plan = LadderPlan(ladder, frames, failures, failures, 50)
    generator = np.random.default_rng(4)
    ends = np.searchsorted(-np.array(failures), -generator.random((400_000, frames)))
    sent = np.array([50 + ladder.whole_bits + r + k + 1 for k, r in enumerate(ladder.rungs)])
    costs = np.append(sent, sent[-1] + ladder.frame_bits)[ends].sum(axis=1)
    error = 6 * costs.std() / np.sqrt(len(costs))
    assert plan.expected_bits() == pytest.approx(costs.mean(), abs=error)
    budget = plan.budget_bits(2.5e-3)
    assert (costs > budget).mean() < 2.5e-3 + 6 * np.sqrt(2.5e-3 / len(costs))
    # What discloses counts as beyond twice at the most, and bins are rounded up by a bit a frame.
    lower = np.unique(costs[costs < budget - frames])[-1]
    assert (costs > lower).mean() + frames * last > 2.5e-3 - 6 * np.sqrt(2.5e-3 / len(costs))


def test_a_ladder_that_often_ends_is_budgeted_with_disclosure():
    ladder = Ladder("light0.1-64-5x12-0", 768, (0, 100))
    plan = LadderPlan(ladder, 2, (0.5, 0.009), (0.5, 0.01), 50)
    assert plan.budget_bits(2.5e-3) == 2 * (50 + 320 + 100 + 2 + 768)


def test_needed_lengths_by_drawing_errors():
    needs = Rating(10_000, 0.036, 1.1, 0.02)
    generator = np.random.default_rng(5)
    errors = generator.binomial(10_000, 0.036, 400_000)
    entropy = np.vectorize(binary_entropy)(errors / 10_000)
    entropy_all = 10_000 * binary_entropy(0.036)
    drawn = 1.1 * 10_000 * entropy + 0.02 * entropy_all * generator.normal(size=len(errors))
    bits = entropy_all * np.array([1.0, 1.05, 1.1, 1.15, 1.2])
    found, seen = needs.short(bits), (drawn[:, np.newaxis] > bits).mean(axis=0)
    # Six standard deviations: 1e-8 for all; and bins of the number of errors.
    np.testing.assert_allclose(found, seen, atol=6 * 0.5 / np.sqrt(len(errors)) + 2e-3)


def test_budget_plans_have_a_rung_at_the_quantile():
    mean, budget = planned(10_000, 0.036, 50), planned(10_000, 0.036, 50, of_budget=2.5e-3)
    assert mean is not None
    assert budget is not None
    assert budget.budget_bits(2.5e-3) < mean.budget_bits(2.5e-3)
    assert mean.expected_bits() < budget.expected_bits()
    assert any(1e-3 < failure <= 2.5e-3 for failure in budget.cautious_failures)
    assert all(a <= b for a, b in zip(budget.failures, budget.cautious_failures, strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code": "nothing"}, "code must be"),
        ({"frame_bits": 100}, "frame_bits must be a multiple of 64"),
        (
            {"frame_bits": 13 * 64},
            "frame_bits must be a multiple of 64 that fills the code, between 768 and 768",
        ),
        ({"rungs": ()}, "rungs must be"),
        ({"rungs": (-1,)}, "rungs must be"),
        ({"rungs": (3, 3)}, "rungs must be"),
        ({"rungs": (0, 321)}, "rungs must be increasing numbers of at most 320 bits"),
    ],
)
def test_ladders_that_are_none(change: dict, message: str):
    values = {"code": SMALL.code, "frame_bits": SMALL.frame_bits, "rungs": SMALL.rungs}
    with pytest.raises(InvalidArgumentError, match=message):
        Ladder(**(values | change))


def keys(length: int, qber: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    key = generator.integers(0, 2, length, dtype=np.uint8)
    return key, key ^ (generator.random(length) < qber).astype(np.uint8)


def test_every_bit_sent_on_a_ladder_is_counted():
    reference, received = keys(10_000, 0.036, 6)
    found = reconcile(reference, received, qber=0.036, verification_bits=40)
    plan = planned(10_000, 0.036, 40)
    assert plan is not None
    assert found.code == plan.code
    rung = plan.ladder.rungs[found.attempts - 1]
    assert found.leaked_bits == 40 + plan.ladder.whole_bits + rung + found.attempts
    assert found.undetected_probability == 79 * plan.ladder.steps * 2.0**-40
    np.testing.assert_array_equal(found.corrected_bits, reference)


def test_a_word_with_another_tag_is_one_more_failed_attempt(monkeypatch: pytest.MonkeyPatch):
    """The first words that meet the syndrome are taken for wrong: the ladder goes on."""
    own_tags, calls = attempts._tags, itertools.count()

    def tags(*arguments: object) -> list[bytes]:
        true = own_tags(*arguments)
        return true if (call := next(calls)) == 0 or call > 12 else [b"other"] * len(true)

    reference, received = keys(10_000, 0.036, 7)
    early = reconcile(reference, received, qber=0.036)
    monkeypatch.setattr(attempts, "_tags", tags)
    late = reconcile(reference, received, qber=0.036)
    assert early.attempts < late.attempts == 13
    assert late.leaked_bits > early.leaked_bits
    np.testing.assert_array_equal(late.corrected_bits, reference)


def test_a_key_that_no_rung_is_enough_for_is_disclosed():
    reference, received = keys(10_000, 0.3, 8)
    found = reconcile(reference, received, qber=0.036)
    assert (found.disclosed_frames, found.is_spent) == (1, True)
    plan = planned(10_000, 0.036, 50)
    assert plan is not None
    ladder = plan.ladder
    sent = 50 + ladder.whole_bits + ladder.rungs[-1] + ladder.steps + 10_000
    assert found.leaked_bits == sent
    np.testing.assert_array_equal(found.corrected_bits, reference)


def test_long_keys_have_several_frames():
    reference, received = keys(1_600_000, 0.1, 9)
    found = reconcile(reference, received, qber=0.1, mode="efficiency", threads=2)
    assert found.frames == 2
    assert found.efficiency < 1.06
    np.testing.assert_array_equal(found.corrected_bits, reference)


def test_no_cliff_between_neighbouring_lengths():
    """What is planned for 1 % more bits never differs by more than 2 % in f."""
    for qber in (0.0144, 0.036, 0.078):
        lengths = np.geomspace(10_000, 1e7, 100)
        for length in lengths.astype(int).tolist():
            pair = (length, round(1.01 * length))
            rates = [planned(n, qber, 50).expected_bits() / n for n in pair]
            assert abs(rates[1] / rates[0] - 1) < 0.02


SHORT = Ladder("light0.12-64-5x10-1", 640, tuple(range(0, 320, 12)))
NEVER = (0.0,) * SHORT.steps


def test_a_wrong_word_that_meets_the_syndrome_has_another_tag():
    """Codes of 640 bits have words near others: the climb goes on and ends at the reference."""
    plan = LadderPlan(SHORT, 1, NEVER, NEVER, 60)
    wrong = 0
    for seed in range(150):
        reference, received = (PackedBits.from_bits(bits) for bits in keys(640, 0.12, seed))
        sent = syndromes(SHORT, deal(reference, SHORT))
        climber, met_at = Climber.of(SHORT, deal(received, SHORT), 0.12), SHORT.steps
        for step in range(SHORT.steps):
            first, last = SHORT.bits_sent(step)
            climber = climber.further(sent[:, first:last], step, 1)
            if climber.met[0]:
                met_at = step
                break
        found = attempts.on_ladder(reference, received, plan, 0.12, 1)
        assert (found.corrected ^ reference).ones == 0
        if climber.met[0] and (climber.frames.bits() ^ reference).ones:
            wrong += 1
            assert found.attempts > met_at + 1
    assert wrong > 0


@pytest.mark.parametrize("length", [1, 63, 64, 65, 127, 639, 641, 1279, 2 * 640 + 1, 5 * 640 - 63])
def test_frames_of_any_length_and_of_unequal_ones(length: int):
    plan = LadderPlan(SHORT, -(-length // 640), NEVER, NEVER, 60)
    reference, received = (PackedBits.from_bits(bits) for bits in keys(length, 0.06, length))
    found = attempts.on_ladder(reference, received, plan, 0.06, 2)
    assert len(found.corrected) == length
    assert (found.corrected ^ reference).ones == 0
    assert found.attempts >= 1


def test_one_frame_of_several_is_disclosed():
    """Word i goes to frame i mod 3; the second frame has nothing but noise."""
    length, plan = 3 * 640, LadderPlan(SHORT, 3, NEVER, NEVER, 60)
    bits, noisy = keys(length, 0.02, 1)
    noisy[np.arange(length) // 64 % 3 == 1] = np.random.default_rng(2).integers(0, 2, 640)
    reference, received = PackedBits.from_bits(bits), PackedBits.from_bits(noisy)
    found = attempts.on_ladder(reference, received, plan, 0.05, 1)
    assert found.disclosed_frames == 1
    assert (found.corrected ^ reference).ones == 0
    assert found.attempts == SHORT.steps
    assert found.leaked_bits > 3 * 60 + 640 + SHORT.whole_bits + SHORT.rungs[-1] + SHORT.steps


def test_the_table_of_needed_lengths_is_the_scripts():
    table = json.loads(RATINGS_FILE.read_text(encoding="utf-8"))
    assert tuple(table["frame_bits"]) == ladder_rating._FRAME_BITS
    assert tuple(table["qbers"]) == ladder_rating._QBERS
    efficiency, width = np.array(table["efficiency"]), np.array(table["width"])
    assert efficiency.shape == width.shape == (len(table["frame_bits"]), len(table["qbers"]))
    assert 1 < efficiency.min() < efficiency.max() < 1.6
    assert 0 < width.min() < width.max() < 0.2


def test_the_fit_finds_what_was_drawn():
    """Bits needed of 20 000 frames, known only up to a step, of which some begin too high."""
    generator = np.random.default_rng(10)
    needed = 1.1 + 0.03 * generator.normal(size=20_000)
    rungs = np.append(np.arange(1.05, 1.25, 0.01), np.inf)
    place = np.searchsorted(rungs, needed)
    least = np.where(place == 0, 0.0, rungs[place - 1])
    found = ladder_rating.Climbs(least, rungs[place], np.ones(len(place)))
    efficiency, width = ladder_rating.fitted([found])
    # Six standard errors.
    assert efficiency == pytest.approx(1.1, abs=6 * 0.03 / 20_000**0.5)
    assert width == pytest.approx(0.03, abs=6 * 0.03 / 40_000**0.5 * 1.2)


def test_budgets_are_kept():
    """Of 600 keys more than 8 beyond a budget of once in 400 have a probability of 1e-4."""
    beyond = 0
    for seed in range(600):
        reference, received = keys(2_000, 0.08, 100 + seed)
        found = reconcile(reference, received, qber=0.08, threads=1)
        np.testing.assert_array_equal(found.corrected_bits, reference)
        beyond += found.leaked_bits > found.budget_bits
    assert beyond <= 8


@pytest.mark.parametrize("qber", [0.0, 1e-300, 0.5])
def test_error_rates_that_no_decoder_works_with(qber: float):
    """A stored design may say so: decoding goes on with the nearest rate."""
    reference, received = (PackedBits.from_bits(bits) for bits in keys(640, 0.0, 3))
    sent = syndromes(SHORT, deal(reference, SHORT))
    climber = Climber.of(SHORT, deal(received, SHORT), qber)
    first, last = SHORT.bits_sent(0)
    further = climber.further(sent[:, first:last], 0, 1)
    # Where nothing received is believed, 200 iterations find nothing.
    assert further.met.all() or (qber == 0.5 and further.iterations[0] == 200)


def test_no_frames_have_no_syndromes():
    none = deal(PackedBits.from_bits(np.empty(0, np.uint8)), SHORT)
    bits = SHORT.whole_bits + 64 * SHORT.split_rows
    assert syndromes(SHORT, none).shape == (len(none), bits)


def test_larger_light_sets_are_searched_for_last():
    """A search for sets of up to 8 gives up before it meets one of 6 that one for 6 meets."""
    code = grown_code("heavy0.036-64-105x469-0")
    assert light_set(code, 6, 3) == 6
    assert get_code("heavy0.036-64-105x469").name != code.name


@pytest.mark.parametrize("length", [10_000, 100_000])
def test_more_errors_than_expected_cost_more_rungs_and_not_the_key(length: int):
    """A fifth more of them, as of devices that drift."""
    for seed in range(3):
        reference, received = keys(length, 1.2 * 0.03, seed)
        found = reconcile(reference, received, qber=0.03)
        assert found.disclosed_frames == 0
        assert found.leaked_bits < 1.3 * length * binary_entropy(1.2 * 0.03)
        np.testing.assert_array_equal(found.corrected_bits, reference)
