"""`classical` and `hybrid_semantic`: one standard-codec encode serves both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...runtime.base import decode_base
from ...runtime.chunks import Codec, StrategyId
from ...runtime.container import Limits
from ...runtime.frames import Planes
from ...runtime.payloads import BaseStream, ClassicalBody, HybridBody
from ...runtime.scenes import enhance
from ...runtime.upsample import Upsampling
from ..codecs import BaseSettings, encoder_for
from ..downscale import downscale, half_size
from ..quality import psnr
from ..resources import Resources
from ..scene import Scene
from ._base import Candidate, candidate

# Settings of about the same slope of quality over bits, and how far the setting goes for half the
# bits: where searches start that measure for themselves.
_USUAL = {Codec.AV1: 45.0, Codec.H265: 30.0, Codec.H264: 33.0, Codec.VVC: 29.0}
_OCTAVE = {Codec.AV1: 10.0, Codec.H265: 6.0, Codec.H264: 6.0, Codec.VVC: 5.5}
# A base of a quarter of the samples needs so many octaves more of its own for the same bits.
_HALF_OCTAVES = 1.0


@dataclass(frozen=True)
class StandardTrial:
    """A scene in one standard codec, and the same with the enhancer where it helps.

    `bit_depth` is that of the coded layer, at least the video's. `preset` is the encoder's own
    name of a speed. With `upsampling` the layer has half the width and half the height. `enhancer`
    is a network's model id, "" for `classical` candidates only; video of 10 bits is never
    enhanced: the network takes 8.
    """

    codec: Codec
    bit_depth: int
    preset: str | None = None
    upsampling: Upsampling = Upsampling.NONE
    enhancer: str = ""

    @property
    def name(self) -> str:
        """See `Trial.name`."""
        half = "" if self.upsampling is Upsampling.NONE else " half"
        return f"{self.codec.name.lower()} {self.bit_depth}-bit{half}"

    @property
    def settings(self) -> tuple[float, float]:
        """See `Trial.settings`."""
        return encoder_for(self.codec).quantizer_range

    @property
    def usual_setting(self) -> float:
        """See `Trial.usual_setting`."""
        usual = _USUAL[self.codec]
        if self.upsampling is Upsampling.NONE:
            return usual
        return usual - _HALF_OCTAVES * self.settings_per_octave

    @property
    def settings_per_octave(self) -> float:
        """See `Trial.settings_per_octave`."""
        return _OCTAVE[self.codec]

    def encode(self, scene: Scene, setting: float, resources: Resources) -> tuple[Candidate, ...]:
        """The `classical` candidate, then the `hybrid_semantic` one."""
        base = self._base(scene, setting, resources.threads)
        plain: list[float] = []

        def decoded() -> Iterator[Planes]:
            """The frames without the enhancer; what they score is noted as they pass."""
            frames = self._decoded(base, scene, resources.threads)
            for source, planes in zip(scene.frames, frames, strict=True):
                plain.append(psnr(source, planes, scene.format.bit_depth).weighted)
                yield planes

        mended: list[float] = []
        if self.enhancer and scene.format.bit_depth == 8:
            network = resources.networks.network(self.enhancer)
            everywhere = (True,) * len(scene.frames)
            frames = enhance(decoded(), everywhere, base, scene.format, network)
            for source, planes in zip(scene.frames, frames, strict=True):
                mended.append(psnr(source, planes).weighted)
        else:
            for _ in decoded():
                pass
        made = [self._made(scene, setting, ClassicalBody(base, self.upsampling), plain)]
        if mended:
            helped = tuple(after > before for after, before in zip(mended, plain, strict=True))
            body = HybridBody(base, self.enhancer, helped, upsampling=self.upsampling)
            best = [max(pair) for pair in zip(mended, plain, strict=True)]
            made.append(self._made(scene, setting, body, best))
        return tuple(made)

    def _base(self, scene: Scene, setting: float, threads: int) -> BaseStream:
        frames, picture = scene.frames, scene.format
        if self.upsampling is not Upsampling.NONE:
            picture = half_size(scene.format)
            frames = tuple(downscale(planes, scene.format) for planes in scene.frames)
        settings = BaseSettings(
            crf=setting,
            format=picture,
            frame_rate=scene.frame_rate,
            color=scene.color,
            bit_depth=self.bit_depth,
            preset=self.preset,
            threads=threads,
        )
        return encoder_for(self.codec).encode(frames, settings)

    def _decoded(self, base: BaseStream, scene: Scene, threads: int) -> Iterator[Planes]:
        return decode_base(
            base,
            scene.format,
            frames=len(scene.frames),
            threads=threads,
            max_pixels=Limits().max_pixels,
            upsampling=self.upsampling,
        )

    def _made(
        self,
        scene: Scene,
        setting: float,
        body: ClassicalBody | HybridBody,
        frame_psnr: list[float],
    ) -> Candidate:
        hybrid = isinstance(body, HybridBody)
        strategy = StrategyId.HYBRID_SEMANTIC if hybrid else StrategyId.CLASSICAL
        return candidate(scene, strategy, self.codec, self.name, setting, body, frame_psnr)
