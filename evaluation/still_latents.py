"""I-frames of this codec as still pictures: as players decode them, or of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from ..encoder.resources import Resources
from ..encoder.scene import Scene
from ..encoder.strategies.latent import LatentCoder
from ..encoder.strategies.latent_scene import code_scene
from ..encoder.targets import Metric
from ..encoder.training.float_coder import FloatCoder
from ..runtime.chunks import StrategyId
from ..runtime.frames import ColorInfo
from ..runtime.payloads import pack_body
from .clips import Clip
from .latent_video_stream import write_latents
from .still_codecs import CodedStill
from .still_pictures import Still
from .streams import stream_frames

QUALITIES: Sequence[float] = (2, 12, 22, 32, 42, 52, 62)
DETAILED_QUALITIES: Sequence[float] = (*QUALITIES, 72, 82)
"""Where there is detail."""
_RATE = Fraction(25)


@dataclass(frozen=True)
class IFrames:
    """I-frames of a tier: a real stream of one frame, INT8, decoded by the runtime.

    The setting is the quality index. What is not the chunk's body counts as container. `refinement`
    and `tune` are as of `LatentCoder`.
    """

    tier: str
    resources: Resources
    refinement: int = 0
    settings: Sequence[float] = QUALITIES
    tune: Metric = Metric.PSNR

    @property
    def name(self) -> str:
        """See `StillCodec.name`."""
        tuned = "" if self.tune is Metric.PSNR else f" for {self.tune.name}"
        return f"edgecodec {self.tier}{tuned}{_refined(self.refinement)}"

    def code(self, still: Still, setting: float) -> CodedStill:
        """See `StillCodec.code`."""
        scene = Scene(0, 0, (still.planes,), (0,), still.format, _RATE, ColorInfo())
        body, _ = code_scene(self._coder, StrategyId.SEMANTIC_LATENT, scene, int(setting))
        with TemporaryDirectory() as folder:
            path = Path(folder) / "still.ecv"
            picture = Clip(still.name, (still.planes,), still.format, _RATE, ColorInfo())
            packed = write_latents(path, picture, self.tier, StrategyId.SEMANTIC_LATENT, [body])
            (planes,) = stream_frames(path, threads=self.resources.threads)
            size = path.stat().st_size
        return CodedStill(size, size - packed, planes)

    @cached_property
    def _coder(self) -> LatentCoder:
        networks = self.resources.networks
        return LatentCoder(self.tier, "cpu", networks, refinement=self.refinement, tune=self.tune)


@dataclass(frozen=True)
class FloatIFrames:
    """I-frames of a training's checkpoint in float, in the bytes that a chunk's body would have."""

    checkpoint: Path
    tier: str
    refinement: int = 0
    settings: Sequence[float] = QUALITIES

    @property
    def name(self) -> str:
        """See `StillCodec.name`."""
        return f"float {self.checkpoint.stem}{_refined(self.refinement)}"

    def code(self, still: Still, setting: float) -> CodedStill:
        """See `StillCodec.code`."""
        body, planes = self._coder.code(still.planes, still.format, int(setting), self.refinement)
        return CodedStill(len(pack_body(body)), 0, planes)

    @cached_property
    def _coder(self) -> FloatCoder:
        return FloatCoder(self.checkpoint, self.tier)


def _refined(steps: int) -> str:
    return f" refined {steps}" if steps else ""
