"""Typed reading of parsed TOML and JSON: every key is checked, and unknown ones are refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..runtime.errors import EdgecodecError


class Fields:
    """One table of a document. Each getter takes a key once; `finish` refuses what is left.

    `where` (file and table) opens every message, `error` is the class that is raised.
    """

    def __init__(self, data: object, where: str, error: type[EdgecodecError]) -> None:
        if not isinstance(data, Mapping):
            raise error(f"{where}: a table was expected, not {type(data).__name__}")
        self._data: dict[str, Any] = dict(data)
        self._where = where
        self._error = error

    def fail(self, message: str) -> EdgecodecError:
        """The error to raise, with the place in front of `message`."""
        return self._error(f"{self._where}: {message}")

    def has(self, key: str) -> bool:
        """Whether `key` is there and was not taken yet."""
        return key in self._data

    def take(self, key: str) -> object:
        """The value of `key`, whatever it is."""
        if key not in self._data:
            raise self.fail(f"`{key}` is missing")
        return self._data.pop(key)

    def text(self, key: str) -> str:
        """A string that is not empty."""
        value = self.take(key)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(f"`{key}` must be a text, not {value!r}")
        return value

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """One of `allowed`."""
        value = self.text(key)
        if value not in allowed:
            raise self.fail(f"`{key}` is {value!r}: it must be one of {', '.join(allowed)}")
        return value

    def positive(self, key: str) -> float:
        """A finite number above zero."""
        value = self.take(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf:
            return float(value)
        raise self.fail(f"`{key}` must be a number above 0, not {value!r}")

    def share(self, key: str) -> float:
        """A number from 0 to 1."""
        value = self.take(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        raise self.fail(f"`{key}` must be a number from 0 to 1, not {value!r}")

    def count(self, key: str) -> int:
        """A whole number above zero."""
        value = self.positive(key)
        if value != int(value):
            raise self.fail(f"`{key}` must be a whole number, not {value!r}")
        return int(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self.take(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.fail(f"`{key}` must be a list of texts, not {value!r}")
        return tuple(value)

    def table(self, key: str) -> Fields:
        """A nested table."""
        return Fields(self.take(key), f"{self._where} [{key}]", self._error)

    def tables(self, key: str) -> tuple[Fields, ...]:
        """A list of tables."""
        value = self.take(key)
        if not isinstance(value, list):
            raise self.fail(f"`{key}` must be a list, not {type(value).__name__}")
        return tuple(
            Fields(item, f"{self._where} [{key} {index}]", self._error)
            for index, item in enumerate(value)
        )

    def keys_left(self) -> tuple[str, ...]:
        """Keys that were not taken yet."""
        return tuple(self._data)

    def finish(self) -> None:
        """Refuse keys that nobody took: a misspelt one would otherwise be lost in silence."""
        if self._data:
            raise self.fail(f"unknown key `{next(iter(self._data))}`")
