"""Taking apart what came from outside: JSON objects whose fields must be as they are described."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any

from ...runtime.errors import UnsupportedError


class Fields:
    """The fields of one JSON object, each asked for once; `where` names it in messages.

    Raises UnsupportedError that names the field, what it is and what it may be.
    """

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, Mapping):
            raise UnsupportedError(f"{where}: {value!r:.80} is not an object with named fields")
        self._value: dict[str, Any] = dict(value)
        self._where = where

    def text(self, name: str, allowed: Collection[str] = ()) -> str:
        """A string, one of `allowed` where there are some."""
        value = self._take(name)
        if not isinstance(value, str) or (allowed and value not in allowed):
            self._refuse(name, value, f"one of {', '.join(allowed)}" if allowed else "a text")
        return str(value)

    def optional_text(self, name: str, allowed: Collection[str] = ()) -> str | None:
        """A string or null."""
        return (
            None
            if self._value.get(name, "") is None and self._drop(name)
            else self.text(name, allowed)
        )

    def integer(self, name: str, least: int = 0) -> int:
        """A whole number of at least `least`."""
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self._refuse(name, value, f"a whole number of at least {least}")
        return int(value)

    def optional_integer(self, name: str, least: int = 0) -> int | None:
        """A whole number of at least `least`, or null."""
        return (
            None
            if self._value.get(name, "") is None and self._drop(name)
            else self.integer(name, least)
        )

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._take(name)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not abs(value) <= sys.float_info.max
        ):
            self._refuse(name, value, "a finite number")
        return float(value)

    def optional_number(self, name: str) -> float | None:
        """A finite number or null."""
        return None if self._value.get(name, "") is None and self._drop(name) else self.number(name)

    def texts(self, name: str, allowed: Collection[str] = ()) -> tuple[str, ...]:
        """A list of different strings, of `allowed` where there are some."""
        values = self.items(name)
        for value in values:
            if not isinstance(value, str) or (allowed and value not in allowed):
                self._refuse(name, value, f"of {', '.join(allowed)}" if allowed else "a text")
        if len(set(values)) != len(values):
            self._refuse(name, values, "a list in which nothing comes twice")
        return tuple(values)

    def items(self, name: str) -> list[Any]:
        """A list of anything."""
        value = self._take(name)
        if not isinstance(value, list | tuple):
            self._refuse(name, value, "a list")
        return list(value)

    def anything(self, name: str) -> Any:
        """The field as it is; None where it is missing."""
        return self._value.pop(name, None)

    def has(self, name: str) -> bool:
        """Whether the field is there and was not asked for yet."""
        return name in self._value

    def rest(self) -> dict[str, Any]:
        """All fields that were not asked for yet, as they are."""
        rest, self._value = self._value, {}
        return rest

    def end(self) -> None:
        """Nothing may be left."""
        if self._value:
            unknown = ", ".join(sorted(map(str, self._value)))
            raise UnsupportedError(f"{self._where}: this version knows no field {unknown}")

    def _take(self, name: str) -> Any:
        if name not in self._value:
            raise UnsupportedError(f"{self._where}: the field {name} is missing")
        return self._value.pop(name)

    def _drop(self, name: str) -> bool:
        self._value.pop(name)
        return True

    def _refuse(self, name: str, value: object, allowed: str) -> None:
        raise UnsupportedError(f"{self._where}: {name} is {value!r:.80}, but must be {allowed}")
