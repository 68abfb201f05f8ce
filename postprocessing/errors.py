"""The exceptions of diqkd, one tree.

::

    DiqkdError
    ├── InvalidArgumentError   (also a ValueError)  an argument outside what is allowed
    ├── InputFileError                              an unreadable file, or one in the way
    ├── ProtocolError                               a public message out of order or malformed
    ├── SessionError                                the other party is silent, gone, or confused
    │   └── AuthenticationError                     a packet that the other party did not send so
    └── NoWorkingPointError   (emulator.schemes)  a model finds no intensity to work at
        ├── NoPositiveKeyRateError                  none gives a key rate
        └── UnreachableRateError                    none heralds at the wanted rate

An abort of the protocol is a result, not an exception.
"""

from __future__ import annotations

from typing import Self


class DiqkdError(Exception):
    """Base class of everything diqkd raises on purpose.

    Examples
    --------
    >>> from postprocessing import Security
    >>> try:
    ...     Security(soundness=2)
    ... except DiqkdError as error:
    ...     print(error)
    soundness must be a probability in [1e-20, 1), got 2
    """


class InvalidArgumentError(DiqkdError, ValueError):
    """An argument outside what is allowed.

    Parameters
    ----------
    argument : str
        Name of the argument.
    value : object
        The value given.
    allowed : str
        What is allowed, completing "must be ...".

    Examples
    --------
    >>> raise InvalidArgumentError("soundness", 2, "below 1")
    Traceback (most recent call last):
    postprocessing.errors.InvalidArgumentError: soundness must be below 1, got 2
    """

    def __init__(self, argument: str, value: object, allowed: str) -> None:
        super().__init__(f"{argument} must be {allowed}, got {value!r}")
        self.argument = argument
        self.value = value
        self.allowed = allowed

    def __reduce__(self) -> tuple[type[Self], tuple[str, object, str]]:
        """Pass from process to process as what it was made of."""
        return type(self), (self.argument, self.value, self.allowed)


class InputFileError(DiqkdError):
    """A file that cannot be read, or an output that must not be overwritten.

    Examples
    --------
    >>> issubclass(InputFileError, DiqkdError)
    True
    """


class ProtocolError(DiqkdError):
    """A public message that is out of order or malformed.

    Examples
    --------
    >>> issubclass(ProtocolError, DiqkdError)
    True
    """


class SessionError(DiqkdError):
    """A conversation that ended without its result: the peer is silent, gone, or confused."""


class AuthenticationError(SessionError):
    """A packet that the other party, holder of the same pool of keys, did not send so."""
