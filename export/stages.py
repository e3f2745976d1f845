"""Stages that make something from what earlier ones made, once for the same content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .cache import Cache, Product
from .origin import code_digest, tool_versions

NOTE = "note.txt"
"""The file of a product that says, to the user, what came of its stage."""

Products = Mapping[str, Product]


@dataclass(frozen=True)
class Stage:
    """One step: `make` gets the products of the stages that it `needs`, by their names.

    The result must depend on nothing but those, `settings` (JSON types), the installed versions of
    `tools` (distributions), the code of `modules` (full names) and of ours that they import, and
    that of the module that `make` is in.
    """

    name: str
    needs: tuple[str, ...]
    settings: Mapping[str, object]
    tools: tuple[str, ...]
    modules: tuple[str, ...]
    make: Callable[[Products], Product]

    @property
    def kind(self) -> str:
        """The first word of its name: "artefact" for "artefact 8gen3"."""
        return self.name.partition(" ")[0]

    def key(self, made: Products) -> str:
        """SHA-256 in hex of all that the result depends on."""
        content = {
            "stage": self.name,
            "settings": self.settings,
            "tools": tool_versions(self.tools),
            "code": code_digest(self.modules, self.make.__module__),
            "inputs": {name: made[name].digest for name in self.needs},
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class StageRunner:
    """Runs stages in order, or finds in `cache` what they made before.

    `remake_from`, the first word of a stage's name, says which one is made anew with all after it;
    None: none is.
    """

    cache: Cache | None
    remake_from: str | None = None
    begin: Callable[[str], None] = lambda name: None
    note: Callable[[str, str], None] = lambda name, note: None

    def run(self, stages: Iterable[Stage]) -> dict[str, Product]:
        """Products by stage. Raises what a stage raises; what was made before that stays cached."""
        made: dict[str, Product] = {}
        anew = False
        for stage in stages:
            anew = anew or stage.kind == self.remake_from
            self.begin(stage.name)
            key = stage.key(made)
            product = None if anew else self._cached(key)
            if product is None:
                product = stage.make({name: made[name] for name in stage.needs})
                if self.cache:
                    self.cache.write(key, product)
            made[stage.name] = product
            if NOTE in product.files:
                self.note(stage.name, product.files[NOTE].decode())
        return made

    def cached(self, stages: Iterable[Stage]) -> tuple[str, ...]:
        """Names of the stages that `run` would not have to make."""
        made: dict[str, Product] = {}
        names = []
        for stage in stages:
            if stage.kind == self.remake_from:
                break
            # What needs something that is yet to be made has no key yet.
            if not made.keys() >= set(stage.needs):
                continue
            product = self._cached(stage.key(made))
            if product:
                made[stage.name] = product
                names.append(stage.name)
        return tuple(names)

    def _cached(self, key: str) -> Product | None:
        return self.cache.read(key) if self.cache else None
