"""Timing a graph on this machine with ONNX Runtime, and where its nodes ran."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.cores import onnxruntime_threads
from ..runtime.errors import ModelError, ProviderError
from ..runtime.providers import PROVIDERS, load_onnxruntime, resolve_provider
from ..runtime.qnn import QNN_PROVIDER, add_qnn
from .count import Shape
from .layer_timing import layer_timings
from .memory import peak_bytes, resident_bytes
from .timing import LayerTiming, Measurement, MeasureOptions, Placement, Timing

CPU = "CPUExecutionProvider"
_FEWEST_RUNS = 5
# Runs that tell the layers apart; recording them slows the whole down, so they are others.
_PROFILED_RUNS = 3


def measure(
    file: Path, input_shapes: Mapping[str, Shape], options: MeasureOptions | None = None
) -> Measurement:
    """Time an ONNX file on noise of the given shapes.

    Raises `ProviderError` where the provider does not load, `ModelError` where ONNX Runtime
    refuses the file.
    """
    options = options or MeasureOptions()
    provider = PROVIDERS[resolve_provider(options.provider)]
    before = resident_bytes()
    session = _session(file, options, input_shapes, profile_prefix=None)
    feeds = {item.name: _noise(item.type, input_shapes[item.name]) for item in session.get_inputs()}
    warmup, runs = (0, 1) if options.simulated else (options.warmup, options.runs)
    for _ in range(warmup):
        session.run(None, feeds)
    times_ms = _times_ms(session, feeds, runs, options.max_seconds)
    peak = peak_bytes()
    p50, p90, p99 = (float(value) for value in np.percentile(times_ms, (50, 90, 99)))
    return Measurement(
        timing=Timing(
            min(times_ms), p50, p90, p99, len(times_ms), provider, simulated=options.simulated
        ),
        placement=_placement(session, provider),
        peak_memory_bytes=peak - before if peak and before else None,
        layers=() if options.simulated else _layers(file, options, input_shapes, feeds),
    )


def _times_ms(
    session: Any, feeds: Mapping[str, NDArray[Any]], runs: int, max_seconds: float
) -> list[float]:
    times_ms: list[float] = []
    end = time.monotonic() + max_seconds
    while len(times_ms) < runs:
        if time.monotonic() > end and len(times_ms) >= _FEWEST_RUNS:
            break
        start = time.perf_counter_ns()
        session.run(None, feeds)
        times_ms.append((time.perf_counter_ns() - start) * 1e-6)
    return times_ms


def _layers(
    file: Path,
    options: MeasureOptions,
    input_shapes: Mapping[str, Shape],
    feeds: Mapping[str, NDArray[Any]],
) -> tuple[LayerTiming, ...]:
    with TemporaryDirectory(prefix="edgecodec-profile-") as folder:
        session = _session(file, options, input_shapes, profile_prefix=str(Path(folder, "runs")))
        for _ in range(_PROFILED_RUNS):
            session.run(None, feeds)
        return layer_timings(Path(session.end_profiling()))


def _session(
    file: Path,
    options: MeasureOptions,
    input_shapes: Mapping[str, Shape],
    *,
    profile_prefix: str | None,
) -> Any:
    onnxruntime = load_onnxruntime()
    provider = PROVIDERS[options.provider]
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = onnxruntime_threads(options.threads)
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if profile_prefix:
        settings.enable_profiling = True
        settings.profile_file_prefix = profile_prefix
    try:
        if provider == QNN_PROVIDER:
            # Its compiler wants fixed shapes, and a node left to the CPU would not be its own.
            settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
            for name, extent in _free_dimensions(onnxruntime, file, input_shapes).items():
                settings.add_free_dimension_override_by_name(name, extent)
            add_qnn(settings, onnxruntime, options.soc_model)
            session = onnxruntime.InferenceSession(str(file), settings)
        else:
            providers = [provider, *([CPU] * (provider != CPU))]
            session = onnxruntime.InferenceSession(str(file), settings, providers=providers)
    except ProviderError:
        raise
    except Exception as error:  # its errors share no public base class
        kind = ModelError if provider == CPU else ProviderError
        raise kind(f"{file}: {provider} refuses it: {error}") from error
    # A provider that cannot load is dropped in silence by ONNX Runtime.
    if provider not in session.get_providers():
        raise ProviderError(
            f"{provider} did not load (its libraries are missing or of another version):"
            f" ONNX Runtime fell back to {', '.join(session.get_providers())}"
        )
    return session


def _free_dimensions(
    onnxruntime: Any, file: Path, input_shapes: Mapping[str, Shape]
) -> dict[str, int]:
    """Extents of the graph's symbolic dimensions."""
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    reader = onnxruntime.InferenceSession(str(file), settings, providers=[CPU])
    return {
        name: extent
        for item in reader.get_inputs()
        for name, extent in zip(item.shape, input_shapes[item.name], strict=True)
        if isinstance(name, str)
    }


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
