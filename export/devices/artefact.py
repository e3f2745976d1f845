"""What came of making one network ready for one device."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...runtime.errors import ExportError
from ..records import Placement
from .difference import Difference


@dataclass(frozen=True)
class Artefact:
    """One network for one device.

    `device`: a chip's name or "sm86". `file`: the context binary or engine beside the manifest,
    None where none was made; `sha256` and `bytes` are its. `wrapper`: the ONNX file that ONNX
    Runtime loads in the network's place and that names `file`. `seconds`: of compiling. `nodes`:
    of the graph, by provider. `kernels`: operators of the compiled graph, for
    TensorRT each with the type that it reads ("correlation Int8"). `unsupported`: nodes that
    the device cannot run, each with the reason. `difference`: of a run against the CPU, None where
    none was made. `built_for`: what `file` itself says that it is for. `message`: what
    went wrong, in the tool's own words, empty where nothing did. `tool`: name and version.
    """

    network: str
    device: str
    file: str | None
    sha256: str | None
    bytes: int | None
    seconds: float
    compiled: bool
    nodes: Mapping[str, int]
    unsupported: tuple[str, ...]
    difference: Difference | None
    message: str
    tool: str
    wrapper: str | None = None
    kernels: Mapping[str, int] | None = None
    built_for: str = ""

    def placement(self, provider: str) -> Placement:
        """The artefact's nodes as the manifest states them, `percent` being those on `provider`."""
        total = max(1, sum(self.nodes.values()))
        percent = 100.0 * self.nodes.get(provider, 0) / total
        return Placement(provider, dict(self.nodes), percent, dict(self.kernels or {}))


def require_compiled(artefacts: Sequence[Artefact]) -> None:
    """Raises `ExportError` that says of every network that did not compile where and why."""
    failures = [
        f"{artefact.network} for {artefact.device}: {_reason(artefact)}"
        for artefact in artefacts
        if not artefact.compiled
    ]
    if failures:
        tools = ", ".join(dict.fromkeys(a.tool for a in artefacts if not a.compiled))
        raise ExportError(f"{tools} refused {'; '.join(failures)}")


def _reason(artefact: Artefact) -> str:
    return "; ".join(part for part in (artefact.message, *artefact.unsupported) if part)


def describe_file(path: Path) -> tuple[str, int]:
    """SHA-256 in hex and size in bytes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return digest, path.stat().st_size


def move_into(folder: Path, files: Sequence[Path]) -> None:
    """Renames `files` into `folder`, in order; each replaces a file of its name.

    They must lie on the same file system: `folder` never holds half a file.
    """
    for file in files:
        os.replace(file, folder / file.name)
