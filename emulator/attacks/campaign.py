"""An attack on a link: one run of the whole pipeline, and how often many runs pass the test."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass

from emulator.attacks.attack import Target
from emulator.attacks.catalogue import attack_named
from emulator.attacks.trial import play, play_tallies
from emulator.scenario.scenario import Scenario
from postprocessing.checks import callback, instance_of, whole_number
from postprocessing.errors import InvalidArgumentError

_MOST_RUNS = 10**6


@dataclass(frozen=True)
class AttackReport:
    """What the pipeline did to devices that cheat.

    Parameters
    ----------
    attack, summary : str
        Name of the attack, and what the devices do.
    broken_assumption : str or None
        The assumption of the security claim that it breaks.
    unknown_to_eavesdropper : str
        What the eavesdropper cannot know of a key round.
    expected_chsh, expected_qber : float
        Of the heralded rounds.
    seed : int
        Of everything; run k of the many has `seed` + 1 + k.
    outcome : str
        "key", or the reason of the abort of the whole run.
    key_length : int
        Bits of its key.
    extractable_bits : float
        What the eavesdropper cannot know of its raw key.
    is_sound : bool
        Whether the key is no longer than that.
    runs : int
        Runs whose counts alone were drawn.
    ends : dict of str to int
        How often they ended in which way.
    unsound_runs : int
        How many of them would have had too long a key.

    Examples
    --------
    >>> import diqkd
    >>> scenario = diqkd.load_scenario("ecs-100km", {"rounds": 10**6, "soundness": 1e-3, "seed": 1})
    >>> diqkd.run_attack("told-marks", scenario, runs=0).is_sound
    False
    """

    attack: str
    summary: str
    broken_assumption: str | None
    unknown_to_eavesdropper: str
    expected_chsh: float
    expected_qber: float
    seed: int
    outcome: str
    key_length: int
    extractable_bits: float
    is_sound: bool
    runs: int
    ends: dict[str, int]
    unsound_runs: int

    def to_dict(self) -> dict[str, object]:
        """Return the fields as JSON values."""
        return asdict(self)


def run_attack(
    name: str,
    scenario: Scenario,
    *,
    runs: int = 1000,
    on_progress: Callable[[str, float | None], None] | None = None,
) -> AttackReport:
    """Attack a link.

    Parameters
    ----------
    name : str
        Of the attack, one of `emulator.attacks.ATTACKS`.
    scenario : Scenario
        The honest link with its security, and the number of heralded rounds.
    runs : int
        Runs whose counts alone are drawn, in [0, 10⁶].
    on_progress : callable, optional
        Called with the stage and None.

    Returns
    -------
    AttackReport
        The same for the same seed.

    Raises
    ------
    InvalidArgumentError
        If there is no such attack, it is not one on this scheme, `runs` is out of range, or the
        scenario stops after pulses.

    Examples
    --------
    >>> from emulator import load_scenario
    >>> scenario = load_scenario("ecs-100km", {"rounds": 10**6, "soundness": 1e-3, "seed": 1})
    >>> run_attack("fixed-answers", scenario, runs=10).ends
    {'too many lost tests': 10}
    """
    attack = attack_named(name)
    instance_of("scenario", scenario, Scenario)
    runs = whole_number("runs", runs, 0, _MOST_RUNS)
    progress = callback("on_progress", on_progress) or (lambda stage, fraction: None)
    rounds = scenario.stopping_rule().get("heralded_rounds")
    if rounds is None:
        raise InvalidArgumentError("rounds", None, "given: attacks are made on heralded rounds")
    model = scenario.build_model().working_point()
    seed = secrets.randbits(63) if scenario.seed is None else scenario.seed
    target = Target(model, scenario.build_security().design(model, rounds))
    chsh, qber = attack.expected(target, seed)
    progress("one whole run", None)
    trial = play(attack, target, seed)
    progress("counts of many", None)
    many = [play_tallies(attack, target, seed + 1 + i) for i in range(runs)]
    return AttackReport(
        attack=attack.name,
        summary=attack.summary,
        broken_assumption=attack.broken_assumption,
        unknown_to_eavesdropper=attack.entropy,
        expected_chsh=chsh,
        expected_qber=qber,
        seed=seed,
        outcome=trial.end,
        key_length=trial.key_length,
        extractable_bits=trial.extractable_bits,
        is_sound=trial.is_sound,
        runs=runs,
        ends=dict(Counter(one.end for one in many)),
        unsound_runs=sum(not one.is_sound for one in many),
    )
