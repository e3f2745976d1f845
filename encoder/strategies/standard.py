"""`classical` and `hybrid_semantic`: one standard-codec encode serves both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...runtime.base import decode_base
from ...runtime.chunks import Codec, StrategyId
from ...runtime.container import Limits
from ...runtime.frames import Planes
from ...runtime.payloads import ClassicalBody, HybridBody
from ...runtime.scenes import enhance
from ...runtime.sessions import Network
from ..codecs import BaseEncoder, BaseSettings
from ..scene import Scene
from ._base import Candidate, candidate, frame_psnr

# Settings that need about the same bits, and how far the setting goes for half of them: measured on
# the demo clip, and only the start of a search that measures for itself.
_USUAL = {Codec.AV1: 45, Codec.H265: 30, Codec.H264: 33, Codec.VVC: 29}
# At 500 kb/s of the demo clip 10 bits bring 0.11 dB, rounded back by the player, and preset 4
# instead of 6 another 0.16 dB in 1.7 times the time: benchmarks/av1_settings.py.
_AV1_BITS, _AV1_PRESET = 10, "4"
_OCTAVE = {Codec.AV1: 10.0, Codec.H265: 6.0, Codec.H264: 6.0, Codec.VVC: 5.5}


@dataclass(frozen=True)
class StandardTrial:
    """A scene in one standard codec, and the same with the enhancer where it helps.

    `enhancer` None makes `classical` candidates only. Video of 10 bits is never enhanced: the
    network takes 8.
    """

    encoder: BaseEncoder
    enhancer: Network | None = None
    threads: int = 0

    @property
    def name(self) -> str:
        """See `Trial.name`."""
        return self.encoder.codec.name.lower()

    @property
    def settings(self) -> tuple[int, int]:
        """See `Trial.settings`."""
        return self.encoder.quantizer_range

    @property
    def usual_setting(self) -> int:
        """See `Trial.usual_setting`."""
        return _USUAL[self.encoder.codec]

    @property
    def settings_per_octave(self) -> float:
        """See `Trial.settings_per_octave`."""
        return _OCTAVE[self.encoder.codec]

    def encode(self, scene: Scene, setting: int) -> tuple[Candidate, ...]:
        """The `classical` candidate, then the `hybrid_semantic` one."""
        codec = self.encoder.codec
        settings = BaseSettings(
            crf=setting,
            format=scene.format,
            frame_rate=scene.frame_rate,
            color=scene.color,
            bit_depth=_AV1_BITS if codec is Codec.AV1 else scene.format.bit_depth,
            preset=_AV1_PRESET if codec is Codec.AV1 else None,
            threads=self.threads,
        )
        base = self.encoder.encode(scene.frames, settings)
        limits = Limits()

        def decoded() -> Iterator[Planes]:
            return decode_base(
                base,
                scene.format,
                frames=len(scene.frames),
                threads=self.threads,
                max_pixels=limits.max_pixels,
            )

        plain = list(decoded())
        plain_psnr = frame_psnr(scene, plain)
        made = [
            candidate(scene, StrategyId.CLASSICAL, codec, setting, ClassicalBody(base), plain_psnr)
        ]
        if self.enhancer is not None and scene.format.bit_depth == 8:
            everywhere = (True,) * len(plain)
            mended = enhance(iter(plain), everywhere, base, scene.format, self.enhancer)
            mended_psnr = frame_psnr(scene, mended)
            pairs = list(zip(mended_psnr, plain_psnr, strict=True))
            body = HybridBody(
                base, self.enhancer.entry.model_id, tuple(better > worse for better, worse in pairs)
            )
            made.append(
                candidate(
                    scene, StrategyId.HYBRID_SEMANTIC, codec, setting, body, [max(p) for p in pairs]
                )
            )
        return tuple(made)
