"""LinkPlan: what to set on a link, and what comes of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import pandas as pd

from emulator.parameters import Light


@dataclass(frozen=True)
class LinkPlan:
    """What to set, and what comes of it.

    Parameters
    ----------
    pulses : int
        Pulses after which the run stops, or that its rounds are expected to take; 0 when no block
        gives the key.
    heralded_rounds : int
        Heralded rounds that the design counts on.
    intensity : float, (float, float) or None
        Value of the scheme's intensity parameter, Alice's and Bob's where they differ; None for a
        scheme without, or without a key.
    test_probability : float
        p_test of a heralded round.
    key_length : int
        Length of the key in bits, an expected one where it varies with the counts.
    key_fraction : float
        Key bits per heralded round.
    abort_probability : float
        Bound on the abort probability of honest devices.
    seconds : float or None
        Duration of the quantum phase; None without a repetition rate.
    noisy_preprocessing : float
        Probability with which the reference inverts a key bit.
    directions : str or None
        Directions of measurement that were chosen with the intensity; None where they were not.
    reason : str or None
        Why there is no key; None with one.

    Examples
    --------
    >>> from emulator.scenario.loading import load_scenario
    >>> from emulator.theory.planning import plan
    >>> fixed = {"mean_photon_number": 0.03, "repetition_rate_hz": 1e9}
    >>> plan(load_scenario("ecs-100km", fixed), seconds=1).to_dict()["pulses"]
    1000000000
    """

    pulses: int
    heralded_rounds: int
    intensity: Light | None
    test_probability: float
    key_length: int
    key_fraction: float
    abort_probability: float
    seconds: float | None
    noisy_preprocessing: float
    directions: str | None
    reason: str | None

    def to_dict(self) -> dict[str, float | str | None]:
        """Return the fields as JSON values: None wherever a number is missing."""
        values: dict[str, float | str | None] = asdict(self)
        missing = {k: None for k, v in values.items() if isinstance(v, float) and math.isnan(v)}
        return values | missing

    def to_frame(self) -> pd.DataFrame:
        """Return the values as a table of one row."""
        return pd.DataFrame([self.to_dict()])

    def _repr_html_(self) -> str:
        """Return the values as a table for notebooks."""
        return self.to_frame().T.to_html(header=False)
