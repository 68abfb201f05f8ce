"""Link, coherent overlaps and threshold detectors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.schemes.optics import Link
from emulator.states.light import click, coherent_overlap, silence
from postprocessing.errors import InvalidArgumentError

AMPLITUDES = st.complex_numbers(max_magnitude=3.0, allow_nan=False, allow_infinity=False)


def test_transmittance_is_that_of_half_the_distance() -> None:
    link = Link(distance_km=100, detector_efficiency=0.5, attenuation_db_per_km=0.16)
    assert link.arm_transmittance == pytest.approx(0.5 * 10**-0.8, rel=1e-15)


def test_plob_bound() -> None:
    assert Link(0).plob_bound == pytest.approx(-math.log2(0.2), rel=1e-14)
    assert Link(0, detector_efficiency=1.0).plob_bound == math.inf
    faint = 0.8 * 10**-16
    assert Link(800).plob_bound == pytest.approx(faint / math.log(2), rel=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, True, "1", None])
@pytest.mark.parametrize(
    "argument",
    [
        "distance_km",
        "detector_efficiency",
        "dark_count_probability",
        "attenuation_db_per_km",
    ],
)
def test_link_refuses_what_is_no_number_in_range(argument: str, value: object) -> None:
    if (argument, value) == ("distance_km", None):
        pytest.skip("then it is that of the arms, or 100 km")
    arguments = {"distance_km": 10.0, argument: value}
    with pytest.raises(InvalidArgumentError, match=rf"^{argument} must be "):
        Link(**arguments)


@pytest.mark.parametrize(
    ("argument", "value", "allowed"),
    [
        ("detector_efficiency", 0.0, r"in \(0, 1\]"),
        ("detector_efficiency", 1.1, r"in \(0, 1\]"),
        ("dark_count_probability", 1.0, r"in \[0, 1\)"),
        ("distance_km", 1e5, "a loss of at most 2000 dB"),
    ],
)
def test_link_refuses_the_ends_of_its_ranges(argument: str, value: float, allowed: str) -> None:
    arguments = {"distance_km": 10.0, argument: value}
    with pytest.raises(InvalidArgumentError, match=f"^{argument} must be .*{allowed}"):
        Link(**arguments)


def test_link_takes_numpy_numbers_and_integers() -> None:
    assert Link(np.float64(10.0)) == Link(10)
    assert Link(np.int64(10)).arm_transmittance == Link(10).arm_transmittance


@given(AMPLITUDES, AMPLITUDES)
def test_overlap_is_that_of_the_fock_expansions(bra: complex, ket: complex) -> None:
    terms, term = 0j, 1 + 0j
    for n in range(1, 120):
        terms += term
        term *= np.conj(bra) * ket / n
    expected = terms * math.exp(-(abs(bra) ** 2 + abs(ket) ** 2) / 2)
    assert complex(coherent_overlap(np.array(bra), np.array(ket))) == pytest.approx(
        expected, rel=1e-9, abs=1e-12
    )


@given(AMPLITUDES, AMPLITUDES, st.floats(0, 0.99))
def test_clicking_and_silence_are_all_that_happens(bra: complex, ket: complex, dark: float) -> None:
    v, u = np.array(bra), np.array(ket)
    total = complex(click(v, u, dark) + silence(v, u, dark))
    assert total == pytest.approx(complex(coherent_overlap(v, u)), rel=1e-12, abs=1e-14)


def test_click_keeps_its_precision_for_faint_light() -> None:
    amplitude = np.array(1e-12 + 0j)
    assert float(click(amplitude, amplitude, 0.0).real) == pytest.approx(1e-24, rel=1e-12)


def test_click_survives_bright_light() -> None:
    amplitude = np.array(1e4 + 0j)
    assert complex(click(amplitude, amplitude, 0.0)) == 1
    assert complex(click(-amplitude, amplitude, 0.0)) == 0
