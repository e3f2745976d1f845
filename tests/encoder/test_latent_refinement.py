"""Descent through the decoder: never dearer, the same every time, for any size."""

from __future__ import annotations

import pytest
import torch
from edgecodec.decoder import IFrameDecoder, load
from edgecodec.encoder.analysis import load_analysis
from edgecodec.encoder.analysis_weights import weights_path
from edgecodec.encoder.latent_refinement import refined
from edgecodec.encoder.training.iframe import distortion, price_of_bits
from edgecodec.encoder.training.rate import bits
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.latents import step_size
from edgecodec.runtime.packing import pack
from torch.nn.functional import pad

QUALITY = 50
SIZES = (PictureFormat(128, 64), PictureFormat(80, 96))


@pytest.fixture(scope="module")
def decoder() -> IFrameDecoder:
    module = load("iframe_decoder", "nano").module
    assert isinstance(module, IFrameDecoder)
    return module


def started(draw_planes, picture: PictureFormat) -> tuple[torch.Tensor, torch.Tensor]:
    """A frame, and its latents in steps."""
    (planes,) = draw_planes(picture, 1)
    frame = torch.from_numpy(pack(planes, 8, 16)).float() / 255
    network = load_analysis("analysis_i", "nano", weights_path("analysis_i", "nano"))
    with torch.no_grad():
        return frame, network(frame, torch.tensor([QUALITY])) / step_size(QUALITY)


def cost(decoder: IFrameDecoder, symbols: torch.Tensor, frame: torch.Tensor) -> float:
    rows, columns = (-side % 4 for side in symbols.shape[2:])
    with torch.no_grad():
        held = (symbols * step_size(QUALITY) * 4).round() / 4
        output, _ = decoder(held)
        price = price_of_bits(torch.tensor(QUALITY))
        rate = bits(pad(symbols, (0, columns, 0, rows))) / (frame[0, 0].numel() * 64)
        return float(distortion(output, frame) + price * rate)


@pytest.mark.parametrize("picture", SIZES, ids=["whole groups", "others"])
def test_it_lowers_the_cost_and_gives_whole_symbols(
    decoder: IFrameDecoder, draw_planes, picture: PictureFormat
) -> None:
    frame, levels = started(draw_planes, picture)
    made = refined(decoder, levels, frame, QUALITY, 40)
    assert made.shape == levels.shape
    assert torch.equal(made, made.round())
    assert made.abs().max() <= 127
    assert cost(decoder, made, frame) < cost(decoder, levels.round(), frame)


def test_no_steps_are_plain_rounding_and_the_same_steps_the_same_symbols(
    decoder: IFrameDecoder, draw_planes
) -> None:
    frame, levels = started(draw_planes, SIZES[0])
    assert torch.equal(refined(decoder, levels, frame, QUALITY, 0), levels.round())
    made = [refined(decoder, levels, frame, QUALITY, 10) for _ in range(2)]
    assert torch.equal(*made)
