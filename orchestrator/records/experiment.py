"""An experiment: which clips are encoded how, named by the hash of its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...runtime.errors import UnsupportedError
from .checking import Fields
from .settings import EncodeSettings

SCHEMA = 1
_ID_DIGITS = 32
_SHA256_DIGITS = 64


@dataclass(frozen=True)
class Clip:
    """A video in the media store.

    `sha256` is its content's, in hexadecimal; `frames` is how many from the start are taken, None
    for all.
    """

    name: str
    sha256: str
    frames: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {"name": self.name, "sha256": self.sha256, "frames": self.frames}


@dataclass(frozen=True)
class Experiment:
    """What a worker does once, wherever and however often it is asked to.

    Clips are kept sorted by name: the same clips in another order are the same experiment.
    `device` names a profile of `edgecodec devices` that gives a verdict. `model` is the
    fingerprint of the encoder that it is meant for, "" for any. `seed` tells repetitions apart.
    """

    clips: tuple[Clip, ...]
    settings: EncodeSettings
    device: str = "snapdragon-40tops"
    model: str = ""
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.clips:
            raise UnsupportedError("an experiment without clips: name at least one video")
        for clip in self.clips:
            if len(clip.sha256) != _SHA256_DIGITS or set(clip.sha256) - set("0123456789abcdef"):
                raise UnsupportedError(
                    f"clip {clip.name}: sha256 {clip.sha256!r:.80} is not of 64 hexadecimal digits"
                )
            if not clip.name or (clip.frames is not None and clip.frames < 1):
                raise UnsupportedError(f"clip {clip.name!r}: it needs a name and at least 1 frame")
        if len({clip.name for clip in self.clips}) != len(self.clips):
            raise UnsupportedError("an experiment has each clip once: one is named twice")
        if self.seed < 0:
            raise UnsupportedError(f"seed {self.seed}: it must be 0 or above")
        object.__setattr__(self, "clips", tuple(sorted(self.clips, key=lambda clip: clip.name)))

    @property
    def id(self) -> str:
        """32 hexadecimal digits of the content's SHA-256."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "schema": SCHEMA,
            "clips": [clip.to_dict() for clip in self.clips],
            "settings": self.settings.to_dict(),
            "device": self.device,
            "model": self.model,
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], where: str = "experiment") -> Experiment:
        """What `to_dict` gave. Raises UnsupportedError that names the field, or the version that
        is needed."""
        fields = Fields(value, where)
        check_schema(fields.integer("schema", 1), where)
        clips = tuple(_clip(each, f"{where}: clip") for each in fields.items("clips"))
        settings = EncodeSettings.from_dict(fields.anything("settings"), f"{where}: settings")
        device, model = fields.text("device"), fields.text("model")
        seed = fields.integer("seed")
        fields.end()
        return cls(clips, settings, device, model, seed)


def check_schema(schema: int, where: str) -> None:
    """Raises UnsupportedError for records of a later version of edgecodec."""
    if schema > SCHEMA:
        raise UnsupportedError(
            f"{where}: it is of schema {schema}, this version knows up to {SCHEMA}:"
            " install the version of edgecodec that wrote it"
        )


def _clip(value: object, where: str) -> Clip:
    fields = Fields(value, where)
    clip = Clip(fields.text("name"), fields.text("sha256"), fields.optional_integer("frames", 1))
    fields.end()
    return clip
