"""`manifest.json`: what an exported folder holds and what was measured on it.

The runtime and `profile` read the same file; unknown keys are ignored, so that later versions can
add some.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..runtime.errors import ModelError
from .sizes import Size

FORMAT = 1
FILE_NAME = "manifest.json"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Port:
    """One input or output: `real = (uint8 - zero_point) * scale`.

    `shape` is [1, C, h, w], None where it is dynamic; `stride` the downsampling against luma.
    """

    name: str
    shape: tuple[int | None, ...]
    stride: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class ClipLoss:
    """PSNR in dB, (6 Y + U + V) / 8, against the source; None where there is no source.

    For synthetic inputs `psnr_int8` is that of the INT8 output against the float output.
    """

    name: str
    psnr_fp32: float | None
    psnr_int8: float | None
    drop_db: float | None


@dataclass(frozen=True)
class Placement:
    """Nodes of the file for each execution provider, and the kernels that run in their place.

    `percent` is the share of nodes on `provider`; `kernels` counts the optimised graph's operators.
    """

    provider: str
    nodes: Mapping[str, int]
    percent: float
    kernels: Mapping[str, int]


@dataclass(frozen=True)
class TemplateFile:
    """The integers that title weights change: `file` beside the manifest, SHA-256 of its bytes."""

    file: str
    sha256: str


@dataclass(frozen=True)
class NetworkEntry:
    """One network of the folder. `file` is relative to the manifest, `sha256` is of its bytes.

    `model_id` names the trained weights, in streams too. `drop_db` is None where the loss could
    only be measured on synthetic inputs. `template` is None where no title may change the network.
    """

    name: str
    file: str
    sha256: str
    model_id: str
    parameters: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    drop_db: float | None
    psnr_fp32: float | None
    psnr_int8: float | None
    clips: tuple[ClipLoss, ...]
    placement: Placement
    template: TemplateFile | None = None

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON types; without `template` where there is none."""
        entry = dataclasses.asdict(self)
        if self.template is None:
            del entry["template"]
        return entry


@dataclass(frozen=True)
class MeasuredOn:
    """What the losses were measured on: names of clips, "synthetic" where there was none."""

    clips: tuple[str, ...]
    frames: int


@dataclass(frozen=True)
class Manifest:
    """Everything about an exported folder. `size` is None for graphs of dynamic shape."""

    target: str
    precision: str
    tier: str
    size: Size | None
    tools: Mapping[str, str]
    measured_on: MeasuredOn
    networks: tuple[NetworkEntry, ...]

    def to_dict(self) -> dict[str, Any]:
        """The manifest as JSON types, in the order of the file."""
        entries = [network.to_dict() for network in self.networks]
        return {"format": FORMAT, **dataclasses.asdict(self), "networks": entries}

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Manifest:
        """The inverse of `to_dict`; `ModelError` says what is missing or of another format."""
        try:
            if data["format"] != FORMAT:
                raise ModelError(
                    f"the manifest has format {data['format']}, this version reads {FORMAT}"
                )
            return cls(
                target=data["target"],
                precision=data["precision"],
                tier=data["tier"],
                size=None if data["size"] is None else _read(Size, data["size"]),
                tools=dict(data["tools"]),
                measured_on=_read(MeasuredOn, data["measured_on"], clips=tuple),
                networks=tuple(_network(entry) for entry in data["networks"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"the manifest is malformed: {type(error).__name__} {error}"
            ) from error

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """The manifest of `folder`; `ModelError` where there is none that can be read."""
        path = folder / FILE_NAME
        try:
            return cls.from_dict(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} is no manifest: {error}") from error


def _network(data: Mapping[str, Any]) -> NetworkEntry:
    def ports(values: list[Mapping[str, Any]]) -> tuple[Port, ...]:
        return tuple(_read(Port, value, shape=tuple) for value in values)

    return _read(
        NetworkEntry,
        {"template": None, **data},
        inputs=ports,
        outputs=ports,
        clips=lambda values: tuple(_read(ClipLoss, value) for value in values),
        placement=lambda value: _read(Placement, value),
        template=lambda value: None if value is None else _read(TemplateFile, value),
    )


def _read(kind: type[_T], data: Mapping[str, Any], **convert: Callable[[Any], Any]) -> _T:
    """A dataclass of `kind` from the keys of its fields, each through `convert` where named."""
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{n: convert[n](data[n]) if n in convert else data[n] for n in names})
