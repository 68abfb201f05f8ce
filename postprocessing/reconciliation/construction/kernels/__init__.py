"""Kernels of code construction, on plain arrays."""
