"""What an evaluation found, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .comparison import BdMean, BdResult, Comparison, CurveMetric, worst_of
from .evaluate import ClipResult, Evaluation
from .points import MeasuredPoint
from .report import number
from .report_data import SystemKind
from .tables import Table

NOT_COMPARED = ""
LEGEND = (
    "Less is better: the share of bitrate that a system needs more (+) or less (-) than the other "
    "at equal quality. `*` marks curves that share less than 75 % of their quality range; n/a has "
    "its reason in the notes."
)


def mean_tables(comparison: Comparison) -> list[Table]:
    """For each metric the mean BD-rate of each system against each reference; with only one
    reference all metrics side by side."""
    only = comparison.only_reference()
    if only is not None:
        return [_means_against(only, comparison)]
    tables = []
    for metric in comparison.table_metrics():
        means = [mean for mean in comparison.means if mean.metric == metric.name]
        tests = list(dict.fromkeys(mean.test for mean in means))
        references = list(dict.fromkeys(mean.reference for mean in means))
        by_pair = {(mean.test, mean.reference): mean for mean in means}
        rows = tuple(
            (test, *(_mean_cell(by_pair.get((test, other))) for other in references))
            for test in tests
        )
        headings = (f"mean BD-rate, {metric.title}", *(f"against {name}" for name in references))
        tables.append(Table(f"Mean BD-rate over {metric.title}", headings, rows))
    return tables


def every_clip_table(evaluation: Evaluation, comparison: Comparison) -> list[Table]:
    """Each clip's BD-rates over all metrics: `clip_tables` of each metric; with only one reference
    a table for each system, metrics side by side."""
    metrics = comparison.table_metrics()
    only = comparison.only_reference()
    if only is None:
        return [each for metric in metrics for each in clip_tables(evaluation, comparison, metric)]
    tests = dict.fromkeys(result.test for result in comparison.results)
    return [_clips_against(only, test, comparison) for test in tests]


def clip_tables(evaluation: Evaluation, comparison: Comparison, metric: CurveMetric) -> list[Table]:
    """Each clip's BD-rates over one metric: a table for each of our systems with every reference,
    and one for each reference with the standard codecs."""
    ours = {
        system.name
        for clip in evaluation.clips
        for system in clip.systems
        if system.kind is SystemKind.EDGECODEC
    }
    clips = [(clip.name, comparison.of_clip(clip.name, metric.name)) for clip in evaluation.clips]
    results = [result for _, members in clips for result in members]
    tests = dict.fromkeys(result.test for result in results)
    tables = [_against_references(test, clips, metric) for test in tests if test in ours]
    others = [result for result in results if result.test not in ours]
    for reference in dict.fromkeys(result.reference for result in others):
        tables.append(_against_one(reference, clips, metric, ours))
    return tables


def speed_table(evaluation: Evaluation) -> Table:
    """Frames a second of each system over all its points, and how many trials its choices took."""
    rows = []
    for name, points in _points_of(evaluation).items():
        trials = [point.trial_encodes for point in points if point.trial_encodes is not None]
        kept = sum(point.kept_trials or 0 for point in points)
        rows.append(
            (
                name,
                str(len(points)),
                number(_mean_fps(points, [point.encode_fps for point in points]), 2),
                number(_mean_fps(points, [point.decode_fps for point in points]), 1),
                number(sum(trials) / len(trials), 1) if trials else number(None, 0),
                f"{100 * kept / sum(trials):.0f} %" if sum(trials) else number(None, 0),
            )
        )
    headings = (
        *("system", "encodes", "encode fps", "decode fps"),
        *("trials an encode", "of these kept from before"),
    )
    return Table("Speed, when each point was measured", headings, tuple(rows))


def choice_table(evaluation: Evaluation) -> Table | None:
    """What edgecodec's scenes were coded with; None where it did not take part."""
    scenes: Counter[tuple[str, str, str, str, str]] = Counter()
    frames: Counter[tuple[str, str, str, str, str]] = Counter()
    for name, points in _points_of(evaluation).items():
        for choice in (choice for point in points for choice in point.scenes):
            way = choice.way or choice.codec or number(None, 0)
            fitted = choice.adaptation or number(None, 0)
            key = (name, choice.strategy, way, fitted, choice.scene_class or number(None, 0))
            scenes[key] += choice.scenes
            frames[key] += choice.frames
    if not scenes:
        return None
    totals: Counter[str] = Counter()
    for key, count in frames.items():
        totals[key[0]] += count
    order = sorted(frames, key=lambda key: (list(totals).index(key[0]), -frames[key]))
    rows = tuple(
        (*key, str(scenes[key]), f"{100 * frames[key] / totals[key[0]]:.0f} %") for key in order
    )
    headings = (
        *("system", "strategy", "codec", "fitted by", "scene class"),
        *("scenes", "of all frames"),
    )
    return Table("What edgecodec chose, over all points", headings, rows, words=5)


