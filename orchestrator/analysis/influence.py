"""Which settings mattered: results by the value that a setting had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ..records import EncodeSettings
from .axes import Axis
from .outcome import Outcome


@dataclass(frozen=True)
class Influence:
    """All results in which `setting` was `value`: how many, how many of them kept to the goal's
    bounds, and the best and mean of the goal's first objective among those (None without any)."""

    setting: str
    value: str
    results: int
    feasible: int
    best: float | None
    mean: float | None


def influences(
    outcomes: Sequence[Outcome], feasible: frozenset[int], axis: Axis
) -> tuple[Influence, ...]:
    """One row for each value of every setting that had several; `feasible` holds numbers of
    outcomes. The figures say what went together, not what caused what."""
    measured = [each for each in outcomes if each.result is not None]
    by_setting: dict[str, dict[str, list[Outcome]]] = {}
    for each in measured:
        for setting, value in _named(each.experiment.settings).items():
            by_setting.setdefault(setting, {}).setdefault(value, []).append(each)
    return tuple(
        _influence(setting, value, group, feasible, axis)
        for setting, values in by_setting.items()
        if len(values) > 1
        for value, group in sorted(values.items())
    )


def _influence(
    setting: str, value: str, group: Sequence[Outcome], feasible: frozenset[int], axis: Axis
) -> Influence:
    good = [
        figure
        for each in group
        if each.number in feasible
        and each.result is not None
        and (figure := axis.value(each.result)) is not None
    ]
    best = (min(good) if axis.less_is_better else max(good)) if good else None
    return Influence(setting, value, len(group), len(good), best, fmean(good) if good else None)


def _named(settings: EncodeSettings) -> dict[str, str]:
    """The settings as words; the target's value is no category and stays out."""
    return {
        "target": settings.target.kind,
        "strategies": "+".join(settings.strategies) or "auto",
        "codecs": "+".join(settings.codecs),
        "sizes": "+".join(settings.sizes),
        "tier": settings.tier,
        "effort": settings.effort,
        "search": settings.search,
        "adapt": settings.adapt or "by effort",
        "title steps": str(settings.title_steps or "by effort"),
    }
