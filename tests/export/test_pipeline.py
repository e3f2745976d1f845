"""The export as a whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from edgecodec.decoder import build, load, network_names, spec
from edgecodec.decoder.networks import PER_SCENE
from edgecodec.export import (
    Arithmetic,
    ExportOptions,
    LossSample,
    Manifest,
    Placement,
    Precision,
    Progress,
    Size,
    base_samples,
    export_networks,
    plan_export,
)
from edgecodec.export.graph_id import graph_id
from edgecodec.export.placement import measure_placement, require_integer_kernels
from edgecodec.export.sessions import open_session
from edgecodec.export.sizes import port_shape
from edgecodec.runtime.errors import ExportError, GateError, ModelError, UnsupportedError
from edgecodec.runtime.models import read_models
from edgecodec.runtime.template import read_template
from safetensors.torch import save_file
from torch import nn

Texture = Callable[[Path, int, tuple[int, int]], Path]

REFERENCES = ("iframe_decoder", "generator_p", "generator_b")
BYTE_MOVERS = {"Transpose", "DepthToSpace"}
CONVOLUTIONS = {
    "iframe_decoder": 5,
    "generator_p": 7,
    "generator_b": 7,
    "generator_up": 4,
    "enhancer": 4,
}


@pytest.mark.parametrize("name", network_names())
def test_every_kernel_of_the_optimised_graph_is_an_integer_one(
    exported: tuple[Path, Manifest], tmp_path: Path, name: str
) -> None:
    folder, _ = exported
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    ort.InferenceSession(folder / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
    graph = onnx.load(tmp_path / "optimised.onnx").graph
    kernels = Counter(node.op_type for node in graph.node)
    assert kernels["QLinearConv"] == CONVOLUTIONS[name]
    assert {op for op in kernels if not op.startswith("QLinear")} <= BYTE_MOVERS
    # Whatever a node reads that is neither a scale nor stored in it is an integer tensor.
    floats = {i.name for i in graph.initializer if i.data_type == onnx.TensorProto.FLOAT}
    assert all(np.prod(i.dims) <= 384 for i in graph.initializer if i.name in floats)


@pytest.mark.parametrize("name", network_names())
def test_int8_follows_float_at_a_size_of_its_own(
    exported: tuple[Path, Manifest], name: str
) -> None:
    folder, _ = exported
    network = spec(name, "nano")
    random = np.random.default_rng(5)
    inputs = {
        port.name: random.integers(
            port.zero_point - 24 if port.zero_point else 0,
            port.zero_point + 24 if port.zero_point else 256,
            port_shape(port, network, Size(80, 48)),
        ).astype(np.uint8)
        for port in network.inputs
    }
    real = {
        port.name: ((inputs[port.name].astype(np.float32) - port.zero_point) * port.scale).astype(
            np.float32
        )
        for port in network.inputs
    }
    names = [port.name for port in network.outputs]
    int8 = open_session(folder / f"{name}.onnx", name).run(names, inputs)
    fp32 = open_session(folder / f"{name}.fp32.onnx", name).run(names, real)
    for port, actual, expected in zip(network.outputs, int8, fp32, strict=True):
        assert actual.dtype == np.uint8
        levels = np.clip(np.rint(expected / port.scale) + port.zero_point, 0, 255)
        assert levels.std() > 1
        # Levels of a residual are quarters of a grey level.
        assert np.abs(actual - levels).mean() < (2 if port.name == "residual_out" else 1)


def test_the_manifest_says_what_the_folder_holds(
    exported: tuple[Path, Manifest], weights: Path
) -> None:
    folder, manifest = exported
    assert (manifest.target, manifest.precision, manifest.tier) == ("cpu", "int8", "nano")
    assert (manifest.size, manifest.arithmetic) == (None, "by network")
    assert manifest.measured_on.clips == ("synthetic",)
    assert manifest.tools.keys() >= {"torch", "onnx", "onnxruntime"}
    assert [network.name for network in manifest.networks] == list(network_names())
    for entry in manifest.networks:
        data = (folder / entry.file).read_bytes()
        assert entry.sha256 == hashlib.sha256(data).hexdigest()
        trained = load(entry.name, "nano", weights / f"{entry.name}-nano.safetensors")
        exact = entry.name in REFERENCES
        arithmetic = Arithmetic.EXACT if exact else Arithmetic.FAST
        assert (entry.arithmetic, entry.rounding) == (arithmetic.value, "nearest")
        assert entry.model_id == graph_id(trained.model_id, arithmetic)
        assert entry.parameters == sum(p.numel() for p in trained.module.parameters())
        assert entry.drop_db is None
        assert entry.psnr_int8 is not None
        assert entry.placement.percent == 100
        assert entry.placement.nodes["CPUExecutionProvider"] > CONVOLUTIONS[entry.name]

        session = open_session(folder / entry.file, entry.file)
        assert session.get_modelmeta().custom_metadata_map == {
            "edgecodec.network": entry.name,
            "edgecodec.tier": "nano",
            "edgecodec.model_id": entry.model_id,
        }
        tensors = (*session.get_inputs(), *session.get_outputs())
        for port, tensor in zip((*entry.inputs, *entry.outputs), tensors, strict=True):
            assert port.name == tensor.name
            assert tensor.type == "tensor(uint8)"
            once = port.stride == PER_SCENE
            assert port.shape == (1, tensor.shape[1], *((1, 1) if once else (None, None)))


def test_networks_that_adapt_have_their_integers_beside_them(
    exported: tuple[Path, Manifest],
) -> None:
    folder, manifest = exported
    written = json.loads((folder / "manifest.json").read_text())["networks"]
    for entry, data in zip(manifest.networks, written, strict=True):
        if entry.name not in ("enhancer", "generator_up"):
            assert entry.template is None
            assert "template" not in data
            continue
        assert entry.template is not None
        assert data["template"] == {
            "file": f"{entry.name}.template.npz",
            "sha256": hashlib.sha256((folder / entry.template.file).read_bytes()).hexdigest(),
        }
        graph = onnx.load(folder / entry.file).graph
        initializers = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
        module = build(entry.name, "nano")
        layers = [name for name, part in module.named_modules() if isinstance(part, nn.Conv2d)]
        parts = [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]
        with np.load(folder / entry.template.file, allow_pickle=False) as arrays:
            assert arrays.files == [
                f"{part}_quantized{suffix}" for part in parts for suffix in ("", ".scale")
            ]
            for part in parts:
                integers, scale = (arrays[f"{part}_quantized{s}"] for s in ("", ".scale"))
                assert integers.dtype == (np.int8 if part.endswith("weight") else np.int32)
                np.testing.assert_array_equal(integers, initializers[f"{part}_quantized"])
                assert (scale.dtype, scale.shape) == (np.float32, integers.shape[:1])
                np.testing.assert_array_equal(scale, initializers[f"{part}_scale"])


def test_the_manifest_reads_as_it_was_written(exported: tuple[Path, Manifest]) -> None:
    folder, manifest = exported
    assert Manifest.load(folder) == manifest
    players = {entry.name: entry for entry in read_models(folder).networks}
    for network in manifest.networks:
        if network.template is not None:
            template = read_template(players[network.name])
            assert [t.values.size for t in template.tensors][-1] == 24


def test_the_same_weights_give_the_same_bytes(
    exported: tuple[Path, Manifest],
    weights: Path,
    tmp_path: Path,
) -> None:
    folder, manifest = exported
    options = ExportOptions(
        tmp_path / "again",
        networks=("generator_p", "enhancer"),
        weights=weights,
        simplify=False,
        max_drop_db=None,
    )
    again = export_networks(options).networks
    first = {network.name: network for network in manifest.networks}
    assert [network.sha256 for network in again] == [first[n.name].sha256 for n in again]
    made = sorted(p.name for p in (tmp_path / "again").iterdir())
    assert made == ["enhancer.onnx", "enhancer.template.npz", "generator_p.onnx", "manifest.json"]
    for name in made[:-1]:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@pytest.fixture(scope="module")
def fixed_size(
    weights: Path,
    moving_texture: Texture,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ExportOptions, list[LossSample], list[Progress]]:
    """The enhancer at 70x50, measured on a clip that is wider and less high."""
    folder = tmp_path_factory.mktemp("fixed")
    samples = base_samples("enhancer", [moving_texture(folder / "clip.mp4", 12, (96, 48))])
    options = ExportOptions(
        folder / "models",
        networks=("enhancer",),
        size=Size(70, 50),
        weights=weights,
        simplify=False,
        max_drop_db=1.0,
    )
    seen: list[Progress] = []
    export_networks(options, lambda network: samples, seen.append)
    return options, samples, seen


def test_a_fixed_size_is_padded_to_whole_blocks(
    fixed_size: tuple[ExportOptions, list[LossSample], list[Progress]],
) -> None:
    options, _, _ = fixed_size
    manifest = Manifest.load(options.directory)
    (entry,) = manifest.networks
    assert manifest.size == Size(70, 50)
    assert [port.shape for port in entry.outputs] == [(1, 24, 13, 18)]
    session = open_session(options.directory / entry.file, entry.file)
    assert [tuple(i.shape) for i in session.get_inputs()] == [p.shape for p in entry.inputs]


def test_real_samples_give_a_loss(
    fixed_size: tuple[ExportOptions, list[LossSample], list[Progress]],
) -> None:
    options, samples, _ = fixed_size
    manifest = Manifest.load(options.directory)
    (entry,) = manifest.networks
    assert manifest.measured_on.clips == ("clip",)
    assert manifest.measured_on.frames == entry.frames == len(samples)
    assert entry.drop_db is not None
    assert entry.psnr_fp32 is not None
    assert entry.psnr_int8 is not None
    assert entry.clips[0].drop_db == entry.drop_db
    assert 10 < entry.psnr_int8 < 60


def test_progress_names_every_stage_and_ends_before_one(
    fixed_size: tuple[ExportOptions, list[LossSample], list[Progress]],
) -> None:
    options, _, seen = fixed_size
    (planned,) = plan_export(options)
    assert [p.stage for p in seen if not p.note] == list(planned.stages)
    fractions = [p.done for p in seen]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] < 1


def test_a_loss_above_the_gate_is_published_only_on_demand(
    weights: Path, exported: tuple[Path, Manifest], tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    frame = random.integers(0, 256, (1, 24, 8, 8), dtype=np.uint8)
    base = random.integers(0, 1024, frame.shape, dtype=np.uint16)
    condition = np.zeros((1, 2, 8, 8), np.uint8)

    def samples(network: str) -> Sequence[LossSample]:
        inputs = {"prev": frame, "cur": frame, "next": frame, "condition": condition}
        # The source is what float gives, so any rounding of INT8 is a loss.
        real = {n: a.astype(np.float32) / np.float32(255) for n, a in inputs.items()}
        code = np.ones((1, 64, 1, 1), np.float32)
        session = open_session(exported[0] / "enhancer.fp32.onnx", "enhancer")
        (fp32,) = session.run(["residual_out"], real | {"gain": code, "bias": 0 * code})
        residual = np.clip(np.rint(fp32 * (4 * 255)), -128, 127)
        source = (np.clip(base + residual, 0, 1023).astype(np.uint16) + 2) >> 2
        target = np.minimum(source, 255).astype(np.uint8)
        return [LossSample("exact", inputs, target, base)]

    kept = ExportOptions(
        tmp_path / "models",
        networks=("enhancer",),
        weights=weights,
        simplify=False,
        max_drop_db=0.01,
        keep_failed=True,
    )
    message = r"enhancer loses \d+\.\d+ dB; the export was kept in"
    with pytest.raises(GateError, match=message):
        export_networks(kept, samples)
    (entry,) = Manifest.load(tmp_path / "models").networks
    assert entry.psnr_fp32 == 100
    assert entry.drop_db is not None
    assert entry.drop_db > 0.01


def test_a_gate_that_only_synthetic_inputs_passed_publishes_nothing(
    weights: Path, tmp_path: Path
) -> None:
    options = ExportOptions(
        tmp_path / "models", networks=("enhancer",), weights=weights, simplify=False, max_drop_db=9
    )
    message = r"enhancer was measured on synthetic inputs only .*nothing was written"
    with pytest.raises(GateError, match=message):
        export_networks(options)
    assert list(tmp_path.iterdir()) == []


def test_without_int8_the_graphs_are_float_and_lose_nothing(weights: Path, tmp_path: Path) -> None:
    options = ExportOptions(
        tmp_path / "models",
        networks=("enhancer",),
        size=Size(32, 32),
        weights=weights,
        simplify=False,
        precision=Precision.FP32,
    )
    manifest = export_networks(options)
    (entry,) = manifest.networks
    assert manifest.precision == "fp32"
    assert entry.drop_db == 0
    session = open_session(tmp_path / "models" / entry.file, entry.file)
    assert {i.type for i in session.get_inputs()} == {"tensor(float)"}


def test_the_plan_makes_nothing(weights: Path, tmp_path: Path) -> None:
    options = ExportOptions(tmp_path / "models", size=Size(64, 64), weights=weights)
    planned = plan_export(options)
    assert [network.file for network in planned] == [f"{n}.onnx" for n in network_names()]
    assert planned[-1].inputs[0].shape == (1, 24, 16, 16)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("tier", "target", "networks", "error", "message"),
    [
        ("nano", "toaster", (), UnsupportedError, "exports for cpu, openvino, tensorrt, qnn"),
        ("nano", "qnn", (), UnsupportedError, "needs a fixed size"),
        ("max", "cpu", (), UnsupportedError, "nano, edge"),
        ("nano", "cpu", ("decoder",), UnsupportedError, "known are iframe_decoder"),
        ("edge", "cpu", (), ModelError, "has nano .*enhancer"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(
    weights: Path,
    tmp_path: Path,
    tier: str,
    target: str,
    networks: tuple[str, ...],
    error: type[Exception],
    message: str,
) -> None:
    options = ExportOptions(
        tmp_path / "models", tier=tier, target=target, networks=networks, weights=weights
    )
    with pytest.raises(error, match=message):
        export_networks(options)


def test_a_network_that_was_not_trained_is_named(weights: Path, tmp_path: Path) -> None:
    some = tmp_path / "some"
    some.mkdir()
    shutil.copy(weights / "enhancer-nano.safetensors", some)
    options = ExportOptions(tmp_path / "models", networks=("generator_b",), weights=some)
    with pytest.raises(ModelError, match=r"generator_b .*has nano \(enhancer\)"):
        plan_export(options)
    assert [n.name for n in plan_export(ExportOptions(tmp_path / "models", weights=some))] == [
        "enhancer"
    ]


@pytest.mark.parametrize("source", [None, "generator_p-nano.safetensors"])
def test_a_file_that_does_not_hold_the_weights_is_named(
    weights: Path, tmp_path: Path, source: str | None
) -> None:
    file = tmp_path / "enhancer-nano.safetensors"
    file.write_bytes((weights / source).read_bytes() if source else b"not safetensors")
    with pytest.raises(ModelError, match=r"enhancer-nano\.safetensors"):
        export_networks(ExportOptions(tmp_path / "models", weights=tmp_path))
    assert list(tmp_path.iterdir()) == [file]


def test_weights_that_are_not_numbers_are_named(tmp_path: Path) -> None:
    tensors = build("enhancer", "nano").state_dict()
    tensors["stem.weight"][0] = float("nan")
    save_file(tensors, tmp_path / "enhancer-nano.safetensors")
    with pytest.raises(ModelError, match=r"stem\.weight holds NaN"):
        export_networks(ExportOptions(tmp_path / "models", weights=tmp_path))


def test_float_kernels_are_reported_and_refused(exported: tuple[Path, Manifest]) -> None:
    folder, _ = exported
    placement = measure_placement(folder / "enhancer.fp32.onnx", "CPUExecutionProvider")
    with pytest.raises(ExportError, match=r"enhancer: .*float kernels.*Conv"):
        require_integer_kernels("enhancer", placement)


def test_integer_kernels_pass() -> None:
    kernels = {"QLinearConv": 4, "QLinearAdd": 1, "Transpose": 2, "DepthToSpace": 1}
    placement = Placement("CPUExecutionProvider", {"CPUExecutionProvider": 9}, 100.0, kernels)
    require_integer_kernels("enhancer", placement)
