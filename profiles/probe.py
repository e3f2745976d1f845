"""What this machine's CPU does in a second, from a few small graphs timed now (about 2 s)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..runtime.cores import onnxruntime_threads
from ..runtime.errors import UnsupportedError
from ..runtime.providers import load_onnxruntime
from .probe_graphs import concatenation, conv_chain, depth_to_space, multiply_chain

if TYPE_CHECKING:
    from onnx import ModelProto

# A quarter of 720p: large enough that a layer does not live in the first caches.
_CELLS = (180, 320)
_CHANNELS = 64
# Not a multiple of what the kernels take at once, as 74 inputs of an enhancer are.
_ODD_CHANNELS = 74
_DEEP = 3
_SECONDS_EACH = 0.2
_FEWEST_RUNS, _MOST_RUNS = 5, 40


@dataclass(frozen=True)
class HostRates:
    """Rates of this machine's CPU in one precision.

    `macs_per_ms`: 3 x 3 convolutions. The others are milliseconds of one element that is read or
    written, by the operator that does it; `boundary_ms` is an element of the graph's own inputs and
    outputs, `call_ms` a call of a graph that does next to nothing. These come from the fastest
    runs; `usual` and `slow` say how much longer the middle and the slowest tenth took.
    """

    precision: str
    threads: int
    macs_per_ms: float
    conv_ms: float
    odd_conv_ms: float
    combining_ms: float
    concat_ms: float
    moving_ms: float
    boundary_ms: float
    call_ms: float
    usual: float
    slow: float


@dataclass(frozen=True)
class _Times:
    fastest_ms: float
    usual: float
    slow: float


def probe(
    precision: str, threads: int = 0, clock: Callable[[], int] = time.perf_counter_ns
) -> HostRates:
    """Time the CPU in `w8a8` or `float` with so many threads (0: ONNX Runtime's own choice).

    `clock` tells nanoseconds; `time.thread_time_ns` leaves other load out, for one thread.

    Raises `UnsupportedError` for another precision.
    """
    if precision not in {"w8a8", "float"}:
        raise UnsupportedError(f"this machine is not probed in {precision}, only in w8a8 and float")
    spreads: list[_Times] = []

    def timed(model: ModelProto) -> float:
        times = _time(model, threads, clock)
        spreads.append(times)
        return times.fastest_ms

    def conv(depth: int, channels: int, kernel: int) -> float:
        return timed(conv_chain(depth, channels, kernel, _CELLS, precision))

    cells = _CELLS[0] * _CELLS[1]
    both = 2 * _CHANNELS * cells  # elements that a layer reads and writes
    call = timed(conv_chain(1, 16, 1, (4, 4), precision))
    one, many = conv(1, _CHANNELS, 1), conv(_DEEP, _CHANNELS, 1)
    pointwise = _each(one, many)
    square = _each(conv(1, _CHANNELS, 3), conv(_DEEP, _CHANNELS, 3))
    odd = _each(conv(1, _ODD_CHANNELS, 1), conv(_DEEP, _ODD_CHANNELS, 1))
    combining = _each(*(timed(multiply_chain(n, _CHANNELS, _CELLS, precision)) for n in (1, _DEEP)))
    concat = timed(concatenation(_CHANNELS // 2, _CELLS, precision))
    moving = timed(depth_to_space(_CHANNELS, _CELLS, precision))
    return HostRates(
        precision=precision,
        threads=threads,
        macs_per_ms=9 * _CHANNELS**2 * cells / square,
        conv_ms=pointwise / both,
        odd_conv_ms=odd / (2 * _ODD_CHANNELS * cells),
        combining_ms=combining / both,
        concat_ms=max(concat - call, 0) / both,
        moving_ms=max(moving - call, 0) / both,
        boundary_ms=max(one - pointwise - call, 0) / both,
        call_ms=call,
        usual=float(np.median([each.usual for each in spreads])),
        slow=float(np.median([each.slow for each in spreads])),
    )


def _each(one: float, many: float) -> float:
    """A layer of a chain without what its ends cost; on a busy machine never below a tenth."""
    return max((many - one) / (_DEEP - 1), 0.1 * many / _DEEP)


def _time(model: ModelProto, threads: int, clock: Callable[[], int]) -> _Times:
    onnxruntime = load_onnxruntime()
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = onnxruntime_threads(threads)
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    feeds = {item.name: _middle(item) for item in session.get_inputs()}
    session.run(None, feeds)
    times: list[float] = []
    end = time.monotonic() + _SECONDS_EACH
    while len(times) < _FEWEST_RUNS or (len(times) < _MOST_RUNS and time.monotonic() < end):
        start = clock()
        session.run(None, feeds)
        times.append((clock() - start) * 1e-6)
    fastest, usual, slow = min(times), *np.percentile(times, (50, 90))
    return _Times(fastest, float(usual / fastest), float(slow / fastest))


def _middle(item: Any) -> Any:
    """An input that is neither zero nor at its end."""
    if item.type == "tensor(uint8)":
        return np.full(item.shape, 100, np.uint8)
    return np.full(item.shape, 0.5, np.float32)
