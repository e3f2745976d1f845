"""The torch network that codes and weights are searched with computes what players compute."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgecodec.decoder.networks import GAIN_SCALE, PIXEL_SCALE, RELU6_SCALE, RESIDUAL_SCALE
from edgecodec.encoder.device_network import device_network
from edgecodec.runtime.errors import BitstreamError, ModelError
from edgecodec.runtime.models import ModelEntry, packaged_models, read_models
from edgecodec.runtime.scene_code import SceneCode
from edgecodec.runtime.sessions import NetworkPool
from edgecodec.runtime.template import read_template
from edgecodec.runtime.title import TensorDelta, TitleWeights, fit_table


def entry_of(name: str) -> ModelEntry:
    return read_models(packaged_models("nano")).network(name)


def title_of(entry: ModelEntry) -> TitleWeights:
    """Every integer of the network a little off, but for a layer of zeros."""
    random = np.random.default_rng(3)
    deltas = []
    for tensor in read_template(entry).tensors:
        # Zeros have a scale of 1: a step there is the whole range.
        most = 2 if tensor.values.any() else 0
        symbols = random.integers(-most, most + 1, tensor.values.size).astype(np.int8)
        step = 0 if tensor.values.dtype == np.int8 else 9
        deltas.append(TensorDelta(step, fit_table(symbols), symbols))
    return TitleWeights(entry.model_id, tuple(deltas))


@pytest.mark.parametrize("name", ["enhancer", "generator_up"])
@pytest.mark.parametrize("own", [False, True], ids=["generic", "titled"])
def test_residuals_are_those_of_the_player(name: str, own: bool) -> None:
    entry = entry_of(name)
    title = title_of(entry) if own else None
    random = np.random.default_rng(5)
    channels = entry.input("gain").shape[1]
    assert channels is not None
    code = SceneCode(
        tuple(random.integers(40, 90, channels).tolist()),
        tuple(random.integers(110, 146, channels).tolist()),
    )
    inputs = {
        port.name: random.integers(0, 256, (1, port.shape[1], 12, 16), np.uint8)
        for port in entry.inputs
        if port.name not in ("gain", "bias")
    }
    network = NetworkPool("cpu", 1).network(entry.model_id, title)
    (played,) = network.run(inputs | code.ports())
    module = device_network(entry, title)
    with torch.inference_mode():
        real = [torch.from_numpy(each).float() * PIXEL_SCALE for each in inputs.values()]
        levels = [torch.from_numpy(each).float() for each in code.ports().values()]
        gain, bias = levels[0] * GAIN_SCALE, (levels[1] - 128) * RELU6_SCALE
        residual = module(*real, gain, bias).numpy() / RESIDUAL_SCALE + 128
    difference = np.abs(residual.round().clip(0, 255) - played)
    # Rounding to the nearest of two may go either way.
    assert difference.max() <= 2
    assert (difference == 0).mean() > 0.98


def test_it_is_not_trained_by_accident() -> None:
    module = device_network(entry_of("enhancer"))
    assert not module.training
    assert not any(each.requires_grad for each in module.parameters())


def test_a_network_that_takes_no_code_is_refused() -> None:
    with pytest.raises(ModelError, match="generator_p"):
        device_network(entry_of("generator_p"))


def test_weights_that_do_not_fit_are_refused() -> None:
    entry = entry_of("enhancer")
    short = TitleWeights(entry.model_id, title_of(entry).deltas[:-1])
    with pytest.raises(BitstreamError):
        device_network(entry, short)
