"""The tables of a run's page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ..analysis import Analysis, Outcome, describe
from .words import NOTHING, duration, moment, number, state

_RESULT_HEADINGS = ("Mb/s", "PSNR dB", "SSIM", "MS-SSIM", "VMAF", "TOPS/frame", "device")
_SPEED_HEADINGS = ("enc. fps", "dec. fps", "tries", "time")


def experiments_table(analysis: Analysis) -> str:
    """Every experiment: settings, who proposed it and why, figures."""
    if not analysis.outcomes:
        return "<p>None yet.</p>"
    names = ("#", "settings, proposed by", "state", *_RESULT_HEADINGS, *_SPEED_HEADINGS)
    rows = [_experiment(analysis, outcome) for outcome in analysis.outcomes]
    return _table(names, frozenset({0, *range(3, 14)} - {9}), rows)


def attempts_table(analysis: Analysis) -> str:
    """Every attempt of the experiments of which one was lost or failed."""
    rows = [
        "<tr>"
        + _cell(str(outcome.number), "n")
        + _cell(str(attempt.number), "n")
        + _cell(attempt.worker)
        + _cell(moment(attempt.began))
        + _cell(duration(attempt.seconds), "n")
        + _cell(attempt.outcome.value)
        + _cell(attempt.error or NOTHING, "words")
        + "</tr>"
        for outcome in analysis.outcomes
        if outcome.repeated
        for attempt in outcome.attempts
    ]
    if not rows:
        return "<p>None was.</p>"
    names = ("#", "attempt", "worker", "began", "time", "outcome", "error")
    return _table(names, frozenset({0, 1, 4}), rows)


def influence_table(analysis: Analysis) -> str:
    """What went with the value of each setting."""
    if not analysis.influences:
        return "<p>No setting had several values yet.</p>"
    rows = [
        "<tr>"
        + _cell(each.setting)
        + _cell(each.value)
        + _cell(str(each.results), "n")
        + _cell(str(each.feasible), "n")
        + _cell(number(each.best, 4), "n")
        + _cell(number(each.mean, 4), "n")
        + "</tr>"
        for each in analysis.influences
    ]
    names = ("setting", "value", "results", "within the bounds", "best", "mean")
    return _table(names, frozenset({2, 3, 4, 5}), rows)


def _experiment(analysis: Analysis, outcome: Outcome) -> str:
    result = outcome.result
    is_best = analysis.best is not None and analysis.best.number == outcome.number
    mark = " front" if outcome.number in analysis.front else ""
    if result is None:
        cells = [_cell(NOTHING, "n") for _ in range(6)] + [_cell(NOTHING)]
        cells += [_cell(NOTHING, "n")] * 2
    else:
        cells = [
            _cell(number(result.bitrate_mbps, 3), "n"),
            _cell(number(result.psnr, 2), "n"),
            _cell(number(result.ssim, 4), "n"),
            _cell(number(result.ms_ssim, 4), "n"),
            _cell(number(result.vmaf, 2), "n"),
            _cell(number(result.tops_per_frame, 4), "n"),
            _cell(result.verdict),
            _cell(number(result.encode_fps, 2), "n"),
            _cell(number(result.decode_fps, 1), "n"),
        ]
    who = f"{outcome.entry.by}: {outcome.entry.why}"
    settings = describe(outcome.experiment.settings)
    error = f"<small>{escape(_shortened(outcome.error))}</small>" if outcome.error else ""
    return (
        ("<tr class=ours>" if is_best else "<tr>")
        + _cell(f"{outcome.number}{mark}", "n")
        + f'<td class="words">{escape(settings)}<small>{escape(who)}</small></td>'
        + f'<td class="{"bad" if outcome.failed else ""}">{escape(state(outcome))}{error}</td>'
        + "".join(cells)
        + _cell(str(len(outcome.attempts)), "n")
        + _cell(duration(outcome.seconds), "n")
        + "</tr>"
    )


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]} ..."


def _cell(text: str, name: str = "") -> str:
    mark = f' class="{name}"' if name else ""
    return f"<td{mark}>{escape(text)}</td>"


def _table(names: Sequence[str], right: frozenset[int], rows: Iterable[str]) -> str:
    head = "".join(
        f'<th class="n">{escape(name)}</th>' if place in right else f"<th>{escape(name)}</th>"
        for place, name in enumerate(names)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
