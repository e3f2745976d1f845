"""What a device can play of a video: base codecs that it decodes, networks that keep up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..runtime.chunks import Codec, StrategyId
from ..runtime.errors import DeviceError
from .counted import count_models
from .device import Basis, DeviceProfile
from .predictor import predictor
from .size import FrameSize

# Which networks make a strategy's frames, one of them each frame. A tier may lack some.
_NETWORKS = {
    StrategyId.HYBRID_SEMANTIC: ("enhancer", "generator_up"),
    StrategyId.SEMANTIC_LATENT: ("iframe_decoder", "generator_p"),
    StrategyId.I_FRAME_INTERPOLATION: ("iframe_decoder", "generator_b"),
}


@dataclass(frozen=True)
class Video:
    """Frames of `size`, `fps` of them a second, with `bit_depth` bits a sample."""

    size: FrameSize
    fps: float
    bit_depth: int

    def __str__(self) -> str:
        return f"{self.bit_depth}-bit video of {self.size} at {self.fps:.5g} frames/s"


@dataclass(frozen=True)
class Playable:
    """What of the wanted codecs and strategies a video for a device may be coded with.

    `notes` say what was left out, or not judged, and why.
    """

    codecs: tuple[Codec, ...]
    strategies: tuple[StrategyId, ...]
    notes: tuple[str, ...]


def playable(
    device: DeviceProfile,
    video: Video,
    codecs: Sequence[Codec],
    strategies: Sequence[StrategyId],
    models: Path | None,
) -> Playable:
    """Those of `codecs` and `strategies` with which `device` plays `video` in real time.

    Codecs are those that its profile says it decodes at that size and rate. A strategy is left
    out where one of its networks in the folder `models` is predicted (middle estimate) to run
    slower than the video; `models` None leaves them unjudged. Base and entropy decoding are not
    part of the prediction.

    Raises `DeviceError` where the profile does not say what the device decodes, and as
    `count_models` and `predict` do.
    """
    if not device.codecs:
        raise DeviceError(
            f"{device.name}: its profile does not say what it decodes: add [hardware_decode] or"
            " [software_decode]"
        )
    decoded = tuple(codec for codec in codecs if _decodes(device, codec, video))
    notes = []
    if left_out := [codec.name.lower() for codec in codecs if codec not in decoded]:
        notes.append(f"{device.name} does not decode {', '.join(left_out)} for {video}")
    kept = tuple(strategies)
    if models and any(each in _NETWORKS for each in strategies):
        if device.basis is Basis.MEASURED:
            notes.append(
                f"{device.name} is known by measuring only, so networks were not judged: see"
                f" `edgecodec profile --device {device.name} --size {video.size}`"
            )
        else:
            slow = _too_slow(device, video, strategies, models)
            kept = tuple(each for each in strategies if each not in slow)
            notes += slow.values()
    return Playable(decoded, kept, tuple(notes))


def _decodes(device: DeviceProfile, codec: Codec, video: Video) -> bool:
    # Hardware for H.264 knows its 8-bit profiles; the other codecs' common profiles have 10 bits.
    in_hardware = codec is not Codec.H264 or video.bit_depth == 8
    decoders = (device.hardware_decode if in_hardware else None, device.software_decode)
    return any(
        codec.name.lower() in each.codecs and each.takes(video.size, video.fps)
        for each in decoders
        if each
    )


def _too_slow(
    device: DeviceProfile, video: Video, strategies: Sequence[StrategyId], models: Path
) -> dict[StrategyId, str]:
    """The strategies whose networks do not keep up, each with the reason."""
    predict = predictor(device)
    fps = {
        network.entry.name: 1000 / predict(network.cost).interval.mid
        for network in count_models(models, video.size).networks
    }
    reasons = {}
    for strategy in strategies:
        if video.bit_depth > 8 and strategy is not StrategyId.HYBRID_SEMANTIC:
            continue  # latents have no deeper samples, so it is not coded with them anyway
        known = [name for name in _NETWORKS.get(strategy, ()) if name in fps]
        slowest = min(known, key=fps.__getitem__, default=None)
        if slowest and fps[slowest] < video.fps:
            reasons[strategy] = (
                f"{device.name} is predicted to run {strategy.name.lower()} at"
                f" {fps[slowest]:.1f} frames/s ({slowest}), too slow for {video}"
            )
    return reasons
