"""Qualcomm's compiler and its simulator, really run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime as ort
import pytest
from edgecodec import runtime
from edgecodec.decoder import network_names
from edgecodec.export.devices import QNN_PROVIDER, Soc, compile_qnn, find_soc, qnn
from edgecodec.runtime.errors import ExportError, ProviderError

from .conftest import Sample

# The fast preset may differ by a step where a sum falls between two, and layers add up. A graph
# that was compiled into something else is tens of steps away everywhere.
_LARGEST_MEAN = 0.5


@pytest.mark.parametrize("network", network_names())
def test_every_network_compiles_wholly_and_runs_in_the_simulator(
    network: str, shipped: Callable[[str], Sample], tmp_path: Path
) -> None:
    given = shipped(network)
    artefact = compile_qnn(
        given.path, network, find_soc("8gen3"), tmp_path, given.inputs, given.expected
    )
    assert artefact.message == ""
    assert artefact.compiled
    assert artefact.unsupported == ()
    assert list(artefact.nodes) == [QNN_PROVIDER]
    assert artefact.kernels is not None
    assert artefact.kernels["Conv2d"] > 0
    assert artefact.difference is not None
    assert artefact.difference.mean < _LARGEST_MEAN
    assert artefact.file is not None
    data = (tmp_path / artefact.file).read_bytes()
    assert hashlib.sha256(data).hexdigest() == artefact.sha256
    assert len(data) == artefact.bytes


@pytest.mark.parametrize("name", ["8gen1", "8gen2", "x-elite", "8elite", "8elite-gen5", "qcs6490"])
def test_a_context_binary_says_that_it_is_for_the_chip_that_was_asked_for(
    name: str, shipped: Callable[[str], Sample], tmp_path: Path
) -> None:
    given = shipped("enhancer")
    soc = find_soc(name)
    artefact = compile_qnn(given.path, "enhancer", soc, tmp_path, None, None)
    assert artefact.compiled, artefact.message
    assert artefact.built_for == f"{soc.part} v{soc.arch}"
    assert artefact.difference is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [artefact.wrapper, artefact.file]


def test_the_wrapper_names_the_binary_beside_it(
    shipped: Callable[[str], Sample], tmp_path: Path
) -> None:
    artefact = compile_qnn(
        shipped("enhancer").path, "enhancer", find_soc("8gen2"), tmp_path, None, None
    )
    assert artefact.wrapper is not None
    (node,) = onnx.load(tmp_path / artefact.wrapper).graph.node
    assert node.op_type == "EPContext"
    names = {a.name: a.s.decode() for a in node.attribute}
    assert names["ep_cache_context"] == artefact.file


def test_a_number_of_another_chip_is_noticed(
    shipped: Callable[[str], Sample], tmp_path: Path
) -> None:
    wrong = Soc("8gen3", "SM8650", find_soc("8gen2").soc_model, 75)
    artefact = compile_qnn(shipped("enhancer").path, "enhancer", wrong, tmp_path, None, None)
    assert not artefact.compiled
    assert artefact.message.endswith("for SM8550, not for SM8650")
    assert list(tmp_path.iterdir()) == []


def test_an_operator_that_the_chip_has_not_is_named(with_erf: Path, tmp_path: Path) -> None:
    artefact = compile_qnn(with_erf, "erf", find_soc("8gen3"), tmp_path, None, None)
    assert not artefact.compiled
    (line,) = artefact.unsupported
    assert line.startswith("Erf 'the_erf': ")
    assert artefact.placement(QNN_PROVIDER).percent == 0.0
    assert "fallback to CPU EP has been explicitly disabled" in artefact.message
    assert list(tmp_path.iterdir()) == []


def test_a_compiler_that_takes_too_long_is_stopped(
    shipped: Callable[[str], Sample], tmp_path: Path
) -> None:
    artefact = compile_qnn(
        shipped("enhancer").path, "enhancer", find_soc("8gen3"), tmp_path, None, None, 0.01
    )
    assert not artefact.compiled
    assert "did not end within 0.01 s" in artefact.message
    assert list(tmp_path.iterdir()) == []


def test_a_binary_that_does_not_run_is_not_kept(
    shipped: Callable[[str], Sample], tmp_path: Path
) -> None:
    given = shipped("enhancer")
    wrong = {name: array[:, :1] for name, array in given.inputs.items()}
    artefact = compile_qnn(
        given.path, "enhancer", find_soc("8gen3"), tmp_path, wrong, given.expected
    )
    assert not artefact.compiled
    assert artefact.message.startswith("in the simulator: ")
    assert list(tmp_path.iterdir()) == []


def test_a_graph_of_any_size_is_refused_before_the_compiler_sees_it(tmp_path: Path) -> None:
    dynamic = Path(runtime.__file__).parent / "networks" / "nano" / "enhancer.onnx"
    with pytest.raises(ExportError, match=r"'prev' has no fixed shape.*--size"):
        compile_qnn(dynamic, "enhancer", find_soc("8gen3"), tmp_path, None, None)


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("no graph", "utf-8")
    with pytest.raises(ExportError, match=r"text\.onnx is no ONNX file"):
        compile_qnn(path, "text", find_soc("8gen3"), tmp_path, None, None)


def test_a_compiler_that_is_not_installed_says_what_to_install(
    shipped: Callable[[str], Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shipped("enhancer").path
    monkeypatch.setattr(qnn, "find_spec", lambda name: None)
    with pytest.raises(ProviderError, match=r"pip install 'edgecodec\[qnn\]'"):
        compile_qnn(path, "enhancer", find_soc("8gen3"), tmp_path, None, None)


def test_the_compiler_leaves_this_process_alone(
    shipped: Callable[[str], Sample], tmp_path: Path
) -> None:
    compile_qnn(shipped("enhancer").path, "enhancer", find_soc("8gen3"), tmp_path, None, None)
    assert QNN_PROVIDER not in {device.ep_name for device in ort.get_ep_devices()}
