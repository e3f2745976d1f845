"""Compiles one network for one Qualcomm chip and runs it in the simulator.

A script, not a module: `qnn.py` runs it in a process of its own as
`python qnn_process.py REQUEST.json ANSWER.json`, in the folder of the request.

Request: `model` (path of a uint8 graph of fixed shape), `context` (name of the wrapper to write),
`soc_model`, `optimization`, `inputs` (path of an .npz by port, or null). Answer: `seconds`,
`error`, `nodes`, `run_error`; the outputs of a run go to `outputs.npz`, Qualcomm's record of the
graph to `qnn_op_trace.json`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import onnxruntime_qnn

_PROVIDER = "QNNExecutionProvider"


def main(request_path: Path, answer_path: Path) -> None:
    request = json.loads(request_path.read_text("utf-8"))
    ort.set_default_logger_severity(3)
    ort.register_execution_provider_library(_PROVIDER, onnxruntime_qnn.get_library_path())
    answer = _compile(request)
    if not answer["error"] and request["inputs"]:
        answer["run_error"] = _run(request)
    answer_path.write_text(json.dumps(answer), "utf-8")


def _compile(request: dict[str, Any]) -> dict[str, Any]:
    settings = {
        "ep.context_enable": "1",
        "ep.context_file_path": request["context"],
        "ep.context_embed_mode": "0",
    }
    options = {
        "htp_graph_finalization_optimization_mode": str(request["optimization"]),
        "enable_framework_op_trace": "1",
        "framework_op_trace_dir": ".",
    }
    began = time.perf_counter()
    try:
        session = _session(request["model"], request["soc_model"], settings, options)
    except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
        return {"seconds": time.perf_counter() - began, "error": str(error).strip(), "nodes": {}}
    nodes: dict[str, int] = {}
    for subgraph in session.get_provider_graph_assignment_info():
        nodes[subgraph.ep_name] = nodes.get(subgraph.ep_name, 0) + len(subgraph.get_nodes())
    return {"seconds": time.perf_counter() - began, "error": "", "nodes": nodes}


def _run(request: dict[str, Any]) -> str:
    """Runs what was compiled, loaded again from its files as a device would load it."""
    try:
        session = _session(request["context"], request["soc_model"], {}, {})
        with np.load(request["inputs"], allow_pickle=False) as inputs:
            outputs = session.run(None, dict(inputs))
    except Exception as error:  # as above
        return str(error).strip() or type(error).__name__
    names = [port.name for port in session.get_outputs()]
    np.savez("outputs.npz", **dict(zip(names, outputs, strict=True)))
    return ""


def _session(
    model: str, soc_model: int, settings: dict[str, str], provider_options: dict[str, str]
) -> ort.InferenceSession:
    """A session in which every node is on Qualcomm's provider, or an error."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    # Without it, ONNX Runtime makes a session on the CPU where the provider fails.
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    for key, value in settings.items():
        options.add_session_config_entry(key, value)
    devices = [device for device in ort.get_ep_devices() if device.ep_name == _PROVIDER]
    backend = {
        "backend_path": onnxruntime_qnn.get_qnn_htp_path(),
        "soc_model": str(soc_model),
        **provider_options,
    }
    options.add_provider_for_devices(devices, backend)
    return ort.InferenceSession(model, sess_options=options, enable_fallback=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
