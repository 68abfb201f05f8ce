"""The joint distributions that these tests share."""

from devices import classical, honest, strong

__all__ = ["classical", "honest", "strong"]
