"""All attacks by name."""

from __future__ import annotations

from emulator.attacks import adaptive, broken, charlie, local, partly_quantum
from emulator.attacks.attack import Attack, Conduct, Target, steady
from postprocessing.checks import one_of
from postprocessing.security.assumptions import ASSUMPTIONS

_KNOWN = "0: the answers are fixed by randomness that the eavesdropper has"
_ALL_LIGHT = "held by whoever has all the light"


def _assumption(beginning: str) -> str:
    """Return the assumption of the security claim that begins so."""
    (found,) = (text for text in ASSUMPTIONS if text.startswith(beginning))
    return found


def _honest(target: Target, seed: int) -> Conduct:
    """Do nothing wrong."""
    return steady(target.model.joint_distribution(), 1.0, target)


_ALL = (
    Attack("none", "honest devices, to compare with", "at most 1 bit a key round", None, _honest),
    Attack(
        "fixed-answers", "classical, always the same answers", _KNOWN, None, local.fixed_answers
    ),
    Attack(
        "mixed-answers",
        "classical, a mixture of all strategies of S = 2 and QBER 0",
        _KNOWN,
        None,
        local.mixed_answers,
    ),
    Attack(
        "honest-qber",
        "classical, the best S there is (2) at the QBER of honest devices",
        _KNOWN,
        None,
        local.answers_at_honest_qber,
    ),
    Attack(
        "mixture",
        "ideal or classical from round to round, honest S on average",
        "the share (S − 2)/(2√2 − 2) of ideal rounds, 1 bit each",
        None,
        partly_quantum.mixture,
    ),
    Attack(
        "turns-classical",
        "ideal at first, classical later, honest S on average",
        "1 bit for each key round before the turn, 0 after it",
        None,
        partly_quantum.turns_classical,
    ),
    Attack(
        "memory",
        "ideal or classical for long stretches, honest S in expectation",
        "1 bit for each key round of an ideal stretch, 0 in the others",
        None,
        partly_quantum.moody,
    ),
    Attack(
        "optimal-collective",
        "in each round the state that gives away most at honest S",
        "1 − h((1 + √(S²/4 − 1))/2) a key round, to first order in their number",
        None,
        partly_quantum.optimal_collective,
    ),
    Attack(
        "adaptive",
        "classical whenever the score so far allows it, ideal otherwise",
        "1 bit for each key round of an ideal stretch, 0 in the others",
        None,
        adaptive.keeps_the_score,
    ),
    Attack(
        "adaptive-collective",
        "the state that gives away most, of more or less S as the score so far demands",
        "1 − h((1 + √(S²/4 − 1))/2) a key round at the S of its stretch, to first order",
        None,
        adaptive.leans_by_the_score,
    ),
    Attack(
        "charlie-at-will",
        "Charlie announces by the toss of a coin and keeps the light",
        f"1 − h((1 − e^(−2μ))/2) a key round, {_ALL_LIGHT}",
        None,
        charlie.announces_at_will,
    ),
    Attack(
        "charlie-by-light",
        "Charlie identifies both lights and announces where he succeeds",
        "0: he knows both spins",
        None,
        charlie.announces_by_the_light,
    ),
    Attack(
        "fibre-tap",
        "a beam splitter keeps what an honest fibre and detector lose",
        "H(B1 | herald, lost light) a key round, to first order in their number",
        None,
        charlie.taps_the_fibre,
    ),
    Attack(
        "told-marks",
        "Charlie is told which rounds are tests, and is ideal in those only",
        "0: he chooses the key bits",
        _assumption("Settings, coins and outcomes stay inside"),
        broken.told_test_marks,
    ),
    Attack(
        "biased-settings",
        "fixed answers that lose what Alice's generator takes too rarely",
        _KNOWN,
        _assumption("Settings, thinning coins, noise bits and hash seeds are fresh"),
        broken.biased_settings,
    ),
)

ATTACKS: dict[str, Attack] = {attack.name: attack for attack in _ALL}


def attack_named(name: str) -> Attack:
    """Return an attack.

    Raises
    ------
    InvalidArgumentError
        If there is none of that name.
    """
    return ATTACKS[one_of("attack", name, ATTACKS)]
