"""Whether an encode met its target, and what to say if it did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .strategies import Candidate
from .targets import BitrateTarget, Metric, MetricTarget, QualityTarget, Scope, SizeTarget, Target

RATE_TOLERANCE = 0.03
"""A bitrate that is missed by no more is met; a size by no more below."""
TOLERANCES = {Metric.PSNR: 0.1, Metric.SSIM: 0.002, Metric.VMAF: 0.5}
"""How far from a metric's value, in its units, still meets it."""
RATE_AIM, SIZE_AIM, AIM_OF_TOLERANCE = 0.02, 0.025, 0.7
"""What the search is content with: within the tolerances, for estimates are not exact."""


@dataclass(frozen=True)
class Verdict:
    """`met` is None where nothing was asked that could be missed; `note` is "" or says more."""

    met: bool | None
    note: str = ""


def mean_score(chosen: Sequence[Candidate]) -> float:
    """The mean over all frames of what the encode aims at."""
    return sum(sum(each.scores) for each in chosen) / sum(len(each.scores) for each in chosen)


def judge(
    target: Target, chosen: Sequence[Candidate], bits_per_second: float, file_bytes: int
) -> Verdict:
    """The finished file against what was asked."""
    if isinstance(target, QualityTarget):
        return Verdict(None)
    if isinstance(target, BitrateTarget):
        asked = target.bits_per_second
        if abs(bits_per_second - asked) <= RATE_TOLERANCE * asked:
            return Verdict(True)
        side = "smallest" if bits_per_second > asked else "largest"
        return Verdict(
            False,
            f"{asked / 1e6:g} Mb/s was asked; the {side} stream found near it has "
            f"{bits_per_second / 1e6:.3f} Mb/s",
        )
    if isinstance(target, SizeTarget):
        if file_bytes > target.bytes:
            return Verdict(
                False,
                f"at most {target.bytes:,} bytes were asked; the smallest stream found has "
                f"{file_bytes:,}",
            )
        if file_bytes < (1 - RATE_TOLERANCE) * target.bytes:
            return Verdict(
                True, f"{target.bytes:,} bytes were allowed; no stream found uses more of them"
            )
        return Verdict(True)
    return _judge_metric(target, chosen)


def _judge_metric(target: MetricTarget, chosen: Sequence[Candidate]) -> Verdict:
    tolerance, name = TOLERANCES[target.metric], target.metric.name
    if target.scope is Scope.MEAN:
        reached = mean_score(chosen)
        what = "the mean found nearest"
    else:
        reached = max((each.score for each in chosen), key=lambda s: abs(s - target.value))
        what = "a scene's mean"
    if abs(reached - target.value) <= tolerance:
        return Verdict(True)
    return Verdict(False, f"{name} {target.value:g} was asked; {what} is {reached:.4g}")
