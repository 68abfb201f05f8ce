"""Sweeps: many runs, each with an identity, kept as rows of a store."""
