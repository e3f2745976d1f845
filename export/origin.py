"""Who made a stage's result: versions of tools, and a digest of our own code."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, resolve_name
from pathlib import Path

_OURS = "edgecodec."


def tool_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Version by distribution, of those that are installed."""
    versions = {}
    for name in distributions:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


@cache
def code_digest(modules: tuple[str, ...], alone: str | None = None) -> str:
    """SHA-256 in hex of the sources of `modules` (full names) and of all of ours that they import,
    and of the source of the module `alone` without what it imports.

    A stage made by other code is made anew, and no list of all modules has to be kept by hand.
    """
    found: dict[str, bytes] = {}
    if alone and (glue := _source(alone)):
        found[alone] = glue.read_bytes()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        source = _source(name)
        if name in found or source is None:
            continue
        found[name] = source.read_bytes()
        package = name if source.name == "__init__.py" else name.rpartition(".")[0]
        waiting += _imported(found[name], package)
    content = hashlib.sha256()
    for name in sorted(found):
        content.update(name.encode() + b"\0" + hashlib.sha256(found[name]).digest())
    return content.hexdigest()


def _imported(source: bytes, package: str) -> Iterator[str]:
    """Full names of what a module of `package` imports from ours; some name no module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            if base.startswith(_OURS):
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _source(name: str) -> Path | None:
    """The file of module `name`; None for a name that is something inside a module."""
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin else None
