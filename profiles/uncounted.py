"""What streams may ask of a player beside their networks: a scene's filter, and detail.

Both run on the CPU, in NumPy. The encoder puts them where they pay, so a profile, which knows no
stream, tells what they take and leaves them out of its verdict.
"""

from __future__ import annotations

from .frame import Stage
from .roofline import Interval
from .size import FrameSize

# Milliseconds of one core for a million pixels: the least (a filter of luma alone), the middle and
# the most that `benchmarks/filter_speed.py` and `benchmarks/detail_speed.py` measured at 1080p
# (docs/player.md).
_FILTER = (38.0, 76.0, 77.0)
_DETAIL = (102.0, 134.0, 166.0)
_SERVER = "assumed: as on one core of a server"


def uncounted_stages(size: FrameSize) -> tuple[Stage, ...]:
    """What a frame takes of one core where its scene has a filter, and where it brings detail."""
    return (
        _stage(
            "scene filter",
            _FILTER,
            size,
            f"frames side by side in as many threads as the player has; {_SERVER};"
            " streams of --adapt none have none",
        ),
        _stage(
            "detail",
            _DETAIL,
            size,
            f"where it covers the whole frame, scenes of latents only; {_SERVER}",
        ),
    )


def _stage(name: str, rates: tuple[float, float, float], size: FrameSize, note: str) -> Stage:
    low, mid, high = (rate * size.pixels * 1e-6 for rate in rates)
    return Stage(name, "CPU", Interval(low, mid, high, note, None), note)
