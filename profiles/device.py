"""Device profiles: one TOML file each, every figure with its source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..runtime.errors import DeviceError, ProfileFileError
from .fields import Fields
from .size import FrameSize, parse_size

FOLDER = Path(__file__).parent / "devices"
_FORMAT = 1
_MEANINGS = ("dense INT8", "sparse INT8", "dense INT4", "sparse INT4", "unstated")
_CODECS = ("h264", "h265", "vp9", "av1", "vvc")


class Basis(StrEnum):
    """How a device's latency is known."""

    FITTED = "fitted"  # a roofline fitted to latencies measured on that silicon
    LABEL_SCALED = "label-scaled"  # another device's fit, scaled by this one's label
    MEASURED = "measured"  # this machine, timed now


@dataclass(frozen=True)
class Figure:
    """A number and where it comes from."""

    value: float
    source: str


@dataclass(frozen=True)
class Label:
    """What the box says: tera-operations per second, and of which kind they are."""

    tops: float
    meaning: str
    source: str


@dataclass(frozen=True)
class Decoding:
    """Base codecs that a device decodes, in fixed hardware or on its processor.

    `size` and `fps` are the most that the source states, both None where it states none: then
    any frame that a stream may hold is taken to be decoded.
    """

    codecs: tuple[str, ...]
    size: FrameSize | None
    fps: float | None
    source: str

    def takes(self, size: FrameSize, fps: float) -> bool:
        """Whether frames of `size`, so many a second, are within what the source states.

        A decoder of 4096x2160 at 60 frames/s decodes more frames of a smaller size.
        """
        if self.size is None or self.fps is None:
            return True
        return size.pixels <= self.size.pixels and size.pixels * fps <= self.size.pixels * self.fps

    def __str__(self) -> str:
        limit = f" up to {self.size} at {self.fps:g} frames/s" if self.size and self.fps else ""
        return ", ".join(self.codecs) + limit

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "codecs": list(self.codecs),
            "size": str(self.size) if self.size else None,
            "fps": self.fps,
        }


@dataclass(frozen=True)
class DeviceProfile:
    """A device that a network may be profiled for.

    `dense_int8_tops`: tera-operations per second that dense INT8 convolutions reach (2 per MAC).
    `dram_gbps`: memory bandwidth, GB/s. `dispatch_us`: fixed cost of one graph call, microseconds.
    `parameters`: which fitted roofline predicts it (a shipped name or a path), None where the
    device is timed instead. A figure is None where no trustworthy source was found.
    `entropy_msymbols`: million coded symbols a second that one core of its CPU decodes.
    A codec that neither `hardware_decode` nor `software_decode` names is not decoded.
    """

    name: str
    title: str
    basis: Basis
    parameters: str | None
    label: Label | None
    dense_int8_tops: Figure | None
    dram_gbps: Figure | None
    dispatch_us: Figure | None
    hardware_decode: Decoding | None
    software_decode: Decoding | None
    notes: str
    entropy_msymbols: Figure | None = None

    @property
    def codecs(self) -> tuple[str, ...]:
        """Names of all the codecs that it decodes, those in hardware first."""
        decoders = (self.hardware_decode, self.software_decode)
        names = [codec for each in decoders if each for codec in each.codecs]
        return tuple(dict.fromkeys(names))

    def to_dict(self) -> dict[str, Any]:
        """JSON types: the figures flat, their sources apart."""
        figures = {
            "dense_int8_tops": self.dense_int8_tops,
            "dram_gbps": self.dram_gbps,
            "dispatch_us": self.dispatch_us,
            "entropy_msymbols": self.entropy_msymbols,
        }
        sources = {name: figure.source for name, figure in figures.items() if figure}
        if self.label:
            sources["label_tops"] = self.label.source
        decoders = {
            "hardware_decode": self.hardware_decode,
            "software_decode": self.software_decode,
        }
        sources |= {name: decoder.source for name, decoder in decoders.items() if decoder}
        return {
            "name": self.name,
            "title": self.title,
            "basis": self.basis.value,
            "label_tops": self.label.tops if self.label else None,
            "label_basis": self.label.meaning if self.label else None,
            **{name: figure.value if figure else None for name, figure in figures.items()},
            "codecs": list(self.codecs),
            **{name: each.to_dict() if each else None for name, each in decoders.items()},
            "parameters": self.parameters,
            "notes": self.notes,
            "sources": sources,
        }


