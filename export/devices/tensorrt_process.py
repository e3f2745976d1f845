"""Builds one TensorRT engine, or runs one.

A script, not a module: `tensorrt.py` runs it in a process of its own as
`python tensorrt_process.py REQUEST.json ANSWER.json`, in the folder of the request. `library` is
the module to use, `tensorrt` or `tensorrt_rtx`: both have the same interface.

To build: `model` (path of a graph of fixed shape), `capability` (such as "SM86", null: the GPU that
is present), `engine` (name of the file to write). Answer: `seconds`, `error`, `refused` (a list of
lines, in the parser's words), `layers` (of the engine: how many of each kind, by the type of what
they read). To run: `engine`, `inputs` (.npz by port), `repeats`. Answer:
`error`, `milliseconds` (of every run on the GPU alone); outputs go to `outputs.npz`.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

# One line for each layer: its kind, and the type of its first input.
_LAYER = re.compile(r"^Name: \S+, LayerType: (\w+), Inputs: \[ \{ Name: .*?Datatype: (\w+)", re.M)


def main(request_path: Path, answer_path: Path) -> None:
    request = json.loads(request_path.read_text("utf-8"))
    trt = importlib.import_module(request["library"])
    answer = _run(trt, request) if "inputs" in request else _build(trt, request)
    answer_path.write_text(json.dumps(answer), "utf-8")


def _build(trt: Any, request: dict[str, Any]) -> dict[str, Any]:
    logger = _logger(trt)
    began = time.perf_counter()
    builder = trt.Builder(logger)
    if builder is None:
        return _failed(began, logger, "the builder did not start")
    # Precision is the graph's: TensorRT must not choose another.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(request["model"]):
        errors = [parser.get_error(i) for i in range(parser.num_errors)]
        refused = [f"{e.node_operator()} '{e.node_name()}': {e.desc().strip()}" for e in errors]
        what = "the parser refused the graph"
        if not refused:
            return _failed(began, logger, what)
        return {"seconds": time.perf_counter() - began, "error": what, "refused": refused}
    config = builder.create_builder_config()
    if request["capability"] is not None:
        capability = getattr(trt.ComputeCapability, request["capability"], None)
        if capability is None:
            known = [name for name in dir(trt.ComputeCapability) if name.startswith("SM")]
            what = f"it builds for {', '.join(known)}, not for {request['capability']}"
            return _failed(began, logger, what)
        config.num_compute_capabilities = 1
        config.set_compute_capability(capability, 0)
    # Only then are the engine's layers in the log. The engine is no larger for it.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        return _failed(began, logger, "the builder made no engine")
    Path(request["engine"]).write_bytes(bytes(engine))
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "error": "", "refused": [], "layers": logger.layers}


def _failed(began: float, logger: Any, what: str) -> dict[str, Any]:
    words = " / ".join(dict.fromkeys(logger.errors))
    return {
        "seconds": time.perf_counter() - began,
        "error": f"{what}: {words}" if words else what,
        "refused": [],
    }


def _run(trt: Any, request: dict[str, Any]) -> dict[str, Any]:
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        return {"error": "torch finds no CUDA device", "milliseconds": []}
    logger = _logger(trt)
    data = Path(request["engine"]).read_bytes()
    engine = trt.Runtime(logger).deserialize_cuda_engine(data)
    if engine is None:
        return {"error": " / ".join(logger.errors) or "no engine", "milliseconds": []}
    context = engine.create_execution_context()
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    tensors: dict[str, Any] = {}
    with np.load(request["inputs"], allow_pickle=False) as inputs:
        for name in names:
            if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT:
                tensors[name] = torch.from_numpy(inputs[name]).cuda()
            else:
                shape = tuple(engine.get_tensor_shape(name))
                tensors[name] = torch.empty(shape, dtype=torch.uint8, device="cuda")
            context.set_tensor_address(name, tensors[name].data_ptr())
    stream = torch.cuda.Stream()
    milliseconds = []
    for _ in range(request["repeats"]):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record(stream)
        if not context.execute_async_v3(stream.cuda_stream):
            return {"error": " / ".join(logger.errors) or "it did not run", "milliseconds": []}
        end.record(stream)
        stream.synchronize()
        milliseconds.append(begin.elapsed_time(end))
    outputs = [n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.OUTPUT]
    np.savez("outputs.npz", **{name: tensors[name].cpu().numpy() for name in outputs})
    return {"error": "", "milliseconds": milliseconds}


def _logger(trt: Any) -> Any:
    """Keeps TensorRT's errors and its list of an engine's layers; its own logger only prints."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []
            self.layers: dict[str, int] = {}

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(" ".join(message.split()))
            elif " LayerType: " in message:
                kinds = Counter(" ".join(found) for found in _LAYER.findall(message))
                self.layers = dict(sorted(kinds.items()))

    return Logger()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
