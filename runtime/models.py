"""Finding the network that a stream names: folders with a `manifest.json`, as `export` writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ModelError

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
_PACKAGED = Path(__file__).parent / "networks"


@dataclass(frozen=True)
class Port:
    """One uint8 input or output of a network: real = (uint8 - zero_point) * scale.

    `shape` is [1, C, h, w], None where the graph takes any size; `stride` is the port's
    downsampling against luma, 0 for what is [1, C, 1, 1] whatever the picture's size.
    """

    name: str
    shape: tuple[int | None, ...]
    stride: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class TemplateFile:
    """Where a network's template lies (`template.read_template`); `sha256` is that of `file`."""

    file: Path
    sha256: str

    def read(self) -> bytes:
        """The file's bytes. Raises ModelError if they are not those that the manifest describes."""
        return _described(self.file, self.sha256)


@dataclass(frozen=True)
class ModelEntry:
    """One network of a model folder.

    `sha256` is that of `file`, `model_id` names its weights. `template` is None for a network that
    takes no title weights.
    """

    name: str
    tier: str
    file: Path
    sha256: str
    model_id: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    template: TemplateFile | None = None

    def read(self) -> bytes:
        """The file's bytes. Raises ModelError if they are not those that the manifest describes."""
        return _described(self.file, self.sha256)

    def input(self, name: str) -> Port:
        """The input of that name. Raises ModelError naming those that there are."""
        for port in self.inputs:
            if port.name == name:
                return port
        known = ", ".join(port.name for port in self.inputs)
        raise ModelError(f"{self.file}: the network has no input {name}, only {known or 'none'}")


@dataclass(frozen=True)
class ModelFolder:
    """A folder of networks for one target. `size` is (width, height), None for any size."""

    path: Path
    tier: str
    target: str
    size: tuple[int, int] | None
    networks: tuple[ModelEntry, ...]

    def network(self, name: str) -> ModelEntry:
        """The network of that name. Raises ModelError naming those that there are."""
        for entry in self.networks:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.networks)
        raise ModelError(f"{self.path}: no network {name}; it has {known or 'none'}")


def packaged_models(tier: str) -> Path:
    """The folder of the tier's networks that are installed with edgecodec.

    Raises ModelError naming the tiers that there are.
    """
    folder = _PACKAGED / tier
    if not (folder / MANIFEST).is_file():
        tiers = ", ".join(packaged_tiers()) or "none"
        raise ModelError(f"no networks of tier {tier!r} are installed; installed tiers: {tiers}")
    return folder


def packaged_tiers() -> tuple[str, ...]:
    """Names of the tiers whose networks are installed with edgecodec."""
    return tuple(sorted(path.parent.name for path in _PACKAGED.glob(f"*/{MANIFEST}")))


def read_models(folder: Path) -> ModelFolder:
    """What a model folder's manifest says. Raises ModelError if it is missing or malformed."""
    path = folder / MANIFEST
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{folder}: no model folder ({MANIFEST}: {error.strerror}); make one with "
            "`edgecodec export --int8`"
        ) from error
    except ValueError as error:
        raise ModelError(f"{path}: not JSON: {error}") from error
    try:
        if manifest["format"] != MANIFEST_FORMAT:
            raise ModelError(
                f"{path}: format {manifest['format']}, this version reads {MANIFEST_FORMAT}"
            )
        size = manifest["size"]
        return ModelFolder(
            path=folder,
            tier=str(manifest["tier"]),
            target=str(manifest["target"]),
            size=None if size is None else (int(size["width"]), int(size["height"])),
            networks=tuple(
                _entry(folder, str(manifest["tier"]), network) for network in manifest["networks"]
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: malformed ({type(error).__name__}: {error})") from error


def find_model(model_id: str, folders: Sequence[ModelFolder]) -> ModelEntry:
    """The network of that id in the first folder that has it.

    Raises ModelError that says which folders were searched.
    """
    for folder in folders:
        for entry in folder.networks:
            if entry.model_id == model_id:
                return entry
    searched = ", ".join(str(folder.path) for folder in folders) or "no folders"
    raise ModelError(
        f"the stream needs network {model_id}, which is not in {searched}: "
        "name the folder that has it, or update edgecodec"
    )


def _described(file: Path, sha256: str) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(f"{file}: not the file that {MANIFEST} describes; export it again")
    return data


def _inside(folder: Path, name: str) -> Path:
    if Path(name).name != name or name in ("", "..") or "\0" in name:
        raise ModelError(f"{folder / MANIFEST}: file {name!r} is not in the folder itself")
    return folder / name


def _entry(folder: Path, tier: str, network: Any) -> ModelEntry:
    template = network.get("template")
    return ModelEntry(
        name=str(network["name"]),
        tier=tier,
        file=_inside(folder, str(network["file"])),
        sha256=str(network["sha256"]),
        model_id=str(network["model_id"]),
        inputs=tuple(_port(port) for port in network["inputs"]),
        outputs=tuple(_port(port) for port in network["outputs"]),
        template=None
        if template is None
        else TemplateFile(_inside(folder, str(template["file"])), str(template["sha256"])),
    )


def _port(port: Any) -> Port:
    return Port(
        name=str(port["name"]),
        shape=tuple(None if side is None else int(side) for side in port["shape"]),
        stride=int(port["stride"]),
        scale=float(port["scale"]),
        zero_point=int(port["zero_point"]),
    )
