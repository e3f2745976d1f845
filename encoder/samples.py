"""Real inputs for the networks that take latents, to measure what INT8 costs them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..decoder import load
from ..decoder.networks import PIXEL_SCALE, RELU6_SCALE
from ..decoder.trained import weights_path as light_path
from ..export import ClipSamples, LossSample, base_samples
from ..export.origin import code_digest, tool_versions
from ..export.samples import read_frames
from ..runtime.latents import dequantize, step_size
from ..runtime.packing import pack
from ..runtime.scale_tables import MAX_SYMBOL
from .analysis import DeepAnalysis, load_analysis, spread_brightness
from .analysis_weights import weights_path
from .training.iframe import whole_symbols

_QUALITIES = (20, 44)
_FRAMES = 5
_BLOCK, _MULTIPLE = 8, 16
# The network that a device runs, and the one that makes latents for it.
_PAIRS = (
    ("iframe_decoder", "analysis_i"),
    ("generator_p", "analysis_p"),
    ("generator_b", "analysis_b"),
)
Inputs = dict[str, NDArray[np.uint8]]


def network_samples(clips: Sequence[Path], tier: str, *, skip: int = 0) -> ClipSamples:
    """Samples of every network: bases of `clips` for those that mend one, latents for the others.

    `skip` as in `read_frames`.
    """
    latents: dict[str, list[LossSample]] = {}

    def make(network: str) -> Sequence[LossSample]:
        if bases := base_samples(network, clips, skip=skip):
            return bases
        if not latents and clips:
            latents.update(latent_samples(clips, tier, skip=skip))
        return latents.get(network, ())

    files = [light_path(light, tier) for light, _ in _PAIRS]
    files += [weights_path(analysis, tier) for _, analysis in _PAIRS]
    weights = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.exists()]
    tools = tool_versions(("av", "torch", "numpy"))
    origin = json.dumps([code_digest((__name__,)), tools, weights, skip])
    return ClipSamples(tuple(clips), make, origin)


def latent_samples(
    clips: Sequence[Path], tier: str, *, skip: int = 0
) -> dict[str, list[LossSample]]:
    """Samples by network: frames from the middle of each clip, at two qualities.

    A frame is coded by itself, the next one from it, and one between two that are coded by
    themselves. References are the float networks' features, rounded to uint8. A tier without
    generators has samples of I-frames alone.
    Raises FileNotFoundError for missing weights; `skip`, and what is raised for a clip that cannot
    be used, as in `read_frames`.
    """
    coder = _FloatCoder(tier)
    samples: dict[str, list[LossSample]] = {
        "iframe_decoder": [],
        "generator_p": [],
        "generator_b": [],
    }
    for clip in clips:
        frames = read_frames(clip, _FRAMES, skip=skip)
        packed = [pack(planes, _BLOCK, _MULTIPLE) for planes in frames]
        first, second, middle, last = packed[0], packed[1], packed[len(packed) // 2], packed[-1]
        for quality in _QUALITIES:
            alone, past = coder.code("iframe_decoder", first, quality, {})
            if not coder.has_generators:
                samples["iframe_decoder"].append(LossSample(clip.stem, alone, first))
                continue
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


def iframe_inputs(frames: Iterable[tuple[NDArray[np.uint8], int]], tier: str) -> Iterator[Inputs]:
    """What the I-frame decoder takes for packed frames uint8 [1, 96, h, w], each at a quality."""
    coder = _FloatCoder(tier)
    for packed, quality in frames:
        inputs, _ = coder.code("iframe_decoder", packed, quality, {})
        yield inputs


class _FloatCoder:
    """Analysis and float networks of one tier."""

    def __init__(self, tier: str) -> None:
        self._light: dict[str, nn.Module] = {}
        self._analysis: dict[str, nn.Module] = {}
        self.has_generators = all(
            light_path(light, tier).is_file() and weights_path(analysis, tier).is_file()
            for light, analysis in _PAIRS
        )
        for light, analysis in _PAIRS if self.has_generators else _PAIRS[:1]:
            self._light[light] = load(light, tier).module
            self._analysis[light] = load_analysis(analysis, tier, weights_path(analysis, tier))

    def code(
        self, name: str, packed: NDArray[np.uint8], quality: int, references: Inputs
    ) -> tuple[Inputs, NDArray[np.uint8]]:
        """The network's inputs for a packed source frame, and its feature as uint8."""
        with torch.inference_mode():
            features = [_real(feature, RELU6_SCALE) for feature in references.values()]
            at = torch.tensor([quality])
            latent = self._analysis[name](_real(packed, PIXEL_SCALE), at, *features)
            symbols = (latent / step_size(quality)).round()
            if isinstance(self._analysis[name], DeepAnalysis):
                symbols = spread_brightness(whole_symbols(symbols))
            symbols = symbols.clamp(-MAX_SYMBOL, MAX_SYMBOL)
            levels = dequantize(symbols[0].to(torch.int8).numpy(), quality)
            real = (torch.from_numpy(levels).float() - 128.0) / 4.0
            _, feature = self._light[name](*features, real)
            rounded = (feature / RELU6_SCALE).round().clamp(0, 255).to(torch.uint8).numpy()
        return {**references, "latent": levels}, rounded


def _real(levels: NDArray[np.uint8], scale: float) -> Tensor:
    return torch.from_numpy(levels).float() * scale
