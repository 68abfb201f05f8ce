"""Heralded two-qubit states, what wears them down, and how they are measured."""
