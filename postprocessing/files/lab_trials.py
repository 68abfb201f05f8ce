"""Trials of a Bell test from files of any layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from postprocessing.bell.game import Game
from postprocessing.bell.trials import Trials
from postprocessing.checks import instance_of
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.layout import Layout
from postprocessing.files.plain_trials import read_plain_trials
from postprocessing.files.records import read_records
from postprocessing.records import PartyRecord

_BLOCK = 1 << 20


def game_of(layout: Layout, texts: tuple[str, ...] | list[str] = ()) -> Game:
    """Return the game that a layout says, or else that of texts.

    Parameters
    ----------
    layout : Layout
        With signs in its ``[bell]`` part, which the flips turn, or without.
    texts : sequence of str, optional
        As `Game.of` reads them, where the layout has no signs.

    Raises
    ------
    InvalidArgumentError
        If both say it, or a text is none.

    Examples
    --------
    >>> import diqkd
    >>> scheme = diqkd.BellState(diqkd.Link(distance_km=10)).joint_distribution().scheme
    >>> game_of(Layout.of(scheme)).by_herald
    {'psi+': '-+--', 'psi-': '---+'}
    """
    *_, by_herald = instance_of("layout", layout, Layout).game()
    told = Game.of(texts)
    if by_herald is None:
        return told
    if texts:
        raise InvalidArgumentError("game", list(texts), "left out where the layout says it")
    return Game(by_herald=by_herald)


def read_trials(*paths: Path | str, layout: Layout) -> Iterator[Trials]:
    r"""Read the trials of a Bell test, from one joint file or from one file a party.

    Parameters
    ----------
    *paths : Path
        As of `read_records`.
    layout : Layout
        What their columns mean. Rounds with settings that are none of the CHSH game's are left out;
        the game's settings are 0 and 1 in the order of the layout.

    Yields
    ------
    Trials
        A block of consecutive trials.

    Raises
    ------
    InputFileError
        If a file cannot be read, holds a value that the layout does not know or no trial, or two
        files differ in rounds or heralds.
    InvalidArgumentError
        If the layout has no two settings a side for a game.

    Examples
    --------
    >>> import tempfile
    >>> lab = dict(settings={"0": 0, "1": 1}, plus=[1], minus=[0], no_click="never")
    >>> sides = {name: dict(lab, setting_column=name + "s", outcome_column=name) for name in "ab"}
    >>> layout = Layout(alice=sides["a"], bob=sides["b"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "trials.csv")
    ...     _ = file.write_text("as,bs,a,b\n0,1,1,0\n1,1,0,0\n")
    ...     [block.alice_outcomes.tolist() for block in read_trials(file, layout=layout)]
    [[1, -1]]
    """
    own, other, _ = instance_of("layout", layout, Layout).game()
    alice, bob = read_records(*paths, layout=layout)
    if len(alice) != len(bob) or not np.array_equal(alice.heralds, bob.heralds):
        raise InputFileError(f"files must be of the same rounds, got {list(map(str, paths))}")
    if not len(alice):
        raise InputFileError(f"files must hold a trial, got {list(map(str, paths))}")
    return _blocks((alice, bob), (own, other), layout.heralds.names)


def trials_and_game(
    files: Sequence[Path], layout: Path | None, texts: Sequence[str]
) -> tuple[Iterator[Trials], Game]:
    """Return the trials of files and the game that they play: of a layout, or plain ones.

    Raises
    ------
    InputFileError
        If a file cannot be read.
    InvalidArgumentError
        If there are two files without a layout, or no such game.
    """
    if layout is not None:
        described = Layout.read(layout)
        return read_trials(*files, layout=described), game_of(described, list(texts))
    if len(files) != 1:
        allowed = "one file, or given with a layout"
        raise InvalidArgumentError("files", [str(file) for file in files], allowed)
    return read_plain_trials(files[0]), Game.of(list(texts))


def _blocks(
    records: tuple[PartyRecord, PartyRecord],
    settings: tuple[tuple[int, ...], tuple[int, ...]],
    names: tuple[str, ...],
) -> Iterator[Trials]:
    """Yield the trials of both records."""
    for start in range(0, len(records[0]), _BLOCK):
        alice, bob = (PartyRecord(record.codes[start : start + _BLOCK]) for record in records)
        played = np.isin(alice.settings, settings[0]) & np.isin(bob.settings, settings[1])
        yield Trials(
            (alice.settings[played] == settings[0][1]).astype(np.uint8),
            (bob.settings[played] == settings[1][1]).astype(np.uint8),
            _signs(alice.outcomes[played]),
            _signs(bob.outcomes[played]),
            alice.heralds[played].astype(np.uint8),
            names,
        )


def _signs(bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    """Return +1 of bits 0, −1 of bits 1."""
    return np.int8(1) - np.int8(2) * bits.astype(np.int8)
