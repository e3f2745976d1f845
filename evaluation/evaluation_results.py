"""An evaluation as files: JSON and CSV for scripts, Markdown and one HTML page for readers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .atomic import write_bytes, write_text
from .comparison import Comparison
from .curve_figure import curve_figure
from .evaluate import ClipResult, Evaluation
from .evaluation_page import render_page
from .evaluation_tables import (
    LEGEND,
    choice_table,
    every_clip_table,
    mean_tables,
    notes,
    point_table,
    speed_table,
)
from .points import MeasuredPoint
from .report_figure import LIGHT

FORMAT = 1
_POINT_COLUMNS = (
    *("setting", "bytes", "bitrate_mbps", "psnr", "psnr_y", "psnr_u", "psnr_v", "ssim"),
    *("vmaf", "vmaf_neg", "frames", "encode_fps", "decode_fps", "trial_encodes", "kept_trials"),
    "title_bytes",
    *("measured_at", "hardware", "note"),
)


@dataclass(frozen=True)
class RunFacts:
    """What a run was asked for and where it ran, in the words that readers get."""

    title: str
    made_at: str
    command: str
    facts: tuple[tuple[str, str], ...]


def write_evaluation(
    folder: Path, evaluation: Evaluation, comparison: Comparison, facts: RunFacts
) -> None:
    """Write results.json, points.csv, bd_rates.csv, results.md with its curves/, and report.html
    into a folder."""
    content = evaluation_json(evaluation, comparison, facts)
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / "results.json", text + "\n")
    write_text(folder / "points.csv", points_csv(evaluation))
    write_text(folder / "bd_rates.csv", bd_rates_csv(comparison))
    for clip in filter(_has_points, evaluation.clips):
        write_bytes(folder / _curve_file(clip), curve_figure(clip, LIGHT))
    write_text(folder / "results.md", evaluation_markdown(evaluation, comparison, facts))
    page = render_page(
        facts.title,
        evaluation,
        comparison,
        (*facts.facts, ("measured", facts.made_at), ("command", facts.command)),
    )
    write_text(folder / "report.html", page)


def evaluation_json(
    evaluation: Evaluation, comparison: Comparison, facts: RunFacts
) -> dict[str, Any]:
    """Everything that was measured, as JSON takes it."""
    return {
        "format": FORMAT,
        "made_at": facts.made_at,
        "command": facts.command,
        "facts": dict(facts.facts),
        "clips": [
            {
                **{name: value for name, value in asdict(clip).items() if name != "systems"},
                "seconds": clip.seconds,
                "systems": [
                    {
                        "name": system.name,
                        "kind": system.kind.value,
                        "points": [point.to_dict() for point in system.points],
                        "failures": list(system.failures),
                    }
                    for system in clip.systems
                ],
            }
            for clip in evaluation.clips
        ],
        "bd_rates": [asdict(result) for result in comparison.results],
        "mean_bd_rates": [asdict(mean) for mean in comparison.means],
        "failures": list(evaluation.failures),
        "notes": list(notes(evaluation, comparison)),
    }


def points_csv(evaluation: Evaluation) -> str:
    """One line for each point."""
    rows = [
        {"clip": clip.name, "system": system.name, **_columns(point)}
        for clip in evaluation.clips
        for system in clip.systems
        for point in system.points
    ]
    return _csv(("clip", "system", *_POINT_COLUMNS), rows)


def bd_rates_csv(comparison: Comparison) -> str:
    """One line for each clip's BD-rate, and one for each mean, whose clip is "mean"."""
    columns = ("clip", "metric", "test", "reference", "percent", "overlap", "is_covered", "note")
    rows: list[dict[str, Any]] = [asdict(result) for result in comparison.results]
    for mean in comparison.means:
        values = {name: value for name, value in asdict(mean).items() if name in columns}
        rows.append({"clip": "mean", **values, "note": f"{mean.clips} of {mean.of} clips"})
    return _csv(columns, rows)


def evaluation_markdown(evaluation: Evaluation, comparison: Comparison, facts: RunFacts) -> str:
    """All tables, with the command that makes them."""
    parts = [f"# {facts.title}\n", f"```\n{facts.command}\n```\n"]
    parts += ["".join(f"- {name}: {value}\n" for name, value in facts.facts)]
    parts += ["## BD-rate\n", f"{LEGEND}\n"]
    for table in mean_tables(comparison):
        parts += [f"### {table.title}\n", table.to_markdown()]
    for table in every_clip_table(evaluation, comparison):
        parts += [f"### {table.title}\n", table.to_markdown()]
    parts += ["## Speed\n", speed_table(evaluation).to_markdown()]
    choices = choice_table(evaluation)
    if choices is not None:
        parts += [f"## {choices.title}\n", choices.to_markdown()]
    parts += ["## Points\n"]
    for clip in evaluation.clips:
        parts += [f"### {clip.name}\n"]
        if _has_points(clip):
            parts += [f"![quality over bitrate]({_curve_file(clip)})\n"]
        parts += [point_table(clip).to_markdown()]
    told = notes(evaluation, comparison)
    if told:
        parts += ["## Notes\n", "".join(f"- {note}\n" for note in told)]
    return "\n".join(parts)


def _has_points(clip: ClipResult) -> bool:
    return any(system.points for system in clip.systems)


def _curve_file(clip: ClipResult) -> str:
    """Where a clip's curves lie in the folder: a name without what links would need escaped."""
    plain = "".join(letter if letter.isalnum() else "_" for letter in clip.name)
    return f"curves/{plain}.png"


def _columns(point: MeasuredPoint) -> dict[str, Any]:
    values = point.to_dict()
    return {name: values[name] for name in _POINT_COLUMNS}


def _csv(columns: tuple[str, ...], rows: list[dict[str, Any]] | list[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
