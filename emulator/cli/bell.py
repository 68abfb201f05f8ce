"""`diqkd bell`: a Bell test without a key, with p-values against local realism."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AsJson
from emulator.cli.progress import StageProgress


def command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE [FILE]",
            help="columns x, y (0, 1), a, b (±1; or 0 for +1, 1 for −1): .csv, .parquet, .npz, "
            ".h5; with a layout any columns, in one file or Alice's and Bob's",
        ),
    ],
    layout: Annotated[
        Path | None,
        typer.Option(help="TOML file of what is in the files, delft-2015, eth-2023 or nist-2015"),
    ] = None,
    game: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SIGNS",
            help="of a·b that win at xy 00 01 10 11, or HERALD=SIGNS; repeatable [default: +++-]",
        ),
    ] = None,
    predictability: Annotated[
        float, typer.Option(help="by how much the probability of a setting may be off, below 1/2")
    ] = 0.0,
    setting_probability_alice: Annotated[
        float, typer.Option(help="of Alice's setting 1, not 0 and not 1")
    ] = 0.5,
    setting_probability_bob: Annotated[
        float, typer.Option(help="of Bob's setting 1, not 0 and not 1")
    ] = 0.5,
    training_trials: Annotated[
        int, typer.Option(help="in the first parts; the ratio bets on what earlier parts show")
    ] = 50,
    most_trials: Annotated[
        int | None, typer.Option(help="there could have been [default: as many as there are]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder for bell.json, bell.html and pictures")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Test local realism on the trials of a file."""
    from emulator.pages.bell import BELL_FILES, write_bell_test
    from emulator.pages.terminal import print_json, print_sections
    from postprocessing.bell.analysis import bell_test
    from postprocessing.files.atomic import check_output_folder
    from postprocessing.files.lab_trials import trials_and_game

    if out is not None:
        check_output_folder(out, BELL_FILES)
    with StageProgress() as progress:
        progress.show("reading", None)
        trials, rules = trials_and_game(files, layout, game or [])
        test = bell_test(
            trials,
            rules,
            predictability=predictability,
            setting_probability_alice=setting_probability_alice,
            setting_probability_bob=setting_probability_bob,
            training_trials=training_trials,
            most_trials=most_trials,
            on_progress=lambda trials: progress.show(f"{trials:,} trials", None),
        )
    if out is not None:
        write_bell_test(out, test, " and ".join(file.name for file in files))
    shown = (section for section in test.present() if not section.is_detail)
    print_json(test.to_dict()) if as_json else print_sections(shown)
