"""Training in exact arithmetic sees what the exact graph computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgecodec.decoder import build, spec
from edgecodec.encoder.training.fake_quant import int8_arithmetic
from edgecodec.export.check import make_probes, run_bytes, run_torch, to_levels
from edgecodec.export.graph import to_onnx
from edgecodec.export.quantization import Arithmetic, Recipe, preset, quantize, uint8_boundary
from edgecodec.export.sizes import Size

SIZE = Size(96, 64)


def random_network(name: str) -> torch.nn.Module:
    torch.manual_seed(5)
    network = build(name, "nano").eval()
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.normal_(std=0.02)
    return network


@pytest.mark.parametrize("name", ["generator_p", "generator_up"])
def test_a_network_in_it_gives_the_levels_of_its_exact_graph(name: str) -> None:
    described, network = spec(name, "nano"), random_network(name)
    recipe = Recipe(preset("cpu", Arithmetic.EXACT))
    qdq = quantize(to_onnx(network, described, SIZE), described, recipe)
    graph = uint8_boundary(qdq, described, recipe)
    for probe in make_probes(described, (SIZE,)):
        if "gain" in probe.inputs:
            # Twice the features: other gains bring products to ties, which floats break at random.
            probe.inputs["gain"][:] = 128
        on_device = run_bytes(graph, described, probe)
        with int8_arithmetic(network, Arithmetic.EXACT):
            inside = run_torch(network, described, probe)
        with int8_arithmetic(network):
            fast = run_torch(network, described, probe)
        for port in described.outputs:
            expected = on_device[port.name].astype(int)
            off = np.abs(to_levels(inside[port.name], port) - expected)
            assert off.max() <= 1
            assert (off > 0).mean() < 0.01
            assert off.mean() < np.abs(to_levels(fast[port.name], port) - expected).mean() / 10


def test_training_in_it_moves_the_float_weights_and_lowers_the_loss() -> None:
    network = random_network("iframe_decoder")
    latent = torch.randn(1, 64, 3, 3)
    target = torch.rand(1, 96, 6, 6)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    losses = []
    with int8_arithmetic(network, Arithmetic.EXACT):
        for _ in range(8):
            loss = (network(latent)[0] - target).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    weight = network.body[0].weight
    # Float again outside: no longer multiples of a step.
    steps = weight.detach() * 128
    assert not torch.allclose(steps, steps.round(), atol=1e-3)
