"""What an export is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .cache import Cache
from .calibration import RangeMethod
from .quantization import Arithmetic
from .sizes import Size

MAX_DROP_DB = 0.05


class Precision(StrEnum):
    """Arithmetic of the exported graphs."""

    FP32 = "fp32"
    INT8 = "int8"


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and where to.

    `networks` empty: every network of `tier` that has weights. `size` None: graphs of dynamic
    height and width. `weights`: a folder of safetensors files in place of the committed ones.

    `arithmetic` and `ranges` decide the integers. `arithmetic` None: exact for networks that later
    frames depend on, where the target has it, and fast for the others. `ranges` None: the method
    that measures best.
    `socs` and `capabilities` name devices that `target` compiles for; empty: the usual ones.

    Gates, None: not asked for. `max_drop_db` bounds the loss of every INT8 network: layers are
    promoted until it holds. `placement_percent` is the least share of nodes on the target's
    provider, `max_bytes` bounds what one device needs of the folder. `keep_failed` publishes where
    a gate fails, too. `keep_float` also writes `<network>.fp32.onnx`; `simplify` runs onnxsim.

    `cache` holds the results of stages; `remake_from` names the first that it must not be asked
    for: see `stage_names`.
    """

    directory: Path
    tier: str = "nano"
    networks: tuple[str, ...] = ()
    size: Size | None = None
    target: str = "cpu"
    precision: Precision = Precision.INT8
    arithmetic: Arithmetic | None = None
    ranges: RangeMethod | None = RangeMethod.ARCHITECTURE
    socs: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    max_drop_db: float | None = MAX_DROP_DB
    placement_percent: float | None = None
    max_bytes: int | None = None
    keep_float: bool = False
    keep_failed: bool = False
    simplify: bool = True
    weights: Path | None = None
    cache: Cache | None = None
    remake_from: str | None = None
