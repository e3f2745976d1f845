"""What a run is about: its videos and whatever else must not change from sitting to sitting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime.errors import UnsupportedError
from .media import MediaStore, file_sha256
from .records import Clip
from .records.checking import Fields

_DIGITS = 16


@dataclass(frozen=True)
class RunClip:
    """A clip in the media store, and its file's name as people know it."""

    file: str
    clip: Clip


@dataclass(frozen=True)
class RunOptions:
    """`model` is the fingerprint of the encoder that the run was begun with, `space` the text that
    narrows what is tried, `price` that of a worker's hour."""

    clips: tuple[RunClip, ...]
    device: str
    model: str
    seed: int
    space: str
    quick: bool
    price: float
    currency: str

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "clips": [{"file": each.file} | each.clip.to_dict() for each in self.clips],
            "device": self.device,
            "model": self.model,
            "seed": self.seed,
            "space": self.space,
            "quick": "yes" if self.quick else "no",
            "price": self.price,
            "currency": self.currency,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], where: str) -> RunOptions:
        """What `to_dict` gave. Raises UnsupportedError that names the field."""
        fields = Fields(value, where)
        options = cls(
            tuple(_clip(each, f"{where}: clip") for each in fields.items("clips")),
            fields.text("device"),
            fields.text("model"),
            fields.integer("seed"),
            fields.text("space"),
            fields.text("quick", ("yes", "no")) == "yes",
            fields.number("price"),
            fields.text("currency"),
        )
        fields.end()
        return options


def store_clips(
    files: Sequence[Path], frames: int | None, media: MediaStore
) -> tuple[RunClip, ...]:
    """Put videos where workers find them, by the hash of their content: what is there already is
    not sent again. Raises UnsupportedError where one is given twice or cannot be encoded,
    BitstreamError where one is damaged, OSError where one cannot be read, DispatchError where the
    store does not take it."""
    from ..encoder.media import open_source

    # All of them first: no worker is paid to find out.
    for file in files:
        with open_source(file):
            pass
    stored: list[RunClip] = []
    for file in files:
        sha256 = file_sha256(file)
        if any(each.clip.sha256 == sha256 for each in stored):
            raise UnsupportedError(f"{file}: the same video is given twice")
        name = f"clips/{sha256[:_DIGITS]}{file.suffix.lower()}"
        media.put(file, name)
        stored.append(RunClip(file.name, Clip(name, sha256, frames)))
    return tuple(stored)


def _clip(value: object, where: str) -> RunClip:
    fields = Fields(value, where)
    file = fields.text("file")
    clip = Clip(fields.text("name"), fields.text("sha256"), fields.optional_integer("frames", 1))
    fields.end()
    return RunClip(file, clip)
