"""Privacy amplification by Toeplitz hashing."""

from postprocessing.amplification.toeplitz import seed_length, toeplitz_hash, toeplitz_hash_packed

__all__ = ["seed_length", "toeplitz_hash", "toeplitz_hash_packed"]
