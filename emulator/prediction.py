"""Theory of a model: gain, CHSH value, QBER and asymptotic key rate beside the PLOB bound."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from emulator.protocols.base import NoPositiveKeyRateError, ProtocolModel
from postprocessing.security import asymptotic_key_fraction


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
    key_rate_per_pulse : float
        Asymptotic secret bits per emitted pulse pair, at least 0 (Xie et al., Eq. (1)).
    plob_bound : float
        Repeaterless bound in bits per pulse; infinite on a lossless link.
    mean_photon_number : float or None
        Intensity of each sender's pulse; None for a scheme without one.

    Notes
    -----
    Where the intensity is to be optimal and none gives a positive rate, the rate is 0 and
    ``gain``, ``chsh``, ``qber`` and ``mean_photon_number`` are None.
    """

    scheme: str
    gain: float | None
    chsh: float | None
    qber: float | None
    key_rate_per_pulse: float
    plob_bound: float
    mean_photon_number: float | None

    def to_dict(self) -> dict[str, str | float | None]:
        """Return the fields as JSON values: None wherever a number is missing or infinite."""
        return {key: _finite_or_none(value) for key, value in asdict(self).items()}


def predict(model: ProtocolModel) -> Prediction:
    """Return gain, CHSH value, QBER and asymptotic key rate of a model.

    Parameters
    ----------
    model : ProtocolModel
        The scheme with its parameters.

    Returns
    -------
    Prediction
        The theory; see its notes for models without a positive rate.

    Examples
    --------
    >>> from emulator.optics import Link
    >>> from emulator.protocols.entangled_coherent import EntangledCoherent
    >>> f"{predict(EntangledCoherent(Link(distance_km=100))).key_rate_per_pulse:.4e}"
    '5.1748e-03'
    """
    plob_bound = model.link.plob_bound
    try:
        joint = model.joint_distribution()
    except NoPositiveKeyRateError:
        return Prediction(model.name, None, None, None, 0.0, plob_bound, None)
    gain, chsh, qber = joint.gain, joint.chsh, joint.qber
    rate = gain * asymptotic_key_fraction(chsh, qber)
    return Prediction(model.name, gain, chsh, qber, rate, plob_bound, model.intensity)


def _finite_or_none(value: str | float | None) -> str | float | None:
    """Return `value`, or None for a number that JSON cannot hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
