"""What came of an experiment, measured by the worker on decoded frames and real bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from statistics import fmean
from typing import Any

from ...runtime.errors import UnsupportedError
from .checking import Fields
from .experiment import SCHEMA, check_schema

VERDICTS = ("pass", "likely", "unlikely", "fail", "unknown")
"""From best to worst; "unknown" where the device's profile does not suffice."""


@dataclass(frozen=True)
class Artefact:
    """A file in the media store."""

    name: str
    url: str
    bytes: int
    sha256: str

    @classmethod
    def from_dict(cls, value: object, where: str) -> Artefact:
        """What `asdict` gave. Raises UnsupportedError that names the field."""
        fields = Fields(value, where)
        artefact = cls(
            fields.text("name"), fields.text("url"), fields.integer("bytes"), fields.text("sha256")
        )
        fields.end()
        return artefact


@dataclass(frozen=True)
class ClipResult:
    """One clip's figures.

    `bitrate_mbps` is of the whole file but sound and subtitles. `psnr` is the frames' mean of
    (6 Y + U + V) / 8 in dB. `vmaf` is None where it was not asked for. The speeds are frames a
    second on the worker. `strategies` counts frames. `tops_per_frame` is tera-operations of
    networks a frame, mean, 1 MAC = 2 operations. `device_ms` is what a frame takes on the device:
    low, middle and high estimate in ms, None where no network runs or it is not known.
    """

    clip: str
    frames: int
    duration_s: float
    bytes: int
    bitrate_mbps: float
    psnr: float
    ssim: float
    ms_ssim: float
    vmaf: float | None
    encode_fps: float
    decode_fps: float
    strategies: Mapping[str, int]
    tops_per_frame: float
    verdict: str
    device_ms: tuple[float, float, float] | None
    artefacts: tuple[Artefact, ...] = ()

    @classmethod
    def from_dict(cls, value: object, where: str) -> ClipResult:
        """What `asdict` gave. Raises UnsupportedError that names the field."""
        fields = Fields(value, where)
        strategies = fields.anything("strategies")
        if not isinstance(strategies, Mapping):
            raise UnsupportedError(f"{where}: strategies is no object with counts of frames")
        counts = Fields(strategies, f"{where}: strategies")
        ms = fields.anything("device_ms")
        if ms is not None and (
            not isinstance(ms, list | tuple)
            or len(ms) != 3
            or not all(isinstance(each, int | float) and 0 <= each < inf for each in ms)
        ):
            raise UnsupportedError(f"{where}: device_ms {ms!r:.80} is not three numbers or null")
        result = cls(
            clip=fields.text("clip"),
            frames=fields.integer("frames", 1),
            duration_s=fields.number("duration_s"),
            bytes=fields.integer("bytes"),
            bitrate_mbps=fields.number("bitrate_mbps"),
            psnr=fields.number("psnr"),
            ssim=fields.number("ssim"),
            ms_ssim=fields.number("ms_ssim"),
            vmaf=fields.optional_number("vmaf"),
            encode_fps=fields.number("encode_fps"),
            decode_fps=fields.number("decode_fps"),
            strategies={str(name): counts.integer(name) for name in strategies},
            tops_per_frame=fields.number("tops_per_frame"),
            verdict=fields.text("verdict", VERDICTS),
            device_ms=None if ms is None else (float(ms[0]), float(ms[1]), float(ms[2])),
            artefacts=tuple(
                Artefact.from_dict(each, f"{where}: artefact") for each in fields.items("artefacts")
            ),
        )
        fields.end()
        return result


@dataclass(frozen=True)
class Result:
    """What a worker sends back. `seconds` is how long it worked; `versions` are what it ran."""

    experiment: str
    clips: tuple[ClipResult, ...]
    seconds: float
    worker: str
    versions: Mapping[str, str]
    log: Artefact | None = None

    def __post_init__(self) -> None:
        if not self.clips:
            raise UnsupportedError(f"result of {self.experiment}: it has no clips")

    @property
    def bitrate_mbps(self) -> float:
        """Mean of the clips."""
        return fmean(clip.bitrate_mbps for clip in self.clips)

    @property
    def psnr(self) -> float:
        """Mean of the clips, dB."""
        return fmean(clip.psnr for clip in self.clips)

    @property
    def ssim(self) -> float:
        """Mean of the clips."""
        return fmean(clip.ssim for clip in self.clips)

    @property
    def ms_ssim(self) -> float:
        """Mean of the clips."""
        return fmean(clip.ms_ssim for clip in self.clips)

    @property
    def vmaf(self) -> float | None:
        """Mean of the clips, None where one was not measured."""
        scores = [clip.vmaf for clip in self.clips if clip.vmaf is not None]
        return fmean(scores) if len(scores) == len(self.clips) else None

    @property
    def tops_per_frame(self) -> float:
        """Mean of the clips."""
        return fmean(clip.tops_per_frame for clip in self.clips)

    @property
    def encode_fps(self) -> float:
        """All frames over all the time that they took."""
        return _rate([(clip.frames, clip.encode_fps) for clip in self.clips])

    @property
    def decode_fps(self) -> float:
        """All frames over all the time that they took."""
        return _rate([(clip.frames, clip.decode_fps) for clip in self.clips])

    @property
    def verdict(self) -> str:
        """The worst of the clips'."""
        return max((clip.verdict for clip in self.clips), key=VERDICTS.index)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {"schema": SCHEMA} | asdict(self)

    @classmethod
    def from_dict(cls, value: object, where: str = "result") -> Result:
        """What `to_dict` gave, perhaps by way of JSON. Raises UnsupportedError that names the
        field."""
        fields = Fields(value, where)
        check_schema(fields.integer("schema", 1), where)
        versions = fields.anything("versions")
        texts = Fields(versions, f"{where}: versions")
        log = fields.anything("log")
        result = cls(
            fields.text("experiment"),
            tuple(ClipResult.from_dict(each, f"{where}: clip") for each in fields.items("clips")),
            fields.number("seconds"),
            fields.text("worker"),
            {str(name): texts.text(name) for name in versions},
            None if log is None else Artefact.from_dict(log, f"{where}: log"),
        )
        fields.end()
        return result


def _rate(parts: list[tuple[int, float]]) -> float:
    seconds = sum(frames / fps for frames, fps in parts if fps > 0)
    return sum(frames for frames, _ in parts) / seconds if seconds > 0 else 0.0
