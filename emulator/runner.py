"""run(): a model becomes rounds, the rounds become keys, the keys are held against theory."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from emulator.report import RunReport
from emulator.sampling.emulation import EmulatedRounds, emulate
from emulator.sampling.sampler import Sampler
from emulator.sampling.stopping import StoppingRule, stopping_rule
from emulator.sampling.streams import emulated_randomness
from emulator.scenario.scenario import Scenario
from emulator.schemes.base import NoPositiveKeyRateError, ProtocolModel, check_settings_rule
from emulator.schemes.drifting import distributions_of
from emulator.theory.prediction import Prediction, predict
from postprocessing.checks import callback, file_path, instance_of, seed_number, thread_count
from postprocessing.design.design import RARE_SHARE, Design
from postprocessing.design.request import Security
from postprocessing.files.atomic import check_output_folder, write_output
from postprocessing.protocol.abort_reasons import NO_KEY_LENGTH, TOO_FEW_ROUNDS
from postprocessing.protocol.distillation import distill
from postprocessing.protocol.report import DistillationReport

ProgressCallback = Callable[[str, float | None], None]


def run(
    model: ProtocolModel,
    *,
    heralded_rounds: int | None = None,
    pulses: int | None = None,
    security: Security | None = None,
    seed: int | None = None,
    on_progress: ProgressCallback | None = None,
    threads: int | None = None,
) -> RunReport:
    """Emulate a link and distill its rounds into keys.

    Parameters
    ----------
    model : ProtocolModel
        The scheme with its parameters.
    heralded_rounds, pulses : int, optional
        Stop after this many heralded rounds, or after this many pulses: exactly one is given.
        After a number of pulses the design counts on as many heralded rounds as honest devices
        fail to yield with a thousandth of the completeness; surplus rounds are not used.
    security : Security, optional
        What is asked of the keys.
    seed : int, optional
        Seed of everything random in the run; drawn afresh by default.
    on_progress : callable, optional
        Called with the stage and its finished fraction, None where unknown.
    threads : int, optional
        Threads to work on, in [1, 1000]; by default one a processor. The results do not depend on
        it.

    Returns
    -------
    RunReport
        Keys or the reason of the abort, and the comparison with theory.

    Raises
    ------
    InvalidArgumentError
        If the stopping rule is impossible, see `emulator.sampling.stopping`, or `threads` is out
        of range, or if marks are to be announced in a scheme that does not wait for them.
    NoWorkingPointError
        If the model is to choose an intensity, but not for its key rate, and there is none.

    Examples
    --------
    >>> import diqkd
    >>> model = diqkd.EntangledCoherent(diqkd.Link(distance_km=100))
    >>> asymptotic = diqkd.Security(method="asymptotic")
    >>> run(model, heralded_rounds=200_000, security=asymptotic, seed=7).keys_match
    True
    """
    instance_of("model", model, ProtocolModel)
    progress = callback("on_progress", on_progress) or (lambda stage, fraction: None)
    rule, threads = stopping_rule(heralded_rounds, pulses), thread_count(threads)
    seed = secrets.randbits(63) if seed is None else seed_number(seed)
    security = Security() if security is None else instance_of("security", security, Security)
    check_settings_rule(model, security.settings)
    started = time.perf_counter()
    try:
        model = model.working_point()
    except NoPositiveKeyRateError as error:
        return _stopped(predict(model), seed, None, str(error), started)
    prediction, joint = predict(model), model.joint_distribution()
    rounds = designed_rounds(joint.gain, rule, security)
    if rounds == 0:
        return _stopped(prediction, seed, None, TOO_FEW_ROUNDS, started)
    design = security.design(joint, rounds)
    timings = {"design": time.perf_counter() - started}
    if design.key_length == 0:
        return _stopped(prediction, seed, design, NO_KEY_LENGTH, started)
    started_emulation = time.perf_counter()
    emulated = emulate(
        [Sampler(part, design.setting_choice, seed) for part in distributions_of(model)],
        **rule.keyword,
        threads=threads,
        on_rounds=lambda drawn: progress("emulation", min(1.0, drawn / rounds)),
    )
    timings["emulation"] = time.perf_counter() - started_emulation
    distillation = distill_emulated(emulated, design, seed, progress, threads)
    timings |= distillation.timings_s | {"total": time.perf_counter() - started}
    return RunReport.of_run(
        prediction, distillation, pulses=emulated.pulses, seed=seed, timings_s=timings
    )


def run_scenario(
    scenario: Scenario,
    *,
    out: Path | str | None = None,
    on_progress: ProgressCallback | None = None,
) -> RunReport:
    """Run a scenario, and keep its keys and its report in a folder.

    Parameters
    ----------
    scenario : Scenario
        Scheme, security, stopping rule and seed.
    out : Path or str, optional
        Folder for alice.key, bob.key and report.json, all 0600; nothing of the kind may be there.
    on_progress : callable, optional
        Called with the stage and its finished fraction, None where unknown.

    Returns
    -------
    RunReport
        As of `run`.

    Raises
    ------
    InvalidArgumentError, InputFileError
        If the scenario is impossible or the folder cannot take the files; then before the run.

    Examples
    --------
    >>> from emulator import load_scenario
    >>> choice = {"rounds": 1000, "seed": 1}
    >>> run_scenario(load_scenario("ecs-100km", choice)).abort_reason
    'no key length under this design'
    """
    instance_of("scenario", scenario, Scenario)
    model, rule = scenario.build_model(), scenario.stopping_rule()
    security = scenario.build_security()
    folder = None if out is None else file_path("out", out)
    if folder is not None:
        check_output_folder(folder)
    finished = run(model, **rule, security=security, seed=scenario.seed, on_progress=on_progress)
    report = replace(finished, scenario=scenario.model_dump(mode="json"))
    if folder is not None:
        write_output(folder, report.files())
    return report


def designed_rounds(gain: float, rule: StoppingRule, security: Security) -> int:
    """Return the number of heralded rounds that a design counts on under a stopping rule.

    Parameters
    ----------
    gain : float
        Probability that a pulse is heralded, in (0, 1].
    rule : HeraldedRounds or Pulses
        When the run stops.
    security : Security
        What is asked of the keys.

    Returns
    -------
    int
        Possibly 0, where a number of pulses is too small.

    Raises
    ------
    InvalidArgumentError
        If the stopping rule is impossible, see `emulator.sampling.stopping`.
    """
    rule.check(gain)
    return rule.rounds_to_count_on(gain, security.completeness * RARE_SHARE)


def distill_emulated(
    emulated: EmulatedRounds,
    design: Design,
    seed: int,
    on_progress: ProgressCallback | None = None,
    threads: int | None = None,
) -> DistillationReport:
    """Distill emulated rounds, with the parties' randomness taken from the run's own streams.

    Parameters
    ----------
    emulated : EmulatedRounds
        Both parties' halves.
    design : Design
        The frozen design.
    seed : int
        Seed of the run.
    on_progress : callable, optional
        Called with the stage and None.
    threads : int, optional
        Threads to work on, as in `run`.

    Returns
    -------
    DistillationReport
        Keys or the reason of the abort.
    """
    progress = on_progress or (lambda stage, fraction: None)
    return distill(
        emulated.alice,
        emulated.bob,
        design,
        alice_randomness=emulated_randomness("alice", seed),
        bob_randomness=emulated_randomness("bob", seed),
        on_stage=lambda stage: progress(stage, None),
        threads=threads,
    )


def _stopped(
    prediction: Prediction, seed: int, design: Design | None, reason: str, started: float
) -> RunReport:
    """Report a run that was given up before its quantum phase."""
    distillation = DistillationReport.of(design, reason)
    timings = {"total": time.perf_counter() - started}
    return RunReport.of_run(prediction, distillation, pulses=0, seed=seed, timings_s=timings)
