"""What an evaluation compares: systems, each with its encodes at rising or falling rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..runtime.frames import Planes
from .anchors import (
    ANCHOR_RECIPE,
    SVTAV1_PRESET_4,
    SVTAV1_PRESET_6,
    VVENC_FAST,
    X264_MEDIUM,
    X265_MEDIUM,
    Anchor,
    anchor_decode_fps,
    decode_anchor,
    encode_anchor,
)
from .clips import Clip
from .digests import library_versions
from .environment import ffmpeg_version
from .points import SceneChoice
from .report_data import SystemKind


@dataclass(frozen=True)
class Coded:
    """A clip that was encoded: its size, the speed of both ways, and its frames once more.

    Each call of `frames` decodes the bytes anew. The rest is as in `MeasuredPoint`.
    """

    bytes: int
    encode_fps: float
    decode_fps: float
    frames: Callable[[], Iterator[Planes]]
    scenes: tuple[SceneChoice, ...] = ()
    trial_encodes: int | None = None
    kept_trials: int | None = None
    note: str = ""
    title_bytes: int = 0


Advance = Callable[[float], None]


class Encode(Protocol):
    """One encode that an evaluation makes of every clip."""

    @property
    def label(self) -> str:
        """What is asked of the encoder, in words."""

    def identity(self) -> Mapping[str, Any]:
        """All that the result depends on beside the clip, as a JSON object."""

    def run(self, clip: Clip, path: Path, folder: Path, advance: Advance) -> Coded:
        """Encode the clip, which is the start of the video at `path`.

        Files may be left in `folder`; it is there for as long as the result is used. `advance`
        takes the share of the encode that is done, 0 to 1.
        """


@dataclass(frozen=True)
class System:
    """A codec at fixed settings, with its encodes; `name` is what the command line calls it."""

    name: str
    kind: SystemKind
    encodes: tuple[Encode, ...]


@dataclass(frozen=True)
class AnchorEncoding:
    """A standard codec at one crf (VVenC: QP); see `encode_anchor`."""

    anchor: Anchor
    crf: int
    keyframe_interval: int = 0
    threads: int = 0

    @property
    def label(self) -> str:
        """See `Encode.label`."""
        return f"crf {self.crf}"

    def identity(self) -> Mapping[str, Any]:
        """See `Encode.identity`."""
        anchor = self.anchor
        libraries = library_versions()
        return {
            "recipe": ANCHOR_RECIPE,
            "codec": anchor.codec.name,
            "preset": anchor.preset,
            "bit_depth": anchor.bit_depth,
            "crf": self.crf,
            "keyframe_interval": self.keyframe_interval,
            "av": libraries.get("av"),
            "imageio-ffmpeg": libraries.get("imageio-ffmpeg"),
            "ffmpeg": ffmpeg_version(),
        }

    def run(self, clip: Clip, path: Path, folder: Path, advance: Advance) -> Coded:
        """See `Encode.run`."""
        made = encode_anchor(self.anchor, clip, self.crf, self.threads, self.keyframe_interval)
        return Coded(
            bytes=made.bytes,
            encode_fps=made.encode_fps,
            decode_fps=anchor_decode_fps(made, clip, self.threads),
            frames=lambda: decode_anchor(made, clip, self.threads),
            note=made.settings,
        )


ANCHORS: Mapping[str, Anchor] = {
    "x264": X264_MEDIUM,
    "x265": X265_MEDIUM,
    "svtav1-p6": SVTAV1_PRESET_6,
    "svtav1-p4": SVTAV1_PRESET_4,
    "vvenc-fast": VVENC_FAST,
}
"""The standard codecs by the names that the command line has for them."""

LADDERS: Mapping[str, tuple[int, ...]] = {
    "x264": (21, 26, 31, 35, 39),
    "x265": (20, 25, 30, 35, 40),
    "svtav1-p6": (20, 32, 44, 55, 62),
    "svtav1-p4": (20, 32, 44, 55, 62),
    "vvenc-fast": (22, 27, 32, 37, 42),
}
"""The crf of each anchor's points unless others are asked for: about the same range of PSNR, as far
down as SVT-AV1 goes, so that the curves overlap."""


def anchor_system(
    name: str, ladder: tuple[int, ...] | None = None, keyframe_interval: int = 0, threads: int = 0
) -> System:
    """A standard codec at each crf of a ladder, None for its usual one.

    Raises KeyError where no anchor has this name.
    """
    anchor = ANCHORS[name]
    encodes = tuple(
        AnchorEncoding(anchor, crf, keyframe_interval, threads)
        for crf in (LADDERS[name] if ladder is None else ladder)
    )
    return System(name, SystemKind.ANCHOR, encodes)
