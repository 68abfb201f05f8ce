"""The design: what is asked of the keys, and everything that follows, frozen before any data."""
