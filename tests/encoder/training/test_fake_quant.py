"""Training's arithmetic against the exported graphs'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from edgecodec.decoder import build, spec
from edgecodec.encoder.training.fake_quant import (
    int8_arithmetic,
    quantize_activation,
    quantize_residual,
)
from edgecodec.export import ExportOptions, export_networks
from edgecodec.export.check import make_probes, run_torch, to_levels
from edgecodec.export.quantization.recipe import Arithmetic
from edgecodec.export.sizes import Size
from edgecodec.runtime.models import read_models
from edgecodec.runtime.sessions import NetworkPool
from safetensors.torch import save_file

NAMES = ("generator_b", "enhancer")


def random_network(name: str) -> torch.nn.Module:
    torch.manual_seed(5)
    network = build(name, "nano").eval()
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.normal_(std=0.02)
    return network


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """INT8 graphs of random weights; onnxsim, which takes most of an export's time, left out."""
    folder = tmp_path_factory.mktemp("int8")
    weights = folder / "weights"
    weights.mkdir()
    for name in NAMES:
        save_file(random_network(name).state_dict(), weights / f"{name}-nano.safetensors")
    options = ExportOptions(
        folder / "models",
        networks=NAMES,
        weights=weights,
        size=Size(96, 64),
        arithmetic=Arithmetic.FAST,
        simplify=False,
        max_drop_db=None,
    )
    export_networks(options)
    return folder / "models"


@pytest.mark.parametrize("name", NAMES)
def test_inside_the_context_a_network_computes_what_its_int8_graph_does(
    exported: Path, name: str
) -> None:
    described = spec(name, "nano")
    network = random_network(name)
    entry = read_models(exported).network(name)
    graph = NetworkPool(threads=1, models=exported).network(entry.model_id)
    for probe in make_probes(described, (Size(96, 64),)):
        on_device = dict(
            zip([port.name for port in described.outputs], graph.run(probe.inputs), strict=True)
        )
        with int8_arithmetic(network):
            inside = run_torch(network, described, probe)
        outside = run_torch(network, described, probe)
        for port in described.outputs:
            simulated = to_levels(inside[port.name], port).astype(int)
            off = np.abs(simulated - on_device[port.name])
            # Within a grey level; residuals come in quarters of one.
            assert (off <= 4).mean() >= 0.999
            # Nearer than the float network: the arithmetic was really simulated.
            floats = to_levels(outside[port.name], port).astype(int)
            assert off.mean() < 0.7 * np.abs(floats - on_device[port.name]).mean()


@pytest.mark.parametrize("name", NAMES)
def test_the_float_weights_are_back_afterwards(name: str) -> None:
    network = random_network(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    parameters = dict(network.named_parameters())
    with int8_arithmetic(network):
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                weight = module.weight.detach()
                steps = weight / (weight.abs().amax(dim=(1, 2, 3), keepdim=True) / 127)
                assert torch.allclose(steps, steps.round(), atol=1e-3)
    after = network.state_dict()
    assert set(after) == set(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    # The same objects, or an optimiser would move weights that nobody uses.
    assert all(parameters[key] is value for key, value in network.named_parameters())
    assert not any(module._forward_hooks for module in network.modules())


def test_the_weights_are_restored_after_an_error_too() -> None:
    network = random_network("enhancer")
    before = network.stem.weight.clone()
    with pytest.raises(ZeroDivisionError), int8_arithmetic(network):
        raise ZeroDivisionError
    assert torch.equal(network.stem.weight, before)
    assert not hasattr(network.stem, "parametrizations")


def test_gradients_reach_the_float_weights() -> None:
    network = random_network("iframe_decoder")
    latent = torch.zeros(1, 64, 2, 2).normal_()
    with int8_arithmetic(network):
        frame, _ = network(latent)
        frame.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_levels_are_whole_and_clipped() -> None:
    x = torch.linspace(-1, 8, 1001)
    for quantize, scale, lowest in (
        (quantize_activation, 6 / 255, 0),
        (quantize_residual, 1 / 1020, -128),
    ):
        levels = quantize(x) / scale
        assert torch.allclose(levels, levels.round(), atol=1e-3)
        assert (levels.round().min(), levels.round().max()) == (lowest, lowest + 255)
        within = (x >= lowest * scale) & (x <= (lowest + 255) * scale)
        assert (quantize(x) - x)[within].abs().max() <= scale * 0.501
