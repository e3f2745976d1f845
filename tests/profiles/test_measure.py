from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from edgecodec.profiles import MeasureOptions, TimedNetwork, measure, measure_apart
from edgecodec.profiles.layer_timing import layer_timings
from edgecodec.profiles.memory import resident_bytes
from edgecodec.profiles.providers import chosen_providers, is_simulated, measure_networks
from edgecodec.runtime.errors import ModelError, ProviderError

SHAPES = {
    "prev": (1, 24, 8, 16),
    "cur": (1, 24, 8, 16),
    "next": (1, 24, 8, 16),
    "condition": (1, 2, 8, 16),
    "gain": (1, 64, 1, 1),
    "bias": (1, 64, 1, 1),
}
QUICK = MeasureOptions(runs=3, warmup=1, threads=1)


@pytest.fixture
def enhancer(models: Path) -> TimedNetwork:
    return TimedNetwork("enhancer", models / "enhancer.onnx", SHAPES)


def test_apart_tells_times_placement_memory_and_kernels(enhancer: TimedNetwork) -> None:
    result = measure_apart(enhancer.file, enhancer.input_shapes, QUICK)
    timing = result.timing
    assert 0 < timing.fastest_ms <= timing.p50_ms <= timing.p90_ms <= timing.p99_ms
    assert (timing.runs, timing.provider, timing.simulated) == (3, "CPUExecutionProvider", False)
    assert result.placement is not None
    assert result.placement.percent == 100.0
    assert {layer.op for layer in result.layers} >= {"Concat"}
    assert any("Conv" in layer.op for layer in result.layers)
    assert [layer.ms for layer in result.layers] == sorted(
        (layer.ms for layer in result.layers), reverse=True
    )
    if resident_bytes() is not None:
        assert result.peak_memory_bytes is not None
        assert result.peak_memory_bytes > 80_000 * 4  # the weights at least


def test_apart_and_here_agree_on_what_they_measure(enhancer: TimedNetwork) -> None:
    here = measure(enhancer.file, enhancer.input_shapes, QUICK)
    apart = measure_apart(enhancer.file, enhancer.input_shapes, QUICK)
    assert here.placement == apart.placement
    assert {layer.name for layer in here.layers} == {layer.name for layer in apart.layers}


def test_errors_of_the_other_process_are_those_of_this_one(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x07not protobuf")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        measure_apart(broken, {}, QUICK)
    with pytest.raises(ProviderError, match="NoSuch"):
        measure_apart(broken, {}, MeasureOptions(provider="NoSuch"))


def test_a_process_that_dies_is_a_provider_error(enhancer: TimedNetwork) -> None:
    wrong = {"prev": SHAPES["prev"]}
    with pytest.raises(ProviderError, match=r"the process that measured enhancer.*KeyError"):
        measure_apart(enhancer.file, wrong, QUICK)


_HOLDING = """
from edgecodec.profiles.memory import peak_bytes, resident_bytes
before, peak = resident_bytes(), peak_bytes()
held = bytearray(64_000_000)
held[::4096] = bytes([1]) * len(held[::4096])
print(before, peak, resident_bytes(), peak_bytes())
"""


def test_memory_grows_with_what_is_held() -> None:
    # In a process of its own: what other tests held may be given back meanwhile.
    done = subprocess.run([sys.executable, "-c", _HOLDING], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    if "None" in words:
        assert set(words) == {"None"}  # all or none: not Linux
        return
    before, peak, after, now = map(int, words)
    assert after - before > 50_000_000
    assert now >= max(peak, after)


def test_kernels_are_medians_and_sorted(tmp_path: Path) -> None:
    def event(name: str, us: int) -> dict[str, object]:
        return {"cat": "Node", "name": name, "dur": us, "args": {"op_name": "Conv"}}

    file = tmp_path / "profile.json"
    events = [
        {"cat": "Session", "name": "model_run", "dur": 9000},
        *(event("a_kernel_time", us) for us in (1000, 2000, 9000)),
        *(event("b_kernel_time", us) for us in (3000, 3000, 3000)),
        event("a_fence_before", 5),
    ]
    file.write_text(json.dumps(events))
    first, second = layer_timings(file)
    assert (first.name, first.ms) == ("b", pytest.approx(3.0))
    assert (second.name, second.ms) == ("a", pytest.approx(2.0))


def test_providers_that_do_not_load_are_named_with_the_reason(enhancer: TimedNetwork) -> None:
    measured = measure_networks([enhancer], ["auto"], QUICK)
    ran = {each.timing.provider for each in measured.networks["enhancer"]}
    assert "CPUExecutionProvider" in ran
    for name in ("cuda", "tensorrt", "openvino", "qnn"):
        provider = [each for each in ran if each.lower().startswith(name)]
        assert bool(provider) != (name in measured.missing)
    assert all(measured.missing.values())


def test_a_provider_that_was_named_must_load(enhancer: TimedNetwork) -> None:
    missing = measure_networks([enhancer], ["auto"], QUICK).missing
    absent = [name for name in missing if not is_simulated(name)]
    for name in absent[:1]:
        with pytest.raises(ProviderError, match=name):
            measure_networks([enhancer], ["cpu", name], QUICK)
    with pytest.raises(ProviderError, match=r"abacus.*known are auto, all, cpu"):
        chosen_providers(["abacus"])


def test_lists_of_providers() -> None:
    assert chosen_providers(["cpu"]) == ("cpu",)
    assert chosen_providers(["openvino", "cpu", "openvino"]) == ("openvino", "cpu")
    assert set(chosen_providers(["auto", "qnn"])) == set(chosen_providers(["all"]))
    assert all(not is_simulated(name) for name in chosen_providers(["auto"]))


def test_progress_names_network_and_provider(enhancer: TimedNetwork) -> None:
    heard: list[tuple[float, str]] = []
    measure_networks([enhancer], ["cpu"], QUICK, lambda done, what: heard.append((done, what)))
    assert heard == [(0.0, "enhancer on cpu")]
