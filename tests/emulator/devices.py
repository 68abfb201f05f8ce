"""Fixtures: joint distributions of honest devices, classical ones and very good ones."""

from __future__ import annotations

import numpy as np
import pytest

from emulator.schemes.entangled_coherent import EntangledCoherent
from emulator.schemes.optics import Link
from emulator.states.distribution import JointDistribution
from emulator.states.games import xie_scheme

SCHEME = xie_scheme(("D1", "D2"), ((False, False), (True, False)))


@pytest.fixture(scope="session")
def honest() -> JointDistribution:
    """100 km without misalignment, the scheme's optimal intensity."""
    return EntangledCoherent(Link(distance_km=100)).joint_distribution()


@pytest.fixture(scope="session")
def classical() -> JointDistribution:
    """Devices that always answer +1: the best local strategy at QBER 0, with S = 2."""
    table = np.zeros((3, 2, 3, 2, 2))
    table[:, :, 1, 0, 0] = 0.01
    table[:, :, 0, 0, 0] = 0.99
    return JointDistribution(SCHEME, ("none", "D1", "D2"), table)


@pytest.fixture(scope="session")
def strong() -> JointDistribution:
    """Devices of S = 2.7 and QBER 0.1 % with uniform marginals: a key from few rounds."""
    correlators = np.zeros((3, 2))
    correlators[SCHEME.key_pair] = 1 - 2e-3
    for x, y, sign in SCHEME.chsh_signs:
        correlators[x, y] = sign * 2.7 / 4
    product = np.array([[1, -1], [-1, 1]])
    table = np.zeros((3, 2, 3, 2, 2))
    table[:, :, 1] = 0.01 * (1 + product * correlators[:, :, None, None]) / 4
    table[:, :, 0] = 0.99 / 4
    return JointDistribution(SCHEME, ("none", "D1", "D2"), table)
