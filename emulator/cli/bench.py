"""`diqkd bench`: how fast this machine is, stage by stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AsJson, Threads
from emulator.cli.progress import StageProgress


def command(
    stage: Annotated[
        list[str] | None,
        typer.Option(
            help="sampling, sifting, encoding, decoding, sifted keys, verification, amplification "
            "or whole runs; repeatable [default: all]"
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="for which each case is called again and again")
    ] = 1.0,
    compare: Annotated[
        Path | None,
        typer.Option(help="bench.json to compare with [default: the one that diqkd ships]"),
    ] = None,
    peers: Annotated[
        bool, typer.Option(help="measure other implementations too, those that are installed")
    ] = True,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder for bench.json, bench.html and bench.png")
    ] = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Measure this machine."""
    from emulator.pages.terminal import print_json, print_sections
    from emulator.speed import bench, read_benchmark
    from postprocessing.files.atomic import check_output_folder

    against = read_benchmark(compare)
    if out is not None:
        from emulator.pages.bench import BENCH_FILES, write_benchmark

        check_output_folder(out, BENCH_FILES)
    with StageProgress() as progress:
        found = bench(
            stage, seconds=seconds, peers=peers, threads=threads, on_progress=progress.show
        )
    if out is not None:
        write_benchmark(out, found, against)
    print_json(found.to_dict()) if as_json else print_sections(found.present(against))
