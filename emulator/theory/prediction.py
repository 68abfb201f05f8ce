"""Theory of a model: gain, CHSH value, QBER and asymptotic key rate beside the PLOB bound."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

import pandas as pd

from emulator.parameters import Light
from emulator.sampling.stopping import stopping_rule
from emulator.schemes.base import NoPositiveKeyRateError, NoWorkingPointError, ProtocolModel
from emulator.schemes.state_model import StateModel
from postprocessing.checks import instance_of
from postprocessing.design.design import RARE_SHARE
from postprocessing.design.request import Security
from postprocessing.security import asymptotic_key_fraction

_FINITE = ("method", "heralded_rounds", "key_length", "finite_key_rate_per_pulse")


@dataclass(frozen=True)
class Prediction:
    """What theory says of a model.

    Parameters
    ----------
    scheme : str
        Name of the scheme.
    gain : float or None
        Q_zz, the herald probability of a pulse.
    chsh : float or None
        S of heralded pulses.
    qber : float or None
        Error rate of the raw key.
    key_rate_per_pulse : float or None
        Asymptotic secret bits per emitted pulse pair, at least 0 (Xie et al., Eq. (1)).
    plob_bound : float or None
        Repeaterless bound in bits per pulse; infinite where nothing is lost, None without a link.
    mean_photon_number : float, (float, float) or None
        Of the light of one pulse and sender, Alice's and Bob's where they differ; None for a
        scheme without a choice of intensity.
    amplitude : float, (float, float) or None
        α of the coherent states that the light is made of, likewise; None for a scheme without
        them.
    repetition_rate_hz : float or None
        Pulses per second; None where not specified.
    greatest_chsh : float or None
        S of the heralded states at the directions of highest key rate, which Bob's flips allow;
        None for a scheme without states.
    key_rate_at_best_directions : float or None
        Asymptotic secret bits per pulse at those directions, everything else as it is.
    method : str or None
        Name of the key-length method of `key_length`; None without heralded rounds.
    heralded_rounds : int or None
        Heralded rounds of a run that is asked for, or that its pulses let one count on.
    key_length : int or None
        Key bits of its finite-size design.

    Notes
    -----
    Where the intensity is to be optimal and none gives a positive rate, the rate is 0 and
    ``gain``, ``chsh``, ``qber``, ``mean_photon_number`` and ``amplitude`` are None. Points of a
    curve without any intensity to choose have no rate either.

    Examples
    --------
    >>> import diqkd
    >>> link = diqkd.Link(distance_km=100)
    >>> model = diqkd.EntangledCoherent(link, repetition_rate_hz=1e9)
    >>> f"{diqkd.predict(model).key_rate_per_second:.3e}"
    '5.175e+06'
    """

    scheme: str
    gain: float | None
    chsh: float | None
    qber: float | None
    key_rate_per_pulse: float | None
    plob_bound: float | None
    mean_photon_number: Light | None
    amplitude: Light | None = None
    repetition_rate_hz: float | None = None
    greatest_chsh: float | None = None
    key_rate_at_best_directions: float | None = None
    method: str | None = None
    heralded_rounds: int | None = None
    key_length: int | None = None

    @property
    def finite_key_rate_per_pulse(self) -> float | None:
        """Secret bits per pulse of the finite-size design; None without heralded rounds."""
        if self.gain is None or self.key_length is None or not self.heralded_rounds:
            return None
        return self.gain * self.key_length / self.heralded_rounds

    @property
    def herald_rate_hz(self) -> float | None:
        """Heralded rounds per second; None without a gain or a repetition rate."""
        if self.gain is None or self.repetition_rate_hz is None:
            return None
        return self.gain * self.repetition_rate_hz

    @property
    def key_rate_per_second(self) -> float | None:
        """Asymptotic secret bits per second; None without a repetition rate."""
        if self.key_rate_per_pulse is None or self.repetition_rate_hz is None:
            return None
        return self.key_rate_per_pulse * self.repetition_rate_hz

    def to_dict(self) -> dict[str, str | Light | None]:
        """Return the fields as JSON values: None wherever a number is missing or infinite.

        What belongs to a finite size is there where heralded rounds are.
        """
        per_second = {
            "herald_rate_hz": self.herald_rate_hz,
            "key_rate_per_second": self.key_rate_per_second,
            "finite_key_rate_per_pulse": self.finite_key_rate_per_pulse,
        }
        values = {**asdict(self), **per_second}
        if self.heralded_rounds is None:
            values = {name: value for name, value in values.items() if name not in _FINITE}
        return {key: _finite_or_none(value) for key, value in values.items()}

    def to_frame(self) -> pd.DataFrame:
        """Return the values as a table of one row."""
        return pd.DataFrame([self.to_dict()])

    def _repr_html_(self) -> str:
        """Return the values as a table for notebooks."""
        return self.to_frame().T.to_html(header=False)


def predict(
    model: ProtocolModel,
    *,
    heralded_rounds: int | None = None,
    pulses: int | None = None,
    security: Security | None = None,
) -> Prediction:
    """Return gain, CHSH value, QBER and key rates of a model.

    Parameters
    ----------
    model : ProtocolModel
        The scheme with its parameters.
    heralded_rounds, pulses : int, optional
        When a run would stop: at most one of them, for the key of its finite-size design too.
    security : Security, optional
        What is asked of that key; by default ``Security()``.

    Returns
    -------
    Prediction
        The theory; see its notes for models without a positive rate.

    Raises
    ------
    NoWorkingPointError
        If the model is to choose an intensity, but not for its key rate, and there is none.
    InvalidArgumentError
        If an argument is outside its range.

    Examples
    --------
    >>> from emulator.schemes.optics import Link
    >>> from emulator.schemes.entangled_coherent import EntangledCoherent
    >>> found = predict(EntangledCoherent(Link(distance_km=100)))
    >>> f"{found.key_rate_per_pulse:.4e} {found.key_rate_at_best_directions:.4e}"
    '5.1748e-03 5.6975e-03'
    """
    instance_of("model", model, ProtocolModel)
    try:
        point = model.working_point()
    except NoPositiveKeyRateError:
        return _without_intensity(model, 0.0)
    joint = point.joint_distribution()
    best_chsh, best_rate = _at_best_directions(point)
    found = Prediction(
        model.name,
        gain=joint.gain,
        chsh=joint.chsh,
        qber=joint.qber,
        key_rate_per_pulse=float(joint.gain * asymptotic_key_fraction(joint.chsh, joint.qber)),
        plob_bound=model.plob_bound,
        mean_photon_number=point.intensity,
        amplitude=point.coherent_amplitude,
        repetition_rate_hz=model.repetition_rate_hz,
        greatest_chsh=best_chsh,
        key_rate_at_best_directions=best_rate,
    )
    if heralded_rounds is None and pulses is None:
        return found
    security = Security() if security is None else security
    instance_of("security", security, Security)
    rule = stopping_rule(heralded_rounds=heralded_rounds, pulses=pulses)
    counted = rule.rounds_to_count_on(joint.gain, security.completeness * RARE_SHARE)
    length = security.design(joint, counted).key_length if counted else 0
    return replace(found, method=security.method, heralded_rounds=counted, key_length=length)


def _at_best_directions(point: ProtocolModel) -> tuple[float | None, float | None]:
    """Return S and the asymptotic key rate of the same states at their best directions."""
    if not isinstance(point, StateModel):
        return None, None
    theory = replace(point, directions=str(point.best_directions())).theory()
    return theory.chsh, float(theory.key_rate_per_pulse)


def prediction_of_point(model: ProtocolModel) -> Prediction:
    """Return the prediction of one of many points: unknown where there is nothing to work at.

    Parameters
    ----------
    model : ProtocolModel
        The scheme with its parameters.

    Returns
    -------
    Prediction
        As `predict`; of None where it would raise NoWorkingPointError.
    """
    try:
        return predict(model)
    except NoWorkingPointError:
        return _without_intensity(model, None)


def _without_intensity(model: ProtocolModel, key_rate_per_pulse: float | None) -> Prediction:
    """Return the prediction of a model that finds no intensity."""
    unknown = (None, None, None)
    bound, pace = model.plob_bound, model.repetition_rate_hz
    return Prediction(model.name, *unknown, key_rate_per_pulse, bound, None, None, pace)


def _finite_or_none(value: str | Light | None) -> str | Light | None:
    """Return `value`, or None for a number that JSON cannot hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
