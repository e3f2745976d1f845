"""I-frames by the float networks of a training's checkpoint: what INT8 may come near to."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ...decoder import IFrameDecoder, build
from ...runtime.frames import PictureFormat, Planes
from ...runtime.latents import dequantize, step_size
from ...runtime.packing import pack, unpack
from ...runtime.payloads import FrameKind, LatentBody
from ..analysis import build_analysis
from ..latent_refinement import refined
from ..scale_choice import economical
from ..strategies.latent import PlannedFrame, latent_body
from .checkpoint import load_checkpoint

_BLOCK, _MULTIPLE = 8, 16
_NO_MODEL = "0" * 16


class FloatCoder:
    """The I-frame networks of a checkpoint. ModelError for a file that is none, or another's."""

    def __init__(self, checkpoint: Path, tier: str) -> None:
        decoder = build("iframe_decoder", tier)
        assert isinstance(decoder, IFrameDecoder)
        self._decoder, self._analysis = decoder, build_analysis("analysis_i", tier)
        networks: dict[str, nn.Module] = {
            "iframe_decoder": self._decoder,
            "analysis_i": self._analysis,
        }
        load_checkpoint(checkpoint, networks, None)
        for network in networks.values():
            network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def code(
        self, planes: Planes, picture: PictureFormat, quality: int, refinement: int
    ) -> tuple[LatentBody, Planes]:
        """A picture as the body of a chunk, and decoded. `refinement` is as of `LatentCoder`."""
        frame = torch.from_numpy(pack(planes, _BLOCK, _MULTIPLE)).float() / 255
        frame = frame.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            levels = self._analysis(frame, torch.tensor([quality])) / step_size(quality)
        if refinement:
            levels = refined(self._decoder, levels, frame, quality, refinement)
        symbols = levels[0].round().clamp(-127, 127).to(torch.int8).numpy()
        latent = (torch.from_numpy(dequantize(symbols, quality)).float() - 128) / 4
        with torch.no_grad():
            output, _ = self._decoder(latent.contiguous(memory_format=torch.channels_last))
        shown = (output * 255).round().clamp(0, 255).to(torch.uint8).numpy()
        planned = PlannedFrame(FrameKind.I, 0)
        body = latent_body([(planned, quality, economical(symbols))], (_NO_MODEL,))
        return body, unpack(shown, picture)
