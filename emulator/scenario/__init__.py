"""Scenarios: a run as flat, named parameters, from presets, TOML files and flags alike."""
