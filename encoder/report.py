"""What an encode tells while it runs and when it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class EncodeProgress:
    """`done` is the share of the work that is finished, 0 to 1, `seconds_left` a guess of how long
    the rest takes, None where there is nothing yet to guess by."""

    stage: str
    done: float
    detail: str = ""
    seconds_left: float | None = None


def within(
    report: Callable[[EncodeProgress], None], first: float, last: float
) -> Callable[[EncodeProgress], None]:
    """For a part of the work that goes from the share `first` to the share `last` of it."""

    def told(progress: EncodeProgress) -> None:
        done = first + (last - first) * progress.done
        # What comes after this part is not known.
        left = progress.seconds_left if last == 1 else None
        report(replace(progress, done=done, seconds_left=left))

    return told


@dataclass(frozen=True)
class TrialReport:
    """Something that was encoded to see whether to use it."""

    strategy: str
    codec: str | None
    way: str
    setting: float
    bits: int
    psnr: float


@dataclass(frozen=True)
class SceneReport:
    """How a scene was coded.

    `start` is seconds from the first frame, `way` names the trial that won, `bits` are its chunk's
    in the file, `psnr` is the mean over its frames of (6 Y + U + V) / 8 in dB. `enhanced_frames`
    counts frames that a network improves, `adaptation` is what the scene was fitted by: "" for
    nothing, else of "title", "code" and "filter" those that it has, joined by "+". `skipped` says
    which ways were not followed to the end, and why.
    """

    start: float
    frames: int
    scene_class: str
    strategy: str
    codec: str | None
    way: str
    bits: int
    psnr: float
    setting: float
    enhanced_frames: int
    adaptation: str
    trials: tuple[TrialReport, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class EncodeReport:
    """A finished stream, measured on its decoded bytes.

    `bytes` is the file's size; `bitrate_mbps` is everything in it but audio and subtitles, over
    the video's duration. `psnr` (dB) and `ssim` are means over frames, and so is `vmaf`, which is
    measured scene by scene, and only for an encode that aims at it. `trial_encodes` counts what
    was encoded to choose from, `title_bytes` those of the file that are weights of networks.
    `target_met` is None where nothing was asked that could be missed; `note` says how far a target
    was missed, and is "" where nothing is to be said.
    """

    file: str
    bytes: int
    frames: int
    duration_s: float
    bitrate_mbps: float
    other_streams_mbps: float
    psnr: float
    ssim: float
    vmaf: float | None
    encode_fps: float
    trial_encodes: int
    title_bytes: int
    target_met: bool | None
    note: str
    scenes: tuple[SceneReport, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON takes it."""
        return asdict(self)
