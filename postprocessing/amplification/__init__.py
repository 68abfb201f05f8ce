"""Privacy amplification by Toeplitz hashing."""

from postprocessing.amplification.sifted import AmplifiedKey, amplify
from postprocessing.amplification.toeplitz import seed_length, toeplitz_hash, toeplitz_hash_packed

__all__ = ["AmplifiedKey", "amplify", "seed_length", "toeplitz_hash", "toeplitz_hash_packed"]
