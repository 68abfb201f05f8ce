"""Attacks: their statistics, what they leave unknown, and what the pipeline makes of them."""

from __future__ import annotations

import json
import math

import attacks
import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from emulator import BellState, EntangledCoherent, Link, Sampler, emulate
from emulator.attacks import ATTACKS, Target, attack_named, play, play_tallies
from emulator.attacks.adaptive import STRETCHES, surplus_share
from emulator.attacks.attack import Conduct, Score
from emulator.attacks.broken import BiasedSettings
from emulator.attacks.local import answers, table_of
from emulator.attacks.partly_quantum import classical_part, quantum_share, quantum_table
from emulator.attacks.trial import PASSED, decide
from emulator.cli.app import app
from emulator.runner import distill_emulated
from postprocessing import ExpectedValues, InvalidArgumentError, LocalSettings, Security
from postprocessing.protocol.messages import FrameStatus
from postprocessing.security import binary_entropy

FALSE_ALARM = 1e-6
WITHIN = [name for name, attack in ATTACKS.items() if attack.broken_assumption is None]
CLASSICAL = ("fixed-answers", "mixed-answers", "honest-qber")
MODEL = EntangledCoherent(Link(distance_km=100))


@pytest.fixture(scope="module")
def target():
    """100 km and as many rounds as give a key; counts alone cost nothing."""
    return Target(MODEL, Security(soundness=1e-6).design(MODEL, 4_000_000))


@pytest.fixture(scope="module")
def small():
    """Few rounds under the asymptotic length, for whole runs."""
    return Target(MODEL, Security(method="asymptotic").design(MODEL, 300_000))


def test_all_strategies_of_the_game():
    """Of the 32 local strategies, 8 of the 16 for the game have S = 2, each with its own A0."""
    best = answers(MODEL.bell_scheme)
    assert len(best) == len(set(best)) == 8


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_devices_reach_the_local_bound(target, name):
    chsh, qber = ATTACKS[name].expected(target)
    assert chsh == pytest.approx(2.0, abs=1e-12)
    expected = target.design.expected_qber if name == "honest-qber" else 0.0
    assert qber == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("name", ["mixture", "turns-classical", "optimal-collective", "fibre-tap"])
def test_subtle_devices_look_honest(target, name):
    chsh, _ = ATTACKS[name].expected(target)
    assert chsh == pytest.approx(target.design.expected_chsh, abs=1e-3)


def test_devices_with_moods_look_honest_in_expectation(target):
    values = [ATTACKS["memory"].expected(target, seed)[0] for seed in range(300)]
    standard_error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values) - target.design.expected_chsh) < 5 * standard_error


def _entropy(name: str, target: Target) -> float:
    parts = ATTACKS[name].conduct(target, 0).parts
    return float(np.mean([part.entropy for part in parts]))


@pytest.mark.parametrize("chsh", [2.1, 2.4, 2.6, 2.82])
def test_no_attack_leaves_less_than_the_bound_of_its_chsh_value(chsh):
    """The bound is Acín et al.'s, reached by the optimal state; convex mixtures leave more."""
    expected = ExpectedValues(MODEL.bell_scheme, chsh, 0.01)
    target = Target(MODEL, Security(method="asymptotic").design(expected, 10**6))
    bound = 1 - float(binary_entropy((1 + math.sqrt(chsh**2 / 4 - 1)) / 2))
    assert _entropy("optimal-collective", target) == pytest.approx(bound, rel=1e-9)
    assert _entropy("mixture", target) == pytest.approx((chsh - 2) / (2 * math.sqrt(2) - 2))
    assert _entropy("mixture", target) > bound
    assert _entropy("turns-classical", target) == pytest.approx(quantum_share(target), abs=2e-3)


def test_optimal_state_by_its_density_matrix(target):
    """Alice, Bob and the purification as vectors: correlators, and the entropy of B1."""
    chsh = target.design.expected_chsh
    coherence = math.sqrt(chsh**2 / 4 - 1)
    weights = np.sqrt([(1 + coherence) / 2, (1 - coherence) / 2])
    phi = np.array([[1, 0, 0, 1], [1, 0, 0, -1]]) / math.sqrt(2)
    state = np.einsum("e,eq->qe", weights, phi).reshape(2, 2, 2)
    z, x = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
    norm = math.hypot(1, coherence)
    alice = [z, (z - coherence * x) / norm, (z + coherence * x) / norm]
    joint = ATTACKS["optimal-collective"].conduct(target, 0).parts[0].devices
    correlators = [
        [np.einsum("abe,ac,bd,cde->", state, one, other, state) for other in (z, x)]
        for one in alice
    ]
    assert np.allclose(joint.correlators, correlators, atol=1e-12)
    # Bob's z outcome leaves the eavesdropper with one of two operators.
    left = [np.einsum("ae,af->ef", state[:, bit], state[:, bit]) for bit in (0, 1)]

    def entropy(operator):
        values = np.linalg.eigvalsh(operator)
        return -sum(value * math.log2(value) for value in values if value > 1e-15)

    given = sum(entropy(operator) for operator in left) - entropy(left[0] + left[1])
    assert _entropy("optimal-collective", target) == pytest.approx(given, rel=1e-9)


