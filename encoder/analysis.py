"""The analysis networks: frames to latents, on the server only, any size and precision.

They are trained together with the light networks that undo them and are not exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from ..decoder.networks import TIERS
from ..runtime.latents import LATENT_LEVELS_PER_UNIT, STEPS_Q16

QUALITIES = len(STEPS_Q16)
_WAVES = 6
REFINEMENT = 4
"""Steps of a whole brightness in one of the decoder's first latent."""
# Of a quantiser's step.
_DRAWN = 0.08


class Analysis(nn.Module):
    """Frame (and what its reference features already hold) to latents.

    `frame`: [N, 96, H/8, W/8] in [0, 1]; `references`: `count` tensors [N, C, H/8, W/8] in [0, 6].
    Gives latents [N, L, H/16, W/16], unbounded; the caller divides by the step and rounds. They
    do not depend on the `quality` [N].
    """

    def __init__(
        self, latents: int, feature_channels: int, references: int, hidden: int = 128
    ) -> None:
        super().__init__()
        self.activation = nn.LeakyReLU(0.1)
        self.stem = nn.Conv2d(96 + references * feature_channels, hidden, 1)
        self.mix = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.refine = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.down = nn.Conv2d(hidden, 192, 3, stride=2, padding=1)
        self.head = nn.Conv2d(192, latents, 3, padding=1)

    def forward(self, frame: Tensor, quality: Tensor, *references: Tensor) -> Tensor:
        scaled = (4.0 * (frame - 0.5), *references)
        x = self.activation(self.stem(torch.cat(scaled, dim=1)))
        x = x + self.activation(self.mix(x))
        x = x + self.activation(self.refine(x))
        latent: Tensor = self.head(self.activation(self.down(x)))
        return 8.0 * latent


class DeepAnalysis(nn.Module):
    """Frame and quality to latents: a transform of blocks, and a network that corrects it.

    `frame`: [N, 96, H/8, W/8] in [0, 1]; `quality`: indices [N]. Gives [N, L - 1, H/16, W/16] for
    L latents of the decoder, to be divided by the step and rounded. What the quality changes in
    the network is the scale and shift of features.

    Latents are a little nearer to zero than the transform has them: rounded to the nearest, the
    picture loses less than the bits are worth.

    The first is the whole brightness. It is more than a latent's range holds, so the decoder gets
    it as two (`spread_brightness`).
    """

    def __init__(self, latents: int, fine: int = 96, coarse: int = 160, blocks: int = 1) -> None:
        super().__init__()
        channels = latents - 1
        # Blocks of 16x16 and 8 samples around them.
        self.transform = nn.Conv2d(96, channels, 4, stride=2, padding=1)
        self.stem = nn.Conv2d(96, fine, 1)
        self.fine = nn.ModuleList(_Block(fine) for _ in range(blocks))
        self.down = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.coarse = nn.ModuleList(_Block(coarse) for _ in range(blocks))
        self.head = nn.Conv2d(coarse, channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)
        self.gains = nn.Linear(_WAVES, channels)
        nn.init.zeros_(self.gains.weight)
        nn.init.zeros_(self.gains.bias)

    def forward(self, frame: Tensor, quality: Tensor) -> Tensor:
        waves = _waves(quality)
        x: Tensor = self.stem(4.0 * (frame - 0.5))
        for block in self.fine:
            x = block(x, waves)
        x = self.down(x)
        for block in self.coarse:
            x = block(x, waves)
        # Latents need more than the eight bits of half precision.
        with torch.autocast(frame.device.type, enabled=False):
            gain = torch.exp(self.gains(waves.float()))[:, :, None, None]
            latent: Tensor = (self.transform(frame - 0.5) + self.head(x.float())) * gain
            brightness, others = latent[:, :1], latent[:, 1:]
            steps = (
                torch.tensor(STEPS_Q16, device=frame.device) / (1 << 16) / LATENT_LEVELS_PER_UNIT
            )
            step = steps[quality][:, None, None, None]
            drawn = others.sign() * (others.abs() - _DRAWN * step).clamp(min=0)
            return torch.cat((brightness, drawn), dim=1)


def spread_brightness(symbols: Tensor) -> Tensor:
    """Symbols of a `DeepAnalysis` [N, L - 1, h, w] as those of the decoder [N, L, h, w].

    The same as `runtime.prior_coding.network_symbols`: the first is rounded to fours, the second
    what is left of it. Gradients pass through the first.
    """
    whole, others = symbols[:, :1], symbols[:, 1:]
    coarse = whole / REFINEMENT
    coarse = coarse + ((coarse + 0.5).floor() - coarse).detach()
    rest = (whole - REFINEMENT * coarse).detach()
    return torch.cat((coarse, rest, others), dim=1)


class _Block(nn.Module):
    """Two convolutions around which the features also go straight on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.activation = nn.LeakyReLU(0.1)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 1)
        self.by_quality = nn.Linear(_WAVES, 2 * channels)
        nn.init.zeros_(self.by_quality.weight)
        nn.init.zeros_(self.by_quality.bias)

    def forward(self, x: Tensor, waves: Tensor) -> Tensor:
        gain, bias = self.by_quality(waves)[:, :, None, None].chunk(2, dim=1)
        y = self.activation(self.first(x) * (1.0 + gain) + bias)
        changed: Tensor = x + self.second(y)
        return changed


def _waves(quality: Tensor) -> Tensor:
    """Smooth functions of the quality index [N], each in -1 to 1: [N, _WAVES]."""
    at = quality.float()[:, None] * (torch.pi / (QUALITIES - 1))
    return torch.cos(at * torch.arange(_WAVES, device=quality.device))


AnalysisNetwork = Analysis | DeepAnalysis


def analysis_names() -> Sequence[str]:
    """One analysis network for each light network that takes latents."""
    return ("analysis_i", "analysis_p", "analysis_b")


def build_analysis(name: str, tier: str) -> AnalysisNetwork:
    """Analysis network `name` of a tier with fresh weights."""
    if (name, tier) == ("analysis_i", "edge"):
        return DeepAnalysis(TIERS[tier].latents)
    references = {"analysis_i": 0, "analysis_p": 1, "analysis_b": 2}[name]
    return Analysis(TIERS[tier].latents, TIERS[tier].feature_channels, references)


def load_analysis(name: str, tier: str, path: Path) -> AnalysisNetwork:
    """Analysis network `name` in evaluation mode, weights from a safetensors file."""
    network = build_analysis(name, tier)
    network.load_state_dict(load_tensors(path.read_bytes()))
    network.eval()
    return network
