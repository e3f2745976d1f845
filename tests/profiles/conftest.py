from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from edgecodec.decoder.networks import PER_SCENE, PortSpec, build, network_names, spec
from edgecodec.export.sizes import Size, port_shape

TIER = "nano"


def export_onnx(name: str, file: Path) -> None:
    """Network `name` as a float graph whose height and width are dynamic."""
    network = spec(name, TIER)
    size = Size(128, 64)
    inputs = tuple(torch.zeros(port_shape(port, network, size)) for port in network.inputs)
    base = max(port.stride for port in network.inputs)
    height, width = torch.export.Dim("h", min=1, max=512), torch.export.Dim("w", min=1, max=512)

    def axes(p: PortSpec) -> dict[int, object]:
        if p.stride == PER_SCENE:
            return {}
        if p.stride == base:
            return {2: height, 3: width}
        return {2: (base // p.stride) * height, 3: (base // p.stride) * width}

    dims = tuple(axes(p) for p in network.inputs)
    module = build(name, TIER).eval()
    # The exporter drops a bias of zeros, which the enhancer's head starts with.
    torch.nn.utils.vector_to_parameters(
        torch.nn.utils.parameters_to_vector(module.parameters()) + 0.01, module.parameters()
    )
    variadic = name in ("generator_p", "generator_b")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            inputs,
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=[port.name for port in network.inputs],
            output_names=[port.name for port in network.outputs],
            dynamic_shapes=(dims,) if variadic else dims,
        )
    assert program is not None
    program.save(str(file))


def port(p: PortSpec) -> dict[str, object]:
    return {
        "name": p.name,
        "shape": [1, p.channels, *((1, 1) if p.stride == PER_SCENE else (None, None))],
        "stride": p.stride,
        "scale": p.scale,
        "zero_point": p.zero_point,
    }


def write_manifest(folder: Path, names: tuple[str, ...]) -> None:
    """A manifest with what a profile reads, for graphs of any size."""
    networks = []
    for name in names:
        file = folder / f"{name}.onnx"
        network = spec(name, TIER)
        networks.append(
            {
                "name": name,
                "file": file.name,
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "model_id": "0123456789abcdef",
                "inputs": [port(p) for p in network.inputs],
                "outputs": [port(p) for p in network.outputs],
            }
        )
    manifest = {"format": 1, "target": "cpu", "tier": TIER, "size": None, "networks": networks}
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The nano networks with fresh weights, as float graphs, and their manifest."""
    folder = tmp_path_factory.mktemp("models")
    for name in network_names():
        export_onnx(name, folder / f"{name}.onnx")
    write_manifest(folder, network_names())
    return folder


@pytest.fixture(scope="session")
def enhancer_only(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of those networks, for what takes long."""
    folder = tmp_path_factory.mktemp("enhancer")
    shutil.copy(models / "enhancer.onnx", folder)
    write_manifest(folder, ("enhancer",))
    return folder
