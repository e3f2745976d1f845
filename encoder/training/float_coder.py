"""I-frames by the float networks of a training's checkpoint: what INT8 may come near to."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ...decoder import IFrameDecoder, build
from ...runtime.frames import PictureFormat, Planes
from ...runtime.latents import step_size
from ...runtime.packing import pack, unpack
from ...runtime.payloads import FrameKind, LatentBody
from ...runtime.prior import Prior
from ..analysis import DeepAnalysis, build_analysis
from ..latent_rate import coding_of
from ..latent_refinement import refined
from ..latent_symbols import device_latent, finest_quality
from ..priors import Priors
from ..strategies.latent_body import FrameSymbols, latent_body
from ..strategies.latent_order import PlannedFrame
from ..symbol_choice import sent_symbols
from .checkpoint import load_checkpoint
from .iframe import iframe_prior
from .prior_net import PriorNet

_BLOCK, _MULTIPLE = 8, 16
_NO_MODEL = "0" * 16


class FloatCoder:
    """The I-frame networks of a checkpoint, and its prior where the tier's training has one.

    ModelError for a file that is no checkpoint, or another's.
    """

    def __init__(self, checkpoint: Path, tier: str) -> None:
        decoder = build("iframe_decoder", tier)
        assert isinstance(decoder, IFrameDecoder)
        self._decoder, self._analysis = decoder, build_analysis("analysis_i", tier)
        networks: dict[str, nn.Module] = {
            "iframe_decoder": self._decoder,
            "analysis_i": self._analysis,
        }
        prior: PriorNet | None = None
        if isinstance(self._analysis, DeepAnalysis):
            prior = networks["prior_i"] = PriorNet(iframe_prior(tier))
        load_checkpoint(checkpoint, networks, None)
        for network in (self._decoder, self._analysis):
            network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._priors: Priors = {}
        if prior is not None:
            self._priors = {FrameKind.I: Prior.from_arrays(prior.arrays(), str(checkpoint))}

    def code(
        self, planes: Planes, picture: PictureFormat, quality: int, refinement: int
    ) -> tuple[LatentBody, Planes]:
        """A picture as the body of a chunk, and decoded. `refinement` is as of `LatentCoder`."""
        frame = torch.from_numpy(pack(planes, _BLOCK, _MULTIPLE)).float() / 255
        frame = frame.contiguous(memory_format=torch.channels_last)
        prior = self._priors.get(FrameKind.I)

        def levels_at(each: int) -> Tensor:
            with torch.no_grad():
                latents: Tensor = self._analysis(frame, torch.tensor([each]))
            return latents / step_size(each)

        quality = finest_quality(levels_at, quality, prior)
        levels = levels_at(quality)
        if refinement:
            coding = coding_of(prior, quality)
            levels = refined(self._decoder, levels, frame, quality, refinement, coding)
        symbols = sent_symbols(levels[0], quality, prior, None)
        latent = (torch.from_numpy(device_latent(symbols, quality, prior)).float() - 128) / 4
        with torch.no_grad():
            output, _ = self._decoder(latent.contiguous(memory_format=torch.channels_last))
        shown = (output * 255).round().clamp(0, 255).to(torch.uint8).numpy()
        sent = FrameSymbols(PlannedFrame(FrameKind.I, 0), quality, symbols)
        return latent_body([sent], (_NO_MODEL,), self._priors), unpack(shown, picture)
