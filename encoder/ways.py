"""All the ways in which the scenes of one encode may be coded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..runtime.chunks import Codec, StrategyId
from ..runtime.errors import ModelError, ProviderError, UnsupportedError
from ..runtime.frames import PictureFormat
from ..runtime.models import packaged_models, read_models
from ..runtime.upsample import Upsampling
from .adaptation import Adaptation
from .analysis_weights import tuned
from .effort import Effort
from .latent_kinds import missing_networks
from .strategies import LatentTrial, ProceduralTrial, StandardTrial, Trial
from .targets import Metric

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
# What mends the frames of a base, by the base's size.
_MENDERS = {Upsampling.NONE: "enhancer", Upsampling.EIGHT_TAP: "generator_up"}
SIZES = {"full": Upsampling.NONE, "half": Upsampling.EIGHT_TAP}
"""How large the base of a scene may be, by the names that options have for it."""
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
    sizes: Sequence[str] = tuple(SIZES),
    adaptation: Adaptation = Adaptation.NONE,
    tune: Metric = Metric.PSNR,
) -> Ways:
    """Every way to code a video of that format with these strategies (none: all) and codecs.

    `sizes` are those that a standard codec's layer may have (see `SIZES`). Trials search filters
    and codes where `adaptation` has them; a title's weights come later. Latents are optimised for
    `tune` where the tier can.

    Raises UnsupportedError for an unknown strategy or size and where none of those asked for can
    code the video, ModelError if a strategy was asked for by name whose networks are not there.
    """
    _check_known("strategy", strategies, ("auto", *STRATEGIES))
    _check_known("size", sizes, tuple(SIZES))
    wanted = frozenset(STRATEGIES[name] for name in strategies or STRATEGIES)
    layers = [SIZES[name] for name in SIZES if name in sizes and _large_enough(name, picture)]
    menders = _Menders()
    notes: list[str] = []
    if StrategyId.HYBRID_SEMANTIC in wanted:
        menders = _menders(tier, layers)
        if not menders.model_ids:
            if strategies and menders.notes:
                raise ModelError(menders.notes[0])
            wanted -= {StrategyId.HYBRID_SEMANTIC}
        notes += [f"hybrid_semantic: {note}" for note in menders.notes]
    for missing, latents in _missing_latents(wanted, tier, picture).items():
        names = ", ".join(each.name.lower() for each in latents)
        if strategies and picture.bit_depth == 8:
            raise ModelError(missing)
        if wanted == frozenset(latents):
            raise UnsupportedError(f"{names}: {missing}; choose --strategy classical")
        notes.append(f"{names}: {missing}")
        wanted -= frozenset(latents)
    trials: list[Trial] = []
    for layer in layers:
        mender = menders.model_ids.get(layer, "")
        if StrategyId.CLASSICAL in wanted or mender:
            search = adaptation.of_scenes if mender else _of_layers(adaptation)
            trials += [
                StandardTrial(codec, depth, _PRESETS[effort][codec], layer, mender, search)
                for codec in codecs
                for depth in (_DEPTHS[codec] if picture.bit_depth == 8 else (picture.bit_depth,))
            ]
    if StrategyId.PROCEDURAL in wanted and codecs:
        codec = _still_codec(codecs)
        trials.append(ProceduralTrial(codec, _PRESETS[effort][codec]))
    trials += [
        LatentTrial(each, tier, device, effort, tuned(tier, tune), _of_layers(adaptation))
        for each in _LATENT
        if each in wanted
    ]
    if not trials:
        raise UnsupportedError(f"{', '.join(strategies) or 'auto'}: {_nothing_left(codecs)}")
    return Ways(wanted, tuple(trials), tuple(notes))


def _check_known(what: str, names: Sequence[str], known: tuple[str, ...]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnsupportedError(f"unknown {what} {unknown[0]!r}: choose one of {', '.join(known)}")


def _large_enough(size: str, picture: PictureFormat) -> bool:
    return size == "full" or min(picture.width, picture.height) >= _SMALLEST_HALVED


def _nothing_left(codecs: Sequence[Codec]) -> str:
    if not codecs:
        return "no standard codec is allowed, and it needs one"
    return f"only sides of {_SMALLEST_HALVED} or more are coded at half their size"


@dataclass(frozen=True)
class _Menders:
    """The networks that mend a standard codec's layer, by its size; `notes` say which are
    missing."""

    model_ids: Mapping[Upsampling, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _menders(tier: str, layers: Sequence[Upsampling]) -> _Menders:
    try:
        models = read_models(packaged_models(tier))
    except ModelError as error:
        return _Menders({}, (str(error),))
    model_ids: dict[Upsampling, str] = {}
    notes: list[str] = []
    for layer in layers:
        try:
            model_ids[layer] = models.network(_MENDERS[layer]).model_id
        except ModelError as error:
            notes.append(str(error))
    return _Menders(model_ids, tuple(notes))


def _still_codec(codecs: Sequence[Codec]) -> Codec:
    """The codec of single pictures: AV1 where it is allowed."""
    return min(codecs, key=[Codec.AV1, Codec.VVC, Codec.H265, Codec.H264].index)


def _missing_latents(
    wanted: frozenset[StrategyId], tier: str, picture: PictureFormat
) -> Mapping[str, Sequence[StrategyId]]:
    """Why a video of that format cannot be coded with which of the wanted strategies in latents."""
    reasons: dict[str, list[StrategyId]] = {}
    for strategy in _LATENT:
        if strategy not in wanted:
            continue
        reason = missing_networks(strategy, tier)
        if picture.bit_depth != 8:
            reason = f"its networks take 8 bits a sample, the source has {picture.bit_depth}"
        if reason:
            reasons.setdefault(reason, []).append(strategy)
    return reasons


def _of_layers(adaptation: Adaptation) -> Adaptation:
    """What of it is there where no network has codes."""
    return Adaptation.FILTER if adaptation.filters else Adaptation.NONE


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
