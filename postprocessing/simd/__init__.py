"""Vector types for kernels, and the one way in which kernels are compiled."""
