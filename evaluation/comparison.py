"""BD-rates of an evaluation: each clip's curves against one another, and their means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .bdrate import BdRate, RatePoint, bd_rate, ssim_db, unbeaten
from .evaluate import ClipResult, Evaluation, SystemResult
from .points import MeasuredPoint
from .report_data import SystemKind

USUAL_REFERENCE = "x265"


@dataclass(frozen=True)
class CurveMetric:
    """A quality over which rates are compared; `value` is None where it was not measured.

    `in_tables` says whether tables for readers have it; files for scripts have all.
    """

    name: str
    title: str
    value: Callable[[MeasuredPoint], float | None]
    in_tables: bool = True


METRICS = (
    CurveMetric("psnr", "PSNR (6Y+U+V)/8", lambda point: point.psnr),
    CurveMetric("psnr_y", "PSNR Y", lambda point: point.psnr_y),
    CurveMetric("psnr_u", "PSNR U", lambda point: point.psnr_u, in_tables=False),
    CurveMetric("psnr_v", "PSNR V", lambda point: point.psnr_v, in_tables=False),
    CurveMetric("chroma", "PSNR chroma (U+V)/2", lambda point: (point.psnr_u + point.psnr_v) / 2),
    CurveMetric("ssim", "SSIM (dB)", lambda point: ssim_db(point.ssim)),
    CurveMetric("vmaf", "VMAF", lambda point: point.vmaf),
    CurveMetric("vmaf_neg", "VMAF-NEG", lambda point: point.vmaf_neg, in_tables=False),
)
"""The first is the figure of record."""


@dataclass(frozen=True)
class BdResult:
    """How much more rate `test` needs than `reference` at equal quality, in percent.

    `percent` is None where there is no figure, and `note` says why; it also says which points
    were left out. `overlap` is the share of the wider quality range that both curves cover;
    where too little is, `is_covered` is False: the figure then speaks for that part only.
    """

    clip: str
    metric: str
    test: str
    reference: str
    percent: float | None
    overlap: float | None
    is_covered: bool
    note: str = ""


@dataclass(frozen=True)
class BdMean:
    """The mean over the `clips` that have a figure, out of `of`; None where none has.

    `is_covered` is False where it is for any of them.
    """

    metric: str
    test: str
    reference: str
    percent: float | None
    clips: int
    of: int
    is_covered: bool


@dataclass(frozen=True)
class Comparison:
    """Every BD-rate that an evaluation asks for."""

    results: tuple[BdResult, ...]
    means: tuple[BdMean, ...]

    def metrics(self) -> tuple[CurveMetric, ...]:
        """The metrics that were compared."""
        names = {result.metric for result in self.results}
        return tuple(metric for metric in METRICS if metric.name in names)

    def table_metrics(self) -> tuple[CurveMetric, ...]:
        """Those of the metrics that tables for readers have."""
        return tuple(metric for metric in self.metrics() if metric.in_tables)

    def only_reference(self) -> str | None:
        """What every other system stands against; None where that is not one system."""
        references = {result.reference for result in self.results}
        return references.pop() if len(references) == 1 else None

    def of_clip(self, clip: str, metric: str) -> tuple[BdResult, ...]:
        """One clip's results."""
        return tuple(each for each in self.results if each.clip == clip and each.metric == metric)


def compare(evaluation: Evaluation, reference: str | None = None) -> Comparison:
    """BD-rates on every clip, over each metric that was measured.

    With a `reference` every other system stands against it. Without one each edgecodec system
    stands against each standard codec, and each standard codec against x265.
    """
    results = tuple(
        result
        for clip in evaluation.clips
        for metric in METRICS
        if _is_measured(clip, metric)
        for test, other in _pairs(clip, reference)
        for result in [_bd_result(clip.name, metric, test, other)]
    )
    return Comparison(results, _means(results))


def worst_of(results: Sequence[BdResult], test: str) -> BdResult | None:
    """The reference against which a system does worst, None where it has no figure."""
    known = [each for each in results if each.test == test and each.percent is not None]
    return max(known, key=lambda each: each.percent or 0.0, default=None)


def _pairs(clip: ClipResult, reference: str | None) -> list[tuple[SystemResult, SystemResult]]:
    """(test, reference) pairs of a clip's systems."""
    systems = clip.systems
    if reference is not None:
        anchor = next(system for system in systems if system.name == reference)
        return [(system, anchor) for system in systems if system is not anchor]
    ours = [system for system in systems if system.kind is SystemKind.EDGECODEC]
    anchors = [system for system in systems if system.kind is SystemKind.ANCHOR]
    usual = [system for system in anchors if system.name == USUAL_REFERENCE]
    pairs = [(system, anchor) for system in ours for anchor in anchors]
    return pairs + [(each, other) for other in usual for each in anchors if each is not other]


def _is_measured(clip: ClipResult, metric: CurveMetric) -> bool:
    points = [point for system in clip.systems for point in system.points]
    return bool(points) and all(metric.value(point) is not None for point in points)


def _bd_result(
    clip: str, metric: CurveMetric, test: SystemResult, reference: SystemResult
) -> BdResult:
    notes = []
    curves = []
    for system in (test, reference):
        curve = [
            RatePoint(point.bitrate_mbps, value)
            for point in system.points
            if (value := metric.value(point)) is not None
        ]
        kept = unbeaten(curve)
        if len(kept) < len(curve):
            notes.append(f"{system.name}: {len(curve) - len(kept)} of {len(curve)} points beaten")
        curves.append(kept)
    found: BdRate | None = None
    try:
        found = bd_rate(anchor=curves[1], test=curves[0])
    except ValueError as error:
        notes.append(str(error))
    else:
        if not found.is_covered:
            notes.append(f"the curves share only {100 * found.overlap:.0f} % of the range")
    return BdResult(
        clip=clip,
        metric=metric.name,
        test=test.name,
        reference=reference.name,
        percent=found.percent if found else None,
        overlap=found.overlap if found else None,
        is_covered=found is not None and found.is_covered,
        note="; ".join(notes),
    )


def _means(results: Sequence[BdResult]) -> tuple[BdMean, ...]:
    groups: dict[tuple[str, str, str], list[BdResult]] = {}
    for result in results:
        groups.setdefault((result.metric, result.test, result.reference), []).append(result)
    means = []
    for (metric, test, reference), members in groups.items():
        known = [each for each in members if each.percent is not None]
        percents = [each.percent for each in known if each.percent is not None]
        means.append(
            BdMean(
                metric=metric,
                test=test,
                reference=reference,
                percent=sum(percents) / len(percents) if percents else None,
                clips=len(percents),
                of=len(members),
                is_covered=bool(known) and all(each.is_covered for each in known),
            )
        )
    return tuple(means)
