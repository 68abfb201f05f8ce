"""The way of a laboratory, one call a step: the design before, rounds to files, files to keys."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from emulator.runner import designed_rounds
from emulator.sampling.emulation import emulate
from emulator.sampling.sampler import Sampler
from emulator.sampling.stopping import stopping_rule
from emulator.sampling.streams import emulated_randomness
from emulator.scenario.scenario import Scenario
from emulator.schemes.drifting import distributions_of
from postprocessing.checks import (
    callback,
    file_path,
    flag,
    instance_of,
    one_of,
    seed_number,
    thread_count,
)
from postprocessing.design.design import Design
from postprocessing.design.request import ExpectedValues
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.atomic import all_or_none, check_output_folder, write_output
from postprocessing.files.designs import is_emulated, read_design, write_design
from postprocessing.files.lab_report import Exploration, LabReport
from postprocessing.files.layout import Layout, layout_of
from postprocessing.files.records import read_records, write_records
from postprocessing.files.validation import validate
from postprocessing.network.spent_records import SpentRecords
from postprocessing.protocol.distillation import distill
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.protocol.terms import no_secret
from postprocessing.records import PartyRecord
from postprocessing.scheme import Party

FileFormat = Literal["parquet", "csv", "npz", "h5"]
ProgressCallback = Callable[[str, float | None], None]


@dataclass(frozen=True)
class EmulatedFiles:
    """What `emulate_to` has written.

    Parameters
    ----------
    design : Design
        The design that the rounds fall under.
    pulses, heralded_rounds : int
        Emitted pulses, and those of them that were heralded.
    seed : int
        Seed of the emulation.

    Examples
    --------
    >>> import tempfile
    >>> import diqkd
    >>> scenario = diqkd.load_scenario("ecs-100km", {"rounds": 500, "seed": 1})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     diqkd.emulate_to(folder, scenario)
    EmulatedFiles(pulses=34662, heralded_rounds=500, seed=1)
    """

    design: Design = field(repr=False)
    pulses: int
    heralded_rounds: int
    seed: int


def design_for(scenario: Scenario, layout: Layout | Path | str | None = None) -> Design:
    """Fix everything that decides security, before any data.

    Parameters
    ----------
    scenario : Scenario
        Theory of the link, what is asked of the keys, and the stopping rule.
    layout : Layout or path of a TOML file, optional
        The laboratory's settings and heralds, in place of the scheme's; theory then says only what
        CHSH value and QBER to expect.

    Returns
    -------
    Design
        The frozen design; its key length is 0 where no key can come of it.

    Raises
    ------
    InvalidArgumentError
        If the stopping rule is impossible, or too few pulses for a heralded round.
    InputFileError
        If the layout cannot be read.

    Examples
    --------
    >>> from emulator import load_scenario
    >>> choice = {"rounds": 10**7, "security": "asymptotic"}
    >>> design_for(load_scenario("ecs-100km", choice)).heralded_rounds
    10000000
    """
    instance_of("scenario", scenario, Scenario)
    lab = None if layout is None else layout_of(None, layout)
    security = scenario.build_security()
    joint = scenario.build_model().working_point().joint_distribution()
    rounds = designed_rounds(joint.gain, stopping_rule(**scenario.stopping_rule()), security)
    if rounds == 0:
        raise InvalidArgumentError("pulses", scenario.pulses, "enough for a heralded round")
    if lab is None:
        return security.design(joint, rounds)
    return security.design(ExpectedValues(lab.bell_scheme(), joint.chsh, joint.qber), rounds)


def emulate_to(
    folder: Path | str,
    scenario: Scenario,
    *,
    file_format: FileFormat = "parquet",
    joint: bool = False,
    on_progress: ProgressCallback | None = None,
) -> EmulatedFiles:
    """Emulate the quantum phase alone, and write each party's rounds and their design.

    Parameters
    ----------
    folder : Path or str
        Where alice.* and bob.*, or rounds.*, and design.json go; none of them may be there.
    scenario : Scenario
        Scheme, security, stopping rule and seed.
    file_format : {"parquet", "csv", "npz", "h5"}
        Of the rounds.
    joint : bool
        One file of both parties' rounds instead of one a party.
    on_progress : callable, optional
        Called with the stage and None.

    Returns
    -------
    EmulatedFiles
        The design, and how many rounds there are.

    Raises
    ------
    InvalidArgumentError, InputFileError
        If the scenario is impossible or the folder cannot take the files.

    Examples
    --------
    >>> import tempfile
    >>> from emulator import load_scenario
    >>> scenario = load_scenario("ecs-100km", {"rounds": 500, "seed": 1})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     emulate_to(folder, scenario, file_format="csv").heralded_rounds
    500
    """
    instance_of("scenario", scenario, Scenario)
    one_of("file_format", file_format, get_args(FileFormat))
    out = file_path("folder", folder)
    progress = callback("on_progress", on_progress) or (lambda stage, fraction: None)
    parties = ["rounds"] if flag("joint", joint) else ["alice", "bob"]
    names = [*(f"{party}.{file_format}" for party in parties), "design.json"]
    check_output_folder(out, names)
    design = design_for(scenario)
    seed = secrets.randbits(63) if scenario.seed is None else scenario.seed
    rule, model = scenario.stopping_rule(), scenario.build_model().working_point()
    progress("emulation", None)
    rounds = emulate(
        [Sampler(part, design.setting_choice, seed) for part in distributions_of(model)],
        heralded_rounds=rule.get("heralded_rounds"),
        pulses=rule.get("pulses"),
        threads=thread_count(None),
    )
    progress("files", None)
    both: dict[Party, PartyRecord] = {"alice": rounds.alice, "bob": rounds.bob}
    parts = {"rounds": both} if joint else {name: {name: both[name]} for name in both}
    with all_or_none([out / name for name in names]):
        for name, records in parts.items():
            write_records(out / f"{name}.{file_format}", design.scheme, records)
        write_design(out / "design.json", design, emulated=True)
    return EmulatedFiles(design, rounds.pulses, len(rounds), seed)


def explore_files(*files: Path | str, layout: Layout | Path | str | None = None) -> Exploration:
    """Say what recorded rounds look like, without a key: no design was there before them.

    Parameters
    ----------
    *files : Path or str
        One joint file, or Alice's and Bob's.
    layout : Layout or path of a TOML file
        What their columns mean.

    Returns
    -------
    Exploration
        Estimates, tests and warnings, and the key that devices of these values might give.

    Raises
    ------
    InvalidArgumentError
        If there is no layout.
    InputFileError
        If a file cannot be read, or the two are not of the same rounds.

    Examples
    --------
    >>> import tempfile
    >>> import diqkd
    >>> scenario = diqkd.load_scenario("ecs-100km", {"rounds": 500, "seed": 1})
    >>> layout = Layout.of(design_for(scenario).scheme)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = emulate_to(folder, scenario, file_format="csv", joint=True)
    ...     explore_files(f"{folder}/rounds.csv", layout=layout)
    Exploration(500 heralded rounds, S ..., QBER 0.0)
    """
    described = layout_of(None, layout)
    alice, bob = _halves(files, described)
    return Exploration(validate(alice, bob, described.bell_scheme()))


def distill_files(
    *files: Path | str,
    design: Path | str,
    layout: Layout | Path | str | None = None,
    out: Path | str | None = None,
    seed: int | None = None,
    threads: int | None = None,
    on_progress: ProgressCallback | None = None,
) -> LabReport:
    """Distill recorded rounds into keys, under a design made before they were recorded.

    The security statement is for one run on a block of rounds: of several, use the keys of one. A
    block whose secret keys are kept is marked beside its first file, and warned of from then on.

    Parameters
    ----------
    *files : Path or str
        One joint file, or Alice's and Bob's: .parquet, .csv, .npz or .h5.
    design : Path or str
        File of the design.
    layout : Layout or path of a TOML file, optional
        Columns and their values; by default those that `emulate_to` writes.
    out : Path or str, optional
        Folder for alice.key, bob.key and report.json; nothing of the kind may be there.
    seed : int, optional
        Of coins and hash seeds, for emulated rounds: the keys are then worthless.
    threads : int, optional
        Threads to work on, in [1, 1000]; by default one a processor.
    on_progress : callable, optional
        Called with the stage and None.

    Returns
    -------
    LabReport
        Keys or the reason of the abort, and what the rounds look like.

    Raises
    ------
    InputFileError
        If a file cannot be read, the two are not of the same rounds, or the folder is taken.
    InvalidArgumentError
        If the layout is not of the design's settings.

    Examples
    --------
    >>> import tempfile
    >>> from emulator import load_scenario
    >>> scenario = load_scenario("ecs-100km", {"rounds": 500, "seed": 1})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = emulate_to(folder, scenario, file_format="npz", joint=True)
    ...     report = distill_files(f"{folder}/rounds.npz", design=f"{folder}/design.json")
    >>> report.abort_reason
    'no key length under this design'
    """
    progress = callback("on_progress", on_progress) or (lambda stage, fraction: None)
    threads = thread_count(threads)
    seed = None if seed is None else seed_number(seed)
    made = file_path("design", design)
    given, emulated = read_design(made), is_emulated(made)
    described = layout_of(given.scheme, layout)
    folder = None if out is None else file_path("out", out)
    if folder is not None:
        check_output_folder(folder)
    progress("files", None)
    alice, bob = _halves(files, described)
    progress("validation", None)
    validation = validate(alice, bob, given.scheme, given.setting_choice)
    fresh = PartyRandomness()
    distillation = distill(
        alice,
        bob,
        given,
        alice_randomness=fresh if seed is None else emulated_randomness("alice", seed),
        bob_randomness=fresh if seed is None else emulated_randomness("bob", seed),
        on_stage=lambda stage: progress(stage, None),
        threads=threads,
    )
    kept = folder is not None and distillation.key_length > 0
    secret = no_secret(seed, emulated) is None
    again = SpentRecords.distilled(Path(files[0])).note(alice) if kept and secret else None
    report = LabReport.from_files(distillation, validation, emulated=emulated, warning=again)
    if folder is not None:
        write_output(folder, report.files())
    return report


def _halves(files: tuple[Path | str, ...], layout: Layout) -> tuple[PartyRecord, PartyRecord]:
    """Read two records, which must be of the same rounds."""
    alice, bob = read_records(*files, layout=layout)
    if len(alice) != len(bob):
        text = f"the files must hold the same heralded rounds, got {len(alice)} and {len(bob)}"
        raise InputFileError(text)
    if not alice.same_heralds(bob):
        raise InputFileError("the files must hold the same heralds")
    return alice, bob
