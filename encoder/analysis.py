"""The analysis networks: frames to latents, on the server only, any size and precision.

They are trained together with the light networks that undo them and are not exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from ..decoder.networks import LATENT_CHANNELS
from ..runtime.latents import STEPS_Q16

QUALITIES = len(STEPS_Q16)


class Analysis(nn.Module):
    """Frame (and what its reference features already hold) to latents.

    `frame`: [N, 96, H/8, W/8] in [0, 1]; `references`: `count` tensors [N, C, H/8, W/8] in [0, 6].
    Gives latents [N, 64, H/16, W/16], unbounded; the caller divides by the step and rounds.
    """

    def __init__(self, feature_channels: int, references: int, hidden: int = 128) -> None:
        super().__init__()
        self.activation = nn.LeakyReLU(0.1)
        self.stem = nn.Conv2d(96 + references * feature_channels, hidden, 1)
        self.mix = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.refine = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.down = nn.Conv2d(hidden, 192, 3, stride=2, padding=1)
        self.head = nn.Conv2d(192, LATENT_CHANNELS, 3, padding=1)

    def forward(self, frame: Tensor, *references: Tensor) -> Tensor:
        scaled = (4.0 * (frame - 0.5), *references)
        x = self.activation(self.stem(torch.cat(scaled, dim=1)))
        x = x + self.activation(self.mix(x))
        x = x + self.activation(self.refine(x))
        latent: Tensor = self.head(self.activation(self.down(x)))
        return 8.0 * latent


def analysis_names() -> Sequence[str]:
    """One analysis network for each light network that takes latents."""
    return ("analysis_i", "analysis_p", "analysis_b")


def build_analysis(name: str, feature_channels: int) -> Analysis:
    """Analysis network `name` with fresh weights."""
    return Analysis(feature_channels, {"analysis_i": 0, "analysis_p": 1, "analysis_b": 2}[name])


def load_analysis(name: str, feature_channels: int, path: Path) -> Analysis:
    """Analysis network `name` in evaluation mode, weights from a safetensors file."""
    network = build_analysis(name, feature_channels)
    network.load_state_dict(load_tensors(path.read_bytes()))
    network.eval()
    return network
