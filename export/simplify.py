"""onnxsim in a process of its own, its result taken only where nothing changed that matters."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from ..decoder.networks import NetworkSpec
from ..runtime.errors import ExportError
from .check import Probe, require_close, run_real
from .graph import clean, constants_to_initializers, to_bytes

_TIMEOUT_SECONDS = 300
# onnxsim imports torch where it finds it, for parts that are not used here: a second a network.
_SCRIPT = """
import sys
sys.modules["torch"] = None
import onnx, onnxsim
model, _ = onnxsim.simplify(sys.argv[1])
onnx.save(model, sys.argv[2])
"""


@dataclass(frozen=True)
class Simplified:
    """The graph to go on with, and what became of the attempt."""

    model: onnx.ModelProto
    note: str


def simplify(model: onnx.ModelProto, spec: NetworkSpec, probes: tuple[Probe, ...]) -> Simplified:
    """`model` simplified, or `model` itself where onnxsim failed, crashed or changed it.

    The simplified graph must have the same inputs and outputs and give the same results on
    `probes` to 1e-4.
    """
    try:
        candidate = clean(constants_to_initializers(_run_onnxsim(model)), spec)
        _require_same_signature(model, candidate)
        for probe in probes:
            require_close(
                "simplify", spec, run_real(model, spec, probe), run_real(candidate, spec, probe)
            )
    except ExportError as error:
        return Simplified(model, f"kept as it was: {error}")
    removed = len(model.graph.node) - len(candidate.graph.node)
    return Simplified(candidate, f"{removed} of {len(model.graph.node)} nodes removed")


def _run_onnxsim(model: onnx.ModelProto) -> onnx.ModelProto:
    """In a subprocess: onnxsim is native code, and a crash there must not end the export."""
    with TemporaryDirectory(prefix="edgecodec-simplify-") as folder:
        source, target = Path(folder, "in.onnx"), Path(folder, "out.onnx")
        source.write_bytes(to_bytes(model))
        command = [sys.executable, "-c", _SCRIPT, source.name, target.name]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ExportError(f"onnxsim did not end within {_TIMEOUT_SECONDS} s") from None
        if done.returncode != 0 or not target.exists():
            words = (done.stderr.strip() or "no message").splitlines()[-1]
            raise ExportError(f"onnxsim exited with {done.returncode}: {words}")
        try:
            return onnx.load(target)
        except Exception as error:  # protobuf's DecodeError is not importable by a stable name
            raise ExportError(f"onnxsim wrote a file that is not ONNX: {error}") from error


def _require_same_signature(before: onnx.ModelProto, after: onnx.ModelProto) -> None:
    def signature(model: onnx.ModelProto) -> list[tuple[str, bytes]]:
        values = (*model.graph.input, *model.graph.output)
        return [(v.name, v.type.SerializeToString(deterministic=True)) for v in values]

    if signature(before) != signature(after):
        raise ExportError("onnxsim changed the graph's inputs or outputs")
