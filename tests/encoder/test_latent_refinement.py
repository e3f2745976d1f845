"""Descent through the decoder: never dearer, the same every time, for any size."""

from __future__ import annotations

import pytest
import torch
from edgecodec.decoder import IFrameDecoder, load
from edgecodec.encoder.analysis import load_analysis
from edgecodec.encoder.analysis_weights import weights_path
from edgecodec.encoder.latent_rate import Coding, PriorCoding, ScaleCoding
from edgecodec.encoder.latent_refinement import refined
from edgecodec.encoder.training.iframe import distortion, price_of_bits
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.latents import step_size
from edgecodec.runtime.packing import pack

from .prior_samples import prior_of

QUALITY = 50
CODINGS = (ScaleCoding(), PriorCoding(prior_of(), QUALITY))
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


def cost(
    decoder: IFrameDecoder, symbols: torch.Tensor, frame: torch.Tensor, coding: Coding
) -> float:
    with torch.no_grad():
        held = (symbols * step_size(QUALITY) * 4).round() / 4
        output, _ = decoder(held)
        price = float(price_of_bits(torch.tensor(QUALITY)))
        rate = coding.bits(symbols) / (frame[0, 0].numel() * 64)
        return float(distortion(output, frame)) + price * rate


@pytest.mark.parametrize("coding", CODINGS, ids=["scales", "prior"])
@pytest.mark.parametrize("picture", SIZES, ids=["whole groups", "others"])
def test_it_lowers_the_cost_and_gives_whole_symbols(
    decoder: IFrameDecoder, draw_planes, picture: PictureFormat, coding: Coding
) -> None:
    frame, levels = started(draw_planes, picture)
    made = refined(decoder, levels, frame, QUALITY, 40, coding)
    assert made.shape == levels.shape
    assert torch.equal(made, made.round())
    assert made.abs().max() <= 127
    assert cost(decoder, made, frame, coding) < cost(decoder, levels.round(), frame, coding)


@pytest.mark.parametrize("coding", CODINGS, ids=["scales", "prior"])
def test_no_steps_are_plain_rounding_and_the_same_steps_the_same_symbols(
    decoder: IFrameDecoder, draw_planes, coding: Coding
) -> None:
    frame, levels = started(draw_planes, SIZES[0])
    assert torch.equal(refined(decoder, levels, frame, QUALITY, 0, coding), levels.round())
    made = [refined(decoder, levels, frame, QUALITY, 10, coding) for _ in range(2)]
    assert torch.equal(*made)
