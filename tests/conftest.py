"""Fixtures shared by all tests: honest rounds of a short link, and ways to make records."""

from __future__ import annotations

import numpy as np
import pytest

from emulator.schemes.distribution import JointDistribution
from emulator.schemes.entangled_coherent import SCHEME, EntangledCoherent
from emulator.schemes.optics import Link
from postprocessing.bits import PackedBits
from postprocessing.protocol.messages import Message
from postprocessing.scheme import BellScheme


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


@pytest.fixture(scope="session")
def alice_refers() -> BellScheme:
    """Settings as in the cavity scheme: Bob has the third setting, so Alice is the reference."""
    return BellScheme(
        alice_labels=("A0", "A1"),
        bob_labels=("B0", "B1", "B2"),
        heralds=("h",),
        key_pair=(0, 2),
        chsh_signs=((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, -1)),
        flip=((False, False, False),),
    )


@pytest.fixture(scope="session")
def payload():
    """Return a message as bytes, field by field."""

    def to_bytes(message: Message) -> bytes:
        parts = [type(message).__name__.encode()]
        for name in message.__struct_fields__:
            value = getattr(message, name)
            if isinstance(value, PackedBits):
                value = (len(value), value.to_bytes())
            parts.append(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        return b"|".join(parts)

    return to_bytes
