"""Behaviours: tables of conditional probabilities, from files, frames and states."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emulator.schemes import EntangledCoherent
from emulator.schemes.behaviour import Behaviour
from emulator.schemes.bell_state import BellState
from emulator.schemes.optics import Link
from emulator.states.distribution import JointDistribution
from emulator.states.games import LI_SETTINGS, XIE_SETTINGS
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.scheme import BellScheme

SIGNS = np.array([1.0, -1.0])
LAYOUTS = [XIE_SETTINGS, LI_SETTINGS]
TSIRELSON_BOUND = 2 * math.sqrt(2)


def common_frame(joint: JointDistribution) -> npt.NDArray[np.float64]:
    """Return p(a, b | x, y) of heralded pulses after Bob's flips."""
    table = joint.heralded()
    for herald, flips in enumerate(joint.scheme.flip):
        for y, flip in enumerate(flips):
            if flip:
                table[:, y, herald] = table[:, y, herald, :, ::-1].copy()
    return table.sum(axis=2)


def long_form(table: npt.NDArray[np.float64], scheme: BellScheme) -> pd.DataFrame:
    """Return a table in long form."""
    labels = (scheme.alice_labels, scheme.bob_labels, (1, -1), (1, -1))
    cells = pd.MultiIndex.from_product(labels, names=["x", "y", "a", "b"])
    return cells.to_frame(index=False).assign(probability=table.ravel())


