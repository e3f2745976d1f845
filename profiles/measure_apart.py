"""A measurement in a process of its own.

Its memory can then be told, and a provider whose native libraries crash, hang or print is a reason
in the report and not the end of it.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..runtime.errors import ModelError, ProviderError
from .count import Shape
from .timing import LayerTiming, Measurement, MeasureOptions, Placement, Timing

# Loading, compiling and the layers' own runs, on top of the timed ones.
_GRACE_SECONDS = 180.0
_KEPT_LINES = 3


def measure_apart(
    file: Path, input_shapes: Mapping[str, Shape], options: MeasureOptions | None = None
) -> Measurement:
    """As `measure`, in a process of its own; it also raises `ProviderError` where that dies."""
    options = options or MeasureOptions()
    request = {
        "file": str(file.resolve()),
        "input_shapes": {name: list(shape) for name, shape in input_shapes.items()},
        "options": dataclasses.asdict(options),
    }
    with TemporaryDirectory(prefix="edgecodec-measure-") as folder:
        request_file, answer_file = Path(folder, "request.json"), Path(folder, "answer.json")
        request_file.write_text(json.dumps(request), encoding="utf-8")
        command = (sys.executable, "-m", f"{__package__}.measure_process")
        limit = options.max_seconds + _GRACE_SECONDS
        try:
            done = subprocess.run(
                [*command, str(request_file), str(answer_file)],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit,
            )
        except subprocess.TimeoutExpired as error:
            raise ProviderError(
                f"{options.provider}: {file.name} was not measured within {limit:.0f} s"
            ) from error
        if done.returncode or not answer_file.exists():
            said = " / ".join(done.stderr.strip().splitlines()[-_KEPT_LINES:])
            raise ProviderError(
                f"{options.provider}: the process that measured {file.name} ended with"
                f" {done.returncode}: {said}"
            )
        answer = json.loads(answer_file.read_text(encoding="utf-8"))
    if "error" in answer:
        kind = ModelError if answer["error"] == ModelError.__name__ else ProviderError
        raise kind(answer["message"])
    return _measurement(answer["measurement"])


def _measurement(data: Mapping[str, Any]) -> Measurement:
    """What `Measurement.to_dict` wrote."""
    placement = data["placement"]
    return Measurement(
        timing=Timing(
            data["fastest"],
            data["p50"],
            data["p90"],
            data["p99"],
            data["runs"],
            data["provider"],
            data["simulated"],
        ),
        placement=Placement(placement["provider"], placement["nodes"]) if placement else None,
        peak_memory_bytes=data["peak_memory_bytes"],
        layers=tuple(LayerTiming(each["name"], each["op"], each["ms"]) for each in data["layers"]),
    )
