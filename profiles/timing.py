"""What is asked of a measurement on this machine, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MeasureOptions:
    """How to time: `runs` calls after `warmup` ones, fewer where `max_seconds` is over.

    `provider` is a key of `runtime.providers.PROVIDERS`; `threads` 0 leaves their number to ONNX
    Runtime. `simulated` says that the provider simulates a chip (of number `soc_model`): one call
    then, without warm-up, whose time says nothing of the chip.
    """

    provider: str = "cpu"
    runs: int = 30
    warmup: int = 3
    threads: int = 0
    max_seconds: float = 10.0
    simulated: bool = False
    soc_model: int | None = None


@dataclass(frozen=True)
class Timing:
    """Wall-clock milliseconds of one call: the fastest, and percentiles over `runs` calls.

    `simulated`: a simulator's own time, no speed of the chip.
    """

    fastest_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    runs: int
    provider: str
    simulated: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "p50": self.p50_ms,
            "p90": self.p90_ms,
            "p99": self.p99_ms,
            "fastest": self.fastest_ms,
            "runs": self.runs,
            "provider": self.provider,
            "simulated": self.simulated,
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
class LayerTiming:
    """One kernel of the optimised graph, by ONNX Runtime's own names; the median of its runs."""

    name: str
    op: str
    ms: float


@dataclass(frozen=True)
class Measurement:
    """A graph timed here.

    `placement` is None where this ONNX Runtime does not tell it, `peak_memory_bytes` (how far the
    process grew: session, weights, activations and inputs) where the system does not. `layers` are
    the kernels, the slowest first.
    """

    timing: Timing
    placement: Placement | None
    peak_memory_bytes: int | None
    layers: tuple[LayerTiming, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            **self.timing.to_dict(),
            "placement": self.placement.to_dict() if self.placement else None,
            "peak_memory_bytes": self.peak_memory_bytes,
            "layers": [{"name": each.name, "op": each.op, "ms": each.ms} for each in self.layers],
        }
