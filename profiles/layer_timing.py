"""Milliseconds of each kernel, from the profile that ONNX Runtime writes."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import median

from .timing import LayerTiming

_SUFFIX = "_kernel_time"


def layer_timings(file: Path) -> tuple[LayerTiming, ...]:
    """The kernels in the profile `file` with the median of their times, the slowest first."""
    times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for event in json.loads(file.read_text(encoding="utf-8")):
        if event.get("cat") == "Node" and event["name"].endswith(_SUFFIX):
            key = event["name"].removesuffix(_SUFFIX), event["args"]["op_name"]
            times[key].append(event["dur"] * 1e-3)  # microseconds
    layers = [LayerTiming(name, op, median(runs)) for (name, op), runs in times.items()]
    return tuple(sorted(layers, key=lambda layer: -layer.ms))
