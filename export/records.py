"""What the manifest says of ports, clips and nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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

    For synthetic inputs `psnr_int8` is that of the INT8 output against the float output. MS-SSIM,
    0 to 1, is that of the luma; None where the pictures are too small for it, too.
    """

    name: str
    psnr_fp32: float | None
    psnr_int8: float | None
    drop_db: float | None
    ms_ssim_fp32: float | None = None
    ms_ssim_int8: float | None = None


@dataclass(frozen=True)
class NetworkLoss:
    """PSNR in dB of the float and of the INT8 network, their difference, and the same by clip.

    Means over frames within a clip, then over clips. `psnr_fp32` and `drop_db` are None for
    synthetic inputs, which have no source; `psnr_int8` is then against the float output, and
    `frames`, of real pictures, is 0.
    """

    psnr_fp32: float | None
    psnr_int8: float | None
    drop_db: float | None
    clips: tuple[ClipLoss, ...]
    frames: int = 0


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
class ClipFile:
    """A video that samples were taken from; `sha256` is of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Gates:
    """The bounds that an export had to keep; None: not asked for.

    `max_drop_db` for every network, `placement_percent` on the target's provider, `max_bytes` for
    what one device needs of the folder.
    """

    max_drop_db: float | None = None
    placement_percent: float | None = None
    max_bytes: int | None = None
