"""One self-contained HTML page about a run: no script, no resource from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ...evaluation.atomic import write_text
from ..analysis import Analysis, Axis, describe, encode_command, objective_axes
from ..cost import Cost
from ..runs import Run
from .figures import covered_figure, front_figure, history_figure
from .style import STYLE
from .tables import attempts_table, experiments_table, influence_table
from .words import NOTHING, duration, moment, number

_QUALITIES = ("psnr", "vmaf", "ssim", "ms_ssim")


@dataclass(frozen=True)
class RunReport:
    """What the page shows. `clips` are the videos by the names that people gave them; what it cost
    is shown where there is a price."""

    run: Run
    analysis: Analysis
    clips: tuple[str, ...]
    cost: Cost


def write_page(path: Path, report: RunReport) -> None:
    """Write the page; a reader never sees half of it."""
    write_text(path, page(report))


def page(report: RunReport) -> str:
    """The page as HTML. Every text is escaped."""
    run, analysis = report.run, report.analysis
    title = f"Experiments: {run.name}"
    ended = f"ended: {run.end}" if run.end else "not ended yet"
    summary = (
        f"Goal: {run.goal}. {len(analysis.outcomes)} experiments on {', '.join(report.clips)};"
        f" {ended}."
    )
    sections = (
        _tiles(report),
        _best(analysis),
        _pictures(analysis),
        _history(analysis),
        _section(
            "What went with what",
            "Results by the value of each setting that had several; best and mean of"
            f" {objective_axes(analysis.goal)[0].title}: of those within the goal's bounds."
            " The designer chose what to try: this shows what went together, not what caused it.",
            influence_table(analysis),
        ),
        _commands(analysis),
        _section(
            "Experiments",
            "In the order in which they were proposed. Measured on decoded frames and real bytes;"
            " means over the clips.",
            experiments_table(analysis),
        ),
        _section(
            "Attempts that were repeated",
            "Every attempt of the experiments of which one failed or whose worker was lost.",
            attempts_table(analysis),
        ),
        _how(report),
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(title)}</h1>\n<p class="soft">{escape(summary)}</p>\n'
        + "\n".join(section for section in sections if section)
        + "\n</main>\n</body>\n</html>\n"
    )


def _tiles(report: RunReport) -> str:
    analysis = report.analysis
    failed = sum(each.failed for each in analysis.outcomes)
    tiles = [
        (str(len(analysis.measured)), "results"),
        (str(failed), "failed"),
        (str(len(analysis.front)), "on the front"),
        (
            duration(sum(each.seconds for each in analysis.outcomes)),
            "worker time, all attempts",
        ),
    ]
    if (cost := report.cost).price.per_hour:
        tiles.append(
            (
                f"{cost.amount:.2f} {cost.price.currency}",
                f"at {cost.price.per_hour:g} a worker-hour; {cost.wasted:.2f} of it for nothing",
            )
        )
    if analysis.best is not None and (result := analysis.best.result) is not None:
        best = f"best, number {analysis.best.number}"
        tiles += [
            (f"{result.bitrate_mbps:.3f} Mb/s", f"{best}: bitrate"),
            (f"{result.psnr:.2f} dB", f"{best}: PSNR, (6Y+U+V)/8"),
            (f"{result.tops_per_frame:.4f}", f"{best}: TOPS a frame"),
            (result.verdict, f"{best}: on {analysis.best.experiment.device}"),
        ]
    cells = (
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(label)}</span></div>'
        for value, label in tiles
    )
    return f'<div class="tiles">{"".join(cells)}</div>'


def _best(analysis: Analysis) -> str:
    best = analysis.best
    if best is None:
        text = "No result keeps to the goal's bounds." if analysis.measured else "No results yet."
        return _section("Best", text, "")
    several = len(analysis.goal.objectives) > 1
    rule = (
        "Of the results within the goal's bounds, the one that alone covers most of the space"
        " between the worst figures and itself: a compromise of all objectives."
        if several
        else "Of the results within the goal's bounds, the first by the goal's objective."
    )
    reached = " The goal is reached." if analysis.reached else ""
    body = (
        f"<p>{escape(describe(best.experiment.settings))}</p>"
        f"<pre>{escape(encode_command(best.experiment.settings))}</pre>"
        f'<p class="soft">Proposed by {escape(best.entry.by)}: {escape(best.entry.why)}</p>'
    )
    return _section(f"Best: number {best.number}", rule + reached, body)


def _pictures(analysis: Analysis) -> str:
    if not analysis.measured:
        return ""
    across = _axis(analysis, "bitrate_mbps", less_is_better=True)
    names = [axis.name for axis in analysis.axes]
    up = _axis(analysis, next((each for each in _QUALITIES if each in names), "psnr"))
    body = front_figure(analysis, across, up)
    if any(each.result is not None and each.result.tops_per_frame for each in analysis.measured):
        body += front_figure(analysis, across, _axis(analysis, "tops_per_frame"))
    compared = ", ".join(axis.short_title for axis in analysis.axes)
    return _section(
        "Pareto front",
        f"Large marks are on the front ({compared}): no other result is better in one of these and"
        " as good in the rest. Hollow ones break a bound of the goal, which is dashed. The ring is"
        " the best.",
        _key(analysis) + body,
    )


def _history(analysis: Analysis) -> str:
    covered = covered_figure(analysis)
    if covered:
        covered = (
            '<p class="soft">What the results within the bounds cover of the space between the'
            " worst and the best figures of the run (hypervolume over the goal's objectives):</p>"
            + covered
        )
    text = "The goal's first objective, result by result; the line is the best result's by then."
    body = history_figure(analysis)
    return _section("History", text, _key(analysis) + body + covered) if body else ""


def _key(analysis: Analysis) -> str:
    from .figures import proposer_class

    names = dict.fromkeys(each.entry.by for each in analysis.measured)
    marks = (
        f'<span class="key {proposer_class(name)}"></span>{escape(name)}&emsp;' for name in names
    )
    return f"<p>{''.join(marks)}</p>"


def _axis(analysis: Analysis, name: str, *, less_is_better: bool = False) -> Axis:
    """The goal's axis of that name, or one without a bound."""
    found = (axis for axis in analysis.axes if axis.name == name)
    return next(found, Axis(name, less_is_better))


