"""`python -m edgecodec.profiles.measure_process REQUEST ANSWER`: one measurement, as JSON files.

Exits with 0 where ANSWER was written: a measurement, or the error that `measure` raised. Its output
streams are the native libraries' own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ..runtime.errors import ModelError, ProviderError
from .measure import measure
from .timing import MeasureOptions


def main(request_file: Path, answer_file: Path) -> None:
    """Read what is asked, measure, write the answer."""
    request = json.loads(request_file.read_text(encoding="utf-8"))
    shapes = {name: tuple(shape) for name, shape in request["input_shapes"].items()}
    try:
        result = measure(Path(request["file"]), shapes, MeasureOptions(**request["options"]))
    except (ProviderError, ModelError) as error:
        answer: dict[str, object] = {"error": type(error).__name__, "message": str(error)}
    else:
        answer = {"measurement": result.to_dict()}
    answer_file.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