def table_of(
    alice: npt.ArrayLike, bob: npt.ArrayLike, correlators: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return (1 + aA_x + bB_y + abE_xy)/4."""
    a, b = SIGNS[:, np.newaxis], SIGNS
    marginal_a = np.asarray(alice)[:, np.newaxis, np.newaxis, np.newaxis] * a
    marginal_b = np.asarray(bob)[np.newaxis, :, np.newaxis, np.newaxis] * b
    return (1 + marginal_a + marginal_b + np.asarray(correlators)[..., None, None] * a * b) / 4


@st.composite
def local_tables(draw: st.DrawFn) -> tuple[npt.NDArray[np.float64], BellScheme]:
    """Return a mixture of local strategies: no signalling, |S| ≤ 2."""
    settings = draw(st.sampled_from(LAYOUTS))
    shape = (len(settings.alice_labels), len(settings.bob_labels))
    weights = draw(arrays(np.float64, 3, elements=st.floats(0.01, 1.0)))
    table = np.zeros((*shape, 2, 2))
    for weight in weights / weights.sum():
        alice = draw(arrays(np.float64, (shape[0],), elements=st.floats(0.0, 1.0)))
        bob = draw(arrays(np.float64, (shape[1],), elements=st.floats(0.0, 1.0)))
        p_alice, p_bob = np.stack([alice, 1 - alice], -1), np.stack([bob, 1 - bob], -1)
        table += weight * np.einsum("xa,yb->xyab", p_alice, p_bob)
    return table, settings


@given(local_tables(), st.floats(1e-6, 1.0), st.randoms(use_true_random=False))
def test_random_tables_come_back(drawn, herald_probability, random) -> None:
    table, settings = drawn
    frame = long_form(table, settings)
    rows = list(range(len(frame)))
    random.shuffle(rows)
    behaviour = Behaviour.from_frame(frame.iloc[rows], herald_probability)
    assert behaviour.bell_scheme == settings
    np.testing.assert_allclose(behaviour.probabilities, table, rtol=1e-12, atol=1e-15)
    joint = behaviour.joint_distribution()
    assert joint.gain == pytest.approx(herald_probability, rel=1e-12)
    np.testing.assert_allclose(joint.heralded()[:, :, 0], table, rtol=1e-12, atol=1e-15)
    assert abs(joint.chsh) <= 2 + 1e-12
    assert behaviour.theory().key_rate_per_pulse == 0


@given(local_tables(), st.integers(7, 12))
def test_a_printed_table_is_made_sound(drawn, digits) -> None:
    table, _ = drawn
    behaviour = Behaviour(table.round(digits))
    # JointDistribution itself refuses what is not normalised or signals.
    joint = behaviour.joint_distribution()
    np.testing.assert_allclose(joint.heralded()[:, :, 0], table, rtol=0, atol=5 * 10.0**-digits)
    again = Behaviour(behaviour.probabilities).probabilities
    np.testing.assert_allclose(again, behaviour.probabilities, rtol=1e-12, atol=1e-15)


MODELS = [
    EntangledCoherent(Link(100)),
    EntangledCoherent(Link(300), misalignment_error=0.03),
    BellState(Link(50)),
    BellState(Link(400)),
]


@pytest.mark.parametrize("model", MODELS)
def test_another_scheme_through_a_file(model, tmp_path: Path) -> None:
    joint = model.joint_distribution()
    path = tmp_path / "table.csv"
    long_form(common_frame(joint), XIE_SETTINGS).to_csv(path, index=False)
    behaviour = Behaviour.from_csv(path, joint.gain, 1e6)
    theory = behaviour.theory()
    assert theory.gain == pytest.approx(joint.gain, rel=1e-14)
    assert theory.chsh == pytest.approx(joint.chsh, rel=1e-13)
    assert theory.qber == pytest.approx(joint.qber, rel=1e-9)
    assert theory.key_rate_per_pulse == pytest.approx(model.theory().key_rate_per_pulse, rel=1e-9)
    assert behaviour.repetition_rate_hz == 1e6


def test_the_layout_of_xie() -> None:
    correlators = np.array([[0.9, 0.0], [0.5, -0.4], [0.6, 0.7]])
    behaviour = Behaviour(table_of([0.0, 0.1, -0.1], [0.0, 0.05], correlators))
    assert behaviour.bell_scheme.reference == "bob"
    theory = behaviour.theory()
    assert theory.chsh == pytest.approx(0.5 + 0.4 + 0.6 + 0.7)
    assert theory.qber == pytest.approx(0.05)


def test_the_layout_of_li() -> None:
    correlators = np.array([[0.5, 0.4, 0.9], [0.6, -0.7, 0.0]])
    behaviour = Behaviour(table_of([0.0, 0.1], [0.0, 0.05, -0.02], correlators))
    assert behaviour.bell_scheme.reference == "alice"
    theory = behaviour.theory()
    assert theory.chsh == pytest.approx(0.5 + 0.4 + 0.6 + 0.7)
    assert theory.qber == pytest.approx(0.05)


def test_a_negative_chsh_value_makes_no_key() -> None:
    theory = Behaviour.from_state(-2.7, 0.97).theory()
    assert theory.chsh == pytest.approx(-2.7)
    assert theory.key_rate_per_pulse == 0


def test_unheralded_pulses_tell_nothing() -> None:
    behaviour = Behaviour.from_state(2.5, herald_probability=0.25)
    joint = behaviour.joint_distribution()
    assert joint.announcements == ("none", "herald")
    np.testing.assert_allclose(joint.probabilities[:, :, 0], 0.75 / 4, rtol=1e-15)
    assert joint.gain == 0.25
    assert behaviour.intensity is None
    assert behaviour.plob_bound is None


@given(st.floats(0.0, 1.0), st.floats(-1.0, 1.0))
def test_states_have_the_numbers_asked_for(qber: float, t_xx: float) -> None:
    chsh = math.sqrt(2) * (1 - 2 * qber - t_xx)
    theory = Behaviour.from_state(chsh, qber).theory()
    assert theory.chsh == pytest.approx(chsh, rel=1e-9, abs=1e-14)
    assert theory.qber == pytest.approx(qber, rel=1e-9, abs=1e-18)


@given(st.floats(-1.0, 1.0))
def test_werner_states(visibility: float) -> None:
    behaviour = Behaviour.from_state(TSIRELSON_BOUND * visibility)
    # White noise with the weight 1 − V on the state of S = 2√2.
    perfect = Behaviour.from_state(TSIRELSON_BOUND).probabilities
    expected = visibility * perfect + (1 - visibility) / 4
    np.testing.assert_allclose(behaviour.probabilities, expected, rtol=0, atol=1e-15)


def test_the_state_is_one_of_two_qubits() -> None:
    qber, chsh = 0.0144, 2.677
    t_zz, t_xx = 1 - 2 * qber, 1 - 2 * qber - chsh / math.sqrt(2)
    x, z = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])
    y = np.array([[0, -1j], [1j, 0]])
    density = np.eye(4) + t_zz * np.kron(z, z) + t_xx * np.kron(x, x)
    density = (density - t_zz * t_xx * np.kron(y, y)) / 4
    assert np.linalg.eigvalsh(density).min() >= 0
    observable = [math.cos(t) * z + math.sin(t) * x for t in (0, math.pi / 4, -math.pi / 4)]
    expected = [[np.trace(density @ np.kron(a, b)).real for b in (z, x)] for a in observable]
    found = Behaviour.from_state(chsh, qber).joint_distribution().correlators
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_the_trapped_ions_are_no_werner_state() -> None:
    assert Behaviour.from_state(2.677).theory().qber == pytest.approx(0.0268, abs=5e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2.9,), r"^chsh must be in \[−2√2, 2√2\], got 2.9"),
        ((math.nan,), r"^chsh must be in \[−2√2, 2√2\], got nan"),
        ((2.5, 1.2), r"^qber must be in \[0, 1\], got 1.2"),
        (
            (2.7, 0.2),
            r"^chsh must be in \[-0.565685, 2.26274\], what states of a QBER of 0.2 reach",
        ),
        ((2.5, 0.05, 0.0), r"^herald_probability must be in \(0, 1\], got 0.0"),
        ((2.5, 0.05, 1.5), r"^herald_probability must be in \(0, 1\], got 1.5"),
        ((2.5, 0.05, 1.0, -1.0), r"^repetition_rate_hz must be finite and above 0, got -1.0"),
    ],
)
def test_what_no_state_allows(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Behaviour.from_state(*arguments)


def test_signalling_is_refused_and_located() -> None:
    table = Behaviour.from_state(2.5).probabilities.copy()
    table[1, 0] += np.array([[5e-3, 5e-3], [-5e-3, -5e-3]])
    message = r"free of signalling .* mean outcome of A1 that with B1 is \+0.01 off its average"
    with pytest.raises(InvalidArgumentError, match=message):
        Behaviour(table)
    table = table_of([0.0, 0.0], [0.0, 0.0, 0.0], np.full((2, 3), 0.3))
    table[1, 2] += np.array([[-3e-3, 3e-3], [-3e-3, 3e-3]])
    with pytest.raises(InvalidArgumentError, match=r"outcome of B2 that with A\d is [+-]0.006 off"):
        Behaviour(table)


def test_a_wrong_sum_is_refused_and_located() -> None:
    table = Behaviour.from_state(2.5).probabilities.copy()
    table[2, 1] *= 1.001
    with pytest.raises(
        InvalidArgumentError, match=r"of sum 1 for .*'a sum of 1.001 at \(A2, B2\)'"
    ):
        Behaviour(table)


@pytest.mark.parametrize("size", [9e-7, 1.1e-6])
def test_the_limit_of_what_printing_explains(size: float) -> None:
    table = Behaviour.from_state(2.5).probabilities.copy()
    table[0, 0] += size
    if size < 1e-6:
        assert Behaviour(table).theory().chsh == pytest.approx(2.5, rel=1e-12)
    else:
        with pytest.raises(InvalidArgumentError, match=r"of sum 1 for each"):
            Behaviour(table)


def test_a_box_beyond_quantum_theory_is_refused() -> None:
    correlators = np.array([[1.0, 0.0], [1.0, -1.0], [1.0, 1.0]])
    with pytest.raises(InvalidArgumentError, match=r"in \[−2√2, 2√2\], .*'a CHSH value of 4'"):
        Behaviour(table_of([0, 0, 0], [0, 0], correlators))
    with pytest.raises(InvalidArgumentError, match=r"a CHSH value of -4"):
        Behaviour(table_of([0, 0, 0], [0, 0], -correlators))


def test_the_best_quantum_table_survives_printing() -> None:
    table = Behaviour.from_state(TSIRELSON_BOUND).probabilities.round(7)
    theory = Behaviour(table).theory()
    assert theory.chsh == pytest.approx(TSIRELSON_BOUND, rel=1e-6)
    assert theory.chsh <= TSIRELSON_BOUND * (1 + 1e-12)
    assert theory.qber == pytest.approx(0, abs=1e-7)
    assert theory.key_rate_per_pulse == pytest.approx(1, abs=1e-5)


def test_printing_below_zero_costs_white_noise() -> None:
    table = table_of([0, 0, 0], [0, 0], [[1 + 2e-7, 0.0], [0.5, -0.5], [0.5, 0.5]])
    sound = Behaviour(table).probabilities
    noise = 1 - 1 / (1 + 2e-7)
    assert sound.min() == pytest.approx(0, abs=1e-16)
    np.testing.assert_allclose(sound, (1 - noise) * table + noise / 4, rtol=0, atol=1e-15)
    table = table_of([0, 0, 0], [0, 0], [[1 + 1e-5, 0.0], [0.5, -0.5], [0.5, 0.5]])
    with pytest.raises(InvalidArgumentError, match=r"^probabilities must be at least 0, got -2.5"):
        Behaviour(table)


@pytest.mark.parametrize("shape", [(3, 2, 2), (3, 3, 2, 2), (2, 2, 2, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidArgumentError, match=r"shape \(3, 2, 2, 2\) or \(2, 3, 2, 2\), got"):
        Behaviour(np.full(shape, 0.25))


def test_a_table_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"^probabilities must be finite"):
        Behaviour(np.full((3, 2, 2, 2), math.nan))


FRAME = long_form(Behaviour.from_state(2.5).probabilities, XIE_SETTINGS)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            FRAME.drop(columns="b"),
            r"^columns must be x, y, a, b, probability, got \['x', 'y', 'a',",
        ),
        (FRAME.assign(herald="D1"), r"^columns must be .* got .*'herald'\]"),
        (
            FRAME.replace("A2", "A3"),
            r"^settings must be A0, A1, A2 with B1, B2, or .* 'A0, A1, A3 ",
        ),
        (FRAME.iloc[:16], r"^settings must be .* got 'A0, A1 with B1, B2'"),
        (FRAME.assign(a=2), r"^a must be 1 or −1 in every row, got 2"),
        (FRAME.assign(b=FRAME["b"].replace(-1, 0)), r"^b must be 1 or −1 in every row, got 0"),
        (FRAME.assign(probability=math.nan), r"^probability must be a finite number .* got nan"),
        (FRAME.assign(probability="much"), r"^probability must be a finite number .* got 'much'"),
        (FRAME.iloc[1:], r"^\(x, y, a, b\) must be given once each, got '\(A0, B1, 1, 1\) never'"),
        (
            pd.concat([FRAME, FRAME.iloc[[5]]]),
            r"^\(x, y, a, b\) must be given once each, got '\(A0, B2, 1, -1\) more than once'",
        ),
    ],
)
def test_frames_are_checked(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Behaviour.from_frame(frame)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"^table must be valid CSV, '.*table.csv' is not: No columns"),
        (b"\xff\xfe\x00", r"^table must be valid CSV, '.*table.csv' is not: 'utf-8' codec"),
        (b"x,y\n1,2\n1,2,3,4\n", r"^table must be valid CSV, '.*table.csv' is not: .*Expected 2"),
        (b"x,y,a,b,p\nA0,B1,1,1,0.5\n", r"^columns must be .* in the table '.*table.csv'$"),
        (b"x,y,a,b,probability\n", r"^settings must be .* in the table '.*table.csv'$"),
    ],
)
def test_files_are_checked(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=message):
        Behaviour.from_csv(path)


def test_a_file_that_signals_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    frame = FRAME.copy()
    frame.loc[0, "probability"] += 0.01
    frame.loc[3, "probability"] -= 0.01
    frame.to_csv(path, index=False)
    with pytest.raises(InputFileError, match=r"free of signalling .* in the table '.*table.csv'$"):
        Behaviour.from_csv(str(path))
    with pytest.raises(InputFileError, match=r"^table must be a readable CSV file, got .*missing"):
        Behaviour.from_csv(tmp_path / "missing.csv")


def test_other_arguments_are_not_blamed_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    FRAME.to_csv(path, index=False)
    with pytest.raises(InvalidArgumentError, match=r"^herald_probability must be in \(0, 1\]"):
        Behaviour.from_csv(path, 2.0)


def test_the_table_cannot_be_changed() -> None:
    behaviour = Behaviour.from_state(2.5)
    with pytest.raises(ValueError, match="read-only"):
        behaviour.probabilities[0, 0, 0, 0] = 0.0
