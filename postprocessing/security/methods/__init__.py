"""The key-length methods: one file each, and the registry by which they are found."""

from __future__ import annotations

from typing import Any

from postprocessing.registry import Registry
from postprocessing.security.methods.base import KeyLength, Method, SettingsRule

METHODS: Registry[Method[Any]] = Registry(
    "diqkd.methods",
    "key-length method",
    {
        name: f"postprocessing.security.methods.{name}:METHOD"
        for name in ("tan22", "geat", "renyi", "renyi_fixed", "asymptotic")
    },
)

__all__ = ["METHODS", "KeyLength", "Method", "SettingsRule"]
