"""What a run's results are compared by: its goal's objectives, then what it sets bounds for."""

from __future__ import annotations

from dataclasses import dataclass

from ..design.goal import Goal
from ..records import Result
from .front import Point

_TITLES = {
    "bitrate_mbps": "bitrate, Mb/s",
    "psnr": "PSNR, (6Y+U+V)/8, dB",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "vmaf": "VMAF",
    "tops_per_frame": "TOPS a frame",
    "encode_fps": "frames encoded a second",
    "decode_fps": "frames decoded a second",
}
_LESS_IS_BETTER = frozenset({"bitrate_mbps", "tops_per_frame"})


@dataclass(frozen=True)
class Axis:
    """A figure of results by its name in `Result`; `bound` is what the goal asks of it."""

    name: str
    less_is_better: bool
    bound: float | None = None

    @property
    def title(self) -> str:
        """For people, with the unit."""
        return _TITLES.get(self.name, self.name)

    @property
    def short_title(self) -> str:
        """For people, without the unit."""
        return self.title.partition(",")[0]

    def value(self, result: Result) -> float | None:
        """The figure, None where it was not measured."""
        value = getattr(result, self.name)
        return None if value is None else float(value)

    def cost(self, result: Result) -> float:
        """The figure turned so that less is better; infinite where it was not measured."""
        value = self.value(result)
        if value is None:
            return float("inf")
        return value if self.less_is_better else -value


def objective_axes(goal: Goal) -> tuple[Axis, ...]:
    """What the goal wants improved, in its order."""
    bounds = _bounds(goal)
    return tuple(
        Axis(each.name, each.direction == "min", bounds.get(each.name)) for each in goal.objectives
    )


def all_axes(goal: Goal) -> tuple[Axis, ...]:
    """The objectives, then the bounded figures that are none."""
    objectives = objective_axes(goal)
    named = {axis.name for axis in objectives}
    bounded = (
        Axis(name, name in _LESS_IS_BETTER, bound)
        for name, bound in _bounds(goal).items()
        if name not in named
    )
    return (*objectives, *bounded)


def point(axes: tuple[Axis, ...], result: Result) -> Point:
    """A result's costs along the axes."""
    return tuple(axis.cost(result) for axis in axes)


def _bounds(goal: Goal) -> dict[str, float]:
    stated = {
        "psnr": goal.min_psnr,
        "ssim": goal.min_ssim,
        "vmaf": goal.min_vmaf,
        "bitrate_mbps": goal.max_bitrate_mbps,
        "tops_per_frame": goal.max_tops_per_frame,
    }
    return {name: bound for name, bound in stated.items() if bound is not None}
