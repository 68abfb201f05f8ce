"""Sifting: which rounds are key, test or discarded, and Bob's public flip."""
