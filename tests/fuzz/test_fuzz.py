"""Every harness over its seeds, the inputs that fuzzing kept, and mutations of both.

`python -m tests.fuzz.run` is what found the kept ones; here nothing is guided, so the numbers are
small and every run tries others.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..runtime.mutations import any_raw
from .registry import CORPUS, HARNESSES
from .run import summary

# What each must reach, or it tests nothing any more.
REACHED = {
    "container": {"whole", "damaged", "lost chunks", "refused", "unsupported"},
    "payloads": {
        f"{layer} {outcome}"
        for layer in ("header", "chunk", "index", "packets", "title", "body")
        for outcome in ("parsed", "damaged")
    }
    | {"header unsupported", "chunk unsupported", "body unsupported"},
    "range_coder": {"decoded", "damaged", "no words"},
    "symbols": {"decoded", "zero", "damaged", "unsupported"},
    "priors": {"decoded", "zero", "damaged", "too bright"},
    "codes": {
        f"{layer} {outcome}"
        for layer in ("scene_code", "title", "filter")
        for outcome in ("parsed", "BitstreamError")
    },
    "procedural": {"played", "unplayable", "BitstreamError", "UnsupportedError"},
    "scenes": {
        f"{strategy} {outcome}"
        for strategy in (
            "classical",
            "hybrid_semantic",
            "semantic_latent",
            "i_frame_interpolation",
            "procedural",
        )
        for outcome in ("played", "BitstreamError")
    },
    "http": {"sought", "flowed", "OSError", "ConnectionError", "FileNotFoundError"},
}


@cache
def inputs(name: str) -> tuple[bytes, ...]:
    kept = sorted((CORPUS / name).iterdir())
    return (*HARNESSES[name].seeds(), *(path.read_bytes() for path in kept))


@pytest.mark.parametrize("name", HARNESSES)
def test_kept_inputs_break_no_promise(name: str) -> None:
    outcomes = {HARNESSES[name].run(data) for data in inputs(name)}
    assert outcomes >= REACHED[name]


@pytest.mark.parametrize("name", HARNESSES)
@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(choice=st.integers(0, 1 << 30), seed=st.integers(0, 1 << 30), times=st.integers(1, 3))
def test_mutated_inputs_break_no_promise(name: str, choice: int, seed: int, times: int) -> None:
    harness, random = HARNESSES[name], np.random.default_rng(seed)
    data = inputs(name)[choice % len(inputs(name))]
    for _ in range(times):
        data = harness.mutate(random, data, any_raw)[: harness.most_bytes]
    assert harness.run(data)


@pytest.mark.parametrize("name", HARNESSES)
@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_break_no_promise(name: str, data: bytes) -> None:
    assert HARNESSES[name].run(data)


def test_the_kept_corpus_is_small() -> None:
    sizes = {
        name: sum(path.stat().st_size for path in (CORPUS / name).iterdir()) for name in HARNESSES
    }
    assert max(sizes.values()) < 100_000
    assert sum(sizes.values()) < 300_000


def test_totals_are_read_off_the_fuzzers_log() -> None:
    log = "#12\tNEW    cov: 5 ft: 9 corp: 1/2b\n#300\tREDUCE cov: 7 ft: 21 corp: 3/9b\n"
    reached = {"executions": 300, "edges": 7, "features": 21, "slowest_seconds": 0}
    assert summary(log) == reached
    done = "stat::number_of_executed_units: 412\nstat::slowest_unit_time_sec:    2\n"
    assert summary(log + done) == reached | {"executions": 412, "slowest_seconds": 2}
    assert summary("killed") == dict.fromkeys(reached, 0)
