"""How large a run, a file or a calculation may be."""

from __future__ import annotations

# Beyond, double precision no longer tells whole numbers apart.
MOST_COUNTED = 2**53
MOST_PULSES = MOST_COUNTED
# The parties keep a byte a round each until all heralds are public, and a few more to distill it.
MOST_ROUNDS = 10**9
# Of designs and plans, which keep no rounds: sums over that many are exact in double precision.
MOST_PLANNED_ROUNDS = 10**15
MOST_THREADS = 1000
