"""Privacy amplification by Toeplitz hashing."""

from postprocessing.amplification.toeplitz import seed_length, toeplitz_hash

__all__ = ["seed_length", "toeplitz_hash"]
