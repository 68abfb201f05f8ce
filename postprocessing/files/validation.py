"""What a laboratory should look at before it trusts its rounds: balance, signalling, drift.

These are diagnostics of whoever has both parties' records. They decide nothing: a key is made or
refused by the design alone, which no look at the data may change.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from postprocessing.bell.contingency import independence_p_value
from postprocessing.records import PartyRecord
from postprocessing.scheme import MOST_HERALDS, MOST_SETTINGS, BellScheme, Party, SettingChoice

Counts = npt.NDArray[np.int64]

WINDOWS = 20
# Probability that honest rounds raise any warning, divided among all tests.
FALSE_ALARM = 1e-4
_PIECE = 1 << 20
_PARTIES: tuple[Party, Party] = ("alice", "bob")


@dataclass(frozen=True)
class Finding:
    """The result of one statistical test.

    Parameters
    ----------
    name : str
        What was tested.
    p_value : float
        Probability of so great a deviation by chance; 1 where there is nothing to compare.
    suspicious : bool
        Whether it is below the share of `FALSE_ALARM` that each test has.
    """

    name: str
    p_value: float
    suspicious: bool


@dataclass(frozen=True)
class Validation:
    """What the rounds look like.

    Parameters
    ----------
    rounds : int
        Heralded rounds.
    chsh, chsh_error : float or None
        S with its standard error, from all rounds with settings of the CHSH game.
    qber : float or None
        Error rate of all rounds with the key settings.
    settings : dict
        How often each party had each setting.
    findings : tuple of Finding
        The tests.
    chsh_over_time : tuple of float or None
        S in each of `WINDOWS` consecutive parts.
    """

    rounds: int
    chsh: float | None
    chsh_error: float | None
    qber: float | None
    settings: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]
    chsh_over_time: tuple[float | None, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The tests that failed."""
        return tuple(finding.name for finding in self.findings if finding.suspicious)

    def to_dict(self) -> dict[str, object]:
        """Return JSON values; null where undefined."""
        return {**asdict(self), "warnings": list(self.warnings), "false_alarm": FALSE_ALARM}


def validate(
    alice: PartyRecord,
    bob: PartyRecord,
    scheme: BellScheme,
    setting_choice: SettingChoice | None = None,
) -> Validation:
    """Look at two records.

    Parameters
    ----------
    alice, bob : PartyRecord
        The halves of the same rounds, whose settings and heralds are the scheme's.
    scheme : BellScheme
        Settings of the scheme.
    setting_choice : LocalSettings or AnnouncedMarks, optional
        How settings should have been drawn.

    Returns
    -------
    Validation
        Estimates, tests and warnings.
    """
    windows = np.stack(list(_tallies(alice, bob, scheme)))
    tally = windows.sum(axis=0)
    pairs, pairs_over_time = _flipped(tally, scheme), [_flipped(w, scheme) for w in windows]
    tests = {
        **_choices(tally, scheme, setting_choice),
        "settings of Alice and Bob independent": independence_p_value([tally.sum(axis=(2, 3, 4))]),
        "heralds independent of settings": independence_p_value(
            [tally.sum(axis=(3, 4)).reshape(-1, tally.shape[2])]
        ),
        **_signalling(tally, scheme),
        "correlations steady over time": _drift(pairs_over_time),
    }
    limit = FALSE_ALARM / len(tests)
    chsh, error = _chsh(pairs, scheme)
    key = pairs[scheme.key_pair]
    return Validation(
        rounds=int(tally.sum()),
        chsh=chsh,
        chsh_error=error,
        qber=float(key[1] / key.sum()) if key.sum() else None,
        settings=_setting_counts(tally, scheme),
        findings=tuple(Finding(name, p, p < limit) for name, p in tests.items()),
        chsh_over_time=tuple(_chsh(part, scheme)[0] for part in pairs_over_time),
    )


