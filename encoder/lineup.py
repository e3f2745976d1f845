"""Which ways a scene's class and the wanted rate leave in the race, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..runtime.chunks import Codec
from ..runtime.upsample import Upsampling
from .classify import SceneClass
from .strategies import LatentTrial, StandardTrial, Trial

# Codecs by how likely they are to win; the first two that are allowed are tried.
_USUAL_ORDER = (Codec.VVC, Codec.AV1, Codec.H265, Codec.H264)
_ORDER = {SceneClass.SCREEN: (Codec.AV1, Codec.VVC, Codec.H265, Codec.H264)}
_TRIED_CODECS = 2


@dataclass(frozen=True)
class Lineup:
    """`first` are tried at once, `halves` where the first ones end at a low rate, `latents` where
    they end in a poor picture. `left_out` says what is not tried, and why."""

    first: tuple[Trial, ...]
    halves: tuple[Trial, ...]
    latents: tuple[Trial, ...]
    left_out: tuple[str, ...]


def lineup(trials: Sequence[Trial], scene_class: SceneClass) -> Lineup:
    """The trials of a scene of that class, the likeliest first."""
    order = _ORDER.get(scene_class, _USUAL_ORDER)
    standard = [each for each in trials if isinstance(each, StandardTrial)]
    allowed = {each.codec for each in standard}
    codecs = [codec for codec in order if codec in allowed]
    left_out = [
        f"{codec.name.lower()}: not tried where {codecs[0].name.lower()} and "
        f"{codecs[1].name.lower()} are allowed"
        for codec in codecs[_TRIED_CODECS:]
    ]
    tried = [each for each in standard if each.codec in codecs[:_TRIED_CODECS]]
    deepest = {
        codec: max(t.bit_depth for t in tried if t.codec is codec)
        for codec in codecs[:_TRIED_CODECS]
    }
    left_out += [
        f"{each.name}: not tried where {deepest[each.codec]} bits are allowed"
        for each in tried
        if each.bit_depth < deepest[each.codec]
    ]
    tried = [each for each in tried if each.bit_depth == deepest[each.codec]]
    tried.sort(key=lambda each: codecs.index(each.codec))
    first = [each for each in tried if each.upsampling is Upsampling.NONE]
    halves = tuple(each for each in tried if each.upsampling is not Upsampling.NONE)
    latents = tuple(each for each in trials if isinstance(each, LatentTrial))
    if not first:
        first, halves = list(halves), ()
    others = [each for each in trials if not isinstance(each, StandardTrial | LatentTrial)]
    return Lineup((*first, *others), halves, latents, tuple(left_out))
