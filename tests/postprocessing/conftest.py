"""Fixtures of the post-processing's tests: devices as numbers, and messages as bytes."""

from __future__ import annotations

import numpy as np
import pytest
from plain_rounds import LI_SCHEME, STRONG, XIE_SCHEME

from postprocessing.bits import PackedBits
from postprocessing.design.request import ExpectedValues
from postprocessing.protocol.messages import Message
from postprocessing.scheme import BellScheme


@pytest.fixture(scope="session")
def honest() -> ExpectedValues:
    """As entangled coherent states over 100 km without misalignment."""
    return ExpectedValues(XIE_SCHEME, chsh=2.4203495694731103, qber=7.000373941609236e-06)


@pytest.fixture(scope="session")
def strong() -> ExpectedValues:
    """Devices that make a key from few rounds."""
    return STRONG


@pytest.fixture(scope="session")
def alice_refers() -> BellScheme:
    """Settings as in the cavity scheme: Bob has the third setting, so Alice is the reference."""
    return LI_SCHEME


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
