"""`edgecodec evaluate`: clips through edgecodec and the standard codecs, side by side."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._arguments import bits_per_second
from ._errors import ExitCode
from ._output import print_json, progress_bar, stdout_console

if TYPE_CHECKING:
    from ..encoder import BitrateTarget, QualityTarget
    from ..evaluation.comparison import Comparison
    from ..evaluation.evaluate import EvaluateProgress, Evaluation
    from ..evaluation.evaluation_results import RunFacts
    from ..evaluation.systems import System

SYSTEMS = "x264,x265,svtav1-p6,svtav1-p4,vvenc-fast,auto-no-networks,auto"
_LEAST_BITRATE = 1000.0


def evaluate(
    clips: Annotated[
        list[Path], typer.Argument(metavar="CLIP_OR_FOLDER...", help="Videos, or folders of them.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write into.")
    ],
    systems: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="What to compare. An edgecodec system takes options: "
            "`auto:effort=high:search=exhaustive:codecs=av1+vvc:strategies=classical`, and also "
            "tier, sizes (full+half), adapt (none, filter, code, title) and title-steps.",
        ),
    ] = SYSTEMS,
    anchor: Annotated[
        str | None,
        typer.Option(
            "--anchor",
            "--reference",
            metavar="SYSTEM",
            help="Compare every system with this one.  \\[default: edgecodec with every standard "
            "codec, and these with x265]",
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option(min=0, help="The first so many frames of each clip; 0: all.")
    ] = 60,
    points: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SYSTEM=A,B,...",
            help="A system's settings: crf or QP, edgecodec: quality 0 to 100. May be repeated.",
        ),
    ] = None,
    bitrates: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Bitrates for edgecodec in place of qualities: 100k,0.3M,1M."
        ),
    ] = None,
    keyframe_interval: Annotated[
        int, typer.Option(min=0, help="Frames between the standard codecs' keyframes; 0: no limit.")
    ] = 0,
    vmaf: Annotated[
        bool, typer.Option("--vmaf/--no-vmaf", help="Measure VMAF and VMAF-NEG, which is slow.")
    ] = True,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where measured points are kept.  \\[default: edgecodec/evaluate in "
            "$XDG_CACHE_HOME or ~/.cache]",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Of each encoder; 0: all cores.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Rate-distortion curves and BD-rates of real encodes, against the standard codecs.

    Example: `edgecodec evaluate clips -o results --systems x265,svtav1-p4,auto --frames 60`
    """
    if output.exists() and not output.is_dir():
        raise typer.BadParameter(f"{output} is a file: name a folder", param_hint="'--output'")
    from ..evaluation.comparison import compare
    from ..evaluation.evaluate import EvaluateOptions, find_clips
    from ..evaluation.evaluate import evaluate as measure
    from ..evaluation.evaluation_results import evaluation_json, write_evaluation
    from ..evaluation.point_cache import PointCache, usual_cache_folder

    folder = usual_cache_folder() if cache is None else cache
    chosen = _systems(
        _names(systems, anchor), points or [], bitrates, keyframe_interval, threads, folder
    )
    paths = find_clips(clips)
    options = EvaluateOptions(PointCache(folder / "points"), frames or None, vmaf)
    with progress_bar("evaluate") as show:

        def advance(progress: EvaluateProgress) -> None:
            show(progress.done / max(1, progress.total), progress.doing, progress.seconds_left)
            if progress.finished:
                print(progress.finished, file=sys.stderr)

        evaluation = measure(paths, chosen, options, advance)
    for failure in evaluation.failures:
        print(f"error: {failure}", file=sys.stderr)
    if evaluation.clips:
        comparison = compare(evaluation, anchor)
        facts = _facts(evaluation, frames, keyframe_interval, threads)
        write_evaluation(output, evaluation, comparison, facts)
        if as_json:
            print_json(evaluation_json(evaluation, comparison, facts))
        else:
            _print(evaluation, comparison)
            print(f"{output / 'report.html'}", file=sys.stderr)
    elif as_json:
        print_json({"failures": evaluation.failures})
    if evaluation.failures:
        raise typer.Exit(ExitCode.BAD_INPUT)


def _names(systems: str, anchor: str | None) -> list[str]:
    names = [name.strip() for name in systems.split(",") if name.strip()]
    if anchor is not None and anchor not in names:
        names.insert(0, anchor)
    if not names:
        raise typer.BadParameter("names no system", param_hint="'--systems'")
    return list(dict.fromkeys(names))


