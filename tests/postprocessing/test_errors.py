"""Errors reach whoever waits for them, from other processes too."""

import pickle

import numpy as np

from postprocessing.errors import InvalidArgumentError


def test_an_error_survives_the_way_between_processes() -> None:
    error = InvalidArgumentError("qber", np.float64(0.7), "in [0, 1/2]")
    found = pickle.loads(pickle.dumps(error))
    assert str(found) == str(error) == "qber must be in [0, 1/2], got np.float64(0.7)"
    assert (found.argument, found.value, found.allowed) == ("qber", 0.7, "in [0, 1/2]")
