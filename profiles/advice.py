"""What to change, with the effect that the same prediction gives for the changed graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..runtime.errors import ModelError
from ..runtime.models import packaged_models, packaged_tiers
from .changes import (
    frames_in_one_call,
    in_int8,
    raises_channels,
    with_channels,
    without_scene_code,
)
from .count import GraphCost
from .counted import CountedModels, CountedNetwork, count_models
from .predictor import Predictor
from .size import FrameSize

_CHANNEL_MULTIPLES = (32, 64)
_FRAMES_IN_A_CALL = 4
_SMALLER = (FrameSize(1920, 1080), FrameSize(1280, 720), FrameSize(640, 360))


@dataclass(frozen=True)
class Advice:
    """A change, in words, and the milliseconds of a frame's network before and after (mid)."""

    change: str
    text: str
    before_ms: float
    after_ms: float

    @property
    def ratio(self) -> float:
        """What is left of the time; above 1 the change costs more."""
        return self.after_ms / self.before_ms

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "change": self.change,
            "text": self.text,
            "before_ms": self.before_ms,
            "after_ms": self.after_ms,
        }


def advise(
    models: CountedModels, slowest: CountedNetwork, predict: Predictor
) -> tuple[Advice, ...]:
    """Changes to `models`, whose network `slowest` takes longest, the most effective first.

    What has no effect or costs time is told too: it need not be tried.
    """
    before_ms = predict(slowest.cost).interval.mid
    advice = [
        Advice(change, text, before_ms, after_ms)
        for change, text, after_ms in (
            *_to_the_graph(slowest.cost, predict),
            *_other_tiers(models, slowest, predict),
            *_smaller_frames(models, predict),
        )
    ]
    return tuple(sorted(advice, key=lambda item: item.ratio))


def _to_the_graph(cost: GraphCost, predict: Predictor) -> Iterator[tuple[str, str, float]]:
    def mid(changed: GraphCost) -> float:
        return predict(changed).interval.mid

    if cost.precision == "float":
        yield "int8", "quantise it: export with --int8", mid(in_int8(cost))
    for multiple in _CHANNEL_MULTIPLES:
        if raises_channels(cost, multiple):
            changed = with_channels(cost, multiple)
            text = (
                f"raise all channels to multiples of {multiple}:"
                f" {changed.macs / cost.macs - 1:+.0%} multiply-accumulates to train with"
            )
            yield f"channels_{multiple}", text, mid(changed)
    folded = without_scene_code(cost)
    if folded != cost:
        text = "fold a scene's code into the convolution before it, where weights may change"
        yield "fold_scene_code", text, mid(folded)
    together = mid(frames_in_one_call(cost, _FRAMES_IN_A_CALL)) / _FRAMES_IN_A_CALL
    text = (
        f"merge the graphs of {_FRAMES_IN_A_CALL} frames into one call, which shares its dispatch"
        " (and shows each frame later)"
    )
    yield "merge_frames", text, together


def _other_tiers(
    models: CountedModels, slowest: CountedNetwork, predict: Predictor
) -> Iterator[tuple[str, str, float]]:
    for tier in packaged_tiers():
        if tier == models.tier:
            continue
        for network in count_models(packaged_models(tier), models.size).networks:
            if network.entry.name == slowest.entry.name:
                text = f"take the networks of tier {tier}"
                yield f"tier_{tier}", text, predict(network.cost).interval.mid


def _smaller_frames(models: CountedModels, predict: Predictor) -> Iterator[tuple[str, str, float]]:
    smaller = [size for size in _SMALLER if size.pixels < models.size.pixels]
    if not smaller:
        return
    try:
        networks = count_models(models.folder, smaller[0]).networks
    except ModelError:  # fixed for its own size
        return
    slowest_ms = max(predict(network.cost).interval.mid for network in networks)
    yield f"size_{smaller[0]}", f"code the video at {smaller[0]}", slowest_ms
