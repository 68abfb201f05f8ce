"""The key-length methods: one file each, and the registry by which they are found."""

from __future__ import annotations

from typing import Any

from postprocessing import registry
from postprocessing.security.methods.base import KeyLength, Method, SettingsRule

METHODS: registry.Registry[Method[Any]] = registry.METHODS

__all__ = ["METHODS", "KeyLength", "Method", "SettingsRule"]
