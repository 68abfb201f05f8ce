"""Sessions between two parties: equal keys, every fault, and keys that wait for confirmation."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import socket
import stat
import threading
from dataclasses import replace

import numpy as np
import pytest
from hostile_network import HANG_S, KINDS, PACKETS, Fault, Site, random_fault, small_rounds
from plain_rounds import distill_seeded, seeded_randomness

from postprocessing.errors import (
    AuthenticationError,
    DiqkdError,
    InputFileError,
    ProtocolError,
    SessionError,
)
from postprocessing.network import session
from postprocessing.network.authentication import (
    TAG_BYTES,
    KeyPool,
    create_pool,
    create_pool_from_key,
)
from postprocessing.network.channel import AuthenticatedChannel
from postprocessing.network.key_files import KeyFiles
from postprocessing.network.messages import Hello
from postprocessing.network.packets import HEADER, MOST_BODY_BYTES
from postprocessing.network.report import with_authentication
from postprocessing.network.saved_keys import read_key
from postprocessing.network.session import (
    confirm,
    distill,
    most_message_bytes,
    most_packets,
)
from postprocessing.network.spent_records import SpentRecords
from postprocessing.network.wire import encode
from postprocessing.protocol.messages import Abort, Message, SettingsAnnouncement
from postprocessing.records import PartyRecord

# Far beyond what a session takes on a busy machine.
PATIENCE_S = 600.0
# Bernstein (2005), 8⌈L/16⌉ 2⁻¹⁰⁶: sender, 72 bytes of header and a body of 1 MiB.
LONGEST_FORGERY = 8 * 65541 * 2.0**-106


@pytest.fixture(scope="module")
def small():
    """A design and rounds that take milliseconds."""
    return small_rounds()


@pytest.fixture
def pools(tmp_path):
    """Paths of two copies of one pool, by party."""
    paths = {party: tmp_path / f"{party}.pool" for party in ("alice", "bob")}
    create_pool(paths["alice"], 200)
    shutil.copy(paths["alice"], paths["bob"])
    return paths


def _both(pools, act, timeout_s=PATIENCE_S, most=1 << 24):
    """Let both parties act at the ends of a line; return results or errors by party."""
    ends = dict(zip(("alice", "bob"), socket.socketpair(), strict=True))
    found = {}

    def side(party):
        with KeyPool(pools[party], party) as pool:
            channel = AuthenticatedChannel(
                ends[party],
                pool,
                party,
                connects=party == "bob",
                timeout_s=timeout_s,
                most_message_bytes=most,
            )
            try:
                found[party] = act(party, channel)
            except DiqkdError as error:
                found[party] = error
            finally:
                channel.abandon()

    threads = [threading.Thread(target=side, args=(party,), daemon=True) for party in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    assert found.keys() == ends.keys(), "a party hangs"
    return found


def _spent(folder, party):
    return SpentRecords(folder / f"{party}.spent-records")


def _distill(folder, channel, record, design):
    """Distill with files and marks in one folder."""
    party = channel.party
    files, spent = KeyFiles(folder, party), _spent(folder, party)
    return distill(channel, files, record, design, spent=spent)


def test_the_keys_are_those_of_one_process(small, pools, tmp_path):
    design, rounds = small
    expected = distill_seeded(rounds, design, seed=4)

    def act(party, channel):
        return distill(
            channel,
            KeyFiles(tmp_path, party),
            getattr(rounds, party),
            design,
            spent=_spent(tmp_path, party),
            randomness=seeded_randomness(party, 4),
        )

    found = _both(pools, act, most=most_message_bytes(design))
    for party, report in found.items():
        assert report.outcome == "key"
        path = KeyFiles(tmp_path, party).path
        assert path.read_bytes() == expected.alice_key
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert report.leaked_bits == expected.transcript.leaked_bits
        traffic = report.traffic
        assert report.net_key_bits == report.key_length - 256 * traffic.keys
        # A try for every packet, one at each end, and those of strangers; the longest packets.
        assert traffic.forgery_probability == (traffic.keys + 2 + 10_000) * LONGEST_FORGERY
    alice, bob = found["alice"].traffic, found["bob"].traffic
    assert (alice.sent_bytes, alice.received_bytes) == (bob.received_bytes, bob.sent_bytes)
    assert alice.keys == bob.keys
    values = found["alice"].to_dict()
    assert values["session"] == found["bob"].session.hex()
    # What is not proved has no soundness to add to.
    assert values["soundness_with_authentication"] is None


def test_the_soundness_of_a_pool_is_added(small, pools, tmp_path):
    """That of the key that it was made of; it is in report and session, and the next pool's."""
    design, rounds = small
    key = tmp_path / "made.key"
    key.write_bytes(bytes(16 + 64 * 200))
    told = {"seed": None, "method": "tan22", "soundness": 1e-6}
    (tmp_path / "made.session.json").write_text(json.dumps(told))
    pools["alice"].unlink()
    create_pool_from_key(pools["alice"], key)
    shutil.copy(pools["alice"], pools["bob"])
    found = _both(pools, lambda p, channel: _distill(tmp_path, channel, getattr(rounds, p), design))
    assert {report.pool_soundness for report in found.values()} == {1e-6}
    told = json.loads((tmp_path / "alice.session.json").read_text())
    assert (told["method"], told["composable"], told["soundness"]) == ("asymptotic", False, None)
    whole = with_authentication(1e-10, found["alice"].pool_soundness, 1e-20)
    assert whole == 1e-10 + 1e-6 + 1e-20
    assert with_authentication(1e-10, None, 1e-20) is None