def _commands(analysis: Analysis) -> str:
    if not analysis.front:
        return ""
    lines = []
    for place in analysis.front:
        outcome = analysis.numbered(place)
        result = outcome.result
        figures = (
            NOTHING
            if result is None
            else f"{number(result.bitrate_mbps, 3)} Mb/s, {number(result.psnr, 2)} dB,"
            f" {number(result.tops_per_frame, 4)} TOPS a frame"
        )
        lines.append(f"# {outcome.number}: {figures}")
        lines.append(encode_command(outcome.experiment.settings))
    return _section(
        "The front as commands",
        "",
        f"<pre>{escape(chr(10).join(lines))}</pre>",
    )


def _how(report: RunReport) -> str:
    run, analysis = report.run, report.analysis
    workers = sorted({each.worker for outcome in analysis.outcomes for each in outcome.attempts})
    facts = [
        ("began", moment(run.began)),
        ("ended", f"{moment(run.ended)}, {run.end}" if run.ended else "not yet"),
        ("clips", ", ".join(report.clips)),
        ("workers", ", ".join(workers) or "none"),
    ]
    facts += [(str(name).replace("_", " "), _plain(run.options[name])) for name in run.options]
    versions = [
        f"{name} {version}"
        for name, version in sorted(
            {
                (name, version)
                for each in analysis.measured
                if each.result is not None
                for name, version in each.result.versions.items()
            }
        )
    ]
    facts.append(("versions", ", ".join(versions) or NOTHING))
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return _section("How this was made", "", f"<dl>{items}</dl>")


def _plain(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_plain(each) for each in _in_words(value)) or NOTHING
    return NOTHING if value is None else str(value)


def _in_words(values: Sequence[object]) -> Iterable[object]:
    """Lists of clips hold an object each: their file's name says enough."""
    return (each.get("file", each) if isinstance(each, dict) else each for each in values)


def _section(title: str, text: str, body: str) -> str:
    if not text and not body:
        return ""
    intro = f'<p class="soft">{escape(text)}</p>' if text else ""
    return f"<section><h2>{escape(title)}</h2>{intro}{body}</section>"
