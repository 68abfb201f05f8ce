"""Bell tests without a key: counts, CHSH values, and p-values against local realism."""
