"""Spaces for a goal: where the targets lie that can reach it, and what is worth varying."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

from ...runtime.errors import UnsupportedError
from ..records.settings import TARGETS
from .goal import Goal
from .space import Space

_HELP = 'write for example "target=psnr:38..40, codecs=av1|vvc|av1+vvc, effort=fast|normal"'
_STEPS = {"quality": 1.0, "psnr": 0.05, "ssim": 0.0005, "vmaf": 0.25}
# How far above the goal's bound targets go, and where one begins: targets are met with a tolerance.
_ROOM = {"psnr": (1.5, 0.1), "ssim": (0.01, 0.002), "vmaf": (4.0, 0.5)}
_HIGHEST = {"quality": 100.0, "psnr": 100.0, "ssim": 0.9995, "vmaf": 100.0}
# Bitrates: from the goal's bound down to this share of it, a step being 2 %.
_LEAST_SHARE, _RATIO = 0.5, 1.02
# A figure that is bounded and no objective is worth nothing beyond its bound: targets then go no
# further than tolerances ask for.
_MOST_AHEAD, _TIGHT_SHARE = 2.0, 0.92
_FIELDS = {
    "strategies": "strategies",
    "codecs": "codecs",
    "sizes": "sizes",
    "tier": "tiers",
    "effort": "efforts",
    "adapt": "adapts",
    "title_steps": "title_steps",
}


def default_space(goal: Goal, *, quick: bool = False) -> Space:
    """What is worth trying for a goal.

    The target is what the goal bounds (VMAF, SSIM, PSNR, bitrate, the first that there is), in
    the range that can keep the bound, and otherwise a constant quality. `quick` leaves out what
    takes long: VVC, slow presets and fitting networks to the title.
    """
    codecs: tuple[tuple[str, ...], ...] = (("av1",), ("h265",), ("h264",))
    strategies: tuple[tuple[str, ...], ...] = ((), ("classical",), ("classical", "hybrid_semantic"))
    if quick:
        rest: dict[str, Any] = {"efforts": ("fast",), "adapts": ("filter", "code")}
    else:
        codecs = (("av1", "vvc"), ("av1",), ("vvc",), ("h265",), ("h264",))
        rest = {"efforts": ("normal", "fast", "high"), "adapts": ("code", "filter", "title")}
    return Space(
        **_aim(goal),
        strategies=strategies,
        codecs=codecs,
        sizes=(("full", "half"), ("full",)),
        tiers=("nano", "edge"),
        **rest,
    )


def parse_space(text: str, base: Space) -> Space:
    """`base` with what a text says instead: fields between commas, their values between `|`.

    `target=KIND:LOW..HIGH` or `target=KIND:LOW..HIGH:STEP` (a bitrate is in bits a second and its
    steps are of 2 % where none is given); `strategies`, `codecs` and `sizes` take several names
    joined by `+`; `strategies` knows `auto`, `adapt` and `title_steps` know `by-effort`. The first
    value is the one to begin with. Raises UnsupportedError that names the part.
    """
    changes: dict[str, Any] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, sign, values = (each.strip() for each in part.partition("="))
        if not sign or not values or (name != "target" and name not in _FIELDS):
            known = ", ".join(("target", *_FIELDS))
            raise UnsupportedError(f"space: {part!r:.80}: choose of {known}; {_HELP}")
        if name == "target":
            changes |= _targets(values, part)
        else:
            changes[_FIELDS[name]] = tuple(
                _choice(name, each.strip(), part) for each in values.split("|")
            )
    return replace(base, **changes)


def _choice(name: str, value: str, part: str) -> Any:
    if name in ("strategies", "codecs", "sizes"):
        return () if (name, value) == ("strategies", "auto") else tuple(sorted(value.split("+")))
    if name in ("adapt", "title_steps") and value == "by-effort":
        return None
    if name == "title_steps":
        if not value.isascii() or not value.isdigit():
            raise UnsupportedError(f"space: {part!r:.80}: {value!r:.40} is not a number of steps")
        return int(value)
    return value


def _aim(goal: Goal) -> dict[str, Any]:
    sought = {objective.name for objective in goal.objectives}
    for kind, least in (("vmaf", goal.min_vmaf), ("ssim", goal.min_ssim), ("psnr", goal.min_psnr)):
        if least:
            room, ahead = _ROOM[kind]
            if kind not in sought:
                room = _MOST_AHEAD * ahead
            low = min(least, _HIGHEST[kind] - _STEPS[kind])
            targets = _even(low, min(low + room, _HIGHEST[kind]), _STEPS[kind])
            return _aimed(kind, targets, low + ahead)
    if goal.max_bitrate_mbps is not None:
        most = goal.max_bitrate_mbps * 1e6
        share = _LEAST_SHARE if "bitrate_mbps" in sought else _TIGHT_SHARE
        return _aimed("bitrate", _growing(most * share, most, _RATIO), most / _RATIO)
    return _aimed("quality", _even(0, 100, _STEPS["quality"]), 50.0)


def _targets(values: str, part: str) -> dict[str, Any]:
    number = r"(\d+\.?\d*(?:e\d+)?)"
    match = re.fullmatch(rf"(\w+):{number}\.\.{number}(?::{number})?", values)
    if match is None or match[1] not in TARGETS:
        raise UnsupportedError(
            f"space: {part!r:.80} is no target: write KIND:LOW..HIGH[:STEP] with"
            f" {', '.join(TARGETS)}"
        )
    kind, low, high = match[1], float(match[2]), float(match[3])
    step = float(match[4]) if match[4] else _STEPS.get(kind)
    if low > high or step == 0 or (low <= 0 < high and kind == "bitrate"):
        raise UnsupportedError(f"space: {part!r:.80}: the range is empty or cannot be stepped")
    if step is not None and (high - low) / step > _MOST_TARGETS:
        raise UnsupportedError(f"space: {part!r:.80}: more than {_MOST_TARGETS} targets")
    targets = _growing(low, high, _RATIO) if step is None else _even(low, high, step)
    return _aimed(kind, targets, (low + high) / 2)


_MOST_TARGETS = 10_000


def _aimed(kind: str, targets: tuple[float, ...], start: float) -> dict[str, Any]:
    nearest = min(targets, key=lambda each: abs(each - start))
    return {"kind": kind, "targets": targets, "start": nearest}


def _even(low: float, high: float, step: float) -> tuple[float, ...]:
    # Rounded, so that a target reads as a person would write it.
    count = math.floor((high - low) / step + 1e-9)
    return tuple(round(low + step * i, 6) for i in range(count + 1))


def _growing(low: float, high: float, ratio: float) -> tuple[float, ...]:
    """Bits a second from `high` down, in whole ones."""
    count = math.floor(math.log(high / low) / math.log(ratio) + 1e-9)
    return tuple(sorted({float(math.floor(high / ratio**i)) for i in range(count + 1)}))
