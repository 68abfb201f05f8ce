"""Kernels of the Toeplitz hash, on plain arrays."""