def test_syndromes_are_answered_at_doubled_steps(small, pools, tmp_path, monkeypatch):
    """Not when decoding happens to be done, which depends on the errors."""
    design, rounds = small
    slept = []
    monkeypatch.setattr(session, "_ANSWER_STEP_S", 1e-3)
    monkeypatch.setattr(session.time, "sleep", slept.append)
    found = _both(pools, lambda p, channel: _distill(tmp_path, channel, getattr(rounds, p), design))
    assert {report.outcome for report in found.values()} == {"key"}
    assert slept
    assert all(seconds >= 0 for seconds in slept)


def test_an_abort_reaches_both(small, pools, tmp_path):
    """Alice's outcomes are noise: she rejects the test, and no file is written."""
    design, rounds = small
    noise = np.random.default_rng(1).integers(0, 2, len(rounds), np.uint8)
    records = {
        "alice": PartyRecord.of(rounds.alice.settings, noise, rounds.alice.heralds),
        "bob": rounds.bob,
    }
    found = _both(pools, lambda p, channel: _distill(tmp_path, channel, records[p], design))
    assert {report.abort_reason for report in found.values()} == {"too many lost tests"}
    assert not list(tmp_path.glob("*.key*"))


def test_random_faults_are_safe(small, tmp_path):
    """The short form of tests/acceptance/hostile_network.py: every kind of fault, some twice."""
    chance = random.Random(3)
    site = Site(tmp_path / "site", *small)
    faults = [random_fault(chance) for _ in range(30)]
    faults += [Fault(kind, "bob", chance.randrange(PACKETS), 1) for kind in KINDS]
    faults += [Fault("drop", sender, packet, 1) for sender in ("alice", "bob") for packet in (0, 5)]
    for fault in faults:
        end, _ = site.play(fault, timeout_s=0.1)
        assert end.is_safe, (fault, end)
    assert site.reused_keys == []


def test_a_lost_last_message_leaves_a_key_to_confirm(small, tmp_path):
    site = Site(tmp_path / "site", *small)
    whole, _ = site.play(Fault("none", "bob", 0, 0), timeout_s=PATIENCE_S)
    assert (whole.alice, whole.bob) == ("key", "key")
    last = {
        sender: max(n for who, n in site.earlier if who == sender) for sender in ("alice", "bob")
    }
    lost = Fault("truncate and hang up", "bob", last["bob"], 0)
    end, files = site.play(lost, timeout_s=PATIENCE_S)
    assert (end.alice, end.bob) == ("unconfirmed", "key")
    with pytest.raises(InputFileError, match=r"key must be confirmed, .* run party --confirm"):
        files["alice"].read()
    with pytest.raises(InputFileError, match="key must be confirmed"):
        read_key(tmp_path / "site" / "session-2" / "alice.key.unconfirmed")
    with pytest.raises(InputFileError, match="without earlier output"):
        files["alice"].check_free()
    assert site.confirm(files) == (True, True)
    assert files["alice"].read() == files["bob"].read()
    # Once more does no harm.
    assert site.confirm(files) == (True, True)