def _systems(
    names: list[str],
    points: list[str],
    bitrates: str | None,
    keyframe_interval: int,
    threads: int,
    cache: Path,
) -> list[System]:
    """The systems of these names, with the settings that were asked for."""
    from ..encoder import QualityTarget
    from ..evaluation.edgecodec_system import PRESETS, edgecodec_system
    from ..evaluation.systems import ANCHORS, anchor_system

    settings = dict(_settings(text, names) for text in points)
    rates = None if bitrates is None else _bitrate_targets(bitrates)
    systems = []
    for name in names:
        asked = settings.get(name)
        if name in ANCHORS:
            ladder = None if asked is None else tuple(_crf(name, value) for value in asked)
            systems.append(anchor_system(name, ladder, keyframe_interval, threads))
            continue
        if name.partition(":")[0] not in PRESETS:
            known = ", ".join((*ANCHORS, *PRESETS))
            raise typer.BadParameter(
                f"{name!r} is no system: known are {known}", param_hint="'--systems' / '--anchor'"
            )
        try:
            targets: list[BitrateTarget] | list[QualityTarget] | None = rates
            if asked is not None:
                targets = [QualityTarget(value) for value in asked]
            systems.append(edgecodec_system(name, targets, cache / "trials", threads))
        except ValueError as error:
            raise typer.BadParameter(f"{name}: {error}", param_hint="'--systems'") from error
    return systems


def _settings(text: str, names: list[str]) -> tuple[str, list[float]]:
    """`x265=22,27,32` as a system and its settings."""
    name, _, listed = text.rpartition("=")
    try:
        values = [float(value) for value in listed.split(",") if value.strip()]
    except ValueError:
        values = []
    if not values or name not in names:
        raise typer.BadParameter(
            f"{text!r}: write one of {', '.join(names)}, then = and numbers with commas between",
            param_hint="'--points'",
        )
    return name, list(dict.fromkeys(values))


def _crf(name: str, value: float) -> int:
    from ..encoder.codecs import encoder_for
    from ..evaluation.systems import ANCHORS

    lowest, highest = encoder_for(ANCHORS[name].codec).quantizer_range
    if not (value.is_integer() and lowest <= value <= highest):
        raise typer.BadParameter(
            f"{name}: {value:g} is no whole number from {lowest} to {highest}",
            param_hint="'--points'",
        )
    return int(value)


def _bitrate_targets(text: str) -> list[BitrateTarget]:
    from ..encoder import BitrateTarget

    rates = [bits_per_second(rate) for rate in text.split(",") if rate.strip()]
    if not rates or min(rates) < _LEAST_BITRATE:
        raise typer.BadParameter(
            f"{text!r}: write bitrates of 1k or more, such as 100k,0.3M", param_hint="'--bitrates'"
        )
    return [BitrateTarget(rate) for rate in dict.fromkeys(rates)]


def _facts(evaluation: Evaluation, frames: int, keyframe_interval: int, threads: int) -> RunFacts:
    from datetime import UTC, datetime

    from ..evaluation.environment import hardware, versions
    from ..evaluation.evaluation_results import RunFacts

    keyframes = f"every {keyframe_interval} frames" if keyframe_interval else "only the first"
    count = len(evaluation.clips)
    return RunFacts(
        title=f"edgecodec evaluate: {count} clip{'s' if count != 1 else ''}",
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join(["edgecodec", *sys.argv[1:]]),
        facts=(
            ("frames", f"the first {frames} of each clip" if frames else "all"),
            ("keyframes of the standard codecs", keyframes),
            ("bytes", "codec header and packets; edgecodec: the file without audio and subtitles"),
            ("threads", str(threads) if threads else "chosen by each encoder"),
            ("machine", hardware()),
            ("versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
        ),
    )


def _print(evaluation: Evaluation, comparison: Comparison) -> None:
    from ..evaluation.evaluation_tables import (
        LEGEND,
        clip_tables,
        every_clip_table,
        mean_tables,
        notes,
        speed_table,
    )

    console = stdout_console()
    tables = mean_tables(comparison)
    if comparison.only_reference() is not None:
        tables += every_clip_table(evaluation, comparison)
    else:
        for metric in comparison.metrics()[:1]:
            tables += clip_tables(evaluation, comparison, metric)
    for table in (*tables, speed_table(evaluation)):
        console.print(table.to_rich())
    console.print(LEGEND, markup=False, highlight=False)
    for note in notes(evaluation, comparison):
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