@pytest.mark.parametrize("photons", [0.02, 0.09])
def test_what_a_tap_leaves_unknown(photons):
    """Without dark counts both lost lights agree: 1 − h((1 − e^(−4(1 − η)μ))/2)."""
    link = Link(distance_km=100, dark_count_probability=0.0)
    model = EntangledCoherent(link, photons)
    target = Target(model, Security(method="asymptotic").design(model, 10**6))
    overlap = math.exp(-4 * (1 - link.arm_transmittance) * photons)
    expected = 1 - float(binary_entropy((1 - overlap) / 2))
    assert _entropy("fibre-tap", target) == pytest.approx(expected, rel=1e-9)
    assert _entropy("fibre-tap", target) > _entropy("optimal-collective", target)


def test_a_charlie_who_measures_the_light(target):
    """Product states of known spins: perfect key bits, S = √2, honest herald rate."""
    part = ATTACKS["charlie-by-light"].conduct(target, 0).parts[0]
    honest = MODEL.joint_distribution()
    assert part.devices.chsh == pytest.approx(math.sqrt(2))
    assert part.devices.qber == pytest.approx(0.0, abs=1e-15)
    assert part.devices.gain == pytest.approx(honest.gain)
    assert part.entropy == 0


@pytest.mark.parametrize("name", ["charlie-at-will", "charlie-by-light"])
def test_charlie_cannot_change_what_the_spins_do_alone(target, name):
    """Summed over announcements, outcomes are those of the honest scheme."""
    devices = ATTACKS[name].conduct(target, 0).parts[0].devices
    honest = MODEL.joint_distribution()
    assert np.allclose(
        devices.probabilities.sum(axis=2), honest.probabilities.sum(axis=2), atol=1e-12
    )


def test_a_biased_generator_changes_one_choice_only():
    plain = LocalSettings(0.1, 0.2)
    biased = BiasedSettings(0.1, 0.2, second_share=0.3)
    assert biased.choice(MODEL.bell_scheme, "alice") == pytest.approx([0.9, 0.07, 0.03])
    same = plain.choice(MODEL.bell_scheme, "bob")
    assert biased.choice(MODEL.bell_scheme, "bob") == pytest.approx(same)


@pytest.mark.parametrize("name", WITHIN)
def test_keys_fit_into_what_is_unknown(target, name):
    """Counts of 40 runs."""
    trials = [play_tallies(ATTACKS[name], target, seed) for seed in range(40)]
    assert all(trial.is_sound for trial in trials)
    passed = sum(trial.key_length > 0 for trial in trials)
    if name in (*CLASSICAL, "charlie-at-will", "charlie-by-light"):
        assert passed == 0
    else:
        assert passed > 5


@pytest.mark.parametrize("name", list(ATTACKS))
def test_whole_runs_end_as_they_must(name):
    """The short form of tests/acceptance/attacks.py: three runs of the whole pipeline."""
    rounds = attacks.LEAST_ROUNDS["renyi"]
    trials = attacks.some_trials(name, "renyi", rounds, range(3))
    assert attacks.as_expected(name, attacks.target_of("renyi", rounds), trials)
    unknown = all(trial.extractable_bits == 0 for trial in trials)
    made = any(trial.end == "key" for trial in trials)
    assert made == (name == "told-marks" or not (unknown or name == "charlie-at-will"))


def test_a_broken_assumption_gives_the_key_away(target):
    trials = [play_tallies(ATTACKS["told-marks"], target, seed) for seed in range(40)]
    assert sum(not trial.is_sound for trial in trials) > 30
    assert {trial.extractable_bits for trial in trials} == {0.0}


def test_a_biased_generator_is_seen_in_the_announcements(target, small):
    """By counts and in whole runs, before any outcome is announced."""
    attack = ATTACKS["biased-settings"]
    trials = [*(play_tallies(attack, target, seed) for seed in range(40)), play(attack, small, 1)]
    assert {(trial.end, trial.key_length) for trial in trials} == {("settings not as designed", 0)}