def _tallies(alice: PartyRecord, bob: PartyRecord, scheme: BellScheme) -> Iterator[Counts]:
    """Yield the counts n[x, y, herald, a, b] of each window."""
    bounds = np.linspace(0, len(alice), WINDOWS + 1).astype(int)
    for first, last in itertools.pairwise(bounds):
        counts = np.zeros(1 << 11, np.int64)
        for start in range(first, last, _PIECE):
            piece = slice(start, min(start + _PIECE, last))
            joint = alice.codes[piece].astype(np.uint16) << np.uint16(3)
            counts += np.bincount(joint | (bob.codes[piece] & np.uint8(7)), minlength=1 << 11)
        # A code is herald, setting, outcome; Bob's herald is Alice's.
        table = counts.reshape(MOST_HERALDS, MOST_SETTINGS, 2, MOST_SETTINGS, 2)
        x, y, heralds = (
            len(scheme.alice_labels),
            len(scheme.bob_labels),
            len(scheme.heralds),
        )
        yield table.transpose(1, 3, 0, 2, 4)[:x, :y, :heralds]


def _flipped(tally: Counts, scheme: BellScheme) -> Counts:
    """Return the counts of equal and of different outcomes after Bob's flip, [x, y, 2]."""
    differ = tally[..., 0, 1] + tally[..., 1, 0]
    both = np.stack([tally[..., 0, 0] + tally[..., 1, 1], differ], axis=-1)
    flips = np.array(scheme.flip, bool).T[np.newaxis, :, :, np.newaxis]
    pairs: Counts = np.where(flips, both[..., ::-1], both).sum(axis=2)
    return pairs


def _chsh(pairs: Counts, scheme: BellScheme) -> tuple[float | None, float | None]:
    """Return S and its standard error; None where a pair of settings never came."""
    chsh = variance = 0.0
    for x, y, sign in scheme.chsh_signs:
        same, differ = (int(count) for count in pairs[x, y])
        rounds = same + differ
        if rounds == 0:
            return None, None
        correlator = (same - differ) / rounds
        chsh += sign * correlator
        variance += (1 - correlator**2) / rounds
    return chsh, float(np.sqrt(variance))


def _setting_counts(tally: Counts, scheme: BellScheme) -> dict[str, dict[str, int]]:
    counts: dict[Party, Counts] = {
        "alice": tally.sum(axis=(1, 2, 3, 4)),
        "bob": tally.sum(axis=(0, 2, 3, 4)),
    }
    return {
        party: dict(zip(scheme.labels(party), map(int, counts[party]), strict=True))
        for party in _PARTIES
    }


def _choices(
    tally: Counts, scheme: BellScheme, setting_choice: SettingChoice | None
) -> dict[str, float]:
    """Test each party's settings against the probabilities they should be drawn with."""
    if setting_choice is None:
        return {}
    found = {}
    for party, counts in _setting_counts(tally, scheme).items():
        name: Party = "alice" if party == "alice" else "bob"
        observed = np.array(list(counts.values()))
        expected = setting_choice.choice(scheme, name) * observed.sum()
        # A setting that is never drawn has no place in the test.
        drawn = expected > 0
        surprising = bool(observed[~drawn].any())
        p_value = 1.0
        if observed.sum():
            p_value = float(stats.chisquare(observed[drawn], expected[drawn], sum_check=False)[1])
        found[f"settings of {name.capitalize()} as designed"] = 0.0 if surprising else p_value
    return found


def _signalling(tally: Counts, scheme: BellScheme) -> dict[str, float]:
    """Test whether outcomes of a setting tell the other party's setting, under each herald."""
    found = {}
    for party, outcomes in (
        ("alice", tally.sum(axis=4)),
        ("bob", tally.sum(axis=3).transpose(1, 0, 2, 3)),
    ):
        labels = scheme.labels("alice" if party == "alice" else "bob")
        for own, label in enumerate(labels):
            tables = [outcomes[own, :, herald] for herald in range(len(scheme.heralds))]
            name = f"outcomes of {label} independent of the other's setting"
            found[name] = independence_p_value(tables)
    return found


def _drift(pairs_over_time: list[Counts]) -> float:
    """Test whether each correlator is the same in all windows."""
    stacked = np.stack(pairs_over_time)
    return independence_p_value([stacked[:, x, y] for x, y in np.ndindex(stacked.shape[1:3])])
