"""Speed and memory of Toeplitz hashing, output half the input, beside other implementations.

Run as ``pytest benchmarks/test_amplification.py -s`` after ``pip install '.[benchmarks]'``. Each
case runs in a fresh process, so that the peak memory is its own, interpreter and arguments
included. Rates are of input bits; `cpu` is by the time of the threads, `wall` by the clock, both
medians. Ours takes packed words (`packed`) or one bit a byte (`bytes`). The compilation is in a
first call that does not count; the slow peers, which run once, get a first call on a short string,
and their rate includes the conversion to the lists they take.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sizes import SMALL, repeats

from emulator.speed.peers import HASHES
from postprocessing.amplification import toeplitz_hash, toeplitz_hash_packed
from postprocessing.amplification.blockwise import block_toeplitz_product, transform_size
from postprocessing.amplification.kernels.carryless import (
    NARROW,
    PORTABLE,
    WIDE,
    Multiplier,
    available_multipliers,
)
from postprocessing.bits import Bits, PackedBits, octets, word_count

WHOLE = [
    *((name, n) for n in (10**6, 10**7, 10**8) for name in ("packed", "packed-2", "bytes")),
    *((m.name, n) for n in (10**6, 10**7, 10**8) for m in (WIDE, NARROW, PORTABLE)),
    ("packed", 10**9),
    ("packed-2", 10**9),
    ("scipy", 10**6),
    ("scipy", 10**7),
    ("cryptomite", 10**6),
    ("cryptomite", 10**7),
    ("randextract", 10**6),
]
CASES = [(name, 10**5) for name in dict(WHOLE)] if SMALL else WHOLE


@pytest.mark.parametrize(("name", "n"), CASES)
def test_hash(name: str, n: int) -> None:
    arguments = [sys.executable, __file__, name, str(n)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    if "unavailable" in result:
        print(f"\n{name:12} {n:.0e}  {result['unavailable']}")
        return
    assert result["exact"]
    print(
        f"\n{name:12} {n:.0e}  wall {result['wall']:8.2f}  cpu {result['cpu']:8.2f} Mbit/s  "
        f"peak {result['peak_gib']:.2f} GiB  first call {result['first_s']:.2f} s"
    )


def implementation(name: str, n: int) -> tuple[bool, Callable[[Any, Any], Any]]:
    """Return whether it takes packed words, and the hash to n/2 bits of (string, seed)."""
    length = n // 2
    for multiplier in (WIDE, NARROW, PORTABLE):
        if name == multiplier.name:
            if multiplier not in available_multipliers():
                raise ImportError(f"this processor has no {name}")
            return True, variant(multiplier, n, length)
    if name.startswith("packed"):
        threads = int(name.partition("-")[2] or 1)
        return True, lambda x, t: toeplitz_hash_packed(x, t, length, threads=threads)
    if name == "bytes":
        return False, lambda x, t: toeplitz_hash(x, t, length)
    return False, lambda x, t: HASHES[name](x, t, length)()


def variant(
    multiplier: Multiplier, n: int, length: int
) -> Callable[[PackedBits, PackedBits], PackedBits]:
    """Return the hash with one of the multipliers, one thread."""
    m = transform_size(n, length, threads=1)

    def hashing(x: PackedBits, t: PackedBits) -> PackedBits:
        words = block_toeplitz_product(x.words, t.words, n, length, m, 1, multiplier)
        return PackedBits(words, length)

    return hashing


def measure(name: str, n: int) -> dict[str, object]:
    """Return rates and memory of one case."""
    packed, hashing = implementation(name, n)
    length = n // 2
    generator = np.random.default_rng(n)
    string, seed = (
        PackedBits.from_bytes(generator.bytes(-(-size // 8)), size) for size in (n, n + length - 1)
    )
    if not packed:
        string, seed = string.to_bits(), seed.to_bits()
    slow = name in ("cryptomite", "randextract")
    if slow:
        implementation(name, 10_000)[1](string[:10_000], seed[:14_999])
    first, wall, cpu = float("nan"), [], []
    for run in range(1 if slow else 1 + repeats(4 if n >= 10**8 else 14)):
        start, start_cpu = time.perf_counter(), time.process_time()
        hashed = hashing(string, seed)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
        if run == 0:
            first = wall[0]
            if not slow:
                wall.clear()
                cpu.clear()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if not packed:
        hashed, string, seed = map(PackedBits.from_bits, (hashed, string, seed))
    return {
        "wall": n / statistics.median(wall) / 1e6,
        "cpu": n / statistics.median(cpu) / 1e6,
        "peak_gib": peak,
        "first_s": first,
        "exact": rows_are_right(hashed, string, seed, n, length),
    }


def rows_are_right(
    hashed: PackedBits, string: PackedBits, seed: PackedBits, n: int, length: int
) -> bool:
    """Compare three rows with inner products, taken piece by piece for memory's sake."""
    rows = (0, length // 3, length - 1)
    parities = dict.fromkeys(rows, 0)
    piece = 1 << 24
    for start in range(0, n, piece):
        bits = part(string, start, min(start + piece, n))[::-1]
        for row in rows:
            stop = row + n - start
            parities[row] ^= np.count_nonzero(part(seed, stop - bits.size, stop) & bits) & 1
    return all(part(hashed, row, row + 1)[0] == parities[row] for row in rows)


def part(bits: PackedBits, start: int, stop: int) -> Bits:
    """Return bits `start` to `stop`."""
    first = start // 64
    words = octets(bits.words[first : word_count(stop)])
    return PackedBits.from_bytes(words, stop - 64 * first).to_bits()[start % 64 :]


if __name__ == "__main__":
    try:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    except ImportError as missing:
        print(json.dumps({"unavailable": str(missing)}))
