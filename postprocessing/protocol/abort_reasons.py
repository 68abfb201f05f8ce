"""Why a run may end without a key, in the order in which the reasons come up."""

from __future__ import annotations

TOO_FEW_ROUNDS = "too few heralded rounds"
MALFORMED_MESSAGE = "malformed message"
SETTINGS_NOT_AS_DESIGNED = "settings not as designed"
TOO_FEW_TESTS = "too few test rounds"
COINS_NOT_AS_DESIGNED = "coins not as designed"
TOO_MANY_LOST_TESTS = "too many lost tests"
LEAKAGE_BUDGET_EXCEEDED = "leakage budget exceeded"
VERIFICATION_FAILED = "verification failed"
NO_KEY_LENGTH = "no key length under this design"
