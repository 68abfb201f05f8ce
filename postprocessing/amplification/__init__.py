"""Privacy amplification by Toeplitz hashing."""

from postprocessing.amplification.toeplitz import (
    modified_seed_length,
    modified_toeplitz_hash,
    modified_toeplitz_hash_packed,
    seed_length,
    toeplitz_hash,
    toeplitz_hash_packed,
)

__all__ = [
    "modified_seed_length",
    "modified_toeplitz_hash",
    "modified_toeplitz_hash_packed",
    "seed_length",
    "toeplitz_hash",
    "toeplitz_hash_packed",
]
