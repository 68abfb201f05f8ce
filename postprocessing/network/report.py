"""SessionReport: what a session did, as one party knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from postprocessing.design.design import Design
from postprocessing.network.authentication import KEY_BYTES
from postprocessing.network.channel import Traffic
from postprocessing.protocol.report import DistillationReport, told_by
from postprocessing.protocol.report_fields import Outcome
from postprocessing.protocol.report_sections import (
    accounts,
    details,
    ended,
    seconds,
    worth,
)
from postprocessing.protocol.terms import key_terms
from postprocessing.scheme import Party
from postprocessing.sections import Row, Section, count, number
from postprocessing.testing import GameTally

_Identifier = Annotated[
    bytes,
    BeforeValidator(lambda text: bytes.fromhex(text) if isinstance(text, str) else text),
    PlainSerializer(bytes.hex),
]


NO_TRAFFIC = Traffic()


@dataclass(frozen=True, kw_only=True)
class SessionReport(DistillationReport):
    """What a session did, as one party knows it.

    Parameters
    ----------
    party : {"alice", "bob"}
        Who.
    session : bytes
        The session's identifier; empty where there was no session.
    record_spent : bool
        Whether the record may not be used again.
    authentication_key_bits : int
        Bits of the pool used up.
    net_key_bits : int
        Length of the key less those; negative if the session costs more.
    sent_bytes, received_bytes : int
        Bytes on the line, headers and tags included.
    authentication_failure_probability : float
        Bound on the probability that any packet was forged.
    soundness_with_authentication : float or None
        That, the pool's and the key's soundness together; None where no soundness is claimed, or
        nobody knows the pool's.
    pool_soundness : float or None
        Soundness of the key that the pool was made of, 0 for random bits, None where unknown.

    Notes
    -----
    It has the fields of `DistillationReport` too: those that depend on outcomes which are not
    public stay None, and so do the keys.
    """

    party: Party
    session: _Identifier
    record_spent: bool
    authentication_key_bits: int
    net_key_bits: int
    sent_bytes: int
    received_bytes: int
    authentication_failure_probability: float
    soundness_with_authentication: float | None
    pool_soundness: float | None = 0.0

    @classmethod
    def of_session(
        cls,
        design: Design,
        party: Party,
        outcome: Outcome,
        abort_reason: str | None = None,
        *,
        session: bytes = b"",
        traffic: Traffic = NO_TRAFFIC,
        pool_soundness: float | None = 0.0,
        record_spent: bool = False,
        seed: int | None = None,
        emulated: bool = False,
        key_length: int = 0,
        key_rounds: int = 0,
        test_rounds: int = 0,
        tally: GameTally | None = None,
        leaked_bits: int | None = None,
        **known: Any,
    ) -> SessionReport:
        """Return the report of a session, with everything that follows from what is given.

        Parameters
        ----------
        design : Design
            The frozen design.
        party, outcome, abort_reason, session, record_spent, seed, emulated, key_length : optional
            Fields of the report.
        traffic : Traffic
            Bytes and one-time keys of both directions.
        pool_soundness : float or None
            As of `KeyPool.soundness`.
        key_rounds, test_rounds, leaked_bits : optional
            Fields of the report too.
        tally : GameTally, optional
            Score of the CHSH game, where both parties' outcomes in it are public.
        **known
            Other fields of the report.
        """
        told = told_by(design, seed, emulated=emulated)
        if key_length and leaked_bits is not None:
            tests = tally or GameTally(test_rounds, 0)
            told["key_terms"] = key_terms(design, key_rounds, tests, leaked_bits)
        forgery, claimed = traffic.forgery_probability, told["epsilons"]["soundness"]
        return cls(
            outcome=outcome,
            abort_reason=abort_reason,
            key_length=key_length,
            key_rounds=key_rounds,
            test_rounds=test_rounds,
            lost_tests=tally.lost if tally else None,
            tests_at_key_setting=tally.at_key_setting if tally else None,
            leaked_bits=leaked_bits,
            party=party,
            session=session,
            record_spent=record_spent,
            authentication_key_bits=traffic.key_bits,
            net_key_bits=key_length - traffic.key_bits,
            sent_bytes=traffic.sent_bytes,
            received_bytes=traffic.received_bytes,
            authentication_failure_probability=forgery,
            soundness_with_authentication=with_authentication(claimed, pool_soundness, forgery),
            pool_soundness=pool_soundness,
            **told,
            **known,
        )

    @property
    def failed(self) -> bool:
        """Whether the conversation failed."""
        return self.outcome == "failed"

    @property
    def confirmed(self) -> bool:
        """Whether the other party is known to hold the key too."""
        return self.outcome == "key"

    @property
    def traffic(self) -> Traffic:
        """Bytes and one-time keys of both directions."""
        keys = self.authentication_key_bits // (8 * KEY_BYTES)
        return Traffic(self.sent_bytes, self.received_bytes, keys)

    @property
    def heading(self) -> str:
        """What the report is of, in words."""
        return f"Session of {self.party.capitalize()}"

    def present(self) -> tuple[Section, ...]:
        """Return what the report says, for any output to show: a summary, then the details."""
        warning = (("warning", self.warning),) if self.warning is not None else ()
        rows: tuple[Row, ...] = (
            ("outcome", ended(self)),
            ("key length", count(self.key_length, "bits")),
            *worth(self, self.soundness_with_authentication),
            *warning,
            ("heralded rounds", count(self.heralded_rounds or None)),
            ("leaked bits", count(self.leaked_bits)),
            ("record spent", "yes" if self.record_spent else "no"),
            ("seed", number(self.seed)),
            ("time", f"{seconds(self):.1f} s"),
        )
        shown = (Section(f"party {self.party}", rows), self._traffic(), *accounts(self))
        return (*shown, *details(self))

    def _traffic(self) -> Section:
        """Return what the session has moved and used up."""
        rows = (
            ("session", self.session.hex() or "-"),
            ("bytes sent / received", f"{self.sent_bytes:,} / {self.received_bytes:,}"),
            ("one-time keys", f"{self.traffic.keys:,}, {self.authentication_key_bits:,} bits"),
            ("net key", count(self.net_key_bits, "bits")),
            ("forged unnoticed", f"at most {self.authentication_failure_probability:.3g}"),
            ("soundness of the pool", number(self.pool_soundness)),
            ("soundness with authentication", number(self.soundness_with_authentication)),
        )
        return Section("traffic", rows)


def with_authentication(
    claimed: float | None, pool: float | None, forgery_probability: float
) -> float | None:
    """Return the soundness of a key together with that of its authentication.

    Parameters
    ----------
    claimed, pool : float or None
        Soundness of the key itself, and of the key that the pool was made of.
    forgery_probability : float
        Bound on the probability that any packet was forged.

    Returns
    -------
    float or None
        Their sum, None where one of them is not known.
    """
    if claimed is None or pool is None:
        return None
    return claimed + pool + forgery_probability
