"""All the ways in which the scenes of one encode may be coded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..runtime.chunks import Codec, StrategyId
from ..runtime.errors import ModelError, ProviderError, UnsupportedError
from ..runtime.frames import PictureFormat
from ..runtime.models import packaged_models, read_models
from ..runtime.upsample import Upsampling
from .analysis_weights import weights_path
from .effort import Effort
from .strategies import LatentTrial, ProceduralTrial, StandardTrial, Trial

STRATEGIES = {
    "classical": StrategyId.CLASSICAL,
    "hybrid_semantic": StrategyId.HYBRID_SEMANTIC,
    "semantic_latent": StrategyId.SEMANTIC_LATENT,
    "i_frame_interpolation": StrategyId.I_FRAME_INTERPOLATION,
    "procedural": StrategyId.PROCEDURAL,
}
_LATENT = (StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION)
_PRESETS = {
    Effort.FAST: {Codec.AV1: "4", Codec.VVC: "fast", Codec.H265: "medium", Codec.H264: "medium"},
    Effort.NORMAL: {Codec.AV1: "2", Codec.VVC: "medium", Codec.H265: "slow", Codec.H264: "slow"},
    Effort.HIGH: {Codec.AV1: "1", Codec.VVC: "slow", Codec.H265: "slower", Codec.H264: "veryslow"},
}
# The depths that a video of 8 bits may be coded in. H.264 in 10 bits plays on few devices: only
# video that has them is coded so.
_DEPTHS = {Codec.AV1: (10, 8), Codec.VVC: (10,), Codec.H265: (10, 8), Codec.H264: (8,)}
# Half of less than this leaves nothing to code.
_SMALLEST_HALVED = 128


@dataclass(frozen=True)
class Ways:
    """The `trials` of an encode, and which of what they make is `wanted`.

    `notes` say what was left out of the whole encode, and why.
    """

    wanted: frozenset[StrategyId]
    trials: tuple[Trial, ...]
    notes: tuple[str, ...] = ()


def ways(
    strategies: Sequence[str],
    codecs: Sequence[Codec],
    effort: Effort,
    tier: str,
    device: str,
    picture: PictureFormat,
) -> Ways:
    """Every way to code a video of that format with these strategies (none: all) and codecs.

    Raises UnsupportedError for an unknown strategy and where none of those asked for can code the
    video, ModelError if a strategy was asked for by name whose networks are not there.
    """
    unknown = [name for name in strategies if name not in STRATEGIES]
    if unknown:
        known = ", ".join(("auto", *STRATEGIES))
        raise UnsupportedError(f"unknown strategy {unknown[0]!r}: choose one of {known}")
    wanted = frozenset(STRATEGIES[name] for name in strategies or STRATEGIES)
    notes: list[str] = []
    neural = wanted & {StrategyId.HYBRID_SEMANTIC, *_LATENT}
    missing = ""
    if neural and picture.bit_depth != 8:
        missing = f"networks take 8 bits a sample, the source has {picture.bit_depth}"
        if neural == wanted:
            raise UnsupportedError(
                f"{', '.join(strategies)}: {missing}; choose --strategy classical"
            )
    elif neural:
        missing = _missing_networks(tier, neural)
        if missing and strategies:
            raise ModelError(missing)
    if missing:
        names = ", ".join(each.name.lower() for each in sorted(neural))
        notes.append(f"{names}: {missing}")
        wanted, neural = wanted - neural, frozenset()
    trials: list[Trial] = []
    if wanted & {StrategyId.CLASSICAL, StrategyId.HYBRID_SEMANTIC}:
        enhancer = ""
        if StrategyId.HYBRID_SEMANTIC in neural:
            enhancer = read_models(packaged_models(tier)).network("enhancer").model_id
        trials += _standard(codecs, effort, picture, enhancer)
    if StrategyId.PROCEDURAL in wanted and codecs:
        codec = _still_codec(codecs)
        trials.append(ProceduralTrial(codec, _PRESETS[effort][codec]))
    trials += [LatentTrial(each, tier, device) for each in _LATENT if each in neural]
    if not trials:
        raise UnsupportedError(
            f"{', '.join(strategies) or 'auto'}: no standard codec is allowed, and it needs one"
        )
    return Ways(wanted, tuple(trials), tuple(notes))


def _standard(
    codecs: Sequence[Codec], effort: Effort, picture: PictureFormat, enhancer: str
) -> list[Trial]:
    sizes = [Upsampling.NONE]
    if min(picture.width, picture.height) >= _SMALLEST_HALVED:
        sizes.append(Upsampling.EIGHT_TAP)
    return [
        StandardTrial(codec, depth, _PRESETS[effort][codec], size, enhancer)
        for size in sizes
        for codec in codecs
        for depth in (_DEPTHS[codec] if picture.bit_depth == 8 else (picture.bit_depth,))
    ]


def _still_codec(codecs: Sequence[Codec]) -> Codec:
    """The codec of single pictures: AV1 where it is allowed."""
    return min(codecs, key=[Codec.AV1, Codec.VVC, Codec.H265, Codec.H264].index)


def _missing_networks(tier: str, neural: frozenset[StrategyId]) -> str:
    """Why the strategies cannot be had, "" if they can."""
    try:
        models = read_models(packaged_models(tier))
        models.network("enhancer")
    except ModelError as error:
        return str(error)
    if neural & frozenset(_LATENT) and not weights_path("analysis_i", tier).is_file():
        return f"there are no analysis networks of tier {tier}: train them first"
    return ""


def check_device(device: str) -> None:
    """Raises ProviderError if torch cannot run on `device`."""
    if device not in ("cpu", "cuda"):
        raise ProviderError(f"unknown device {device!r}: choose cpu or cuda")
    if device == "cuda":
        try:
            import torch
        except ImportError as error:
            raise ProviderError("cuda needs torch: pip install 'edgecodec[encoder]'") from error
        if not torch.cuda.is_available():
            raise ProviderError("no CUDA device: see edgecodec doctor, or use --device cpu")
