"""What a run of experiments is after: bounds that a result must keep, and what is to get better."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from ...runtime.errors import UnsupportedError
from ..records import EncodeSettings, Result
from ..records.result import VERDICTS

Direction: TypeAlias = Literal["min", "max"]

MEASURES: dict[str, Direction] = {
    "bitrate_mbps": "min",
    "psnr": "max",
    "ssim": "max",
    "ms_ssim": "max",
    "vmaf": "max",
    "tops_per_frame": "min",
    "encode_fps": "max",
    "decode_fps": "max",
}
"""Figures of a result that can be an objective, and in which direction they get better."""

# How far a stream may be from its target and still counts as having met it (docs/choice.md).
_TOLERANCE = {"psnr": 0.1, "ssim": 0.002, "vmaf": 0.5}
_BITRATE_TOLERANCE = 1.03


@dataclass(frozen=True)
class Objective:
    """One figure of a result (see `MEASURES`) that is to get smaller or greater."""

    name: str
    direction: Direction

    def __post_init__(self) -> None:
        if self.name not in MEASURES:
            raise UnsupportedError(
                f"objective {self.name!r:.80}: choose one of {', '.join(MEASURES)}"
            )
        if self.direction != MEASURES[self.name]:
            raise UnsupportedError(
                f"objective {self.name} {self.direction}: it gets better towards"
                f" {MEASURES[self.name]}"
            )

    def value(self, result: Result) -> float:
        """The figure. Raises UnsupportedError where the result does not have it."""
        return _measured(result, self.name)


USUAL_OBJECTIVES = tuple(
    Objective(name, MEASURES[name]) for name in ("bitrate_mbps", "psnr", "tops_per_frame")
)


@dataclass(frozen=True)
class Goal:
    """Bounds, None where there is none, and objectives.

    `min_psnr` is in dB, `max_bitrate_mbps` in megabits a second, `max_tops_per_frame` in
    tera-operations a frame; `needs_verdict` is the worst verdict of the device that will do:
    "pass", "likely" or "unlikely". All are about the mean over the clips.
    """

    objectives: tuple[Objective, ...] = USUAL_OBJECTIVES
    min_psnr: float | None = None
    min_ssim: float | None = None
    min_vmaf: float | None = None
    max_bitrate_mbps: float | None = None
    max_tops_per_frame: float | None = None
    needs_verdict: str | None = None

    def __post_init__(self) -> None:
        names = [each.name for each in self.objectives]
        if not names or len(set(names)) != len(names):
            raise UnsupportedError("goal: at least one objective is needed, each only once")
        for name, (low, high) in _BOUNDS.items():
            bound = getattr(self, name)
            if bound is not None and not low <= bound <= high:
                raise UnsupportedError(
                    f"goal: {name} is {bound:g}, but must be {low:g} to {high:g}"
                )
        if self.needs_verdict is not None and self.needs_verdict not in VERDICTS[:3]:
            raise UnsupportedError(
                f"goal: verdict {self.needs_verdict!r:.80}: choose one of {', '.join(VERDICTS[:3])}"
            )

    @classmethod
    def parse(cls, text: str) -> Goal:
        """A goal from text such as "psnr>=38, bitrate min"; see `goal_text`."""
        from .goal_text import parse_goal

        return parse_goal(text)

    def __str__(self) -> str:
        from .goal_text import format_goal

        return format_goal(self)

    @property
    def needs_vmaf(self) -> bool:
        """Whether results must have a VMAF, which takes time to measure."""
        return self.min_vmaf is not None or "vmaf" in {each.name for each in self.objectives}

    def feasible(self, result: Result) -> bool:
        """Whether every bound is kept."""
        return all(lack <= 0 for lack in self.shortfalls(result))

    def reached(self, result: Result) -> bool:
        """Whether there is nothing left to do: every bound is kept and every objective has one.

        An objective without a bound has no end: "psnr>=38, bitrate min" is never reached,
        "psnr>=38, bitrate<=0.8" is.
        """
        bounded = {
            name.partition("_")[2] for name in _BOUNDS if getattr(self, name, None) is not None
        }
        ends = {each.name for each in self.objectives} <= bounded
        return ends and self.feasible(result)

    def values(self, result: Result) -> tuple[float, ...]:
        """The objectives' figures, in their order and as they are measured."""
        return tuple(each.value(result) for each in self.objectives)

    def dominates(self, one: Result, other: Result) -> bool:
        """Whether `one` is nowhere worse than `other` and somewhere better, bounds first: of two
        that do not keep them, the one that is nearer."""
        lacks = [math.fsum(max(0.0, x) for x in self.shortfalls(each)) for each in (one, other)]
        if max(lacks) > 0:
            return lacks[0] < lacks[1]
        signs = [1.0 if each.direction == "min" else -1.0 for each in self.objectives]
        pairs = list(zip(signs, self.values(one), self.values(other), strict=True))
        return all(s * a <= s * b for s, a, b in pairs) and any(s * a < s * b for s, a, b in pairs)

    def shortfalls(self, result: Result) -> tuple[float, ...]:
        """How much is missing to each bound, above 0 where it is not kept.

        All on about the same scale, that of a decibel, so that they may be added.
        """
        measured = partial(_measured, result)
        lacks: list[float] = []
        if self.min_psnr is not None:
            lacks.append(self.min_psnr - measured("psnr"))
        if self.min_ssim is not None:
            lacks.append(_decibels(self.min_ssim) - _decibels(measured("ssim")))
        if self.min_vmaf is not None:
            lacks.append((self.min_vmaf - measured("vmaf")) / 5)
        if self.max_bitrate_mbps is not None:
            lacks.append(_octaves(measured("bitrate_mbps"), self.max_bitrate_mbps) * 3)
        if self.max_tops_per_frame is not None:
            lacks.append(_octaves(measured("tops_per_frame"), self.max_tops_per_frame) * 3)
        if self.needs_verdict is not None:
            lacks.append(float(VERDICTS.index(result.verdict) - VERDICTS.index(self.needs_verdict)))
        return tuple(lacks)

    def hopeless(self, settings: EncodeSettings) -> str | None:
        """Why an encode that meets these settings' target cannot keep the bounds; None if it
        may."""
        kind, value = settings.target.kind, settings.target.value
        least = {"psnr": self.min_psnr, "ssim": self.min_ssim, "vmaf": self.min_vmaf}.get(kind)
        if least is not None and value < least - _TOLERANCE[kind]:
            return f"a target {kind} of {value:g} is below the goal's {least:g}"
        most = self.max_bitrate_mbps
        if kind == "bitrate" and most is not None and value > most * 1e6 * _BITRATE_TOLERANCE:
            return f"a target of {value / 1e6:g} Mb/s is above the goal's {most:g}"
        return None


# Name of the bound, in which the measure's name follows the first "_", and what it may be.
_BOUNDS = {
    "min_psnr": (0.0, 100.0),
    "min_ssim": (0.0, 1.0),
    "min_vmaf": (0.0, 100.0),
    "max_bitrate_mbps": (1e-6, 1e4),
    "max_tops_per_frame": (0.0, 1e6),
}


def _measured(result: Result, name: str) -> float:
    value: float | None = getattr(result, name)
    if value is None or not math.isfinite(value):
        raise UnsupportedError(
            f"result of {result.experiment}: it has no {name}; the goal needs it measured"
        )
    return value


def _decibels(ssim: float) -> float:
    return -10 * math.log10(max(1 - ssim, 1e-6))


def _octaves(value: float, most: float) -> float:
    """How often the value would have to be halved to be at most `most`."""
    return 0.0 if value <= most else min(math.log2(value / most), 10.0) if most > 0 else 10.0
