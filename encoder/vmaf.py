"""VMAF, VMAF-NEG and MS-SSIM by the libvmaf inside the ffmpeg that imageio-ffmpeg carries."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import imageio_ffmpeg
import numpy as np

from ..runtime.cores import available_cores
from ..runtime.errors import EdgecodecError, UnsupportedError
from ..runtime.frames import PictureFormat, Planes
from ..runtime.y4m import write_y4m_frame, write_y4m_header

_MODELS = {"vmaf": "vmaf_v0.6.1", "vmaf_neg": "vmaf_v0.6.1neg"}
# Both clips are given the same rate, so that ffmpeg pairs frames one to one whatever the real one.
_PAIRING_RATE = Fraction(25)
_STDERR_TAIL_LINES = 12


@dataclass(frozen=True)
class VmafScores:
    """Means over all frames, 0 to 100 (MS-SSIM: 0 to 1), and what exactly was compared.

    `ms_ssim` is None where it was not asked for: it takes libvmaf several times as long as both
    VMAF models together. `pixel_format` and `range` name the samples that libvmaf saw: they are
    the planes that were given, nothing was converted.
    """

    vmaf: float
    vmaf_neg: float
    ms_ssim: float | None
    frame_vmaf: tuple[float, ...]
    pixel_format: str
    range: str
    models: tuple[str, ...]


class VmafMeter:
    """Measures any number of decoded versions of one source clip.

    The source is written to a temporary folder once. Use it as a context manager: leaving it
    removes the folder, whatever happened inside.
    """

    def __init__(
        self,
        source: Iterable[Planes],
        picture: PictureFormat,
        *,
        full_range: bool = False,
        threads: int = 0,
        temporary_folder: Path | None = None,
    ) -> None:
        """Store the source. `threads` 0 means one for each core.

        Raises ValueError where there is no frame, or one is not of the picture's shape and depth.
        """
        self._picture = picture
        self._full_range = full_range
        self._threads = threads or available_cores()
        self._folder = tempfile.TemporaryDirectory(prefix="edgecodec-vmaf-", dir=temporary_folder)
        try:
            self._frames = self._write("source.y4m", source)
            if self._frames == 0:
                raise ValueError("the source holds no frame: there is nothing to compare")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary files."""
        self._folder.cleanup()

    def measure(self, decoded: Iterable[Planes], *, ms_ssim: bool = False) -> VmafScores:
        """Compare decoded frames with the source, in order.

        Raises ValueError where their number or shape is not the source's, `UnsupportedError` where
        ffmpeg has no libvmaf, and `EdgecodecError` with the end of ffmpeg's output where it fails.
        """
        return self._scores(self._log(decoded, _MODELS, ms_ssim=ms_ssim), ms_ssim)

    def frame_vmaf(self, decoded: Iterable[Planes]) -> tuple[float, ...]:
        """VMAF of each frame, 0 to 100: what `measure` gives as such, in less time.

        Raises as `measure` does.
        """
        log = self._log(decoded, {"vmaf": _MODELS["vmaf"]}, ms_ssim=False)
        return _frame_vmaf(log)

    def _log(
        self, decoded: Iterable[Planes], models: Mapping[str, str], *, ms_ssim: bool
    ) -> dict[str, Any]:
        """What libvmaf writes of decoded frames: one entry for each, checked to be so."""
        path = Path(self._folder.name) / "decoded.y4m"
        try:
            count = self._write(path.name, decoded)
            if count != self._frames:
                raise ValueError(f"{count} decoded frames, but the source has {self._frames}")
            log = self._run_libvmaf(models, ms_ssim)
        finally:
            path.unlink(missing_ok=True)
        compared = len(log["frames"])
        if compared != self._frames:
            raise EdgecodecError(
                f"libvmaf compared {compared} frames, {self._frames} were given: "
                "the installed ffmpeg pairs frames in another way"
            )
        return log

    def _write(self, name: str, frames: Iterable[Planes]) -> int:
        """Write frames to a file of the folder and return how many there were."""
        picture = self._picture
        shapes = ((picture.height, picture.width), picture.chroma_shape, picture.chroma_shape)
        kind = np.uint8 if picture.bit_depth == 8 else np.uint16
        count = 0
        with (Path(self._folder.name) / name).open("wb") as file:
            write_y4m_header(file, picture, _PAIRING_RATE, Fraction(1), full_range=self._full_range)
            for planes in frames:
                for plane, shape in zip(planes, shapes, strict=True):
                    if plane.shape != shape or plane.dtype != kind:
                        raise ValueError(
                            f"frame {count}: a plane is {plane.dtype} {list(plane.shape)}, "
                            f"not {np.dtype(kind)} {list(shape)}"
                        )
                write_y4m_frame(file, planes)
                count += 1
        return count

    def _run_libvmaf(self, models: Mapping[str, str], ms_ssim: bool) -> dict[str, Any]:
        folder = Path(self._folder.name)
        named = "|".join(rf"version={model}\:name={name}" for name, model in models.items())
        options = f"n_threads={self._threads}:log_fmt=json:log_path=log.json:model='{named}'"
        if ms_ssim:
            options += ":feature='name=float_ms_ssim'"
        # libvmaf takes the distorted clip first.
        command = [str(imageio_ffmpeg.get_ffmpeg_exe()), "-hide_banner", "-nostdin"]
        command += ["-i", "decoded.y4m", "-i", "source.y4m"]
        command += ["-lavfi", f"[0:v][1:v]libvmaf={options}", "-f", "null", "-"]
        log = folder / "log.json"
        log.unlink(missing_ok=True)
        # The paths stand relative to the folder: a filter graph would need them escaped.
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if "No such filter: 'libvmaf'" in result.stderr:
            raise UnsupportedError(
                f"{command[0]}: this ffmpeg has no libvmaf; unset IMAGEIO_FFMPEG_EXE, or "
                "reinstall imageio-ffmpeg from its wheel"
            )
        if result.returncode != 0 or not log.exists():
            tail = "\n".join(result.stderr.splitlines()[-_STDERR_TAIL_LINES:])
            raise EdgecodecError(
                f"ffmpeg could not measure VMAF (exit code {result.returncode}) of "
                f"{self._picture.width}x{self._picture.height} frames:\n{tail}"
            )
        parsed: dict[str, Any] = json.loads(log.read_text(encoding="utf-8"))
        return parsed

    def _scores(self, log: dict[str, Any], ms_ssim: bool) -> VmafScores:
        pooled = log["pooled_metrics"]
        return VmafScores(
            vmaf=float(pooled["vmaf"]["mean"]),
            vmaf_neg=float(pooled["vmaf_neg"]["mean"]),
            ms_ssim=float(pooled["float_ms_ssim"]["mean"]) if ms_ssim else None,
            frame_vmaf=_frame_vmaf(log),
            pixel_format="yuv420p" if self._picture.bit_depth == 8 else "yuv420p10le",
            range="full" if self._full_range else "limited",
            models=tuple(_MODELS.values()),
        )


def _frame_vmaf(log: Mapping[str, Any]) -> tuple[float, ...]:
    return tuple(float(frame["metrics"]["vmaf"]) for frame in log["frames"])
