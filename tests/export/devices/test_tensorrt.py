"""TensorRT's builder, really run, on a machine that needs no GPU."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from edgecodec import runtime
from edgecodec.decoder import load, network_names
from edgecodec.decoder.networks import spec
from edgecodec.export.devices import (
    TENSORRT_PROVIDER,
    build_engines,
    choose_capability,
    default_capabilities,
    find_tensorrt,
    known_capabilities,
    parse_capability,
    run_engine,
    run_provider,
    tensorrt,
)
from edgecodec.export.graph import to_onnx
from edgecodec.export.quantization import Recipe, layers, preset, quantize, uint8_boundary
from edgecodec.runtime.errors import ExportError, ProviderError, UnsupportedError

from .conftest import SIZE, Sample


def test_an_engine_is_built_for_every_capability(symmetric: Sample, tmp_path: Path) -> None:
    built = build_engines(symmetric.path, "conv", default_capabilities(), tmp_path)
    assert [a.device for a in built] == [f"sm{c}" for c in default_capabilities()]
    for artefact in built:
        assert artefact.compiled
        assert artefact.tool == find_tensorrt().tool
        assert artefact.file is not None
        data = (tmp_path / artefact.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == artefact.sha256
        assert len(data) == artefact.bytes
    assert len({artefact.sha256 for artefact in built}) == len(built)


def test_a_convolution_runs_in_int8_or_the_artefact_says_that_it_does_not(
    symmetric: Sample, tmp_path: Path
) -> None:
    for artefact in build_engines(symmetric.path, "conv", default_capabilities(), tmp_path):
        assert artefact.kernels is not None
        int8 = artefact.kernels.get("correlation Int8", 0)
        placement = artefact.placement(TENSORRT_PROVIDER)
        assert (int8 == 1) == (placement.percent == 100.0) == (artefact.message == "")
        assert int8 == 1 or "1 of 1 INT8 convolutions run in float" in artefact.message
        assert int8 == 1 or artefact.device != "sm86"


@pytest.mark.parametrize("name", network_names())
def test_every_network_becomes_an_engine_that_computes_in_int8(name: str, tmp_path: Path) -> None:
    network, recipe = spec(name, "nano"), Recipe(preset("tensorrt"))
    graph = to_onnx(load(name, "nano").module, network, SIZE)
    path = tmp_path / f"{name}.onnx"
    onnx.save(uint8_boundary(quantize(graph, network, recipe), network, recipe), path)
    (artefact,) = build_engines(path, name, ["86"], tmp_path)
    assert artefact.compiled
    assert (artefact.message, artefact.unsupported) == ("", ())
    assert artefact.kernels is not None
    assert artefact.kernels["correlation Int8"] == len(layers(graph))


def test_a_graph_for_the_cpu_is_refused_in_the_words_of_tensorrt(
    shipped: Callable[[str], Sample], tmp_path: Path
) -> None:
    (artefact,) = build_engines(shipped("enhancer").path, "enhancer", ["86"], tmp_path)
    assert not artefact.compiled
    assert artefact.unsupported
    assert "DequantizeLinear" in artefact.unsupported[0]
    assert "UINT8" in artefact.unsupported[0]
    assert list(tmp_path.iterdir()) == []


def test_a_capability_that_the_builder_has_not_is_refused(
    symmetric: Sample, tmp_path: Path
) -> None:
    (artefact,) = build_engines(symmetric.path, "conv", ["53"], tmp_path)
    assert not artefact.compiled
    assert "SM86" in artefact.message
    assert artefact.message.endswith("not for SM53")


def test_a_builder_that_takes_too_long_is_stopped(symmetric: Sample, tmp_path: Path) -> None:
    (artefact,) = build_engines(symmetric.path, "conv", ["86"], tmp_path, 0.01)
    assert not artefact.compiled
    assert "did not end within 0.01 s" in artefact.message
    assert list(tmp_path.iterdir()) == []


def test_plain_tensorrt_is_used_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    find = tensorrt.find_spec
    monkeypatch.setattr(
        tensorrt, "find_spec", lambda name: find("json" if name == "tensorrt" else "no_such_module")
    )
    library = find_tensorrt()
    assert (library.module, library.ahead_of_time) == ("tensorrt", False)


def test_plain_tensorrt_builds_for_no_gpu_that_is_not_there(
    symmetric: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = replace(find_tensorrt(), module="tensorrt", name="TensorRT", ahead_of_time=False)
    monkeypatch.setattr(tensorrt, "find_tensorrt", lambda: plain)
    monkeypatch.setattr(tensorrt, "present_capability", lambda: "90")
    (artefact,) = build_engines(symmetric.path, "conv", ["86"], tmp_path)
    assert not artefact.compiled
    assert "install tensorrt_rtx" in artefact.message


def test_without_a_name_an_engine_is_for_the_gpu_that_is_present(
    symmetric: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt, "present_capability", lambda: "89")
    (artefact,) = build_engines(symmetric.path, "conv", [], tmp_path)
    assert (artefact.device, artefact.compiled) == ("sm89", True)
    monkeypatch.setattr(tensorrt, "present_capability", lambda: None)
    with pytest.raises(UnsupportedError, match="no GPU to build an engine for"):
        build_engines(symmetric.path, "conv", [], tmp_path)


def test_tensorrt_that_is_not_installed_says_what_to_install(
    symmetric: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt, "find_spec", lambda name: None)
    with pytest.raises(ProviderError, match=r"pip install 'edgecodec\[tensorrt-rtx\]'"):
        build_engines(symmetric.path, "conv", ["86"], tmp_path)


@pytest.mark.parametrize(
    ("text", "capability"),
    [("86", "86"), ("8.6", "86"), ("sm86", "86"), ("SM_120", "120"), (" 12.0 ", "120")],
)
def test_capabilities_are_written_in_several_ways(text: str, capability: str) -> None:
    assert parse_capability(text) == capability


@pytest.mark.parametrize("text", ["", "8", "ada", "8.6.1", "sm", "-86"])
def test_what_is_no_capability_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedError, match="is no compute capability"):
        parse_capability(text)


def test_the_known_capabilities_are_those_of_the_builder() -> None:
    ask = "import tensorrt_rtx; print(*dir(tensorrt_rtx.ComputeCapability))"
    listed = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    names = {name for name in listed.stdout.split() if name.startswith("SM")}
    assert {f"SM{capability}" for capability in known_capabilities()} == names


def test_a_capability_that_is_not_known_is_refused_where_engines_are_built_ahead() -> None:
    library = replace(find_tensorrt(), ahead_of_time=True)
    assert choose_capability("8.6", library) == "86"
    with pytest.raises(UnsupportedError, match=r"999: known are 75, 80, 86, 89, 120, 121"):
        choose_capability("999", library)
    assert choose_capability("90", replace(library, ahead_of_time=False)) == "90"


def test_a_graph_of_any_size_is_refused_before_the_builder_sees_it(tmp_path: Path) -> None:
    dynamic = Path(runtime.__file__).parent / "networks" / "nano" / "enhancer.onnx"
    with pytest.raises(ExportError, match="no fixed shape"):
        build_engines(dynamic, "enhancer", ["86"], tmp_path)


def test_an_engine_that_cannot_run_here_says_why(symmetric: Sample, tmp_path: Path) -> None:
    broken = tmp_path / "broken.engine"
    broken.write_bytes(b"no engine")
    running = run_engine(find_tensorrt(), broken, symmetric.inputs, symmetric.expected, 1)
    assert running.milliseconds is None
    assert running.difference is None
    assert running.message


def test_a_provider_runs_and_is_compared(symmetric: Sample) -> None:
    running = run_provider(
        "CPUExecutionProvider", symmetric.path, symmetric.inputs, symmetric.expected, 2
    )
    assert running.message == ""
    assert running.milliseconds is not None
    assert running.milliseconds > 0
    assert running.difference is not None
    assert running.difference.identical


def test_a_provider_that_is_not_there_is_not_replaced_by_another(symmetric: Sample) -> None:
    running = run_provider("NoExecutionProvider", symmetric.path, symmetric.inputs, {}, 1)
    assert running.milliseconds is None
    assert "this build of ONNX Runtime has only" in running.message