def test_a_slight_bias_is_not_seen_by_anybody(target):
    """Within the quantiles of honest settings: what remains of the assumption."""
    plain = target.setting_choice
    tests = (plain.corrector_test_probability, plain.reference_test_probability)
    slight = BiasedSettings(*tests, second_share=0.5 + 1e-4)
    mean = target.design.heralded_rounds * slight.pair_law(target.scheme)
    assert target.design.settings_as_designed(np.round(mean).astype(np.int64))


def test_honest_devices_abort_as_rarely_as_promised(target):
    trials = [play_tallies(ATTACKS["none"], target, seed) for seed in range(300)]
    aborts = sum(trial.key_length == 0 for trial in trials)
    promised = target.design.predicted_abort_probability
    assert stats.binomtest(aborts, 300, promised, alternative="greater").pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    "name", ["turns-classical", "adaptive", "adaptive-collective", "charlie-by-light", "told-marks"]
)
def test_counts_agree_with_whole_runs(small, name):
    """Tests, lost tests and unknown bits of a whole run are typical of those drawn as counts."""
    whole = play(ATTACKS[name], small, 5)
    many = [play_tallies(ATTACKS[name], small, seed) for seed in range(60)]
    for value, values in (
        (whole.tally.rounds, [trial.tally.rounds for trial in many]),
        (whole.tally.lost, [trial.tally.lost for trial in many]),
        (whole.extractable_bits, [trial.extractable_bits for trial in many]),
    ):
        spread = np.std(values)
        assert abs(value - np.mean(values)) <= 7 * spread
    assert (whole.key_length > 0) == (name != "charlie-by-light")


@pytest.mark.parametrize(
    ("method", "rounds"),
    [
        ("tan22", 2_000_000),
        ("renyi", 300_000),
        ("renyi_fixed", 600_000),
    ],
)
def test_counts_decide_as_the_pipeline_does(method, rounds):
    """The same records, on both sides of the threshold: the same end, and no shorter key."""
    design = Security(soundness=1e-6, method=method).design(MODEL, rounds)
    target = Target(MODEL, design)
    classical = classical_part(target).devices.heralded()
    heralded = target.heralding(quantum_table(1.0, 1.0)).heralded()
    ends = set()
    for seed, chsh in enumerate(np.linspace(2.2, 2.6, 9)):
        share = (chsh - 2) / (2 * math.sqrt(2) - 2)
        mixed = share * heralded + (1 - share) * classical
        devices = target.heralding(mixed.sum(axis=2))
        emulated = emulate(
            Sampler(devices, target.setting_choice, seed), heralded_rounds=rounds, threads=2
        )
        report = distill_emulated(emulated, design, seed, threads=2)
        end, length = decide(design, report.key_rounds, report.tally)
        assert ("key" if end == PASSED else end) == (report.abort_reason or "key")
        assert length == report.key_length
        ends.add(end)
    # Lengths of "renyi" run down to nothing, and only far below to a lost test.
    assert ends > {PASSED}


def test_frames_that_fail_only_shorten_a_key():
    """At more errors than expected: the counts promise no less than the pipeline gives."""
    expected = ExpectedValues(MODEL.bell_scheme, 2.7, 0.02)
    design = Security(soundness=1e-6, method="renyi").design(expected, 300_000)
    target = Target(MODEL, design)
    # A QBER of 2.6 %.
    table = quantum_table(1.0, 1.0) * 0.948 + 0.013
    emulated = emulate(
        Sampler(target.heralding(table), target.setting_choice, 3), heralded_rounds=300_000
    )
    report = distill_emulated(emulated, design, 3)
    end, length = decide(design, report.key_rounds, report.tally)
    assert (end, report.abort_reason) == (PASSED, None)
    assert report.transcript.leaked_by(FrameStatus) > report.frames
    assert length > report.key_length > 0


@pytest.mark.parametrize("name", ["adaptive", "adaptive-collective"])
def test_devices_with_a_memory_leave_chance_to_the_coins(target, name):
    """Tests lost: on course in the mean, and spread as the coins of surplus rounds alone."""
    planned, runs = ATTACKS[name].conduct(target, 0).parts[0].devices, 100
    tests = target.design.heralded_rounds * target.setting_choice.round_probabilities.test
    aim = tests * (4 - planned.chsh) / 8
    coins = aim * surplus_share(planned) * (1 - target.setting_choice.thinning_probability)
    lost = [play_tallies(ATTACKS[name], target, seed).tally.lost for seed in range(runs)]
    # Steering is as coarse as a stretch.
    coarse = 2 * aim / STRETCHES
    assert abs(np.mean(lost) - aim) < 5 * math.sqrt(coins / runs) + coarse
    bounds = stats.chi2.ppf([FALSE_ALARM, 1 - FALSE_ALARM], runs - 1) / (runs - 1)
    assert bounds[0] * coins < np.var(lost, ddof=1) < bounds[1] * (coins + coarse**2 / 4)
    # Rounds that are independent would spread three times as much.
    assert np.var(lost, ddof=1) < aim / 3


