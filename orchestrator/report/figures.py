"""Pictures of a run as SVG, whose colours the page's style sets for light and dark."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from html import escape

from ..analysis import Analysis, Axis, Outcome, describe, objective_axes
from .scales import Scale, scale, tick_text

_WIDTH, _HEIGHT = 1120.0, 420.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 20.0, 18.0, 46.0
_SHORT = 220.0


def front_figure(analysis: Analysis, across: Axis, up: Axis) -> str:
    """Every result by two figures; the front is full and joined, the best has a ring, results that
    break a bound of the goal are hollow, and the bounds are dashed."""
    marks = [
        (each, x, y)
        for each in analysis.measured
        if each.result is not None
        and (x := across.value(each.result)) is not None
        and (y := up.value(each.result)) is not None
    ]
    if not marks:
        return ""
    x_scale = scale(_with(across.bound, (x for _, x, _ in marks)), _LEFT, _WIDTH - _RIGHT)
    y_scale = scale(_with(up.bound, (y for _, _, y in marks)), _HEIGHT - _BOTTOM, _TOP)
    places = {each.number: (x_scale(x), y_scale(y)) for each, x, y in marks}
    on_front = sorted(places[number] for number in analysis.front if number in places)
    parts = [_frame(x_scale, y_scale, across.title, up.title, _HEIGHT)]
    if across.bound is not None:
        x = x_scale(across.bound)
        parts.append(_line(x, _TOP, x, _HEIGHT - _BOTTOM, "bound"))
    if up.bound is not None:
        y = y_scale(up.bound)
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y, "bound"))
    # Where other figures are at stake the front is no curve of these two: a line would lie.
    if len(on_front) > 1 and {axis.name for axis in analysis.axes} == {across.name, up.name}:
        parts.append(_path(on_front, "front"))
    # The front last, so that nothing lies on it.
    numbers = sorted(places, key=lambda number: number in analysis.front)
    parts += (_mark(analysis, analysis.numbered(each), *places[each]) for each in numbers)
    parts += _numbers(analysis, places)
    return _svg(_HEIGHT, f"{up.title} over {across.title} of every experiment", parts)


def history_figure(analysis: Analysis) -> str:
    """The goal's first objective, result by result, and the best so far as a line."""
    axis = objective_axes(analysis.goal)[0]
    values = [_figure(axis, analysis.numbered(number)) for number, _ in analysis.steps]
    if not values:
        return ""
    x_scale = _counting(len(values))
    shown = _with(axis.bound, (value for value in values if value is not None))
    y_scale = scale(shown, _HEIGHT - _BOTTOM, _TOP)
    parts = [_frame(x_scale, y_scale, "results, in the order they came", axis.title, _HEIGHT)]
    if axis.bound is not None:
        y = y_scale(axis.bound)
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y, "bound"))
    best = [
        (x_scale(place), y_scale(value))
        for place, (_, step) in enumerate(analysis.steps, 1)
        if step.best is not None and (value := values[step.best]) is not None
    ]
    if best:
        parts.append(_path(_stairs([*best, (x_scale(len(values) + 0.5), best[-1][1])]), "front"))
    for place, ((number, _), value) in enumerate(zip(analysis.steps, values, strict=True), 1):
        if value is not None:
            outcome = analysis.numbered(number)
            parts.append(_mark(analysis, outcome, x_scale(place), y_scale(value)))
    return _svg(_HEIGHT, f"{axis.title} of every experiment in turn", parts)


def covered_figure(analysis: Analysis) -> str:
    """How much of the space between the worst and the best figures is covered, result by result."""
    # Of one objective the history of the best says the same.
    if not analysis.feasible or len(analysis.goal.objectives) == 1:
        return ""
    x_scale = _counting(len(analysis.steps))
    y_scale = Scale(0.0, 105.0, _SHORT - _BOTTOM, _TOP)
    parts = [_frame(x_scale, y_scale, "results, in the order they came", "covered, %", _SHORT, 4)]
    points = [
        (x_scale(place), y_scale(100 * step.covered))
        for place, (_, step) in enumerate(analysis.steps, 1)
    ]
    parts.append(_path(_stairs([*points, (x_scale(len(points) + 0.5), points[-1][1])]), "front"))
    return _svg(_SHORT, "share of the space that results cover", parts)


