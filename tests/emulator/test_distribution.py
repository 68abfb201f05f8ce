"""JointDistribution: what it refuses and what it derives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from emulator.states.distribution import JointDistribution
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import BellScheme

Table = npt.NDArray[np.float64]

SCHEME = BellScheme(
    alice_labels=("A0", "A1", "A2"),
    bob_labels=("B1", "B2"),
    heralds=("same", "opposite"),
    key_pair=(0, 0),
    chsh_signs=((1, 0, 1), (1, 1, -1), (2, 0, 1), (2, 1, 1)),
    flip=((False, False), (True, False)),
)
ANNOUNCEMENTS = ("nothing", "same", "opposite")
CORRELATORS = np.array([[1 - 2e-7, 0.0], [0.7, -0.6], [0.65, 0.7]])


def correlated(correlators: Table) -> Table:
    """Return p[x, y, a, b] with uniform marginals."""
    parity = np.array([[1, -1], [-1, 1]])
    return (1 + correlators[..., np.newaxis, np.newaxis] * parity) / 4


def table(gain: float = 0.1) -> Table:
    """Return a table in which Bob's first outcome comes inverted under "opposite"."""
    inverted = CORRELATORS * np.array([-1, 1])
    heralded = np.stack([correlated(CORRELATORS), correlated(inverted)], axis=2)
    nothing = np.full((3, 2, 1, 2, 2), (1 - gain) / 4)
    return np.concatenate(
        [nothing, heralded * gain * np.array([0.25, 0.75])[:, None, None]], axis=2
    )


def test_derived_numbers() -> None:
    joint = JointDistribution(SCHEME, ANNOUNCEMENTS, table())
    assert joint.gain == pytest.approx(0.1, rel=1e-14)
    assert joint.gain == joint.gain
    assert joint.chsh == pytest.approx(0.7 + 0.6 + 0.65 + 0.7, rel=1e-14)
    assert joint.qber == pytest.approx(1e-7, rel=1e-8)
    np.testing.assert_allclose(joint.correlators, CORRELATORS, atol=1e-14)


def test_heralded_is_conditional_and_in_the_order_of_the_settings() -> None:
    heralded = JointDistribution(SCHEME, ANNOUNCEMENTS, table()).heralded()
    assert heralded.shape == (3, 2, 2, 2, 2)
    np.testing.assert_allclose(heralded.sum(axis=(2, 3, 4)), 1, rtol=1e-14)
    np.testing.assert_allclose(heralded.sum(axis=(3, 4))[..., 1], 0.75, rtol=1e-14)


def test_frame_holds_every_cell() -> None:
    joint = JointDistribution(SCHEME, ANNOUNCEMENTS, table())
    frame = joint.to_frame()
    assert list(frame.columns) == ["x", "y", "herald", "a", "b", "probability"]
    assert len(frame) == 3 * 2 * 3 * 4
    cell = frame.query("x == 'A2' and y == 'B2' and herald == 'opposite' and a == 1 and b == -1")
    assert cell["probability"].item() == joint.probabilities[2, 1, 2, 0, 1]


def test_the_table_cannot_be_changed() -> None:
    original = table()
    joint = JointDistribution(SCHEME, ANNOUNCEMENTS, original)
    original[:] = 0
    assert joint.gain == pytest.approx(0.1)
    with pytest.raises(ValueError, match="read-only"):
        joint.probabilities[0] = 0


def with_nan(cells: Table) -> None:
    cells[0, 0, 0, 0, 0] = np.nan


def with_negative_cell(cells: Table) -> None:
    cells[0, 0, 0, 0] += np.array([-1.0, 1.0])


def with_missing_probability(cells: Table) -> None:
    cells[1, 0, 0, 0, 0] -= 1e-11


def with_bob_signalling(cells: Table) -> None:
    cells[0, 1, 0, 0] += 1e-9
    cells[0, 1, 0, 1] -= 1e-9


def with_alice_signalling(cells: Table) -> None:
    cells[2, 0, 0, :, 0] += 1e-9
    cells[2, 0, 0, :, 1] -= 1e-9


def with_settings_in_the_herald(cells: Table) -> None:
    cells[0, 0, 0] -= 1e-9
    cells[0, 0, 1] += 1e-9


def without_herald(cells: Table) -> None:
    cells[:, :, 0] += cells[:, :, 1:].sum(axis=2)
    cells[:, :, 1:] = 0


@pytest.mark.parametrize(
    ("spoil", "allowed"),
    [
        (with_nan, "finite and at least 0"),
        (with_negative_cell, "finite and at least 0"),
        (with_missing_probability, "of sum 1"),
        (with_bob_signalling, "free of signalling"),
        (with_alice_signalling, "free of signalling"),
        (with_settings_in_the_herald, "the same for each"),
        (without_herald, "of positive herald probability"),
    ],
)
def test_spoilt_tables_are_refused(spoil: Callable[[Table], None], allowed: str) -> None:
    cells = table()
    spoil(cells)
    with pytest.raises(InvalidArgumentError, match=f"^probabilities must be .*{allowed}"):
        JointDistribution(SCHEME, ANNOUNCEMENTS, cells)


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"an array of shape \(3, 2, 3, 2, 2\)"):
        JointDistribution(SCHEME, ANNOUNCEMENTS, table()[:, :1])


@pytest.mark.parametrize("names", [("nothing", "same", "same"), ("nothing", "same", "other")])
def test_announcements_need_every_herald_once(names: tuple[str, ...]) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^announcements must be distinct names"):
        JointDistribution(SCHEME, names, table())