def test_surplus_rounds_share_the_losses_of_their_pairs():
    """Fixed answers lose one pair, which is B2's or B1's; the ideal state loses all alike."""
    target = Target(MODEL, Security(method="asymptotic").design(MODEL, 300_000))
    assert surplus_share(target.heralding(quantum_table(1.0, 1.0))) == pytest.approx(0.5)
    shares = {
        surplus_share(target.heralding(table_of(*both))) for both in answers(MODEL.bell_scheme)
    }
    assert shares == {0.0, 1.0}


def test_memory_decides_stretch_by_stretch(target):
    """Behind its course a device is ideal, ahead of it classical; planned is the mixture."""
    conduct = ATTACKS["adaptive"].conduct(target, 0)
    tests = target.design.heralded_rounds * target.setting_choice.round_probabilities.test
    chsh, _ = ATTACKS["adaptive"].expected(target)
    aim = tests * (4 - chsh) / 8
    behind = conduct.adapted(conduct.parts[0], Score(0.5, aim / 2 + 1))
    ahead = conduct.adapted(conduct.parts[0], Score(0.5, aim / 2 - 1))
    assert (behind.entropy, ahead.entropy) == (1.0, 0.0)
    assert (behind.devices.chsh, ahead.devices.chsh) == pytest.approx((2 * math.sqrt(2), 2))
    # Closer to the threshold than honest devices dare to be, and not beyond.
    assert 2 < chsh < target.design.expected_chsh
    assert aim < target.design.tolerated_test_losses


def test_devices_that_come_again_are_the_same(small):
    conduct = ATTACKS["turns-classical"].conduct(small, 0)
    assert isinstance(conduct, Conduct)
    assert len({id(part.devices) for part in conduct.parts}) == 2
    assert isinstance(Sampler(conduct.parts[0].devices, conduct.setting_choice, 0), Sampler)


def test_attacks_need_their_scheme(small):
    with pytest.raises(InvalidArgumentError, match="attack must be one of none, fixed-answers"):
        attack_named("magic")
    bell = BellState(Link(distance_km=10))
    other = Target(bell, Security(method="asymptotic").design(bell, 300_000))
    with pytest.raises(InvalidArgumentError, match="scheme must be ecs, whose light Charlie has"):
        ATTACKS["fibre-tap"].conduct(other, 0)
    assert ATTACKS["fixed-answers"].expected(other)[0] == pytest.approx(2.0)


def test_command():
    options = ("--security", "asymptotic", "--rounds", "3e5", "--seed", "3", "--runs", "20")
    result = CliRunner().invoke(app, ["attack", "fixed-answers", "ecs-100km", *options, "--json"])
    assert result.exit_code == 3
    values = json.loads(result.stdout)
    assert (values["outcome"], values["key_length"]) == ("too many lost tests", 0)
    assert values["ends"] == {"too many lost tests": 20}
    result = CliRunner().invoke(app, ["attack", "told-marks", *options])
    assert result.exit_code == 0
    assert "broken assumption: Settings, coins and outcomes stay inside" in result.stdout
    assert "is sound: False" in result.stdout
    listed = CliRunner().invoke(app, ["attack", "list"]).stdout
    assert all(name in listed for name in ATTACKS)
    assert CliRunner().invoke(app, ["attack", "none", "--pulses", "1e6"]).exit_code == 2


@pytest.mark.parametrize("name", ["mixture", "optimal-collective"])
@pytest.mark.parametrize("method", ["eat_rpa", "renyi_weighted"])
def test_attacks_score_as_honest_devices_by_the_weights_of_a_design(name: str, method: str) -> None:
    """What lost tests weigh is the same; of a mixture both parts of S are."""
    design = Security(soundness=1e-6, method=method).design(MODEL, 1_000_000)
    target = Target(MODEL, design)
    assert target.weight != pytest.approx(1, abs=1e-3)
    devices = ATTACKS[name].conduct(target, 0).parts[0].devices
    honest = MODEL.joint_distribution()
    weighed = target.weighted_chsh(devices.chsh, devices.chsh_at_key_setting)
    assert weighed == pytest.approx(target.honest_weighted_chsh, abs=1e-9)
    if name == "mixture":
        assert devices.chsh_at_key_setting == pytest.approx(honest.chsh_at_key_setting, abs=1e-9)
        assert devices.chsh == pytest.approx(honest.chsh, abs=1e-9)
