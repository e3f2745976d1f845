"""Whether a stream is better with weights of the title's own, their bits counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..runtime.chunks import StrategyId
from ..runtime.container import Limits
from ..runtime.payloads import HybridBody, parse_body
from ..runtime.records import FRAMING_BYTES
from ..runtime.title import TitleWeights, pack_title_record
from .curves import measured_slope, trade
from .explore import Explored
from .goal import Budget, Goal, MeanScore
from .strategies import Candidate
from .targets import Metric


@dataclass(frozen=True)
class Fitted:
    """All scenes, the `titles` that the stream carries, and the goal that they leave the scenes."""

    scenes: list[Explored]
    goal: Goal
    titles: tuple[TitleWeights, ...] = ()


def title_bits(titles: Sequence[TitleWeights]) -> int:
    """What title weights take in a stream, the frame of their record included."""
    sizes = (len(pack_title_record(number, each)) for number, each in enumerate(titles))
    return 8 * sum(size + FRAMING_BYTES for size in sizes)


def is_better(tried: Fitted, known: Fitted, metric: Metric) -> bool:
    """Whether a stream with one more set of weights is the better one."""
    now = known.goal.choose([each.candidates for each in known.scenes])
    then = tried.goal.choose([each.candidates for each in tried.scenes])
    newest = len(tried.titles) - 1
    if newest not in [_title(*pair) for pair in zip(tried.scenes, then, strict=True)]:
        return False
    met_now, met_then = (abs(f.goal.off(c)) <= 1 for f, c in ((known, now), (tried, then)))
    if met_now != met_then:
        return met_then
    slopes = [measured_slope(scene.candidates, metric) for scene in known.scenes]
    worth = [
        _worth(chosen, title_bits(fitted.titles), fitted.goal, slopes, metric)
        for fitted, chosen in ((known, now), (tried, then))
    ]
    return worth[1] > worth[0]


def _title(scene: Explored, made: Candidate) -> int | None:
    """The number of the weights that a candidate runs with."""
    if made.strategy is not StrategyId.HYBRID_SEMANTIC:
        return None
    body = parse_body(made.strategy, made.read_body(), len(scene.pts), Limits())
    return body.title if isinstance(body, HybridBody) else None


def _worth(
    chosen: Sequence[Candidate],
    extra_bits: int,
    goal: Goal,
    slopes: Sequence[float],
    metric: Metric,
) -> float:
    """The mean score less what its bits are worth, a mean over frames.

    Where the goal is for all scenes together, so are the bits; else every scene is a trade of its
    own, and the extra bits are shared out by its bits.
    """
    frames = [len(each.scores) for each in chosen]
    total = sum(each.bits for each in chosen)
    if isinstance(goal, Budget | MeanScore):
        whole = replace(
            chosen[0],
            bits=total + extra_bits,
            frame_psnr=sum((each.frame_psnr for each in chosen), ()),
            frame_scores=sum((each.frame_scores for each in chosen), ()),
        )
        slope = sum(map(math.prod, zip(slopes, frames, strict=True))) / sum(frames)
        return trade(whole, metric, slope)
    shared = [replace(each, bits=round(each.bits * (1 + extra_bits / total))) for each in chosen]
    trades = [trade(*pair) for pair in zip(shared, [metric] * len(shared), slopes, strict=True)]
    return sum(map(math.prod, zip(trades, frames, strict=True))) / sum(frames)
