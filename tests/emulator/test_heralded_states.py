"""Heralded states and their joint probabilities against reference numbers of 15 digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emulator import EntangledCoherent, HeraldedStates, Imperfections, Link, SinglePhoton

REFERENCE = Path(__file__).parents[1] / "reference"
STATES = pd.read_csv(REFERENCE / "heralded_states.csv")
JOINT = pd.read_csv(REFERENCE / "heralded_joint.csv")
LINK = list(STATES.columns[:13])
WEAR = list(JOINT.columns[13:18])
DIRECTIONS = ["theta_alice", "phi_alice", "theta_bob", "phi_bob"]
CELL = ["herald", "a", "b"]


def heralded_states(row: Any) -> HeraldedStates:
    """Return the states of the link of one row, everything given side by side."""
    link = Link(
        arm_alice_km=row.arm_alice_km,
        arm_bob_km=row.arm_bob_km,
        attenuation_db_per_km=row.attenuation_db_per_km,
        detector_efficiency=(row.detector_efficiency_1, row.detector_efficiency_2),
        dark_count_probability=(row.dark_count_1, row.dark_count_2),
        phase_offset_rad=row.phase_offset_rad,
        phase_noise_rad=row.phase_noise_rad,
    )
    light = (row.light_alice, row.light_bob)
    if row.scheme == "ecs":
        assert row.mode_overlap == 1
        return EntangledCoherent(link, mean_photon_number=light).heralded_states()
    model = SinglePhoton(link, bright_population=light, mode_overlap=row.mode_overlap)
    return model.heralded_states()


def imperfections(row: Any) -> Imperfections:
    """Return what wears the pairs of one row down."""
    return Imperfections(
        white_noise_visibility=row.white_noise_fidelity,
        dephasing_alice=row.dephasing_alice,
        dephasing_bob=row.dephasing_bob,
        readout_error_alice=row.readout_error_alice,
        readout_error_bob=row.readout_error_bob,
    )


def first_of(rows: pd.DataFrame) -> Any:
    """Return the first row as an object."""
    return next(rows.itertuples())


def cases(table: pd.DataFrame, columns: list[str]) -> list[Any]:
    """Return the rows of each link as a parameter with a short name."""
    groups = table.groupby(columns, sort=False)
    return [pytest.param(rows, id=f"{key[0]}-{n}") for n, (key, rows) in enumerate(groups)]


def test_the_references_are_complete() -> None:
    assert set(STATES["scheme"]) == set(JOINT["scheme"]) == {"ecs", "single_photon"}
    assert (len(STATES), len(JOINT)) == (768, 576)
    assert (STATES.groupby(LINK, dropna=False).size() == 32).all()
    assert STATES[LINK].notna().all(axis=None)


@pytest.mark.parametrize("rows", cases(STATES, LINK))
def test_every_element_of_the_reference(rows: pd.DataFrame) -> None:
    states = heralded_states(first_of(rows))
    assert states.heralds == ("D1", "D2")
    assert set(rows["herald"]) == {"D1", "D2"}
    for herald, cells in rows.groupby("herald"):
        found = states.matrices[str(herald)][cells["row"], cells["column"]]
        for part in ("real", "imaginary"):
            expected = cells[part].to_numpy()
            bound = np.maximum(1e-9 * np.abs(expected), 1e-18)
            deviation = np.abs(getattr(found, part[:4]) - expected)
            assert (deviation <= bound).all(), (herald, part, deviation.max())


@pytest.mark.parametrize("rows", cases(JOINT, LINK + WEAR))
def test_every_joint_probability_of_the_reference(rows: pd.DataFrame) -> None:
    states, worn = heralded_states(first_of(rows)), imperfections(first_of(rows))
    for angles, cells in rows.groupby(DIRECTIONS):
        alice, bob = angles[:2], angles[2:]
        table = states.probabilities([alice], [bob], worn)
        assert table.shape == (1, 1, len(states.announcements), 2, 2)
        heralds = [states.announcements.index(herald) for herald in cells["herald"]]
        outcomes = [[0 if sign == 1 else 1 for sign in cells[side]] for side in ("a", "b")]
        found, expected = table[0, 0, heralds, *outcomes], cells["probability"].to_numpy()
        bound = np.maximum(1e-9 * expected, 1e-18)
        assert (np.abs(found - expected) <= bound).all(), angles


@pytest.mark.parametrize("rows", cases(JOINT, LINK + WEAR))
def test_the_measured_distribution_has_the_same_numbers(rows: pd.DataFrame) -> None:
    """The five directions of a game, the reference's among them."""
    states, worn = heralded_states(first_of(rows)), imperfections(first_of(rows))
    for angles, cells in rows.groupby(DIRECTIONS):
        alice = [angles[:2], (0.3, 0.2), (1.1, -0.4)]
        frame = states.measured(alice, [angles[2:], (0.0, 0.0)], worn).to_frame()
        frame = frame.query("x == 'A0' and y == 'B1'")
        expected = cells.set_index(CELL)["probability"]
        found = frame.set_index(CELL)["probability"].reindex(expected.index)
        bound = np.maximum(1e-9 * expected, 1e-18)
        assert (np.abs(found - expected) <= bound).all()
