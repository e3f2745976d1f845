"""Real inputs for the networks that take latents, to measure what INT8 costs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..decoder import TIERS, load
from ..decoder.networks import PIXEL_SCALE, RELU6_SCALE
from ..export import LossSample
from ..export.samples import read_frames
from ..runtime.latents import dequantize, step_size
from ..runtime.packing import pack
from .analysis import load_analysis
from .analysis_weights import weights_path

_QUALITIES = (20, 44)
_FRAMES = 5
_BLOCK, _MULTIPLE = 8, 16
Inputs = dict[str, NDArray[np.uint8]]


def latent_samples(clips: Sequence[Path], tier: str) -> dict[str, list[LossSample]]:
    """Samples by network: frames from the middle of each clip, at two qualities.

    A frame is coded by itself, the next one from it, and one between two that are coded by
    themselves. References are the float networks' features, rounded to uint8.
    Raises ExportError naming a clip that cannot be used, FileNotFoundError for missing weights.
    """
    coder = _FloatCoder(tier)
    samples: dict[str, list[LossSample]] = {
        "iframe_decoder": [],
        "generator_p": [],
        "generator_b": [],
    }
    for clip in clips:
        packed = [pack(planes, _BLOCK, _MULTIPLE) for planes in read_frames(clip, _FRAMES)]
        first, second, middle, last = packed[0], packed[1], packed[len(packed) // 2], packed[-1]
        for quality in _QUALITIES:
            alone, past = coder.code("iframe_decoder", first, quality, {})
            _, future = coder.code("iframe_decoder", last, quality, {})
            after, _ = coder.code("generator_p", second, quality, {"past": past})
            both = {"past": past, "future": future}
            between, _ = coder.code("generator_b", middle, quality, both)
            for name, inputs, target in (
                ("iframe_decoder", alone, first),
                ("generator_p", after, second),
                ("generator_b", between, middle),
            ):
                samples[name].append(LossSample(clip.stem, inputs, target))
    return samples


class _FloatCoder:
    """Analysis and float networks of one tier."""

    def __init__(self, tier: str) -> None:
        pairs = (
            ("iframe_decoder", "analysis_i"),
            ("generator_p", "analysis_p"),
            ("generator_b", "analysis_b"),
        )
        channels = TIERS[tier].feature_channels
        self._light: dict[str, nn.Module] = {}
        self._analysis: dict[str, nn.Module] = {}
        for light, analysis in pairs:
            self._light[light] = load(light, tier).module
            self._analysis[light] = load_analysis(analysis, channels, weights_path(analysis, tier))

    def code(
        self, name: str, packed: NDArray[np.uint8], quality: int, references: Inputs
    ) -> tuple[Inputs, NDArray[np.uint8]]:
        """The network's inputs for a packed source frame, and its feature as uint8."""
        with torch.inference_mode():
            features = [_real(feature, RELU6_SCALE) for feature in references.values()]
            latent = self._analysis[name](_real(packed, PIXEL_SCALE), *features)
            symbols = (latent[0] / step_size(quality)).round().clamp(-127, 127)
            levels = dequantize(symbols.to(torch.int8).numpy(), quality)
            real = (torch.from_numpy(levels).float() - 128.0) / 4.0
            _, feature = self._light[name](*features, real)
            rounded = (feature / RELU6_SCALE).round().clamp(0, 255).to(torch.uint8).numpy()
        return {**references, "latent": levels}, rounded


def _real(levels: NDArray[np.uint8], scale: float) -> Tensor:
    return torch.from_numpy(levels).float() * scale
