"""ONNX Runtime sessions for checks and measurements of values, not of time."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from ..runtime.cores import onnxruntime_threads
from ..runtime.errors import ExportError


def open_session(model: Path | bytes, name: str) -> ort.InferenceSession:
    """A graph from its file or bytes, on the CPU; `ExportError` names it `name` if it fails."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = onnxruntime_threads()
    # Waiting threads would burn the cores that an encode or a training run beside this one needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    try:
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
        raise ExportError(f"{name} does not load: {str(error).strip()}") from error
