"""Which execution provider runs which node, and whether INT8 stayed INT8."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import onnxruntime as ort

from ..runtime.cores import onnxruntime_threads
from ..runtime.errors import ExportError
from .records import Placement

# Kernels that only move bytes, whatever the type.
_MOVES_BYTES = frozenset({"Transpose", "DepthToSpace", "Concat", "Reshape", "Identity"})


def measure_placement(model_path: Path, provider: str) -> Placement:
    """How ONNX Runtime assigns and compiles the graph in `model_path` on `provider`.

    `nodes` counts the file's nodes for each provider, as the session itself recorded them;
    `kernels` counts the operators of the optimised graph that really runs. Raises `ExportError`
    where the session cannot be made.
    """
    with TemporaryDirectory(prefix="edgecodec-placement-") as folder:
        optimized = Path(folder, "optimized.onnx")
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = onnxruntime_threads()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.optimized_model_filepath = str(optimized)
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        try:
            session = ort.InferenceSession(str(model_path), options, providers=[provider])
        except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
            raise ExportError(f"{model_path.name} does not load: {str(error).strip()}") from error
        graph = onnx.load(optimized).graph
        kernels = Counter(node.op_type for node in graph.node)
        nodes = _assigned_nodes(session, kernels.total())
    percent = 100.0 * nodes.get(provider, 0) / max(1, sum(nodes.values()))
    return Placement(provider, nodes, percent, dict(sorted(kernels.items())))


def require_integer_kernels(name: str, placement: Placement) -> None:
    """Raises `ExportError` where the optimised graph of network `name` still computes in float."""
    floats = {
        op: count
        for op, count in placement.kernels.items()
        if not op.startswith("QLinear") and op not in _MOVES_BYTES
    }
    if floats:
        listed = ", ".join(f"{count} {op}" for op, count in floats.items())
        raise ExportError(
            f"{name}: ONNX Runtime {ort.__version__} left float kernels in the INT8 graph on"
            f" {placement.provider}: {listed}"
        )


def _assigned_nodes(session: ort.InferenceSession, kernels: int) -> dict[str, int]:
    record = getattr(session, "get_provider_graph_assignment_info", None)
    if record is None:
        # Before ONNX Runtime recorded it: with one provider in the session it runs everything.
        (only,) = session.get_providers()
        return {only: kernels}
    counts: Counter[str] = Counter()
    for subgraph in record():
        counts[subgraph.ep_name] += len(subgraph.get_nodes())
    return dict(sorted(counts.items()))
