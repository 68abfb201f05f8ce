"""The cavity scheme against tables, the paper's relations and its own theory."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.schemes.base import NoPositiveKeyRateError, NoWorkingPointError
from emulator.schemes.cat_code import LossSegments, cat_performance
from emulator.schemes.cavity_cat import (
    CavityCat,
    CavityLink,
    UnreachableRateError,
    cat_states,
)
from emulator.states.distribution import JointDistribution
from postprocessing.errors import InvalidArgumentError
from postprocessing.security.asymptotic import unclipped_key_fraction

REFERENCE = Path(__file__).parents[1] / "reference"
CAVITY = pd.read_csv(REFERENCE / "cavity.csv").query("paper.isna()")
JOINT = pd.read_csv(REFERENCE / "cavity_joint.csv").rename(
    columns={"distance_km": "L", "coherence_time_s": "t_c"}
)
POINT = list(JOINT.columns[:11])
ANGLES = ["theta_a", "theta_b"]
DISCRIMINATION = {"tub": "bound", "linear": "linear_optics"}

DEVICES_OF_TODAY = {
    "interaction_efficiency": 0.81,
    "down_conversion_efficiency": 0.356,
    "up_conversion_efficiency": 0.05,
    "detector_efficiency": 0.97,
}
ALL_CODES = [(0, 0), (1, 0), (1, 1), (3, 0), (3, 1), (3, 2), (3, 3)]


def model_of(row: pd.Series) -> CavityCat:
    """Return the model of a row of the reference."""
    link = CavityLink(
        distance_km=row["L"],
        interaction_efficiency=row["eta_int"],
        down_conversion_efficiency=row["eta_dc"],
        up_conversion_efficiency=row["eta_uc"],
        detector_efficiency=row["eta_d"],
        coherence_time_s=row["t_c"],
        gate_time_s=row.get("t0", 0.0),
    )
    return CavityCat(
        link,
        loss_order=2 ** int(row["m"]) - 1,
        amplitude=row["alpha"],
        placement=row["placement"],
        discrimination=DISCRIMINATION[row["usd"]],
        travel_times=int(row.get("n_way", 1)),
        photon_class=int(row["r0"]),
    )


def test_the_references_are_complete() -> None:
    assert len(CAVITY) == 53
    assert len(JOINT) == 576


@pytest.mark.parametrize("index", CAVITY.index)
def test_every_row_of_the_reference(index: int) -> None:
    row = CAVITY.loc[index]
    model = model_of(row)
    theory = model.theory()
    # Some rows have the QBER of a Werner state of the same S.
    werner = row["q_conv"] == "depol"
    qber = 0.5 - theory.chsh / (4 * math.sqrt(2)) if werner else theory.qber
    fraction = unclipped_key_fraction(theory.chsh, qber)
    rate = theory.gain * model.repetition_rate_hz
    found = [model.fidelity, theory.gain, theory.chsh, qber, rate, fraction]
    expected = row[["F", "P", "S", "Q", "R_eg", "r_inf"]].astype(float)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=0)
    assert rate * max(fraction, 0) == pytest.approx(row["SKR"], rel=1e-10, abs=0)
    joint = model.joint_distribution()
    assert joint.gain == pytest.approx(theory.gain, rel=1e-12)
    assert joint.chsh == pytest.approx(theory.chsh, rel=1e-12)
    assert joint.qber == 0


@pytest.mark.parametrize(("point", "rows"), list(JOINT.groupby(POINT)))
def test_every_cell_of_the_reference(point: tuple[object, ...], rows: pd.DataFrame) -> None:
    model = model_of(pd.Series(point, index=POINT))
    mean = model.coherent_amplitude**2
    performance = cat_performance(model.code, model.segments_in_force, mean)
    dephasing = model.link.dephasing()
    modulus = model.code.components
    for (alice, bob), cells in rows.groupby(ANGLES):
        states = cat_states(performance, memory_dephasing=dephasing)
        table = states.probabilities([alice], [bob])[0, 0]
        for cell in cells.itertuples():
            if cell.usd_outcome == "inc":
                found = table[2 * modulus + cell.syndrome].sum()
            else:
                herald = 2 * cell.syndrome + int(cell.usd_outcome)
                found = table[herald, (1 - int(cell.a)) // 2, (1 - int(cell.b)) // 2]
            assert found == pytest.approx(cell.probability, rel=1e-9, abs=1e-18)


@pytest.mark.parametrize("distance", [0.001, 5, 80, 300])
@pytest.mark.parametrize("code", ALL_CODES)
def test_theory_is_the_distribution_at_every_distance(
    code: tuple[int, int], distance: float
) -> None:
    link = CavityLink(distance, coherence_time_s=1e-2, **DEVICES_OF_TODAY)
    model = CavityCat(link, code[0], photon_class=code[1])
    theory, joint = model.theory(), model.joint_distribution()
    assert joint.gain == pytest.approx(theory.gain, rel=1e-9, abs=0)
    assert joint.chsh == pytest.approx(theory.chsh, rel=1e-12)
    assert joint.qber == theory.qber == 0
    assert theory.chsh > 2
    assert theory.key_rate_per_pulse < model.plob_bound


@settings(deadline=None)
@given(
    st.sampled_from(ALL_CODES),
    st.floats(0.1, 3.0),
    st.tuples(*[st.floats(0.2, 1.0)] * 4),
    st.floats(1e-5, 1.0),
    st.booleans(),
)
def test_the_distribution_is_valid_and_errorless(
    code: tuple[int, int],
    alpha: float,
    taus: tuple[float, ...],
    coherence_time: float,
    phase_gate: bool,
) -> None:
    link = CavityLink(2, coherence_time_s=coherence_time)
    model = CavityCat(
        link,
        code[0],
        alpha,
        segments=LossSegments(*taus),
        photon_class=code[1],
        phase_gate=phase_gate,
    )
    joint = model.joint_distribution()
    np.testing.assert_allclose(joint.probabilities.sum(axis=(2, 3, 4)), 1, rtol=0, atol=1e-12)
    assert joint.qber == 0
    if phase_gate:
        assert joint.chsh == pytest.approx(model.theory().chsh, abs=1e-12)


@given(st.floats(0.05, 2.0), st.floats(0.01, 0.99))
def test_closed_forms_of_the_0_loss_code(alpha: float, tau: float) -> None:
    model = CavityCat(CavityLink(1), amplitude=alpha, segments=LossSegments(to_syndrome=tau))
    visibility = math.exp(-2 * (1 - tau) * alpha**2)
    theory = model.theory()
    assert theory.gain == pytest.approx(-math.expm1(-2 * tau * alpha**2), rel=1e-12)
    assert theory.chsh == pytest.approx(2 * math.sqrt(1 + visibility**2), rel=1e-12)


def chsh_by_herald(joint: JointDistribution) -> list[float]:
    """Return S of each herald alone."""
    cells = joint.heralded()
    signs = np.array([[1, -1], [-1, 1]])
    correlators = (cells * signs).sum(axis=(3, 4)) / cells.sum(axis=(3, 4))
    game = joint.scheme.chsh_signs
    return [
        float(sum(sign * correlators[x, y, h] for x, y, sign in game))
        for h in range(cells.shape[2])
    ]


def test_the_phase_gate_is_no_flip() -> None:
    link = CavityLink(5)
    bare = CavityCat(link, 1, 0.9, phase_gate=False)
    corrected = CavityCat(link, 1, 0.9)
    assert bare.bell_scheme.flip == corrected.bell_scheme.flip == ((False,) * 3,) * 4
    assert bare.joint_distribution().qber == 0
    assert bare.bell_scheme.reference == "alice"
    assert bare.joint_distribution().chsh < corrected.joint_distribution().chsh
    # s = 0 needs no gate; s = 1 turns the phase by 90°, out of the x–z plane.
    found = chsh_by_herald(bare.joint_distribution())
    expected = chsh_by_herald(corrected.joint_distribution())
    theta = math.acos(2 / corrected.theory().chsh)
    assert found[:2] == pytest.approx(expected[:2], rel=1e-12)
    assert found[2:] == pytest.approx([2 * math.cos(theta)] * 2, rel=1e-12)
    assert min(expected) > 2


def test_the_0_loss_code_needs_no_phase_gate() -> None:
    models = [CavityCat(CavityLink(5), 0, 0.5, phase_gate=gate) for gate in (True, False)]
    tables = [model.joint_distribution().probabilities for model in models]
    np.testing.assert_array_equal(*tables)


def test_lossless_links_have_impossible_heralds() -> None:
    link = CavityLink(0, gate_time_s=1e-6)
    joint = CavityCat(link, 3, 1.5).joint_distribution()
    assert joint.heralded()[:, :, 2:].max() == 0
    assert joint.chsh == pytest.approx(2 * math.sqrt(2), rel=1e-14)
    assert CavityCat(link, 3, 1.5).plob_bound == math.inf


def test_bright_light_leaves_no_violation() -> None:
    model = CavityCat(CavityLink(50), 1, 6.0)
    assert model.theory().chsh == 2
    assert model.joint_distribution().chsh == pytest.approx(2, abs=1e-12)
    assert model.theory().key_rate_per_pulse == 0


def test_the_optimal_amplitude() -> None:
    link = CavityLink(10, **DEVICES_OF_TODAY)
    model = CavityCat(link)
    rate = model.theory().key_rate_per_pulse
    assert rate * model.repetition_rate_hz == pytest.approx(25.4, abs=0.05)
    # The 0-loss code is made of every photon number.
    assert model.intensity == pytest.approx(model.coherent_amplitude**2, rel=1e-15)
    for factor in (0.99, 1.01):
        other = CavityCat(link, amplitude=model.coherent_amplitude * factor)
        assert other.theory().key_rate_per_pulse < rate


def test_no_optimal_amplitude() -> None:
    model = CavityCat(CavityLink(10, coherence_time_s=1e-6))
    assert model.coherent_amplitude is None
    assert model.intensity is None
    with pytest.raises(NoPositiveKeyRateError):
        model.joint_distribution()


@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_fixed_entanglement_rate(order: int) -> None:
    model = CavityCat(CavityLink(5), order, entanglement_rate_hz=3000)
    assert model.theory().gain * model.repetition_rate_hz == pytest.approx(3000, rel=1e-12)
    dimmer = CavityCat(CavityLink(5), order, model.coherent_amplitude * 0.999)
    assert dimmer.theory().gain < model.theory().gain


def test_a_rate_out_of_reach() -> None:
    model = CavityCat(CavityLink(10), 1, entanglement_rate_hz=20_001.0)
    assert model.intensity is None
    expected = r"^entanglement_rate_hz must be in reach of the link, at most 20000 Hz, got 20001"
    with pytest.raises(UnreachableRateError, match=expected) as caught:
        model.joint_distribution()
    assert isinstance(caught.value, InvalidArgumentError)
    assert isinstance(caught.value, NoWorkingPointError)
    assert caught.value.argument == "entanglement_rate_hz"


def test_no_success_is_refused() -> None:
    model = CavityCat(CavityLink(10), 3, 1.0, segments=LossSegments(to_detection=0.0))
    with pytest.raises(InvalidArgumentError, match=r"^amplitude must be bright enough"):
        model.joint_distribution()


def test_the_loss_budget() -> None:
    link = CavityLink(10, **DEVICES_OF_TODAY)
    sent = 0.356 * 0.05 * 10**-0.2
    expected = {
        (1, "alice"): (1, 0.81**2 * sent, 1, 0.97),
        (3, "alice"): (1, 0.81**3 * sent, 1, 0.97),
        (3, "lumped"): (1, 0.81**5 * sent, 1, 0.81 * 0.97),
        (1, "strict"): (0.81, 0.81 * sent, 0.81, 0.81 * 0.97),
        (0, "strict"): (1, 0.81 * sent, 1, 0.81 * 0.97),
    }
    for (order, placement), taus in expected.items():
        found = tuple(vars(link.segments(order, placement)).values())
        assert found == pytest.approx(taus, rel=1e-14)
    model = CavityCat(link, 1, placement="strict")
    total = math.prod(expected[1, "strict"])
    assert model.plob_bound == pytest.approx(-math.log1p(-total) / math.log(2), rel=1e-12)
    by_hand = LossSegments(0.9, 0.8, 0.7, 0.6)
    assert CavityCat(link, 1, segments=by_hand).segments_in_force == by_hand


def test_the_memory_waits_for_the_travel_times() -> None:
    link = CavityLink(20, coherence_time_s=1e-3)
    assert link.dephasing(1) == pytest.approx(1 - math.exp(-0.1), rel=1e-12)
    assert link.dephasing(2) == pytest.approx(1 - math.exp(-0.2), rel=1e-12)
    assert CavityLink(20).dephasing(2) == 0
    assert CavityLink(20, gate_time_s=1e-3).repetition_rate_hz == 1e3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distance_km": -1}, r"^distance_km must be in \[0, 1e6\]"),
        ({"distance_km": 4000}, r"^distance_km must be short enough"),
        (
            {"distance_km": 0},
            r"^gate_time_s must be at least 1e-15 where the light travels for less",
        ),
        ({"attenuation_db_per_km": -0.1}, r"^attenuation_db_per_km must be"),
        ({"interaction_efficiency": 0}, r"^interaction_efficiency must be in \(0, 1\]"),
        ({"down_conversion_efficiency": 1.1}, r"^down_conversion_efficiency must be"),
        ({"up_conversion_efficiency": math.nan}, r"^up_conversion_efficiency must be"),
        ({"detector_efficiency": True}, r"^detector_efficiency must be"),
        ({"coherence_time_s": 0}, r"^coherence_time_s must be above 0, infinity included"),
        ({"coherence_time_s": math.nan}, r"^coherence_time_s must be"),
        ({"gate_time_s": math.inf}, r"^gate_time_s must be in \[0, 1e6\]"),
    ],
)
def test_links_are_checked(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        CavityLink(**{"distance_km": 10, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss_order": 2}, r"^loss_order must be 0, 1 or 3, got 2"),
        ({"amplitude": 0.0}, r'^amplitude must be in \[1e-09, 1000\], or "optimal"'),
        ({"amplitude": "best"}, r"^amplitude must be"),
        ({"entanglement_rate_hz": 0.0}, r"^entanglement_rate_hz must be finite and above 0"),
        (
            {"entanglement_rate_hz": 3.0, "amplitude": 0.5},
            r"^entanglement_rate_hz must be left out where an amplitude is given",
        ),
        ({"placement": "bob"}, r'^placement must be "alice", "lumped" or "strict"'),
        ({"placement": "strict", "loss_order": 3}, r'^placement must be "alice" or "lumped" for'),
        ({"travel_times": 3}, r"^travel_times must be 1 or 2"),
        ({"travel_times": True}, r"^travel_times must be 1 or 2"),
        ({"photon_class": 1}, r"^photon_class must be a whole number from 0 to 0"),
        ({"segments": LossSegments(to_bob=np.ones(2))}, r"^segments\.to_bob must be in \[0, 1\]"),
        ({"discrimination": "linear_optics", "loss_order": 3}, r"^discrimination must be"),
    ],
)
def test_models_are_checked(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        CavityCat(CavityLink(10), **arguments)


@pytest.mark.parametrize(("order", "photon_class"), ALL_CODES)
def test_mean_photon_number_of_the_cat(order: int, photon_class: int) -> None:
    alpha = 1.3
    model = CavityCat(CavityLink(5), order, alpha, photon_class=photon_class)
    number = np.arange(photon_class, 60, order + 1)
    weights = np.array([alpha ** (2 * int(n)) / math.factorial(int(n)) for n in number])
    assert model.intensity == pytest.approx((weights * number).sum() / weights.sum(), rel=1e-13)
    assert model.coherent_amplitude == alpha


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"amplitude": 1e200}, r"amplitude must be in \[1e-09, 1000\], or \"optimal\""),
        ({"amplitude": 1e-200}, r"amplitude must be in \[1e-09, 1000\], or \"optimal\""),
    ],
)
def test_absurd_amplitudes_are_refused(arguments: dict[str, float], match: str) -> None:
    with pytest.raises(InvalidArgumentError, match=match):
        CavityCat(CavityLink(5), **arguments)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"distance_km": 1e308}, r"distance_km must be in \[0, 1e6\], got 1e\+308"),
        ({"distance_km": 0, "gate_time_s": 1e-310}, r"gate_time_s must be at least 1e-15"),
    ],
)
def test_absurd_links_are_refused(arguments: dict[str, float], match: str) -> None:
    with pytest.raises(InvalidArgumentError, match=match):
        CavityLink(attenuation_db_per_km=0, **arguments)
