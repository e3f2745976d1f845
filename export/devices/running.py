"""Running a network where a GPU is: its output and time beside those of another run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ...runtime.cores import onnxruntime_threads
from ...runtime.errors import ExportError
from .difference import Difference, Outputs, compare
from .process import run_script
from .tensorrt import Library

_SCRIPT = Path(__file__).with_name("tensorrt_process.py")
_TIMEOUT_SECONDS = 600.0
_WARM_UP = 3


@dataclass(frozen=True)
class Running:
    """What runs of one network on one device gave.

    `device`: the provider or library. `milliseconds`: median of the runs, None where it did not
    run; of an engine on the GPU alone, of a session with its copies to and from the GPU.
    `difference`: of the output against what was expected. `message`: why it did not run.
    """

    device: str
    milliseconds: float | None
    difference: Difference | None
    message: str


def run_engine(
    library: Library,
    engine: Path,
    inputs: Mapping[str, NDArray[np.uint8]],
    expected: Outputs,
    repeats: int,
) -> Running:
    """`engine` on the first CUDA device, `repeats` times, in a process of its own."""
    with TemporaryDirectory(prefix="edgecodec-engine-") as name:
        folder = Path(name)
        np.savez(folder / "inputs.npz", allow_pickle=False, **inputs)
        request = {
            "library": library.module,
            "engine": str(engine.resolve()),
            "inputs": "inputs.npz",
            "repeats": _WARM_UP + repeats,
        }
        try:
            answer = run_script(_SCRIPT, request, folder, _TIMEOUT_SECONDS)
        except ExportError as error:
            return Running(library.tool, None, None, str(error))
        if answer["error"]:
            return Running(library.tool, None, None, answer["error"])
        with np.load(folder / "outputs.npz", allow_pickle=False) as outputs:
            difference = compare(dict(outputs), expected)
        median = statistics.median(answer["milliseconds"][_WARM_UP:])
        return Running(library.tool, median, difference, "")


def run_provider(
    provider: str,
    model: Path,
    inputs: Mapping[str, NDArray[np.uint8]],
    expected: Outputs,
    repeats: int,
) -> Running:
    """`model` in ONNX Runtime on `provider`, `repeats` times; another provider never stands in."""
    available = ort.get_available_providers()
    if provider not in available:
        message = f"this build of ONNX Runtime has only {', '.join(available)}"
        return Running(provider, None, None, message)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = onnxruntime_threads()
    if provider != "CPUExecutionProvider":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = ort.InferenceSession(str(model), options, providers=[provider], enable_fallback=0)
        if session.get_providers()[0] != provider:
            return Running(provider, None, None, "the provider did not load")
        milliseconds = []
        for _ in range(_WARM_UP + repeats):
            began = time.perf_counter()
            outputs = session.run(None, dict(inputs))
            milliseconds.append(1e3 * (time.perf_counter() - began))
    except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
        return Running(provider, None, None, str(error).strip())
    names = [port.name for port in session.get_outputs()]
    difference = compare(dict(zip(names, outputs, strict=True)), expected)
    return Running(provider, statistics.median(milliseconds[_WARM_UP:]), difference, "")