def point_table(clip: ClipResult) -> Table:
    """Every point of a clip."""
    rows = []
    for system in clip.systems:
        for point in sorted(system.points, key=lambda point: point.bitrate_mbps):
            rows.append(
                (
                    *(system.name, point.setting, number(point.bitrate_mbps, 4)),
                    *(number(value, 3) for value in (point.psnr, point.psnr_y)),
                    *(number(value, 3) for value in (point.psnr_u, point.psnr_v)),
                    *(number(point.ssim, 5), number(point.vmaf, 2), number(point.vmaf_neg, 2)),
                    *(number(point.encode_fps, 2), number(point.decode_fps, 1)),
                )
            )
    headings = (
        *("system", "setting", "Mb/s", "PSNR", "Y", "U", "V", "SSIM", "VMAF", "VMAF-NEG"),
        *("encode fps", "decode fps"),
    )
    return Table(f"{clip.name}: every point", headings, tuple(rows), words=2)


def notes(evaluation: Evaluation, comparison: Comparison) -> tuple[str, ...]:
    """What the figures lack: failures, curves that could not be compared, points left out."""
    told = list(evaluation.failures)
    told += [
        f"{each.clip}, {each.metric}, {each.test} against {each.reference}: {each.note}"
        for each in comparison.results
        if each.note
    ]
    told += [
        f"{clip.name}: {system.name} at {point.setting}: {point.note}"
        for clip in evaluation.clips
        for system in clip.systems
        if system.kind is SystemKind.EDGECODEC
        for point in system.points
        if point.note
    ]
    return tuple(dict.fromkeys(told))


def percent_text(percent: float | None, *, is_covered: bool) -> str:
    """A BD-rate as the tables show it."""
    if percent is None:
        return "n/a"
    # Adding 0 turns a rounded -0 into 0.
    return f"{round(percent, 2) + 0.0:+.2f} %{'' if is_covered else ' *'}"


def _mean_cell(mean: BdMean | None) -> str:
    if mean is None:
        return NOT_COMPARED
    text = percent_text(mean.percent, is_covered=mean.is_covered)
    partial = 0 < mean.clips < mean.of
    return f"{text} ({mean.clips} of {mean.of} clips)" if partial else text


def _cell(result: BdResult | None) -> str:
    if result is None:
        return NOT_COMPARED
    return percent_text(result.percent, is_covered=result.is_covered)


def _means_against(reference: str, comparison: Comparison) -> Table:
    metrics = comparison.table_metrics()
    by_pair = {(mean.test, mean.metric): mean for mean in comparison.means}
    tests = dict.fromkeys(mean.test for mean in comparison.means)
    rows = tuple(
        (test, *(_mean_cell(by_pair.get((test, metric.name))) for metric in metrics))
        for test in tests
    )
    headings = ("mean BD-rate", *(metric.title for metric in metrics))
    return Table(f"Mean BD-rate against {reference}", headings, rows)


def _clips_against(reference: str, test: str, comparison: Comparison) -> Table:
    metrics = comparison.table_metrics()
    results = [each for each in comparison.results if each.test == test]
    by_pair = {(each.clip, each.metric): each for each in results}
    rows = tuple(
        (clip, *(_cell(by_pair.get((clip, metric.name))) for metric in metrics))
        for clip in dict.fromkeys(each.clip for each in results)
    )
    headings = ("clip", *(metric.title for metric in metrics))
    return Table(f"{test}: BD-rate against {reference}", headings, rows)


def _against_references(
    test: str, clips: Sequence[tuple[str, Sequence[BdResult]]], metric: CurveMetric
) -> Table:
    results = [result for _, members in clips for result in members if result.test == test]
    references = list(dict.fromkeys(result.reference for result in results))
    rows = []
    for name, members in clips:
        cells = {each.reference: each for each in members if each.test == test}
        worst = worst_of(members, test)
        rows.append(
            (
                name,
                *(_cell(cells.get(reference)) for reference in references),
                f"{_cell(worst)} ({worst.reference})" if worst else "n/a",
            )
        )
    headings = ("clip", *(f"against {name}" for name in references), "against the best of them")
    return Table(f"{test}: BD-rate over {metric.title}", headings, tuple(rows))


def _against_one(
    reference: str,
    clips: Sequence[tuple[str, Sequence[BdResult]]],
    metric: CurveMetric,
    ours: set[str],
) -> Table:
    results = [each for _, members in clips for each in members if each.reference == reference]
    tests = list(dict.fromkeys(each.test for each in results if each.test not in ours))
    rows = []
    for name, members in clips:
        cells = {each.test: each for each in members if each.reference == reference}
        rows.append((name, *(_cell(cells.get(test)) for test in tests)))
    title = f"Standard codecs against {reference}: BD-rate over {metric.title}"
    return Table(title, ("clip", *tests), tuple(rows))


def _points_of(evaluation: Evaluation) -> dict[str, list[MeasuredPoint]]:
    points: dict[str, list[MeasuredPoint]] = {}
    for clip in evaluation.clips:
        for system in clip.systems:
            points.setdefault(system.name, []).extend(system.points)
    return points


def _mean_fps(points: Sequence[MeasuredPoint], speeds: Sequence[float]) -> float | None:
    """All frames over all the time that they took."""
    seconds = sum(point.frames / fps for point, fps in zip(points, speeds, strict=True))
    return sum(point.frames for point in points) / seconds if seconds else None
