"""`python -m edgecodec.runtime.replay_process REQUEST.json`: a replay for each session asked for.

The request, JSON: `stream`, `models` (a folder or null), `frames`, `recording` ({`path`, `write`}),
`variants` (a list of `replay.Variant`'s fields) and `answers`, a file that gets a line of JSON for
each variant as it is done: its `scenes` and `seconds`, or `error` and `message`.

A process of its own, because a provider's native libraries may print, hang or crash, and because
the Python that runs it may be another environment's.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .errors import EdgecodecError
from .replay import Recording, Variant, replay
from .sessions import Optimization


def answer_requests(path: Path) -> None:
    """Do what the request in `path` says."""
    request = json.loads(path.read_text(encoding="utf-8"))
    for fields in request["variants"]:
        line = json.dumps(_answer(request, fields)) + "\n"
        with Path(request["answers"]).open("a", encoding="utf-8") as answers:
            answers.write(line)


def _answer(request: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, object]:
    optimization = Optimization(fields["optimization"])
    variant = Variant(fields["provider"], optimization, fields["threads"], fields["soc_model"])
    models, recording = request["models"], request["recording"]
    start = time.perf_counter()
    scenes = replay(
        Path(request["stream"]),
        variant,
        None if models is None else Path(models),
        request["frames"],
        Recording(Path(recording["path"]), bool(recording["write"])),
    )
    try:
        found = [asdict(scene) for scene in scenes]
    except (EdgecodecError, OSError) as error:
        message = " ".join(str(error).split())
        return {"tool": _tool(variant.provider), "error": type(error).__name__, "message": message}
    return {
        "tool": _tool(variant.provider),
        "scenes": found,
        "seconds": time.perf_counter() - start,
    }


def _tool(provider: str) -> str:
    try:
        import onnxruntime

        plugin = f", onnxruntime-qnn {version('onnxruntime-qnn')}" if provider == "qnn" else ""
    except ImportError as error:
        return f"no {error.name}"
    return f"ONNX Runtime {onnxruntime.__version__}{plugin}"


if __name__ == "__main__":
    answer_requests(Path(sys.argv[1]))