def _mark(analysis: Analysis, outcome: Outcome, x: float, y: float) -> str:
    classes = ["mark", proposer_class(outcome.entry.by)]
    classes += ["hollow"] if outcome.number not in analysis.feasible else []
    radius = 6.5 if outcome.number in analysis.front else 4.5
    ring = ""
    if analysis.best is not None and outcome.number == analysis.best.number:
        ring = f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="11"/>'
    label = escape(
        f"{outcome.number}: {_figures(outcome)}; {describe(outcome.experiment.settings)}"
    )
    return (
        f'{ring}<circle class="{" ".join(classes)}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">'
        f"<title>{label}</title></circle>"
    )


def _numbers(analysis: Analysis, places: dict[int, tuple[float, float]]) -> Iterable[str]:
    """Numbers beside the front's marks, as long as they do not lie on one another."""
    taken: list[tuple[float, float]] = []
    for number in analysis.front:
        if number not in places:
            continue
        x, y = places[number]
        if all(abs(x - other) > 26 or abs(y - height) > 16 for other, height in taken):
            taken.append((x, y))
            yield f'<text class="soft" x="{x + 10:.1f}" y="{y - 8:.1f}">{number}</text>'


def proposer_class(by: str) -> str:
    """The class of a proposer's marks: Optuna's, a language model's, or anyone else's."""
    name = by.partition(":")[0]
    return {"optuna": "p1", "anthropic": "p2", "openai": "p2"}.get(name, "p3")


def _figures(outcome: Outcome) -> str:
    result = outcome.result
    if result is None:
        return outcome.record.state.value
    return (
        f"{result.bitrate_mbps:.3f} Mb/s, {result.psnr:.2f} dB,"
        f" {result.tops_per_frame:.4f} TOPS a frame"
    )


def _figure(axis: Axis, outcome: Outcome) -> float | None:
    return None if outcome.result is None else axis.value(outcome.result)


def _with(bound: float | None, values: Iterable[float]) -> list[float]:
    return [*values, *([] if bound is None else [bound])]


def _counting(count: int) -> Scale:
    return Scale(0.0, max(count, 2) + 0.5, _LEFT, _WIDTH - _RIGHT)


def _stairs(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Each value holds until the next."""
    steps = [points[0]]
    for (_, before), (x, y) in itertools.pairwise(points):
        steps += [(x, before), (x, y)]
    return steps


def _frame(x: Scale, y: Scale, across: str, up: str, height: float, rows: int = 6) -> str:
    bottom = height - _BOTTOM
    parts = []
    for value in x.ticks(8):
        parts.append(_line(x(value), _TOP, x(value), bottom, "grid"))
        parts.append(_text(x(value), bottom + 17, tick_text(value), "middle"))
    for value in y.ticks(rows):
        parts.append(_line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "grid"))
        parts.append(_text(_LEFT - 8, y(value) + 4, tick_text(value), "end"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, height - 8, across, "middle"))
    middle = (bottom + _TOP) / 2
    parts.append(
        f'<text class="soft" text-anchor="middle" transform="translate(13 {middle:.1f})'
        f' rotate(-90)">{escape(up)}</text>'
    )
    return "".join(parts)


def _line(x1: float, y1: float, x2: float, y2: float, name: str) -> str:
    return f'<line class="{name}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _path(points: Sequence[tuple[float, float]], name: str) -> str:
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{name}" points="{corners}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text class="soft" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _svg(height: float, label: str, parts: Iterable[str]) -> str:
    return (
        f'<div class="scroll"><svg viewBox="0 0 {_WIDTH:g} {height:g}" role="img"'
        f' aria-label="{escape(label)}">{"".join(parts)}</svg></div>'
    )
