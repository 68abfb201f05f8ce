"""A party's side of the conversation: a script that is driven message by message.

::

    corrector  RoundMarks                       where settings follow marks, sent with each herald
    both       SettingsAnnouncement            after the quantum phase; abort: not as designed
    corrector  ThinningCoins                   drawn only now; none where settings follow marks
    reference  DisclosedTests                  or Abort: too few test rounds, or coins amiss
    corrector  DisclosedTests, Acceptance      the former for Rényi keys; abort: too many lost tests
    reference  Syndromes                       or Abort: leakage budget exceeded
    corrector  FrameStatus                     both again for frames that failed
    reference  DisclosedFrames, Verification   or Abort: leakage budget exceeded
    corrector  VerificationVerdict             abort: verification failed
    reference  AmplificationSeed               or Abort: no key length under this design

Each side owns its record and knows nothing else but the public messages that it receives.
"""

from __future__ import annotations

from dataclasses import replace

from postprocessing.checks import thread_count
from postprocessing.design.design import Design
from postprocessing.errors import ProtocolError
from postprocessing.protocol.abort_reasons import MALFORMED_MESSAGE
from postprocessing.protocol.corrector import corrector
from postprocessing.protocol.ledger import Ledger
from postprocessing.protocol.messages import Message
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.protocol.reference import reference
from postprocessing.protocol.script import Expect, PartyResult, Side, SilentEndError
from postprocessing.records import PartyRecord
from postprocessing.scheme import Party

Messages = tuple[Message, ...]


class Conversation:
    """One party's side of the protocol.

    Parameters
    ----------
    party : {"alice", "bob"}
        Who; the design says which part is theirs.
    record : PartyRecord
        This party's half of exactly ``design.heralded_rounds`` rounds.
    design : Design
        The frozen design, equal on both sides.
    randomness : PartyRandomness
        This party's trusted fresh randomness.
    threads : int, optional
        Threads to work on, in [1, 1000]; by default one a processor. No result depends on it.

    Attributes
    ----------
    party : {"alice", "bob"}
        Who.
    ledger : Ledger
        The outcome-dependent bits sent and received so far.
    result : PartyResult or None
        What the party knows at the end; None until then.

    Raises
    ------
    InvalidArgumentError
        If the record does not have the number of rounds of the design or holds a setting that the
        scheme does not have, if the design has no key, or `threads` is out of range.
    """

    def __init__(
        self,
        party: Party,
        record: PartyRecord,
        design: Design,
        randomness: PartyRandomness,
        threads: int | None = None,
    ) -> None:
        side = Side(party, record, design, randomness, thread_count(threads))
        play = reference if party == design.scheme.reference else corrector
        self.party = party
        self.ledger = Ledger(design)
        self.result: PartyResult | None = None
        self._script = play(side, self.ledger)
        self._expected: tuple[type[Message], ...] = ()
        self._started = False

    def start(self) -> Messages:
        """Return the opening messages, once the quantum phase has ended.

        Raises
        ------
        ProtocolError
            If the conversation has started before.
        """
        if self._started:
            raise ProtocolError(f"{self.party} has started already")
        self._started = True
        return self._go_on(None)

    def receive(self, message: Message) -> Messages:
        """Take one message of the peer and return the answers.

        Parameters
        ----------
        message : Message
            The peer's next message.

        Returns
        -------
        tuple of Message
            What to send in answer, in order.

        Raises
        ------
        ProtocolError
            If the message is out of order, or malformed, which ends the protocol here.
        """
        if not isinstance(message, self._expected):
            raise ProtocolError(f"{self.party} did not expect {type(message).__name__} now")
        self.ledger.enter(message)
        try:
            return self._go_on(message)
        except ProtocolError:
            self._end(PartyResult(abort_reason=MALFORMED_MESSAGE))
            raise

    def _go_on(self, message: Message | None) -> Messages:
        """Let the script run to where it waits next, or to its end."""
        self._expected, sent = (), []
        try:
            step = self._script.send(message)
            while not isinstance(step, Expect):
                self.ledger.enter(step)
                sent.append(step)
                step = next(self._script)
            self._expected = step.kinds
        except StopIteration as end:
            self._end(end.value)
        except SilentEndError as end:
            self._end(end.result)
        return tuple(sent)

    def _end(self, result: PartyResult) -> None:
        self.result = replace(result, leaked_bits=self.ledger.leaked_bits)
