"""`manifest.json`: what an exported folder holds and what was measured on it.

The runtime and `profile` read the same file; unknown keys are ignored, so that later versions can
add some, and what an earlier version did not write has a default.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..runtime.errors import ModelError
from .devices.artefact import Artefact
from .devices.difference import Difference
from .records import ClipFile, ClipLoss, Gates, NetworkLoss, Placement, Port, TemplateFile
from .sizes import Size

FORMAT = 1
FILE_NAME = "manifest.json"

_T = TypeVar("_T")


@dataclass(frozen=True)
class NetworkEntry:
    """One network of the folder. `file` is relative to the manifest, `sha256` is of its bytes.

    `model_id` names the trained weights and, for exact arithmetic, that and the integers, where
    these follow from more than the weights; streams have it. `arithmetic` is "fast" or "exact",
    `rounding` "nearest" or "to outputs"; both are None in float exports.
    `drop_db` is None where the loss could only be measured on synthetic inputs; `frames` counts the
    real pictures that it was measured on. `placement` is the one on the target's provider, the
    worst where there are several devices; `placements` those on every provider that was asked.
    `template` is None where no title may change the network; `bytes` is the size of `file`.
    `artefacts`: what was compiled from it. `recipe`, `calibration` and `sensitivity`: JSON of what
    decided the integers and of the measurements behind it; None in float exports. `notes`: what
    stages had to say.
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
    frames: int = 0
    bytes: int | None = None
    placements: tuple[Placement, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    recipe: Mapping[str, Any] | None = None
    calibration: Mapping[str, Any] | None = None
    sensitivity: Mapping[str, Any] | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    arithmetic: str | None = None
    rounding: str | None = None

    @property
    def promoted(self) -> tuple[str, ...]:
        """Layers that are not in INT8."""
        return tuple((self.recipe or {}).get("precision", ()))

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON types; without `template` where there is none."""
        entry = dataclasses.asdict(self)
        if self.template is None:
            del entry["template"]
        return entry


@dataclass(frozen=True)
class MeasuredOn:
    """What the losses were measured on: names of clips, "synthetic" where there was none.

    `files`: the videos that were given.
    """

    clips: tuple[str, ...]
    frames: int
    files: tuple[ClipFile, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """Everything about an exported folder. `size` is None for graphs of dynamic shape.

    `arithmetic` is "fast" or "exact" where one was asked for, else "by network"; `calibrated_on`
    the videos that decided ranges or rounding, none where none did.
    """

    target: str
    precision: str
    tier: str
    size: Size | None
    tools: Mapping[str, str]
    measured_on: MeasuredOn
    networks: tuple[NetworkEntry, ...]
    arithmetic: str = "fast"
    calibrated_on: tuple[ClipFile, ...] = ()
    gates: Gates = field(default_factory=Gates)

    def to_dict(self) -> dict[str, Any]:
        """The manifest as JSON types, in the order of the file."""
        entries = [network.to_dict() for network in self.networks]
        plain: dict[str, Any] = _json(dataclasses.asdict(self) | {"networks": entries})
        return {"format": FORMAT, **plain}

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
            return _read(
                cls,
                data,
                size=lambda value: None if value is None else _read(Size, value),
                tools=dict,
                measured_on=lambda value: _read(MeasuredOn, value, clips=tuple, files=_clip_files),
                networks=lambda values: tuple(_network(value) for value in values),
                calibrated_on=_clip_files,
                gates=lambda value: _read(Gates, value),
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
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise ModelError(f"{path} is no manifest: {error}") from error


def read_artefact(data: Mapping[str, Any]) -> Artefact:
    """An artefact from `dataclasses.asdict` of it."""
    return _read(
        Artefact,
        data,
        unsupported=tuple,
        difference=lambda value: None if value is None else _read(Difference, value),
    )


def read_loss(data: Mapping[str, Any]) -> NetworkLoss:
    """A loss from `dataclasses.asdict` of it."""
    return _read(NetworkLoss, data, clips=_clip_losses)


def read_placement(data: Mapping[str, Any]) -> Placement:
    """A placement from `dataclasses.asdict` of it."""
    return _read(Placement, data)


def _network(data: Mapping[str, Any]) -> NetworkEntry:
    def ports(values: list[Mapping[str, Any]]) -> tuple[Port, ...]:
        return tuple(_read(Port, value, shape=tuple) for value in values)

    return _read(
        NetworkEntry,
        data,
        inputs=ports,
        outputs=ports,
        clips=_clip_losses,
        placement=read_placement,
        placements=lambda values: tuple(read_placement(value) for value in values),
        template=lambda value: None if value is None else _read(TemplateFile, value),
        artefacts=lambda values: tuple(read_artefact(value) for value in values),
    )


def _clip_losses(values: list[Mapping[str, Any]]) -> tuple[ClipLoss, ...]:
    return tuple(_read(ClipLoss, value) for value in values)


def _clip_files(values: list[Mapping[str, Any]]) -> tuple[ClipFile, ...]:
    return tuple(_read(ClipFile, value) for value in values)


def _read(kind: type[_T], data: Mapping[str, Any], **convert: Callable[[Any], Any]) -> _T:
    """A dataclass of `kind` from the keys of its fields, each through `convert` where named.

    A key may be absent where the field has a default.
    """
    values = {}
    for each in dataclasses.fields(kind):  # type: ignore[arg-type]
        optional = not (each.default is each.default_factory is dataclasses.MISSING)
        if optional and each.name not in data:
            continue
        value = data[each.name]
        values[each.name] = convert[each.name](value) if each.name in convert else value
    return kind(**values)


def _json(value: Any) -> Any:
    """`value` with lists for tuples, as a file gives them back, and null for infinity."""
    if isinstance(value, Mapping):
        return {key: _json(inside) for key, inside in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(inside) for inside in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
