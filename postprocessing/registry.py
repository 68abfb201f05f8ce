"""Registries: things found by name, the project's own and those that other distributions bring."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any, TypeVar, cast

from postprocessing.errors import InvalidArgumentError

Item = TypeVar("Item")


class Registry(Mapping[str, Item]):
    """Named objects, each imported when it is first asked for.

    Parameters
    ----------
    group : str
        Entry-point group that other distributions add to, such as "diqkd.schemes".
    kind : str
        What the objects are, for messages.
    own : mapping of str to str
        The project's own, in order: name to "module:attribute".

    Notes
    -----
    Another distribution adds an object by an entry point, in its ``pyproject.toml``::

        [project.entry-points."diqkd.schemes"]
        my_scheme = "my_package.my_module:MyScheme"

    A name of the project's own cannot be taken by another distribution, and of two distributions
    that bring one name neither is taken: the registry refuses them by name.

    Examples
    --------
    >>> codecs = Registry("example.codecs", "codec", {"json": "json:JSONDecoder"})
    >>> list(codecs), codecs["json"].__name__
    (['json'], 'JSONDecoder')
    """

    def __init__(self, group: str, kind: str, own: Mapping[str, str]) -> None:
        self.group, self.kind = group, kind
        self._own = dict(own)

    @cached_property
    def _places(self) -> dict[str, str]:
        """Where each object is, "module:attribute" by name."""
        places = dict(self._own)
        for entry in entry_points(group=self.group):
            if entry.name in self._own:
                continue
            if places.setdefault(entry.name, entry.value) != entry.value:
                # Which of two is meant must not hang on the order of folders.
                both = f"{entry.name}: {places[entry.name]} and {entry.value}"
                allowed = f"a {self.kind} of one distribution alone"
                raise InvalidArgumentError(self.group, both, allowed)
        return places

    def __getitem__(self, name: str) -> Item:
        """Return the object of a name.

        Raises
        ------
        KeyError
            If there is none.
        """
        # One of the project's own is found without a look at what else is installed.
        place = self._own.get(name) or self._places[name]
        module, _, attribute = place.partition(":")
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
        return cast(Item, found)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, the project's own first."""
        return iter(self._places)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places)

    def named(self, argument: str, name: object) -> Item:
        """Return the object of a name that somebody gave.

        Raises
        ------
        InvalidArgumentError
            If there is none of that name.
        """
        if not isinstance(name, str) or not (name in self._own or name in self._places):
            raise InvalidArgumentError(argument, name, f"one of {', '.join(self)}")
        return self[name]


# Named without an import of any, as help does.
METHODS: Registry[Any] = Registry(
    "diqkd.methods",
    "key-length method",
    {
        name: f"postprocessing.security.methods.{name}:METHOD"
        for name in (
            "tan22",
            "geat",
            "tan22_counted",
            "geat_counted",
            "eat_rpa",
            "renyi",
            "renyi_fixed",
            "renyi_weighted",
            "renyi_weighted_fixed",
            "asymptotic",
        )
    },
)