def test_a_key_that_the_other_lacks_stays_unconfirmed(small, tmp_path):
    site = Site(tmp_path / "site", *small)
    site.play(Fault("none", "bob", 0, 0), timeout_s=PATIENCE_S)
    last = max(number for sender, number in site.earlier if sender == "alice")
    lost = Fault("truncate and hang up", "alice", last, 0)
    end, files = site.play(lost, timeout_s=PATIENCE_S)
    assert (end.alice, end.bob) == ("unconfirmed", "nothing")
    assert site.confirm(files) == (False, False)
    assert files["alice"].is_unconfirmed


def test_a_wrong_pool_is_noticed(small, pools, tmp_path):
    design, rounds = small
    pools["bob"].unlink()
    create_pool(pools["bob"], 200)
    found = _both(pools, lambda p, channel: _distill(tmp_path, channel, getattr(rounds, p), design))
    assert isinstance(found["alice"], SessionError)
    assert "the peer must have a copy of the same pool of keys" in str(found["alice"])
    assert isinstance(found["bob"], SessionError)
    assert not list(tmp_path.glob("*.key*"))


def test_a_silent_peer_is_given_up(small, pools, tmp_path):
    design, rounds = small
    given_up = threading.Event()

    def act(party, channel):
        if party == "bob":
            return given_up.wait(HANG_S)
        try:
            return _distill(tmp_path, channel, rounds.alice, design)
        finally:
            given_up.set()

    found = _both(pools, act, timeout_s=0.2)
    assert isinstance(found["alice"], SessionError)
    assert "the peer is silent for 0.2 s" in str(found["alice"])


def test_long_messages_go_both_ways_at_once(pools):
    """Longer than what a socket holds: nobody waits for the other to listen first."""
    settings = np.full(5 * MOST_BODY_BYTES + 1, 7, np.uint8)
    long = {p: SettingsAnnouncement(settings, "") for p in pools}

    def act(party, channel):
        channel.greet(Abort("hello"))
        channel.send(long[party])
        answer = channel.receive()
        channel.close()
        return answer, channel.traffic

    found = _both(pools, act)
    for answer, traffic in found.values():
        assert np.array_equal(answer.settings, settings)
        # Six packets each, and three greetings.
        assert traffic.keys == 15
        assert traffic.sent_bytes > 5 * MOST_BODY_BYTES


def test_a_message_may_not_be_longer_than_agreed(pools):
    def act(party, channel):
        if party == "bob":
            channel.send(SettingsAnnouncement(np.zeros(2000, np.uint8), ""))
            return channel.close()
        return channel.receive()

    found = _both(pools, act, most=1000)
    assert isinstance(found["alice"], SessionError)
    assert "a message must be at most 1000 bytes long" in str(found["alice"])


