"""The entangled-coherent-state scheme against tables and closed forms."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.distribution import JointDistribution
from emulator.optics import Link
from emulator.protocols import EntangledCoherent, entangled_coherent, optimal_mean_photon_number
from postprocessing.errors import InvalidArgumentError

JOINT = pd.read_csv(Path(__file__).parents[1] / "reference" / "ecs_joint.csv")
PARAMETERS = list(JOINT.columns[:6])
CELL = ["x", "y", "herald", "a", "b"]

INTENSITIES = st.floats(1e-4, 1.0)
DISTANCES = st.floats(0.0, 500.0)
EFFICIENCIES = st.floats(0.1, 1.0)
DARK_COUNTS = st.one_of(st.just(0.0), st.floats(1e-9, 1e-2))
MISALIGNMENTS = st.one_of(st.just(0.0), st.floats(1e-4, 0.3))


def joint_distribution(
    mu: float, distance: float, efficiency: float, dark: float, misalignment: float
) -> JointDistribution:
    link = Link(distance, detector_efficiency=efficiency, dark_count_probability=dark)
    return EntangledCoherent(link, mu, misalignment).joint_distribution()


def bob_plus(joint: JointDistribution) -> np.ndarray:
    """Return P(b = +1 | x, y) over all announcements."""
    return joint.probabilities[..., 0].sum(axis=(2, 3))


def alice_plus(joint: JointDistribution) -> np.ndarray:
    """Return P(a = +1 | x, y) over all announcements."""
    return joint.probabilities[..., 0, :].sum(axis=(2, 3))


def test_the_reference_is_complete() -> None:
    assert len(JOINT) == 1152
    assert (JOINT["probability"] > 1e-18).all()


@pytest.mark.parametrize(("parameters", "rows"), list(JOINT.groupby(PARAMETERS)))
def test_every_cell_of_the_reference(parameters: tuple[float, ...], rows: pd.DataFrame) -> None:
    mu, distance, efficiency, attenuation, dark, misalignment = parameters
    link = Link(distance, efficiency, dark, attenuation)
    frame = EntangledCoherent(link, mu, misalignment).joint_distribution().to_frame()
    expected = rows.set_index(CELL)["probability"]
    found = frame.set_index(CELL)["probability"].reindex(expected.index)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("mu", [1e-3, 0.09, 0.7, 4.0])
@pytest.mark.parametrize("distance", [0, 30, 400])
@pytest.mark.parametrize("dark", [0.0, 1e-7, 1e-2])
@pytest.mark.parametrize("misalignment", [0.0, 0.02, 0.3, 1.0])
def test_marginals_know_nothing_of_charlie(
    mu: float, distance: float, dark: float, misalignment: float
) -> None:
    joint = joint_distribution(mu, distance, 0.8, dark, misalignment)
    coherence = math.exp(-2 * mu)
    np.testing.assert_allclose(bob_plus(joint)[:, 0], 0.5, atol=1e-13)
    np.testing.assert_allclose(bob_plus(joint)[:, 1], (1 + coherence) / 2, atol=1e-13)
    tilted = (1 + coherence * math.sin(math.pi / 4)) / 2
    for setting, expected in enumerate([0.5, tilted, 1 - tilted]):
        np.testing.assert_allclose(alice_plus(joint)[setting], expected, atol=1e-13)


def test_the_marginals_catch_a_map_that_is_no_isometry(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = joint_distribution(0.09, 0, 0.8, 1e-7, 0.03)
    amplitudes = entangled_coherent._port_amplitudes
    monkeypatch.setattr(
        entangled_coherent,
        "_port_amplitudes",
        lambda *arguments: amplitudes(*arguments) * np.where(amplitudes(*arguments).imag, 1j, 1),
    )
    without_phase = joint_distribution(0.09, 0, 0.8, 1e-7, 0.03)
    # Nothing else shows it: normalisation, no-signalling, gain, S and QBER are as they were.
    for name in ("gain", "chsh", "qber"):
        assert getattr(without_phase, name) == pytest.approx(getattr(honest, name), rel=1e-12)
    expected = (1 + math.exp(-0.18)) / 2
    assert bob_plus(honest)[0, 1] == pytest.approx(expected, abs=1e-13)
    assert abs(bob_plus(without_phase)[0, 1] - expected) > 1e-3


@settings(deadline=None)
@given(INTENSITIES, DISTANCES, EFFICIENCIES, DARK_COUNTS, MISALIGNMENTS)
def test_closed_forms(
    mu: float, distance: float, efficiency: float, dark: float, misalignment: float
) -> None:
    joint = joint_distribution(mu, distance, efficiency, dark, misalignment)
    eta = efficiency * 10 ** (-distance / 100)
    # The note's closed forms over e^{2μ(1−η)}, so that no large terms cancel.
    aligned, drifted = 2 * mu * eta * (1 - misalignment), 2 * mu * eta * misalignment
    norm = math.expm1(aligned) + math.expm1(drifted) + 2 * dark
    dim = math.expm1(-aligned) + math.expm1(-drifted) + 2 * dark
    gain = (1 - dark) * math.exp(-2 * mu * eta) * norm
    bright = math.expm1(aligned) - math.expm1(drifted)
    chsh = math.sqrt(2) * (bright - math.exp(-4 * mu * (1 - eta)) * dim) / norm
    assert joint.gain == pytest.approx(gain, rel=1e-10)
    assert joint.qber == pytest.approx((math.expm1(drifted) + dark) / norm, rel=1e-10)
    assert joint.chsh == pytest.approx(chsh, rel=1e-10, abs=1e-10)


@given(INTENSITIES, st.floats(0.0, 50.0), EFFICIENCIES, DARK_COUNTS)
def test_closed_forms_without_misalignment_as_printed(
    mu: float, distance: float, efficiency: float, dark: float
) -> None:
    joint = joint_distribution(mu, distance, efficiency, dark, 0.0)
    eta = efficiency * 10 ** (-distance / 100)
    kept = 2 * mu * (1 - eta)
    norm = math.exp(2 * mu) - (1 - 2 * dark) * math.exp(kept)
    chsh = math.sinh(2 * mu) - math.cosh(kept) + (1 - dark) * math.exp(-kept)
    gain = (1 - dark) * (1 - (1 - 2 * dark) * math.exp(-2 * mu * eta))
    assert joint.gain == pytest.approx(gain, rel=1e-9)
    assert joint.qber == pytest.approx(dark * math.exp(kept) / norm, rel=1e-9)
    assert joint.chsh == pytest.approx(2 * math.sqrt(2) * chsh / norm, rel=1e-9)


@given(st.floats(1e-3, 1.0))
def test_closed_forms_of_ideal_devices(mu: float) -> None:
    joint = joint_distribution(mu, 0.0, 1.0, 0.0, 0.0)
    assert joint.gain == pytest.approx(-math.expm1(-2 * mu), rel=1e-12)
    assert joint.chsh == pytest.approx(math.sqrt(2) * (1 + math.exp(-2 * mu)), rel=1e-12)
    assert joint.qber == 0
    assert (joint.chsh > 2) == (mu < math.log(1 + math.sqrt(2)) / 2)


@settings(deadline=None)
@given(INTENSITIES, DISTANCES, EFFICIENCIES, DARK_COUNTS, MISALIGNMENTS)
def test_every_detector_is_independent_of_the_settings(
    mu: float, distance: float, efficiency: float, dark: float, misalignment: float
) -> None:
    joint = joint_distribution(mu, distance, efficiency, dark, misalignment)
    np.testing.assert_allclose(joint.probabilities.sum(axis=(2, 3, 4)), 1, rtol=0, atol=1e-12)
    heralds = joint.probabilities[:, :, 1:3].sum(axis=(3, 4))
    np.testing.assert_allclose(heralds, np.broadcast_to(heralds[0, 0], heralds.shape), rtol=1e-10)


@pytest.mark.parametrize("mu", [1e-7, 50.0, 2e3])
def test_extreme_intensities(mu: float) -> None:
    joint = joint_distribution(mu, 0, 1.0, 0.0, 0.01)
    assert joint.gain == pytest.approx(2 * mu if mu < 1 else math.exp(-0.02 * mu), rel=1e-6)


def test_light_so_bright_that_both_detectors_always_click_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="of positive herald probability"):
        joint_distribution(1e5, 0, 1.0, 0.0, 0.01)


def test_a_full_drift_exchanges_the_detectors() -> None:
    aligned = joint_distribution(0.2, 20, 0.8, 1e-6, 0.0).probabilities
    exchanged = joint_distribution(0.2, 20, 0.8, 1e-6, 1.0).probabilities
    np.testing.assert_allclose(exchanged, aligned[:, :, [0, 2, 1, 3]], rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, -0.1, math.nan, math.inf, True, "best", None])
def test_mean_photon_number_is_checked(value: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^mean_photon_number must be finite and above"):
        EntangledCoherent(Link(10), value)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, False])
def test_misalignment_is_checked(value: float) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^misalignment_error must be in \[0, 1\]"):
        EntangledCoherent(Link(10), 0.1, misalignment_error=value)


def test_the_optimal_intensity_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = EntangledCoherent(Link(100), misalignment_error=0.01)
    assert model.intensity == optimal_mean_photon_number(Link(100), 0.01)
    monkeypatch.delattr(entangled_coherent, "optimal_mean_photon_number")
    assert model.intensity == pytest.approx(0.07166, rel=1e-4)
    assert EntangledCoherent(Link(100), 0.3).intensity == 0.3
