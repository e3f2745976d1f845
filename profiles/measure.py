"""Timing a graph on this machine with ONNX Runtime, and where its nodes ran."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.errors import ModelError, ProviderError
from .count import Shape

CPU = "CPUExecutionProvider"
_FEWEST_RUNS = 5


@dataclass(frozen=True)
class MeasureOptions:
    """How to time: `runs` calls after `warmup` ones, fewer where `max_seconds` is over.

    `threads` 0 leaves their number to ONNX Runtime.
    """

    provider: str = CPU
    runs: int = 30
    warmup: int = 3
    threads: int = 0
    max_seconds: float = 10.0


@dataclass(frozen=True)
class Timing:
    """Wall-clock milliseconds of one call: the fastest, and percentiles over `runs` calls."""

    fastest_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    runs: int
    provider: str

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "p50": self.p50_ms,
            "p90": self.p90_ms,
            "p99": self.p99_ms,
            "fastest": self.fastest_ms,
            "runs": self.runs,
            "provider": self.provider,
        }


@dataclass(frozen=True)
class Placement:
    """How many of a graph's nodes each execution provider took; `provider` was asked for."""

    provider: str
    nodes: Mapping[str, int]

    @property
    def percent(self) -> float:
        """Share of the nodes that run on the provider that was asked for."""
        return 100.0 * self.nodes.get(self.provider, 0) / max(sum(self.nodes.values()), 1)

    def to_dict(self) -> dict[str, Any]:
        """JSON types, as in a manifest."""
        return {"provider": self.provider, "nodes": dict(self.nodes), "percent": self.percent}


@dataclass(frozen=True)
class Measurement:
    """A graph timed here. `placement` is None where this ONNX Runtime does not tell it."""

    timing: Timing
    placement: Placement | None


def measure(
    file: Path, input_shapes: Mapping[str, Shape], options: MeasureOptions | None = None
) -> Measurement:
    """Time an ONNX file on noise of the given shapes.

    Raises `ProviderError` where the provider does not load, `ModelError` where ONNX Runtime
    refuses the file.
    """
    options = options or MeasureOptions()
    session = _session(file, options)
    feeds = {item.name: _noise(item.type, input_shapes[item.name]) for item in session.get_inputs()}
    for _ in range(options.warmup):
        session.run(None, feeds)
    times_ms: list[float] = []
    end = time.monotonic() + options.max_seconds
    while len(times_ms) < options.runs:
        if time.monotonic() > end and len(times_ms) >= _FEWEST_RUNS:
            break
        start = time.perf_counter_ns()
        session.run(None, feeds)
        times_ms.append((time.perf_counter_ns() - start) * 1e-6)
    p50, p90, p99 = (float(value) for value in np.percentile(times_ms, (50, 90, 99)))
    timing = Timing(min(times_ms), p50, p90, p99, len(times_ms), options.provider)
    return Measurement(timing, _placement(session, options.provider))


def _session(file: Path, options: MeasureOptions) -> Any:
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if options.provider not in available:
        raise ProviderError(
            f"{options.provider} is not in this ONNX Runtime, which has {', '.join(available)}:"
            " install the build that brings it"
        )
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = options.threads
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    try:
        session = onnxruntime.InferenceSession(
            str(file), settings, providers=[options.provider, *([CPU] * (options.provider != CPU))]
        )
    except Exception as error:  # its errors share no public base class
        raise ModelError(f"{file}: ONNX Runtime refuses it: {error}") from error
    # A provider that cannot load is dropped in silence by ONNX Runtime.
    if session.get_providers()[0] != options.provider:
        raise ProviderError(
            f"{options.provider} did not load (its libraries are missing or of another version):"
            f" ONNX Runtime fell back to {', '.join(session.get_providers())}"
        )
    return session


def _noise(tensor_type: str, shape: Shape) -> NDArray[Any]:
    generator = np.random.default_rng(0)
    if tensor_type == "tensor(uint8)":
        return generator.integers(0, 256, shape, dtype=np.uint8)
    if tensor_type == "tensor(int8)":
        return generator.integers(-128, 128, shape, dtype=np.int8)
    dtype = {"tensor(float)": np.float32, "tensor(float16)": np.float16}.get(tensor_type)
    if dtype is None:
        raise ModelError(f"an input of type {tensor_type} cannot be timed: uint8 or float is")
    return generator.random(shape, dtype=np.float32).astype(dtype)


def _placement(session: Any, provider: str) -> Placement | None:
    tell = getattr(session, "get_provider_graph_assignment_info", None)
    if tell is None:  # an older ONNX Runtime
        return None
    nodes: Counter[str] = Counter()
    for part in tell():
        nodes[part.ep_name] += len(part.get_nodes())
    return Placement(provider, dict(nodes))
