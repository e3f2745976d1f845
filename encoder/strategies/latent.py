"""`semantic_latent` and `i_frame_interpolation`, with the INT8 decoder in the loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...decoder import IFrameDecoder, load
from ...decoder.networks import PIXEL_SCALE, RELU6_SCALE
from ...runtime.chunks import StrategyId
from ...runtime.errors import ModelError
from ...runtime.frames import PictureFormat, Planes
from ...runtime.latents import dequantize, step_size
from ...runtime.models import packaged_models, read_models
from ...runtime.packing import pack, unpack
from ...runtime.payloads import FrameKind, LatentBody, LatentPacket
from ...runtime.sessions import Network, NetworkPool
from ...runtime.symbols import (
    Latent,
    ScaleIndex,
    choose_difference_tables,
    choose_scale_index,
    encode_latent,
)
from ..analysis import AnalysisNetwork, load_analysis
from ..analysis_weights import weights_path
from ..latent_refinement import refined
from ..quality import psnr
from ..scale_choice import economical
from ..scene import Scene

_BLOCK = 8
_MULTIPLE = 16
_LIGHT = {
    FrameKind.I: "iframe_decoder",
    FrameKind.P: "generator_p",
    FrameKind.B: "generator_b",
}
_ANALYSIS = {FrameKind.I: "analysis_i", FrameKind.P: "analysis_p", FrameKind.B: "analysis_b"}
_PORTS = ("past", "future")
# B-frames in the middle feed no other frame's reference but those below them: they may be coarser.
_B_QUALITY_OFFSET = 8
_MINI_GOP = 8


@dataclass(frozen=True)
class CodedFrame:
    """One frame through analysis, symbols and the INT8 network: what the player will see."""

    latent: Latent
    planes: Planes
    feature: NDArray[np.uint8]


@dataclass(frozen=True)
class PlannedFrame:
    """A frame's place in the decoding order."""

    kind: FrameKind
    position: int
    references: tuple[int, ...] = ()


class LatentCoder:
    """The analysis networks, and the INT8 networks that undo them, loaded as they are needed.

    `device` is where the analysis runs, a torch device. `refinement` is how many steps of descent
    the latents of I-frames take (`latent_refinement`). Raises ModelError if the tier has no
    networks of the kind that is asked for, or they are not installed.
    """

    def __init__(
        self, tier: str, device: str, networks: NetworkPool, *, refinement: int = 0
    ) -> None:
        self._tier = tier
        self._refinement = refinement
        self._folder = read_models(packaged_models(tier))
        self._device = torch.device(device)
        self._networks = networks
        self._light: dict[FrameKind, Network] = {}
        self._analysis: dict[FrameKind, AnalysisNetwork] = {}

    def light(self, kind: FrameKind) -> Network:
        """The network that makes frames of that kind on a device."""
        if kind not in self._light:
            model_id = self._folder.network(_LIGHT[kind]).model_id
            self._light[kind] = self._networks.network(model_id)
        return self._light[kind]

    def analysis(self, kind: FrameKind) -> AnalysisNetwork:
        """The network that makes such frames' latents."""
        if kind not in self._analysis:
            path = weights_path(_ANALYSIS[kind], self._tier)
            if not path.is_file():
                raise ModelError(
                    f"{path.name}: no such analysis network; train tier {self._tier} first"
                )
            network = load_analysis(_ANALYSIS[kind], self._tier, path)
            # On two CPU cores convolutions run 1.6 times as fast in this order of bytes.
            for parameter in network.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
            self._analysis[kind] = network.to(self._device)
        return self._analysis[kind]

    def code(
        self,
        packed: NDArray[np.uint8],
        picture: PictureFormat,
        kind: FrameKind,
        references: Sequence[NDArray[np.uint8]],
        quality: int,
    ) -> CodedFrame:
        """A packed source frame [1, 96, H/8, W/8] coded on the features it refers to."""
        with torch.inference_mode():
            frame = self._real(packed, PIXEL_SCALE)
            features = [self._real(feature, RELU6_SCALE) for feature in references]
            at = torch.tensor([quality], device=self._device)
            levels = self.analysis(kind)(frame, at, *features) / step_size(quality)
        if kind is FrameKind.I and self._refinement:
            levels = self._refined(levels, frame, quality)
        symbols = levels[0].round().clamp(-127, 127).to(torch.int8).cpu().numpy()
        return self.reconstruct(symbols, picture, kind, references, quality)

    def _refined(self, levels: torch.Tensor, frame: torch.Tensor, quality: int) -> torch.Tensor:
        decoder = load(_LIGHT[FrameKind.I], self._tier).module.to(self._device)
        assert isinstance(decoder, IFrameDecoder)
        # Tensors of inference mode take no part in gradients.
        return refined(decoder, levels.clone(), frame.clone(), quality, self._refinement)

    def _real(self, levels: NDArray[np.uint8], scale: float) -> torch.Tensor:
        tensor = torch.from_numpy(levels).to(self._device, torch.float32)
        return tensor.to(memory_format=torch.channels_last) * scale

    def reconstruct(
        self,
        symbols: NDArray[np.int8],
        picture: PictureFormat,
        kind: FrameKind,
        references: Sequence[NDArray[np.uint8]],
        quality: int,
    ) -> CodedFrame:
        """What the device makes of symbols [64, h, w]."""
        inputs = {"latent": dequantize(symbols, quality)}
        inputs.update(zip(_PORTS, references, strict=False))
        frame, feature = self.light(kind).run(inputs)
        if kind is FrameKind.I:
            latent = economical(symbols)
        else:
            latent = Latent(symbols, choose_scale_index(symbols))
        return CodedFrame(latent, unpack(frame, picture), feature)


