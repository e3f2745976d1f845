"""The analysis networks: frames to latents, on the server only, any size and precision.

They are trained together with the light networks that undo them and are not exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from ..decoder.networks import LATENT_CHANNELS, TIERS
from ..runtime.latents import LATENT_LEVELS_PER_UNIT, STEPS_Q16

QUALITIES = len(STEPS_Q16)
_WAVES = 6
REFINEMENT = 4
"""Steps of the second latent in one of the first, in a `DeepAnalysis`."""
# Of a quantiser's step.
_DRAWN = 0.08


class Analysis(nn.Module):
    """Frame (and what its reference features already hold) to latents.

    `frame`: [N, 96, H/8, W/8] in [0, 1]; `references`: `count` tensors [N, C, H/8, W/8] in [0, 6].
    Gives latents [N, 64, H/16, W/16], unbounded; the caller divides by the step and rounds. They
    do not depend on the `quality` [N].
    """

    def __init__(self, feature_channels: int, references: int, hidden: int = 128) -> None:
        super().__init__()
        self.activation = nn.LeakyReLU(0.1)
        self.stem = nn.Conv2d(96 + references * feature_channels, hidden, 1)
        self.mix = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.refine = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.down = nn.Conv2d(hidden, 192, 3, stride=2, padding=1)
        self.head = nn.Conv2d(192, LATENT_CHANNELS, 3, padding=1)

    def forward(self, frame: Tensor, quality: Tensor, *references: Tensor) -> Tensor:
        scaled = (4.0 * (frame - 0.5), *references)
        x = self.activation(self.stem(torch.cat(scaled, dim=1)))
        x = x + self.activation(self.mix(x))
        x = x + self.activation(self.refine(x))
        latent: Tensor = self.head(self.activation(self.down(x)))
        return 8.0 * latent


class DeepAnalysis(nn.Module):
    """Frame and quality to latents: a transform of blocks, and a network that corrects it.

    `frame`: [N, 96, H/8, W/8] in [0, 1]; `quality`: indices [N]. Gives latents as `Analysis` does.
    What the quality changes in the network is the scale and shift of features.

    Latents are a little nearer to zero than the transform has them: rounded to the nearest, the
    picture loses less than the bits are worth.

    The first latent is the brightness, in steps too coarse for it, so that its range holds all of
    it; the second is what the rounding of the first leaves, in `REFINEMENT` times finer ones.
    """

    def __init__(self, fine: int = 96, coarse: int = 128, blocks: int = 1) -> None:
        super().__init__()
        # Blocks of 16x16 and 8 samples around them.
        self.transform = nn.Conv2d(96, LATENT_CHANNELS - 1, 4, stride=2, padding=1)
        self.stem = nn.Conv2d(96, fine, 1)
        self.fine = nn.ModuleList(_Block(fine) for _ in range(blocks))
        self.down = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.coarse = nn.ModuleList(_Block(coarse) for _ in range(blocks))
        self.head = nn.Conv2d(coarse, LATENT_CHANNELS - 1, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)
        self.gains = nn.Linear(_WAVES, LATENT_CHANNELS - 1)
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
            coarse = brightness / REFINEMENT
            sent = coarse + ((coarse / step).round() * step - coarse).detach()
            rest = torch.cat((brightness - REFINEMENT * sent, others), dim=1)
            drawn = rest.sign() * (rest.abs() - _DRAWN * step).clamp(min=0)
            return torch.cat((coarse, drawn), dim=1)


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
        return DeepAnalysis()
    references = {"analysis_i": 0, "analysis_p": 1, "analysis_b": 2}[name]
    return Analysis(TIERS[tier].feature_channels, references)


def load_analysis(name: str, tier: str, path: Path) -> AnalysisNetwork:
    """Analysis network `name` in evaluation mode, weights from a safetensors file."""
    network = build_analysis(name, tier)
    network.load_state_dict(load_tensors(path.read_bytes()))
    network.eval()
    return network
