"""Settings of a scheme, the reference party, and the probabilities of the kinds of round."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.protocols.entangled_coherent import SETTINGS
from postprocessing.errors import InvalidArgumentError
from postprocessing.rounds import BellSettings, LocalSettings, PartyRecord, RoundProbabilities


def test_reference_is_the_party_whose_key_setting_is_tested(alice_refers):
    assert (SETTINGS.reference, SETTINGS.corrector) == ("bob", "alice")
    assert (alice_refers.reference, alice_refers.corrector) == ("alice", "bob")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"key_pair": (1, 0)}, "key_pair must be a pair with exactly one setting inside"),
        ({"chsh_signs": ((1, 0, 1), (1, 1, 1), (2, 0, 1), (2, 1, 1))}, "signs ±1 of product −1"),
        ({"chsh_signs": ((1, 0, 1), (1, 1, -1), (2, 0, 1))}, "chsh_signs must be the four pairs"),
        ({"flip": ((False, False),)}, r"flip must be a table of shape \(2, 2\)"),
    ],
)
def test_impossible_settings_are_refused(change, match):
    values = {name: getattr(SETTINGS, name) for name in SETTINGS.__dataclass_fields__}
    with pytest.raises(InvalidArgumentError, match=match):
        BellSettings(**{**values, **change})


@given(gamma=st.floats(1e-4, 0.9), p=st.floats(1e-4, 0.5))
def test_thinned_settings_play_a_uniform_game(alice_refers, gamma, p):
    """Summed over both sides' choices and the coin, each CHSH input has the same probability."""
    local = LocalSettings(gamma, p)
    for settings in (SETTINGS, alice_refers):
        law = np.outer(local.choice(settings, "alice"), local.choice(settings, "bob"))
        reference_key = settings.key_setting(settings.reference)
        inputs = []
        for x, y, _ in settings.chsh_signs:
            surplus = (x if settings.reference == "alice" else y) == reference_key
            inputs.append(law[x, y] * (local.thinning_probability if surplus else 1))
        np.testing.assert_allclose(inputs, local.rounds.test / 4, rtol=1e-12)
        assert law[settings.key_pair] == pytest.approx(local.rounds.key, rel=1e-12)
        assert law.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: LocalSettings(0.1, 0.6), r"reference_test_probability must be in \(0, 1/2\]"),
        (lambda: LocalSettings(float("nan"), 0.1), "corrector_test_probability must be"),
        (lambda: RoundProbabilities(key=0.9, test=0.2), "key must be a probability"),
        (lambda: RoundProbabilities(key=0.9, test=0.0), "test must be a probability"),
    ],
)
def test_impossible_probabilities_are_refused(make, match):
    with pytest.raises(InvalidArgumentError, match=match):
        make()


def test_records_are_checked():
    bits = np.zeros(3, np.uint8)
    with pytest.raises(InvalidArgumentError, match="three arrays of equal length"):
        PartyRecord(bits, bits[:2], bits)
    with pytest.raises(InvalidArgumentError, match="outcomes must be bits 0 or 1, got 2"):
        PartyRecord(bits, bits + np.uint8(2), bits)
    with pytest.raises(InvalidArgumentError, match="outcomes must be a flat array of uint8"):
        PartyRecord(bits, np.array([1, -1, 1]), bits)
    with pytest.raises(InvalidArgumentError, match=r"settings must be an index into \('B1'"):
        PartyRecord(bits + np.uint8(2), bits, bits).check(SETTINGS, "bob")
    with pytest.raises(InvalidArgumentError, match=r"heralds must be an index into \('D1'"):
        PartyRecord(bits, bits, bits + np.uint8(3)).check(SETTINGS, "alice")