def code_scene(
    coder: LatentCoder, strategy: StrategyId, scene: Scene, quality: int
) -> tuple[LatentBody, list[float]]:
    """A scene in latents at a quality index, and (6 Y + U + V) / 8 in dB of each frame."""
    count = len(scene.frames)
    semantic = strategy is StrategyId.SEMANTIC_LATENT
    order = predicted_order(count) if semantic else interpolated_order(count)
    last_use = {ref: step for step, frame in enumerate(order) for ref in frame.references}
    features: dict[int, NDArray[np.uint8]] = {}
    quality_db = [0.0] * count
    latents: list[tuple[PlannedFrame, int, Latent]] = []
    for step, frame in enumerate(order):
        used = quality
        if frame.kind is FrameKind.B:
            used = max(0, quality - _B_QUALITY_OFFSET)
        source = scene.frames[frame.position]
        references = [features[reference] for reference in frame.references]
        coded = coder.code(
            pack(source, _BLOCK, _MULTIPLE), scene.format, frame.kind, references, used
        )
        latents.append((frame, used, coded.latent))
        quality_db[frame.position] = psnr(source, coded.planes).weighted
        if frame.position in last_use:
            features[frame.position] = coded.feature
        for done in [each for each in features if last_use[each] <= step]:
            del features[done]
    kinds = sorted({frame.kind for frame in order})
    models = tuple(coder.light(kind).entry.model_id for kind in kinds)
    return latent_body(latents, models), quality_db


def predicted_order(count: int) -> list[PlannedFrame]:
    """An I-frame, then each frame from the one before."""
    first = [PlannedFrame(FrameKind.I, 0)]
    return first + [PlannedFrame(FrameKind.P, n, (n - 1,)) for n in range(1, count)]


def interpolated_order(count: int, interval: int = _MINI_GOP) -> list[PlannedFrame]:
    """I-frames every `interval` frames and at the end; between two of them a hierarchy of B."""
    order = [PlannedFrame(FrameKind.I, 0)]
    past = 0
    while past < count - 1:
        future = min(past + interval, count - 1)
        order.append(PlannedFrame(FrameKind.I, future))
        order += _between(past, future)
        past = future
    return order


def _between(past: int, future: int) -> list[PlannedFrame]:
    if future - past < 2:
        return []
    middle = (past + future) // 2
    here = PlannedFrame(FrameKind.B, middle, (past, future))
    return [here, *_between(past, middle), *_between(middle, future)]


def latent_body(
    latents: Sequence[tuple[PlannedFrame, int, Latent]], models: tuple[str, ...]
) -> LatentBody:
    """Frames in decoding order, each with its quality index and latent, as a chunk's body."""
    tables = tuple(
        choose_difference_tables(
            [latent.scale_index for frame, _, latent in latents if frame.kind is kind]
        )
        for kind in FrameKind
    )
    previous: dict[FrameKind, ScaleIndex] = {}
    packets = []
    for frame, quality, latent in latents:
        data = encode_latent(latent, tables[frame.kind], previous.get(frame.kind))
        previous[frame.kind] = latent.scale_index
        packets.append(LatentPacket(frame.kind, frame.position, frame.references, quality, data))
    return LatentBody(models, tables, tuple(packets))
