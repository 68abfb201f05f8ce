"""Cat codes against exact rational series, limits and the conventions of the published figures."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.papers.convention import convention_performance, convention_success
from emulator.schemes.cat_amplitude import amplitude_for_rate, optimal_amplitude
from emulator.schemes.cat_amplitude import smallest_amplitude as smallest
from emulator.schemes.cat_code import (
    CatCode,
    LossSegments,
    cat_performance,
    discrimination_probabilities,
    residue_probabilities,
    success_probability,
)
from postprocessing.errors import InvalidArgumentError
from postprocessing.security.entropy import binary_entropy

CAVITY = pd.read_csv(Path(__file__).parents[1] / "reference" / "cavity.csv")
CODES = [
    *(CatCode(order, number) for order in (0, 1, 3) for number in range(order + 1)),
    *(CatCode(order, number, "linear_optics") for order in (0, 1) for number in range(order + 1)),
]
MEANS = [1e-12, 3e-9, 1e-4, 0.1, 0.9, 1.999999, 2.000001, 3.7, 9.0, 17.3, 36.0]
TRANSMITTANCES = st.floats(0.05, 1.0)


def series(z: Fraction, residue: int, modulus: int, *, alternating: bool = False) -> Fraction:
    """Return Σ (±1)^j z^n/n! over n = residue + j modulus, far beyond the digits of a double."""
    total, term = Fraction(0), Fraction(1)
    for number in range(220):
        if number % modulus == residue:
            total += -term if alternating and (number // modulus) % 2 else term
        term = round_off(term * z / (number + 1))
    return total


def round_off(value: Fraction) -> Fraction:
    """Keep 80 significant digits, so that fractions stay short."""
    if value == 0:
        return value
    digits = 80 - int(math.log10(value.numerator) - math.log10(value.denominator))
    scale = Fraction(10) ** digits
    return Fraction(round(value * scale)) / scale


def exact_success(code: CatCode, mean: float, residue: int) -> Fraction:
    """Return P_r by the closed forms, in exact arithmetic."""
    y, modulus = Fraction(mean), code.components
    if code.discrimination == "bound" or code.loss_order == 0:
        wave = series(y, residue, modulus, alternating=True)
        return 1 - abs(wave) / series(y, residue, modulus)
    dark = 1 / series(y / 2, 0, 1)
    sign = (-1) ** residue
    cosine = series(y / 2, 0, 2, alternating=True)
    return ((1 - dark) ** 2 + sign * 2 * dark**4 * (1 - cosine)) / (1 + sign * dark**4)


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("modulus", [1, 2, 4, 8])
@pytest.mark.parametrize("mean", MEANS)
def test_residues_are_exact(mean: float, modulus: int, alternating: bool) -> None:
    found = residue_probabilities(mean, modulus, alternating=alternating)
    norm = series(Fraction(mean), 0, 1)
    for residue in range(modulus):
        total = series(Fraction(mean), residue, modulus, alternating=alternating)
        scale = series(Fraction(mean), residue, modulus) / norm
        # Alternating sums pass through 0; there their terms set the scale.
        error = abs(Fraction(float(found[residue])) - total / norm)
        assert error <= Fraction(1e-12) * (abs(total / norm) if not alternating else scale)


@pytest.mark.parametrize("code", CODES, ids=str)
@pytest.mark.parametrize("mean", MEANS)
def test_discrimination_is_exact(code: CatCode, mean: float) -> None:
    success, failure = discrimination_probabilities(code, mean)
    norm = series(Fraction(mean), 0, 1)
    for residue in range(code.components):
        chance = series(Fraction(mean), residue, code.components) / norm
        expected = exact_success(code, mean, residue)
        assert success[residue] == pytest.approx(float(chance * expected), rel=1e-10, abs=0)
        assert failure[residue] == pytest.approx(float(chance * (1 - expected)), rel=1e-10, abs=0)


@pytest.mark.parametrize("number", [0, 1])
def test_linear_optics_stays_below_the_bound(number: int) -> None:
    mean = np.geomspace(1e-6, 36, 300)
    bound, _ = discrimination_probabilities(CatCode(1), mean)
    optics, _ = discrimination_probabilities(CatCode(1, 0, "linear_optics"), mean)
    assert (optics[number] <= bound[number] * (1 + 1e-12)).all()


def test_linear_optics_reaches_the_bound_of_the_0_loss_code() -> None:
    mean = np.geomspace(1e-9, 36, 50)
    for kind in ("bound", "linear_optics"):
        success, failure = discrimination_probabilities(CatCode(0, 0, kind), mean)
        np.testing.assert_allclose(success[0], -np.expm1(-2 * mean), rtol=1e-13)
        np.testing.assert_allclose(failure[0], np.exp(-2 * mean), rtol=1e-12)


@given(st.sampled_from(CODES), st.floats(0.05, 6.0), st.tuples(*[TRANSMITTANCES] * 4))
def test_probabilities_sum_to_1(code: CatCode, alpha: float, taus: tuple[float, ...]) -> None:
    found = cat_performance(code, LossSegments(*taus), alpha**2)
    assert found.success.sum() + found.inconclusive.sum() == pytest.approx(1, abs=1e-12)
    assert found.success.min() >= 0
    assert found.inconclusive.min() >= 0
    assert -1 - 1e-12 <= found.visibility <= 1
    alone = success_probability(code, math.prod(taus), alpha**2)
    assert alone == pytest.approx(found.success_probability, rel=1e-9)


@pytest.mark.parametrize("code", CODES, ids=str)
def test_arrays_are_points(code: CatCode) -> None:
    means = np.array([0.01, 0.8, 2.5, 30.0])[:, np.newaxis]
    taus = np.array([1e-4, 0.3, 1.0])
    found = cat_performance(code, LossSegments(0.9, taus, 0.95, 0.8), means)
    for i, mean in enumerate(means[:, 0]):
        for j, tau in enumerate(taus):
            point = cat_performance(code, LossSegments(0.9, tau, 0.95, 0.8), mean)
            assert point.visibility == pytest.approx(found.visibility[i, j], rel=1e-12)
            np.testing.assert_allclose(point.success, found.success[..., i, j], rtol=1e-12)


@pytest.mark.parametrize("code", CODES, ids=str)
def test_detectors_touch_no_pair(code: CatCode) -> None:
    ideal = cat_performance(code, LossSegments(0.95, 0.7, 0.9, 1.0), 1.3)
    poor = cat_performance(code, LossSegments(0.95, 0.7, 0.9, 0.3), 1.3)
    np.testing.assert_allclose(poor.syndrome_dephasing, ideal.syndrome_dephasing, rtol=1e-14)
    # h depends on what share of the unseen losses came before Bob's rotation.
    perfect = cat_performance(code, LossSegments(0.95, 0.7, 1.0, 0.3), 1.3)
    np.testing.assert_allclose(perfect.unseen_dephasing, 0, atol=1e-15)
    assert poor.success_probability < ideal.success_probability
    if code.loss_order == 0:
        assert poor.visibility == pytest.approx(ideal.visibility, rel=1e-14)


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize(
    ("segment", "exposed"),
    [("before_alice", True), ("to_syndrome", False), ("to_bob", True), ("to_detection", None)],
)
def test_how_many_lost_photons_dephase(order: int, segment: str, exposed: bool | None) -> None:
    def infidelity(loss: float) -> float:
        segments = LossSegments(**{segment: 1 - loss})
        return float(cat_performance(CatCode(order), segments, 1.0).infidelity)

    few, many = infidelity(2.0**-12), infidelity(2.0**-11)
    if exposed is None or (order == 0 and segment == "before_alice"):
        # The 0-loss code is a product state up to Alice's only rotation.
        assert few == many == 0
    else:
        photons = 1 if exposed else order + 1
        assert math.log2(many / few) == pytest.approx(photons, abs=0.01)


def test_no_loss_no_dephasing() -> None:
    for code in CODES:
        found = cat_performance(code, LossSegments(), np.array([1e-3, 1.0, 36.0]))
        np.testing.assert_array_equal(found.visibility, 1)


def test_nothing_arrives() -> None:
    found = cat_performance(CatCode(1), LossSegments(to_syndrome=0.0), 1.0)
    assert found.success_probability == 0
    assert math.isnan(found.visibility)


@pytest.mark.parametrize("code", CODES, ids=str)
def test_the_amplitude_for_a_rate_inverts_the_rate(code: CatCode) -> None:
    total = np.array([1e-6, 1e-3, 0.2, 0.9])
    wanted = np.array([1e-7, 1e-3, 0.3, 0.9])[:, np.newaxis]
    segments = LossSegments(to_syndrome=total)
    alpha = amplitude_for_rate(code, segments, 2e4, 2e4 * wanted)
    found = success_probability(code, total, alpha**2)
    np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape), rtol=1e-12)
    dimmer = success_probability(code, total, alpha**2 * np.linspace(0.01, 0.99, 99)[:, None, None])
    assert (dimmer < wanted).all()


@pytest.mark.parametrize(
    ("loss_order", "photon_class", "transmittance", "wanted"),
    [(1, 0, 10**-0.02, 0.9714), (3, 0, 0.95, 0.89402), (3, 2, 1.0, 0.99757)],
)
def test_a_sharp_maximum_is_not_stepped_over(
    loss_order: Literal[0, 1, 3], photon_class: int, transmittance: float, wanted: float
) -> None:
    """Beside a scan of a million amplitudes, at rates just below a kink of the bound."""
    code = CatCode(loss_order, photon_class)
    segments = LossSegments(to_syndrome=transmittance)
    alpha = np.linspace(0.01, 3, 1_000_001)
    reached = success_probability(code, transmittance, alpha**2) >= wanted
    found = amplitude_for_rate(code, segments, 1.0, wanted)
    assert found == pytest.approx(alpha[reached.argmax()], abs=1e-5)


def test_a_rate_out_of_reach_is_not_a_number() -> None:
    segments = LossSegments(to_syndrome=0.5)
    alpha = amplitude_for_rate(CatCode(1), segments, 1e4, np.array([9e3, 1.1e4]))
    assert np.isfinite(alpha).tolist() == [True, False]
    assert np.isnan(smallest(lambda tau, mean: 0 * tau * mean, 0.5, 0.1))


@pytest.mark.parametrize("code", CODES, ids=str)
@pytest.mark.parametrize("memory", [1.0, 0.6])
def test_the_optimum_is_one(code: CatCode, memory: float) -> None:
    segments = LossSegments(to_syndrome=0.4, to_detection=0.9)

    def key_rate(alpha: float | np.ndarray) -> np.ndarray:
        found = cat_performance(code, segments, np.square(alpha))
        return key_rates(found.success_probability, found.visibility)

    def key_rates(success: np.ndarray, visibility: np.ndarray) -> np.ndarray:
        return success * (1 - binary_entropy((1 + np.abs(memory * visibility)) / 2))

    best = optimal_amplitude(code, segments, key_rates)
    rate = key_rate(best)
    assert rate >= key_rate(np.linspace(0.02, 6, 5001)).max() * (1 - 1e-12)
    assert rate > key_rate(best * 1.001)
    assert rate > key_rate(best * 0.999)


def test_no_optimum_without_coherence() -> None:
    lossy, lost = LossSegments(to_syndrome=0.5), LossSegments(to_syndrome=0.0)
    assert optimal_amplitude(CatCode(0), lossy, lambda success, _: 0 * success) is None
    assert optimal_amplitude(CatCode(0), lost, lambda success, _: success) is None


def lumped(row: pd.Series) -> tuple[CatCode, LossSegments, float]:
    """Return code, segments and mean photon number of a row of ideal devices."""
    fibre = LossSegments(to_syndrome=10 ** (-0.02 * row["L"]))
    return CatCode(2 ** int(row["m"]) - 1), fibre, row["alpha"] ** 2


@pytest.mark.parametrize("index", CAVITY.index[CAVITY["paper"] == "B1"])
def test_the_figure_convention(index: int) -> None:
    row = CAVITY.loc[index]
    code, segments, mean = lumped(row)
    found = convention_performance(code, segments, mean)
    assert found.success_probability == pytest.approx(row["P"], rel=1e-11)
    assert found.fidelity == pytest.approx(row["F"], rel=1e-11)
    assert 2 * math.hypot(1, found.visibility) == pytest.approx(row["S"], rel=1e-11)
    alpha = smallest(partial(convention_success, code), segments.total, row["P"])
    assert alpha == pytest.approx(row["alpha"], rel=1e-10)
    with pytest.raises(InvalidArgumentError, match=r"^to_bob must be 1 under this convention"):
        convention_performance(code, LossSegments(to_bob=0.9), mean)
    with pytest.raises(InvalidArgumentError, match=r"^photon_class must be 0 under this conv"):
        convention_performance(CatCode(1, 1), segments, mean)


@pytest.mark.parametrize("index", CAVITY.index[CAVITY["paper"] == "C"])
def test_another_reading_of_the_figures(index: int) -> None:
    # F averaged evenly over the syndromes, P added up over the classes.
    row = CAVITY.loc[index]
    code, segments, mean = lumped(row)
    performance = cat_performance(code, segments, mean)
    success, failure = discrimination_probabilities(code, segments.total * mean)
    fidelity = 1 - performance.syndrome_dephasing.real.mean() / 2
    probability = (success / (success + failure)).sum()
    chsh = 2 * math.hypot(1, 2 * fidelity - 1)
    assert fidelity == pytest.approx(row["F"], rel=1e-11)
    assert probability == pytest.approx(row["P"], rel=1e-11)
    assert chsh == pytest.approx(row["S"], rel=1e-11)
    assert 0.5 - chsh / (4 * math.sqrt(2)) == pytest.approx(row["Q"], rel=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2,), r"^loss_order must be 0, 1 or 3, got 2"),
        ((True,), r"^loss_order must be"),
        ((1, 2), r"^photon_class must be a whole number from 0 to 1, got 2"),
        ((1, -1), r"^photon_class must be"),
        ((0, 0.0), r"^photon_class must be"),
        ((1, 0, "best"), r'^discrimination must be "bound" or "linear_optics"'),
        ((3, 0, "linear_optics"), r'^discrimination must be "bound" for the 3-loss code'),
    ],
)
def test_codes_are_checked(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        CatCode(*arguments)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, np.array([0.5, 2.0])])
def test_transmittances_are_checked(value: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^to_bob must be in \[0, 1\]"):
        LossSegments(to_bob=value)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, np.array([1.0, math.inf])])
def test_the_mean_photon_number_is_checked(value: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^mean_photon_number must be finite and"):
        cat_performance(CatCode(0), LossSegments(), value)
