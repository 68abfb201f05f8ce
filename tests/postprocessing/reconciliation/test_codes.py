"""The code family: what it covers, at which leakage, and the failure rate a design assumes."""

import numpy as np
import pytest
from scipy.stats import binom

from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import QCLDPCCode, code_family, get_code

QBERS = [0.0, 7e-6, 1e-4, 7e-4, 1e-3, 5e-3, 0.01, 0.02, 0.03, 0.05, 0.08, 0.1]


def binary_entropy(probability: float) -> float:
    return float(-probability * np.log2(probability) - (1 - probability) * np.log2(1 - probability))


def cheapest(qber: float, failure: float = 6e-5) -> QCLDPCCode:
    return next(code for code in code_family() if code.frame_error_rate(qber) <= failure)


def test_family_is_ordered_and_every_code_covers_more() -> None:
    codes = code_family()
    leaks = [code.leak_per_bit for code in codes]
    assert leaks == sorted(leaks)
    qbers = [code.rated_qber for code in codes]
    assert qbers == sorted(qbers)


@pytest.mark.parametrize("qber", QBERS)
def test_every_qber_has_a_code(qber: float) -> None:
    assert cheapest(qber).leak_per_bit < 0.65


def test_leakage_at_low_qber() -> None:
    assert cheapest(7e-6).leak_per_bit < 0.006
    assert cheapest(1.5e-4).leak_per_bit < 0.012
    assert cheapest(5e-4).leak_per_bit < 0.02
    assert cheapest(1e-3).leak_per_bit < 0.05


@pytest.mark.parametrize("qber", np.linspace(0.01, 0.1, 46).tolist())
def test_efficiency_between_the_ratings(qber: float) -> None:
    """Efficiency f ≤ 1.6 from 1 % to 10 %, with the allowance for binomial fluctuations."""
    assert cheapest(qber).leak_per_bit <= 1.6 * binary_entropy(qber)


@pytest.mark.parametrize("code", code_family(), ids=lambda code: code.name)
def test_frame_error_rate_is_the_binomial_tail_and_the_floor(code: QCLDPCCode) -> None:
    qber = 0.95 * code.rated_qber
    tail = 1 - binom.cdf(code.rated_errors, code.frame_bits, qber)
    assert code.frame_error_rate(qber) == pytest.approx(tail + code.failure_floor, abs=1e-9)
    assert code.frame_error_rate(0.0) == code.failure_floor
    assert code.frame_error_rate(1e-12) == pytest.approx(code.failure_floor)
    assert code.frame_error_rate(0.5) == 1.0


def test_failure_floor_is_no_lower_than_the_frames_of_the_family_allow() -> None:
    """No failure in F frames bounds the rate by 3/F at a confidence of 95 %."""
    frames = sum(code.rated_frames for code in code_family())
    assert all(3 / frames <= code.failure_floor < 1e-3 for code in code_family())


@pytest.mark.parametrize("qber", [-1e-9, 0.51, float("nan")])
def test_qber_outside_its_range(qber: float) -> None:
    with pytest.raises(InvalidArgumentError, match=r"qber must be in \[0, 1/2\]"):
        code_family()[0].frame_error_rate(qber)


def test_codes_by_name() -> None:
    assert all(get_code(code.name) is code for code in code_family())
    with pytest.raises(InvalidArgumentError, match="name must be one of qc726-4x724"):
        get_code("nosuch")


@pytest.mark.parametrize("shifts", [[[0, 7]], [[-2, 1]], [0, 1]])
def test_shifts_outside_the_lifting(shifts: list[object]) -> None:
    with pytest.raises(InvalidArgumentError, match="shifts must be a matrix"):
        QCLDPCCode("bad", 7, np.array(shifts, dtype=np.int16), 0, 0.0, 0)
