"""Snapdragon, with Qualcomm's own compiler and its simulator of the Hexagon processor.

`onnxruntime-qnn` for x86-64 Linux carries both. A network becomes a context binary for one chip,
and that binary, loaded again, runs a frame whose output is compared with another run of the same
integers. No Qualcomm hardware is needed; what the simulator says of time means nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import ExportError, ProviderError
from ...runtime.qnn import QNN_PROVIDER
from .artefact import Artefact, describe_file, move_into
from .difference import Outputs, compare
from .process import run_script
from .shapes import measure_graph
from .socs import Soc

_CPU_PROVIDER = "CPUExecutionProvider"

_SCRIPT = Path(__file__).with_name("qnn_process.py")
# The compiler's search for the fastest order of work: 1 is the quickest, 3 the most thorough.
_OPTIMIZATION = 3
# Text that the compiler writes into every context binary, among its other settings.
_BUILT_FOR = re.compile(rb"soc_type=(\w+);arch=(\d+);")


def qnn_tool() -> str:
    """Name and version of the compiler; `ProviderError` says what to install where it is absent."""
    if find_spec("onnxruntime_qnn") is None:
        raise ProviderError(
            "Qualcomm's compiler is not installed: pip install 'edgecodec[qnn]' (x86-64 Linux or"
            " Windows)"
        )
    try:
        return f"onnxruntime-qnn {version('onnxruntime-qnn')}"
    except PackageNotFoundError:
        return "onnxruntime-qnn"


def compile_qnn(
    model: Path,
    network: str,
    soc: Soc,
    folder: Path,
    inputs: Mapping[str, NDArray[np.uint8]] | None,
    expected: Outputs | None,
    timeout_seconds: float = 600.0,
) -> Artefact:
    """`model` (uint8 in and out, fixed shapes) as a context binary for `soc` in `folder`.

    Writes `<network>.<soc>_qnn.bin` and its wrapper `<network>.<soc>.onnx`, or nothing. Where
    `inputs` are given, arrays [1, C, h, w] by port, the binary runs them in the simulator and is
    compared with `expected`. A network that the compiler refuses, that crashes it or that takes
    longer than `timeout_seconds` is an `Artefact` that is not `compiled` and says why. Raises
    `ProviderError` where the compiler is not installed, `ExportError` for a file that is no graph
    of fixed shape.
    """
    measure_graph(model)
    artefact = Artefact(
        network, soc.name, None, None, None, 0.0, False, {}, (), None, "", qnn_tool()
    )
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".qnn-", dir=folder) as name:
        job = _Job(model.resolve(), network, soc, Path(name).resolve())
        try:
            answer = job.run(inputs, timeout_seconds)
        except ExportError as error:
            return replace(artefact, message=f"Qualcomm's compiler: {error}")
        artefact = replace(artefact, seconds=answer["seconds"], **job.trace(answer["nodes"]))
        if answer["error"]:
            return replace(artefact, message=answer["error"])
        artefact = replace(artefact, built_for=job.built_for())
        if failure := job.failure(artefact, answer):
            return replace(artefact, message=failure)
        if inputs is not None and expected is not None:
            artefact = replace(artefact, difference=compare(job.outputs(), expected))
        digest, size = describe_file(job.binary)
        move_into(folder, (job.binary, job.wrapper))
        return replace(
            artefact,
            compiled=True,
            file=job.binary.name,
            wrapper=job.wrapper.name,
            sha256=digest,
            bytes=size,
        )


@dataclass(frozen=True)
class _Job:
    """One network for one chip in a folder of its own."""

    model: Path
    network: str
    soc: Soc
    folder: Path

    @property
    def wrapper(self) -> Path:
        return self.folder / f"{self.network}.{self.soc.name}.onnx"

    @property
    def binary(self) -> Path:
        """Where ONNX Runtime writes it, beside the wrapper and named after it."""
        return self.folder / f"{self.wrapper.stem}_qnn.bin"

    def run(self, inputs: Mapping[str, NDArray[np.uint8]] | None, timeout: float) -> Any:
        if inputs is not None:
            np.savez(self.folder / "inputs.npz", allow_pickle=False, **inputs)
        request = {
            "model": str(self.model),
            "context": self.wrapper.name,
            "soc_model": self.soc.soc_model,
            "optimization": _OPTIMIZATION,
            "inputs": None if inputs is None else "inputs.npz",
        }
        return run_script(_SCRIPT, request, self.folder, timeout)

    def trace(self, nodes: Mapping[str, int]) -> dict[str, Any]:
        """Nodes, operators and refusals, as the compiler recorded them; what a failure left."""
        try:
            trace = json.loads((self.folder / "qnn_op_trace.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {"nodes": dict(nodes)}
        refused = trace["unsupported_nodes"]
        counted = {QNN_PROVIDER: trace["summary"]["supported_nodes"]}
        if refused:
            counted[_CPU_PROVIDER] = len(refused)
        operators = Counter(
            mapping["dst_qnn_op_type"]
            for graph in trace["subgraph_traces"]
            for mapping in graph["op_mappings"]
        )
        return {
            "nodes": dict(nodes) or counted,
            "kernels": dict(sorted(operators.items())),
            "unsupported": _refusals(refused),
        }

    def built_for(self) -> str:
        """The chip and architecture that the binary names, such as "SM8650 v75"."""
        found = _BUILT_FOR.search(self.binary.read_bytes()) if self.binary.is_file() else None
        return f"{found[1].decode()} v{found[2].decode()}" if found else ""

    def failure(self, artefact: Artefact, answer: Mapping[str, Any]) -> str:
        """Why what was written must not be used; empty where it may."""
        elsewhere = {name: n for name, n in artefact.nodes.items() if name != QNN_PROVIDER}
        if elsewhere or not artefact.nodes:
            return f"not every node is on {QNN_PROVIDER}: {dict(artefact.nodes)}"
        if not (self.binary.is_file() and self.wrapper.is_file()):
            return "the compiler reported success and wrote no context binary"
        part = artefact.built_for.partition(" ")[0]
        if part != self.soc.part:
            return (
                f"the compiler took soc_model {self.soc.soc_model} for {part or 'no chip'}, not for"
                f" {self.soc.part}"
            )
        return f"in the simulator: {answer['run_error']}" if answer.get("run_error") else ""

    def outputs(self) -> dict[str, NDArray[np.uint8]]:
        with np.load(self.folder / "outputs.npz", allow_pickle=False) as arrays:
            return dict(arrays)


def _refusals(nodes: list[dict[str, Any]]) -> tuple[str, ...]:
    """One line for each reason: the compiler repeats it for the nodes around the one it means."""
    lines: dict[str, str] = {}
    for node in nodes:
        reason = " ".join(str(node["reason"]).split())
        quantizes = node["op_type"] in ("QuantizeLinear", "DequantizeLinear")
        if reason not in lines or not quantizes:
            lines[reason] = f"{node['op_type']} '{node['node_name']}': {reason}"
    return tuple(lines.values())