def test_every_bit_of_a_packet_is_covered(pools):
    """One packet, with each of its bits flipped in turn, is never taken."""
    with KeyPool(pools["bob"], "bob") as pool:
        packet = _packet(pool)
    accepted = []
    with KeyPool(pools["alice"], "alice") as pool:
        for bit in range(8 * len(packet)):
            spoiled = bytearray(packet)
            spoiled[bit // 8] ^= 1 << bit % 8
            try:
                accepted.append((bit, _receive(pool, bytes(spoiled))))
            except (AuthenticationError, SessionError, ProtocolError):
                continue
        assert accepted == []
        assert _receive(pool, packet).reason == "why"
        # The same once more, as in a later session.
        with pytest.raises(AuthenticationError, match="under a key that has been used: a replay"):
            _receive(pool, packet)


def _hello(design, record):
    return Hello("bob", "distill", design.fingerprint(), record.heralds_sha256(), keys_left=200)


def _packet(pool: KeyPool, message: Message | None = None) -> bytes:
    """Return the first packet that Bob sends."""
    near, far = socket.socketpair()
    channel = AuthenticatedChannel(
        near, pool, "bob", connects=True, timeout_s=PATIENCE_S, most_message_bytes=1000
    )
    channel.send(message or Abort("why"))
    channel.flush()
    packet = far.recv(10_000)
    assert len(packet) == HEADER.size + HEADER.unpack(packet[: HEADER.size])[-1] + TAG_BYTES
    far.close()
    channel.close()
    return packet


def _receive(pool: KeyPool, packet: bytes):
    near, far = socket.socketpair()
    far.sendall(packet)
    far.shutdown(socket.SHUT_WR)
    channel = AuthenticatedChannel(
        near, pool, "alice", connects=False, timeout_s=PATIENCE_S, most_message_bytes=1000
    )
    try:
        return channel.receive()
    finally:
        channel.abandon()
        far.close()


def test_a_greeting_that_was_kept_back_costs_no_record(small, pools, tmp_path):
    """Whoever plays it again cannot name the nonce that Alice has drawn, and hears no settings."""
    design, rounds = small
    near, far = socket.socketpair()
    with KeyPool(pools["bob"], "bob") as pool:
        kept = _packet(pool, _hello(design, rounds.bob))
    far.sendall(kept)
    with KeyPool(pools["alice"], "alice") as pool:
        channel = AuthenticatedChannel(
            near, pool, "alice", connects=False, timeout_s=0.2, most_message_bytes=1 << 24
        )
        with pytest.raises(SessionError, match="the peer is silent"):
            _distill(tmp_path, channel, rounds.alice, design)
    assert not _spent(tmp_path, "alice").has(rounds.alice)
    heard = far.recv(1 << 24, socket.MSG_WAITALL)
    assert len(heard) == HEADER.size + HEADER.unpack(heard[: HEADER.size])[-1] + TAG_BYTES
    far.close()


def test_the_third_greeting_is_no_other_message(small, pools, tmp_path):
    design, rounds = small

    def act(party, channel):
        if party == "bob":
            channel.send(_hello(design, rounds.bob))
            channel.receive()
            channel.send(Abort("no"))
            return channel.close()
        return _distill(tmp_path, channel, rounds.alice, design)

    found = _both(pools, act)
    assert "the peer must show that it is there" in str(found["alice"])
    assert not _spent(tmp_path, "alice").has(rounds.alice)


def test_a_malformed_message_ends_the_session(small, pools, tmp_path):
    """A peer that holds the right keys and talks nonsense."""
    design, rounds = small

    def act(party, channel):
        if party == "bob":
            channel.greet(_hello(design, rounds.bob))
            channel.send(SettingsAnnouncement(np.zeros(3, np.uint8), design.fingerprint()))
            return channel.close()
        return _distill(tmp_path, channel, rounds.alice, design)

    found = _both(pools, act)
    assert isinstance(found["alice"], ProtocolError)
    assert not list(tmp_path.glob("*.key*"))


@pytest.mark.parametrize(
    ("hello", "match"),
    [
        (("alice", "distill"), "the peer must be the other party than alice"),
        (("bob", "confirm"), "the peer must have come to distill, not to confirm"),
    ],
)
def test_the_peer_must_be_the_other_party_and_want_the_same(small, pools, tmp_path, hello, match):
    design, rounds = small

    def act(party, channel):
        if party == "bob":
            channel.greet(Hello(*hello))
            return channel.close()
        return _distill(tmp_path, channel, rounds.alice, design)

    found = _both(pools, act)
    assert match in str(found["alice"])


def test_a_record_is_distilled_once(small, pools, tmp_path):
    """Even where the session has failed; and a refusal costs no keys."""
    design, rounds = small

    def act(party, channel):
        if party == "bob":
            channel.greet(_hello(design, rounds.bob))
            # The record is marked by the time that anything is known of it.
            message = channel.receive()
            return type(message), _spent(tmp_path, "alice").has(rounds.alice)
        assert not _spent(tmp_path, "alice").has(rounds.alice)
        return _distill(tmp_path, channel, rounds.alice, design)

    found = _both(pools, act)
    assert found["bob"] == (SettingsAnnouncement, True)
    assert isinstance(found["alice"], SessionError)
    assert not list(tmp_path.glob("*.key*"))
    before = pools["alice"].read_bytes()
    found = _both(
        pools,
        lambda p, channel: (
            _distill(tmp_path, channel, rounds.alice, design) if p == "alice" else None
        ),
    )
    assert isinstance(found["alice"], InputFileError)
    assert "record must be fresh" in str(found["alice"])
    assert pools["alice"].read_bytes() == before


def test_a_record_stays_fresh_where_nobody_has_come(small, pools, tmp_path):
    """Another pool, or a stranger: the peer has not shown that it is the peer."""
    design, rounds = small
    pools["bob"].unlink()
    create_pool(pools["bob"], 200)
    found = _both(pools, lambda p, channel: _distill(tmp_path, channel, getattr(rounds, p), design))
    assert all(isinstance(error, SessionError) for error in found.values())
    assert not any(_spent(tmp_path, p).has(getattr(rounds, p)) for p in pools)


@pytest.mark.parametrize(
    ("change", "match"),
    [("design", "the peer must have the same design"), ("heralds", "a record of the same rounds")],
)
def test_what_the_parties_do_not_share_costs_no_record(small, pools, tmp_path, change, match):
    """Both are told, and neither record is spent: nothing was said of settings or outcomes."""
    design, rounds = small
    records = {"alice": rounds.alice, "bob": rounds.bob}
    designs = dict.fromkeys(records, design)
    if change == "design":
        plan = replace(design.leakage, tag_bits=design.leakage.tag_bits + 1)
        designs["bob"] = replace(design, leakage=plan)
    else:
        heralds = rounds.bob.heralds.copy()
        heralds[-1] ^= 1
        records["bob"] = PartyRecord.of(rounds.bob.settings, rounds.bob.outcomes, heralds)
    found = _both(pools, lambda p, channel: _distill(tmp_path, channel, records[p], designs[p]))
    for party, error in found.items():
        assert isinstance(error, SessionError)
        assert match in str(error)
        assert not _spent(tmp_path, party).has(records[party])


@pytest.mark.parametrize("difference", ["seed", "emulated"])
def test_both_know_that_a_key_is_emulated_or_neither(small, pools, tmp_path, difference):
    """A key that one side could compute again is no secret of the other."""
    design, rounds = small

    def act(party, channel):
        return distill(
            channel,
            KeyFiles(tmp_path, party),
            getattr(rounds, party),
            design,
            spent=_spent(tmp_path, party),
            emulated=difference == "emulated" and party == "alice",
            randomness=seeded_randomness("alice", 4)
            if difference == "seed" and party == "alice"
            else None,
        )

    found = _both(pools, act)
    assert "the peer must have come for an emulated key too, not for a secret key" in str(
        found["alice"]
    )
    assert "the peer must have come for a secret key too, not for an emulated key" in str(
        found["bob"]
    )
    for party, error in found.items():
        assert isinstance(error, SessionError)
        assert not _spent(tmp_path, party).has(getattr(rounds, party))


@pytest.mark.parametrize("short", ["alice", "bob"])
def test_a_pool_that_would_not_last_costs_no_record(small, pools, tmp_path, short):
    """Of either party, and both are told."""
    design, rounds = small
    need = most_packets(design)
    with KeyPool(pools[short], short) as pool:
        while pool.remaining_keys >= need:
            pool.take()
    found = _both(pools, lambda p, channel: _distill(tmp_path, channel, getattr(rounds, p), design))
    for party, error in found.items():
        whose = "this" if party == short else "the peer's"
        assert isinstance(error, SessionError)
        assert str(error).startswith(f"{whose} pool must have {need} keys a direction")
        assert not _spent(tmp_path, party).has(getattr(rounds, party))


@pytest.mark.parametrize("count", [10_000, 5_000_000])
def test_no_session_takes_more_packets_than_are_asked_for(count):
    """By the messages of a session in one process, beside greetings and the word of the key."""
    design, rounds = small_rounds(count)
    entries = distill_seeded(rounds, design, seed=4).transcript.entries
    for party in ("alice", "bob"):
        packets = 3
        for entry in entries:
            length = sum(map(len, encode(entry.message)))
            assert length <= count / 4 + 1000
            packets += -(-length // MOST_BODY_BYTES) * (entry.sender == party)
        assert packets <= most_packets(design)


def test_lost_keys_are_used_up_too(small, pools, tmp_path):
    """By the party that had lost them before, then; by the other now, which passes them over."""
    design, rounds = small
    with KeyPool(pools["alice"], "alice") as pool:
        for _ in range(3):
            pool.take()
    found = _both(pools, lambda p, channel: _distill(tmp_path, channel, getattr(rounds, p), design))
    assert found["bob"].traffic.keys == found["alice"].traffic.keys + 3
    with KeyPool(pools["bob"], "bob") as pool:
        assert found["bob"].traffic.keys == pool.used_keys


def test_a_key_of_a_packet_that_is_never_sent_is_used_up(pools):
    with KeyPool(pools["alice"], "alice") as pool:
        near, far = socket.socketpair()
        far.close()
        channel = AuthenticatedChannel(
            near, pool, "alice", connects=True, timeout_s=PATIENCE_S, most_message_bytes=1000
        )
        channel.send(Abort("nobody hears"))
        with pytest.raises(SessionError, match="the connection is lost"):
            channel.flush()
        assert (channel.traffic.keys, channel.traffic.sent_bytes) == (1, 0)
        channel.abandon()


def test_a_mark_that_does_not_come_off_leaves_the_key_to_confirm(
    small, pools, tmp_path, monkeypatch
):
    design, rounds = small

    def refused(files):
        raise InputFileError("out must hold alice.key.unconfirmed")

    with monkeypatch.context() as patch:
        patch.setattr(KeyFiles, "confirm", refused)
        found = _both(
            pools, lambda p, channel: _distill(tmp_path, channel, getattr(rounds, p), design)
        )
    assert (found["alice"].outcome, found["bob"].outcome) == ("unconfirmed key", "key")
    assert found["alice"].key_length == found["bob"].key_length > 0
    files = {party: KeyFiles(tmp_path, party) for party in pools}
    assert _both(pools, lambda p, channel: confirm(channel, files[p])) == {
        "alice": True,
        "bob": True,
    }
    assert files["alice"].read() == files["bob"].read()


def test_two_who_hold_nothing_do_not_agree(pools, tmp_path):
    def act(party, channel):
        return confirm(channel, KeyFiles(tmp_path / party, party))

    assert _both(pools, act) == {"alice": False, "bob": False}
    # Nor do keys of which nobody knows the session.
    for party in pools:
        files = KeyFiles(tmp_path / party, party)
        (tmp_path / party).mkdir()
        files.path.write_bytes(b"key")
    found = _both(pools, act)
    for error in found.values():
        assert isinstance(error, InputFileError)
        assert "out must tell of a session" in str(error)


def test_a_pool_that_cannot_be_written_ends_the_session(small, pools, tmp_path, monkeypatch):
    """In the thread that sends, and told as what it is."""
    design, rounds = small
    original = KeyPool.take

    def take(pool):
        if pool.used_keys > 3:
            monkeypatch.setattr(os, "fsync", _full)
        return original(pool)

    monkeypatch.setattr(KeyPool, "take", take)
    found = _both(pools, lambda p, channel: _distill(tmp_path, channel, getattr(rounds, p), design))
    assert all(isinstance(error, SessionError) for error in found.values())
    assert any("cannot be written to (No space left" in str(error) for error in found.values())
    assert not list(tmp_path.glob("*.key*"))


def _full(file):
    raise OSError(errno.ENOSPC, "No space left on device")
