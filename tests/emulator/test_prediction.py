"""Predictions against the reference rates."""

from __future__ import annotations

import json
import math
from decimal import Decimal, localcontext
from pathlib import Path

import pandas as pd
import pytest

from emulator.schemes import EntangledCoherent, NoPositiveKeyRateError
from emulator.schemes.bell_state import BellState
from emulator.schemes.optics import Link
from emulator.theory.prediction import predict

TABLE = pd.read_csv(Path(__file__).parents[1] / "reference" / "rates_seed0.csv")
RATES = TABLE.query("scheme == 'ecs'")
BELL_STATE_RATES = list(TABLE.query("scheme == 'bell_state'").itertuples())
POSITIVE = [row for row in RATES.itertuples() if row.key_rate_per_pulse > 0]
# The table's search for the best intensity stepped over a narrow window of positive rates here,
# see `test_a_narrow_window_of_positive_rates_is_found`.
NARROW_WINDOW = (350, 0.07)
NULL = [
    row
    for row in RATES.itertuples()
    if row.key_rate_per_pulse == 0 and (row.distance_km, row.misalignment_error) != NARROW_WINDOW
]


def test_the_reference_holds_both_kinds_of_row() -> None:
    assert len(POSITIVE) + len(NULL) + 1 == len(RATES) == 55
    assert len(NULL) == 9
    assert len(BELL_STATE_RATES) == 11


@pytest.mark.parametrize("row", POSITIVE)
def test_reference_at_the_tabulated_intensity(row: pd.Series) -> None:
    link = Link(row.distance_km)
    model = EntangledCoherent(link, row.optimal_mean_photon_number, row.misalignment_error)
    prediction = predict(model)
    assert prediction.scheme == row.scheme
    assert prediction.mean_photon_number == row.optimal_mean_photon_number
    assert prediction.gain == pytest.approx(row.gain_zz, rel=1e-8)
    assert prediction.chsh == pytest.approx(row.chsh, rel=1e-8)
    assert prediction.qber == pytest.approx(row.qber, rel=1e-8)
    assert prediction.key_rate_per_pulse == pytest.approx(row.key_rate_per_pulse, rel=1e-8)
    assert prediction.plob_bound == pytest.approx(row.plob_bound, rel=1e-8)


@pytest.mark.parametrize("row", BELL_STATE_RATES)
def test_reference_of_the_bell_state_scheme(row: pd.Series) -> None:
    prediction = predict(BellState(Link(row.distance_km)))
    assert prediction.scheme == row.scheme
    assert prediction.mean_photon_number is None
    assert prediction.gain == pytest.approx(row.gain_zz, rel=1e-8)
    assert prediction.chsh == pytest.approx(row.chsh, rel=1e-8)
    assert prediction.qber == pytest.approx(row.qber, rel=1e-8)
    assert prediction.key_rate_per_pulse == pytest.approx(row.key_rate_per_pulse, rel=1e-8)
    assert prediction.plob_bound == pytest.approx(row.plob_bound, rel=1e-8)


@pytest.mark.parametrize("row", POSITIVE)
def test_optimal_intensity(row: pd.Series) -> None:
    model = EntangledCoherent(Link(row.distance_km), misalignment_error=row.misalignment_error)
    prediction = predict(model)
    assert prediction.mean_photon_number == pytest.approx(row.optimal_mean_photon_number, rel=1e-4)
    assert prediction.key_rate_per_pulse >= row.key_rate_per_pulse * (1 - 1e-11)


@pytest.mark.parametrize("row", NULL)
def test_no_positive_rate(row: pd.Series) -> None:
    model = EntangledCoherent(Link(row.distance_km), misalignment_error=row.misalignment_error)
    prediction = predict(model)
    assert prediction.key_rate_per_pulse == 0
    assert prediction.plob_bound == pytest.approx(row.plob_bound, rel=1e-8)
    missing = {prediction.gain, prediction.chsh, prediction.qber, prediction.mean_photon_number}
    assert missing == {None}
    with pytest.raises(NoPositiveKeyRateError, match="no positive key rate at any mean photon"):
        model.joint_distribution()


def exact_rate(intensity: float, distance_km: int, misalignment: str) -> float:
    """Return the closed-form rate per pulse in 50 digits, default detectors and fibre."""
    with localcontext(prec=50):
        mu, error, dark = Decimal(intensity), Decimal(misalignment), Decimal("1e-7")
        eta = Decimal("0.8") * Decimal(10) ** (Decimal(-distance_km) / 100)
        kept, drift, aligned = 2 * mu * (1 - eta), 2 * mu * eta * error, 2 * mu * eta * (1 - error)
        norm = (kept + aligned).exp() + (kept + drift).exp() - 2 * (1 - dark) * kept.exp()
        gain = (1 - dark) * (-(kept + 2 * mu * eta)).exp() * norm
        qber = ((kept + drift).exp() - (1 - dark) * kept.exp()) / norm
        odd = (kept + aligned).exp() - (-kept - aligned).exp()
        even = (kept + drift).exp() + (-kept - drift).exp()
        chsh = Decimal(2).sqrt() * (odd - even + 2 * (1 - dark) * (-kept).exp()) / norm
        guess = (1 + (chsh**2 / 4 - 1).sqrt()) / 2
        entropies = sum(-(p * p.ln() + (1 - p) * (1 - p).ln()) for p in (qber, guess))
        return float(gain * (1 - entropies / Decimal(2).ln()))


def test_a_narrow_window_of_positive_rates_is_found() -> None:
    distance_km, misalignment = NARROW_WINDOW
    prediction = predict(EntangledCoherent(Link(distance_km), misalignment_error=misalignment))
    assert prediction.mean_photon_number is not None
    exact = exact_rate(prediction.mean_photon_number, distance_km, str(misalignment))
    assert prediction.key_rate_per_pulse == pytest.approx(exact, rel=1e-8)
    assert exact == pytest.approx(7.304e-9, rel=1e-3)
    assert exact_rate(0.018, distance_km, str(misalignment)) < 0
    assert exact_rate(0.022, distance_km, str(misalignment)) < 0


def test_a_fixed_intensity_without_key_keeps_its_numbers() -> None:
    prediction = predict(EntangledCoherent(Link(450), 0.4, misalignment_error=0.1))
    assert prediction.key_rate_per_pulse == 0
    assert prediction.gain is not None
    assert prediction.gain > 0
    assert prediction.mean_photon_number == 0.4


def test_dictionary_is_strict_json() -> None:
    prediction = predict(EntangledCoherent(Link(0, detector_efficiency=1.0), 0.1))
    assert prediction.plob_bound == math.inf
    values = prediction.to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["plob_bound"] is None
    assert values["mean_photon_number"] == 0.1
    hopeless = predict(EntangledCoherent(Link(450), misalignment_error=0.05)).to_dict()
    assert hopeless["chsh"] is None
    assert hopeless["key_rate_per_pulse"] == 0
