"""Kernels of encoder, decoder and verification, on plain arrays."""
