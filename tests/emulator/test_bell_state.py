"""The Bell-state scheme against tables and closed forms."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.papers.closed_forms import bell_state_theory
from emulator.schemes.bell_state import BellState
from emulator.schemes.optics import Link
from postprocessing.errors import InvalidArgumentError

JOINT = pd.read_csv(Path(__file__).parents[1] / "reference" / "bell_state_joint.csv")
PARAMETERS = list(JOINT.columns[:4])
CELL = ["x", "y", "herald", "a", "b"]

DISTANCES = st.floats(0.0, 500.0)
EFFICIENCIES = st.floats(0.1, 1.0)
DARK_COUNTS = st.one_of(st.just(0.0), st.floats(1e-12, 0.5))


def printed(eta: float, dark: float) -> tuple[float, float, float]:
    """Return gain, S and QBER as in the caption of Fig. 2, in 50 digits."""
    with localcontext(prec=50):
        t, p = Decimal(eta), Decimal(dark)
        gain = (1 - p) ** 2 * (t**2 / 2 + (4 * t - 3 * t**2) * p + 4 * (1 - t) ** 2 * p**2)
        norm = 8 * t * (1 - 2 * p) * p + 8 * p**2 + t**2 * (1 - 6 * p + 8 * p**2)
        chsh = 2 * Decimal(2).sqrt() * t**2 * (1 - p) / norm
        qber = (1 - t**2 * (1 - 2 * p) / norm) / 2
        return float(gain), float(chsh), float(qber)


def test_the_reference_is_complete() -> None:
    assert len(JOINT) == 576
    assert set(JOINT["herald"]) == {"psi+", "psi-"}


@pytest.mark.parametrize(("parameters", "rows"), list(JOINT.groupby(PARAMETERS)))
def test_every_cell_of_the_reference(parameters: tuple[float, ...], rows: pd.DataFrame) -> None:
    frame = BellState(Link(*(parameters[i] for i in (0, 1, 3, 2)))).joint_distribution().to_frame()
    expected = rows.set_index(CELL)["probability"]
    found = frame.set_index(CELL)["probability"].reindex(expected.index)
    # The only values below 1e-18 are zeros, without dark counts.
    assert ((expected > 1e-18) | (expected == 0)).all()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=0)


@settings(deadline=None)
@given(DISTANCES, EFFICIENCIES, DARK_COUNTS)
def test_closed_forms_as_printed(distance: float, efficiency: float, dark: float) -> None:
    model = BellState(Link(distance, efficiency, dark))
    gain, chsh, qber = printed(model.link.arm_transmittance, dark)
    joint, theory = model.joint_distribution(), model.theory()
    for numbers in (joint, theory):
        assert numbers.gain == pytest.approx(gain, rel=1e-9)
        assert numbers.qber == pytest.approx(qber, rel=1e-9, abs=1e-45)
    assert theory.chsh == pytest.approx(chsh, rel=1e-9)
    # Correlators of next to nothing are differences of nearly equal probabilities.
    assert joint.chsh == pytest.approx(chsh, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("distance", [0.0, 500.0, 10_000.0])
def test_without_dark_counts_the_state_is_perfect_at_any_loss(distance: float) -> None:
    model = BellState(Link(distance, dark_count_probability=0.0))
    theory = model.theory()
    assert theory.chsh == pytest.approx(2 * math.sqrt(2), rel=1e-15)
    assert theory.qber == 0
    assert theory.key_rate_per_pulse == pytest.approx(model.link.arm_transmittance**2 / 2)


def test_theory_on_arrays_is_that_of_every_point() -> None:
    etas, darks = [0.8, 0.08, 8e-6], [0.0, 1e-7]
    theory = bell_state_theory(np.array(etas), np.array(darks)[:, np.newaxis])
    for row, dark in enumerate(darks):
        for index, eta in enumerate(etas):
            point = bell_state_theory(eta, dark)
            for name in ("gain", "chsh", "qber", "key_rate_per_pulse"):
                assert isinstance(getattr(point, name), float)
                assert getattr(theory, name)[row, index] == pytest.approx(getattr(point, name))


@settings(deadline=None)
@given(DISTANCES, EFFICIENCIES, DARK_COUNTS)
def test_marginals_know_nothing_of_charlie(distance: float, efficiency: float, dark: float) -> None:
    table = BellState(Link(distance, efficiency, dark)).joint_distribution().probabilities
    np.testing.assert_allclose(table.sum(axis=(2, 3)), 0.5, rtol=0, atol=1e-13)
    np.testing.assert_allclose(table.sum(axis=(2, 4)), 0.5, rtol=0, atol=1e-13)
    # Each herald comes equally often, whatever the settings.
    heralds = table[:, :, 1:].sum(axis=(3, 4))
    np.testing.assert_allclose(heralds, np.full_like(heralds, heralds[0, 0, 0]), rtol=1e-10)


def test_every_herald_alone_makes_the_same_state_after_the_flips() -> None:
    joint = BellState(Link(20, dark_count_probability=1e-3)).joint_distribution()
    plus, minus = np.moveaxis(joint.heralded(), 2, 0)
    np.testing.assert_allclose(plus[:, 0], minus[:, 0], rtol=1e-12)
    np.testing.assert_allclose(plus[:, 1], minus[:, 1, :, ::-1], rtol=1e-12)
    assert joint.scheme.reference == "bob"


def test_what_the_scheme_has_not() -> None:
    model = BellState(Link(50), repetition_rate_hz=1e6)
    assert model.intensity is None
    assert model.repetition_rate_hz == 1e6
    assert model.plob_bound == Link(50).plob_bound
    with pytest.raises(InvalidArgumentError, match=r"^repetition_rate_hz must be finite and above"):
        BellState(Link(50), repetition_rate_hz=0.0)