def device_names() -> tuple[str, ...]:
    """The devices that ship with the package, sorted."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


def load_device(name: str) -> DeviceProfile:
    """The shipped device `name`, or the one that a file `name` (ending in `.toml`) describes.

    Raises `DeviceError` where there is no such device, naming those there are, and
    `ProfileFileError` where a profile is malformed, naming the file and the key.
    """
    if name.endswith(".toml"):
        return _read(Path(name))
    if name not in device_names():
        known = ", ".join(device_names())
        raise DeviceError(f"unknown device {name!r}: known are {known}, or give a FILE.toml")
    return _read(FOLDER / f"{name}.toml")


def load_devices() -> tuple[DeviceProfile, ...]:
    """Every shipped device, by name."""
    return tuple(load_device(name) for name in device_names())


def _read(file: Path) -> DeviceProfile:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileFileError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileFileError(f"{file}: not TOML: {error}") from error
    fields = Fields(data, str(file), ProfileFileError)
    if fields.count("format") != _FORMAT:
        raise fields.fail(f"only format {_FORMAT} is known: update edgecodec")
    device = DeviceProfile(
        name=fields.text("name"),
        title=fields.text("title"),
        basis=Basis(fields.choice("basis", tuple(Basis))),
        parameters=_parameters(fields, file),
        label=_label(fields),
        dense_int8_tops=_figure(fields, "dense_int8_tops"),
        dram_gbps=_figure(fields, "dram_gbps"),
        dispatch_us=_figure(fields, "dispatch_us"),
        hardware_decode=_decoding(fields, "hardware_decode"),
        software_decode=_decoding(fields, "software_decode"),
        notes=fields.text("notes") if fields.has("notes") else "",
        entropy_msymbols=_figure(fields, "entropy_msymbols"),
    )
    _check_basis(device, fields)
    fields.finish()
    return device


def _parameters(fields: Fields, file: Path) -> str | None:
    if not fields.has("parameters"):
        return None
    name = fields.text("parameters")
    # A user's own fit lies beside the profile that names it.
    return str(file.parent / name) if name.endswith(".json") else name


def _label(fields: Fields) -> Label | None:
    if not fields.has("label"):
        return None
    table = fields.table("label")
    label = Label(table.positive("tops"), table.choice("meaning", _MEANINGS), table.text("source"))
    table.finish()
    return label


def _figure(fields: Fields, key: str) -> Figure | None:
    if not fields.has(key):
        return None
    table = fields.table(key)
    figure = Figure(table.positive("value"), table.text("source"))
    table.finish()
    return figure


def _decoding(fields: Fields, key: str) -> Decoding | None:
    if not fields.has(key):
        return None
    table = fields.table(key)
    codecs = table.texts("codecs")
    for codec in codecs:
        if codec not in _CODECS:
            raise table.fail(f"unknown codec {codec!r}: known are {', '.join(_CODECS)}")
    if not codecs:
        raise table.fail("`codecs` is empty: leave the table out")
    if table.has("size") != table.has("fps"):
        raise table.fail("`size` and `fps` go together: the most that it decodes")
    size, fps = None, None
    if table.has("size"):
        size, fps = _size(table), table.positive("fps")
    decoding = Decoding(codecs, size, fps, table.text("source"))
    table.finish()
    return decoding


def _size(table: Fields) -> FrameSize:
    try:
        return parse_size(table.text("size"))
    except ValueError as error:
        raise table.fail(f"`size`: {error}") from error


def _check_basis(device: DeviceProfile, fields: Fields) -> None:
    if device.basis is Basis.MEASURED:
        if device.parameters:
            raise fields.fail("a measured device takes no `parameters`")
        return
    if not device.parameters:
        raise fields.fail(f"basis {device.basis.value!r} needs `parameters`: a fit's name or file")
    needed = {
        "dense_int8_tops": device.dense_int8_tops,
        "dram_gbps": device.dram_gbps,
        "dispatch_us": device.dispatch_us,
    }
    missing = [key for key, figure in needed.items() if figure is None]
    if device.basis is Basis.LABEL_SCALED and missing:
        raise fields.fail(f"basis 'label-scaled' needs `{missing[0]}`")
