"""`semantic_latent` and `i_frame_interpolation`, with the INT8 decoder in the loop."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ...decoder import IFrameDecoder, load
from ...decoder.networks import PIXEL_SCALE, RELU6_SCALE
from ...runtime.detail import seen_before
from ...runtime.errors import ModelError
from ...runtime.frame_levels import latent_of
from ...runtime.frames import PictureFormat, Planes
from ...runtime.latents import STEPS_Q16, step_size
from ...runtime.models import packaged_models, read_models
from ...runtime.motion_tables import MotionTables
from ...runtime.packing import pack, unpack
from ...runtime.payloads import FrameKind
from ...runtime.prior import Prior
from ...runtime.prior_coding import prior_bits
from ...runtime.scene_filter import SceneFilter, pack_scene_filter
from ...runtime.sessions import Network, NetworkPool
from ..adaptation import Adaptation
from ..analysis import AnalysisNetwork, load_analysis
from ..analysis_weights import weights_path
from ..between_coding import between_frame
from ..detail_coding import with_own_detail
from ..detail_quality import FIRST_QUALITY
from ..latent_filter import apply_filter, fit_filter
from ..latent_kinds import NETWORKS
from ..latent_rate import coding_of
from ..latent_refinement import refined
from ..latent_symbols import device_latent, finest_quality
from ..masking import error_weights
from ..moved_coding import PRICE_OF_A_BIT, Moved, moved_frame
from ..priors import Priors, coded_detail, held_prior, tier_motion, tier_priors
from ..quality import psnr
from ..reference import Reference
from ..scene import Scene
from ..stillness import stands_still
from ..symbol_choice import sent_symbols
from ..targets import Metric
from ..training.iframe import price_of_bits

BLOCK = 8
MULTIPLE = 16
FINEST_LATENTS = len(STEPS_Q16) - 1
_PORTS = ("past", "future")
# From a quality's step to that of the next coarser one.
_STEP_RATIO = 16 ** (1 / FINEST_LATENTS)
# By how much latents may be coarser than what is asked for, where detail makes up for it.
_COARSER_LATENTS = (0, 10, 20, 30)
# A player's work for a frame's detail is several times that for its latents, and detail is less
# like what is missing than it is near: it has to save so much of bits and error together.
_DETAIL_MUST_SAVE = 0.05


@dataclass(frozen=True)
class CodedFrame:
    """One frame through analysis, symbols [C, h, w] and the INT8 network, as the player sees it.

    `planes` are as the network drew them, `latent` [1, L, h, w] is what it took. `moved` is what is
    sent of a frame that is continued by motion, `detail` the quality (0 to 63) of the detail that
    belongs to a frame that no other refers to, None for none.
    """

    symbols: NDArray[np.int16]
    planes: Planes
    feature: NDArray[np.uint8]
    latent: NDArray[np.uint8]
    moved: Moved | None = None
    detail: int | None = None


class LatentCoder:
    """The analysis networks, and the INT8 networks that undo them, loaded as they are needed.

    `device` is where the analysis runs, a torch device, `tune` the measure that its network was
    trained by (`analysis_weights.tuned`). `refinement` is how many steps of descent
    the latents of I-frames take (`latent_refinement`). `priors` code the symbols, and continued
    frames move by `motion`, or in scenes that stand still are coded by the symbols before, with the
    prior `held`; `detail` codes what networks do not draw. These are what is installed for the tier
    where no priors are given. Scenes are filtered where `adaptation` has filters. Raises ModelError
    if the tier has no networks of the kind that is asked for, or they are not installed.
    """

    def __init__(
        self,
        tier: str,
        device: str,
        networks: NetworkPool,
        *,
        refinement: int = 0,
        tune: Metric = Metric.PSNR,
        priors: Priors | None = None,
        motion: MotionTables | None = None,
        held: Prior | None = None,
        detail: Prior | None = None,
        adaptation: Adaptation = Adaptation.FILTER,
    ) -> None:
        self.adaptation = adaptation
        self.priors = tier_priors(tier, tune) if priors is None else priors
        self.motion = tier_motion(tier, self.priors) if priors is None else motion
        self._held = held_prior(tier) if priors is None else held
        self.detail = coded_detail(tier, tune) if priors is None else detail
        self.tier, self.tune = tier, tune
        self._refinement = refinement
        self._folder = read_models(packaged_models(tier))
        self._device = torch.device(device)
        self._networks = networks
        self._light: dict[str, Network] = {}
        self._analysis: dict[str, AnalysisNetwork] = {}

    def suited_to(self, scene: Scene) -> LatentCoder:
        """The same networks with what continues the frames of a scene best: motion or, where
        hardly anything moves, the symbols before."""
        if self.motion is None or self._held is None or not stands_still(scene):
            return self
        suited = copy(self)
        suited.priors = {**self.priors, FrameKind.C: self._held}
        suited.motion = None
        return suited

    @property
    def has_between(self) -> bool:
        """Whether frames that move may lie between two others."""
        return self.motion is not None and FrameKind.B in self.priors

    def light(self, kind: FrameKind) -> Network:
        """The network that makes frames of that kind on a device."""
        name = NETWORKS[kind].light
        if name not in self._light:
            model_id = self._folder.network(name).model_id
            self._light[name] = self._networks.network(model_id)
        return self._light[name]

    def analysis(self, kind: FrameKind) -> AnalysisNetwork:
        """The network that makes such frames' latents."""
        name = NETWORKS[kind].analysis
        if name not in self._analysis:
            path = weights_path(name, self.tier, self.tune)
            if not path.is_file():
                raise ModelError(
                    f"{path.name}: no such analysis network; train tier {self.tier} first"
                )
            network = load_analysis(name, self.tier, path)
            # On two CPU cores convolutions run 1.6 times as fast in this order of bytes.
            for parameter in network.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
            self._analysis[name] = network.to(self._device)
        return self._analysis[name]

    def code(
        self,
        packed: NDArray[np.uint8],
        picture: PictureFormat,
        kind: FrameKind,
        references: Sequence[NDArray[np.uint8]],
        quality: int,
        previous: NDArray[np.int16] | None = None,
        followers: int = 0,
    ) -> CodedFrame:
        """A packed source frame [1, 96, H/8, W/8] coded on the features it refers to.

        `previous` are the symbols [C, h, w] that the kind's prior knows, if it knows any.
        `followers` is how many frames continue an I-frame, one after the other.
        """
        levels = self._levels(packed, kind, references, quality)
        if kind is FrameKind.I and self._refinement:
            levels = self._refined(levels, self._real(packed, PIXEL_SCALE), quality)
        prior = self.priors.get(kind)
        symbols = sent_symbols(
            levels[0],
            quality,
            prior,
            previous,
            followers=followers,
            weights=self._weights(packed),
        )
        return self.reconstruct(symbols, picture, kind, references, quality)

    def code_alone(
        self, packed: NDArray[np.uint8], picture: PictureFormat, quality: int
    ) -> tuple[int, CodedFrame]:
        """A packed source frame [1, 96, H/8, W/8] that no other refers to, with its latents'
        quality: at most `quality`, which goes on to `detail_quality.FINEST_QUALITY`.

        Where there is detail, coarser latents with more of it are tried, and what costs least is
        taken: by the price of a bit that networks were trained for.
        """
        finest = self.finest_quality(packed, min(quality, FINEST_LATENTS))
        if self.detail is None or quality < FIRST_QUALITY:
            return finest, self.code(packed, picture, FrameKind.I, (), finest)
        price = float(price_of_bits(torch.tensor(quality))) / (picture.width * picture.height)
        source, wanted = unpack(packed, picture), quality - FIRST_QUALITY
        found: list[tuple[float, int, CodedFrame]] = []
        for used in dict.fromkeys(min(finest, max(0, quality - by)) for by in _COARSER_LATENTS):
            plain = self.code(packed, picture, FrameKind.I, (), used)
            bits = prior_bits(plain.symbols, used, self.priors[FrameKind.I], None)
            planes = plain.planes
            own = self.filter_for([source], [planes], picture, round(bits))
            if own is not None:
                (planes,) = apply_filter([planes], own, picture)
                bits += 8 * len(pack_scene_filter(own))
            error = _squared_error(source, planes)
            found.append((error + price * bits, used, plain))
            seen = seen_before(plain.latent, used)
            # What pads the picture is not what a network drew there, but is not seen either.
            drawn = pack(planes, BLOCK, MULTIPLE)
            shown, detail = with_own_detail(packed, drawn, seen, wanted, self.detail)
            if detail is not None:
                error = _squared_error(source, unpack(shown, picture))
                cost = error + price * (bits + detail.bits(self.detail))
                detailed = replace(plain, detail=wanted)
                found.append((cost * (1 + _DETAIL_MUST_SAVE), used, detailed))
        _, used, coded = min(found, key=lambda each: each[0])
        return used, coded

    def filter_for(
        self, sources: Sequence[Planes], drawn: Sequence[Planes], picture: PictureFormat, bits: int
    ) -> SceneFilter | None:
        """The filter for frames that were drawn from so many bits, in display order; None where
        none is worth its own, or none is wanted."""
        if not self.adaptation.filters:
            return None
        return fit_filter(sources, drawn, picture, bits)

    def code_moved(
        self,
        packed: NDArray[np.uint8],
        picture: PictureFormat,
        references: Sequence[Reference],
        away: Sequence[int],
        quality: int,
    ) -> CodedFrame:
        """A packed source frame [1, 96, H/8, W/8] that continues a reference by motion, or lies
        between two, as many frames `away` from each.

        There are no qualities below 0; bits are dearer there instead.
        """
        bit = PRICE_OF_A_BIT * max(1.0, _STEP_RATIO ** (-2 * quality))
        quality = max(0, quality)
        assert self.motion is not None
        wanted = self._levels(packed, FrameKind.C, (), quality)[0].cpu().numpy()
        luma, weights = _luma(packed), self._weights(packed)
        price = float(price_of_bits(torch.tensor(quality)))
        moved: Moved
        if len(references) == 1:
            moved = moved_frame(
                wanted,
                luma,
                references[0],
                quality,
                self.priors[FrameKind.C],
                self.motion,
                price_of_vectors=price,
                price=bit,
                weights=weights,
                span=away[0],
            )
        else:
            moved = between_frame(
                wanted,
                luma,
                (references[0], references[1]),
                (away[0], away[1]),
                quality,
                self.priors[FrameKind.B],
                self.motion,
                price_of_vectors=price,
                price=bit,
                weights=weights,
            )
        latent = latent_of(moved.shown.levels, quality)
        frame, feature = self.light(FrameKind.C).run({"latent": latent})
        return CodedFrame(moved.symbols, unpack(frame, picture), feature, latent, moved)

    def finest_quality(self, packed: NDArray[np.uint8], quality: int) -> int:
        """The finest quality, of those up to `quality`, at which the brightness of a packed frame
        [1, 96, H/8, W/8] has no more steps than can be sent."""

        def levels_at(each: int) -> torch.Tensor:
            return self._levels(packed, FrameKind.I, (), each)

        return finest_quality(levels_at, quality, self.priors.get(FrameKind.I))

    def _levels(
        self,
        packed: NDArray[np.uint8],
        kind: FrameKind,
        references: Sequence[NDArray[np.uint8]],
        quality: int,
    ) -> torch.Tensor:
        """A frame's latents [1, C, h, w], in steps of its quality."""
        with torch.inference_mode():
            frame = self._real(packed, PIXEL_SCALE)
            features = [self._real(feature, RELU6_SCALE) for feature in references]
            at = torch.tensor([quality], device=self._device)
            latents: torch.Tensor = self.analysis(kind)(frame, at, *features)
            return latents / step_size(quality)

    def _refined(self, levels: torch.Tensor, frame: torch.Tensor, quality: int) -> torch.Tensor:
        decoder = load(NETWORKS[FrameKind.I].light, self.tier).module.to(self._device)
        assert isinstance(decoder, IFrameDecoder)
        # Tensors of inference mode take no part in gradients.
        coding = coding_of(self.priors.get(FrameKind.I), quality)
        return refined(decoder, levels.clone(), frame.clone(), quality, self._refinement, coding)

    def _weights(self, packed: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """What errors count in the cells of a packed frame, None if alike."""
        return error_weights(_luma(packed)) if self.tune is Metric.SSIM else None

    def _real(self, levels: NDArray[np.uint8], scale: float) -> torch.Tensor:
        tensor = torch.from_numpy(levels).to(self._device, torch.float32)
        return tensor.to(memory_format=torch.channels_last) * scale

    def reconstruct(
        self,
        symbols: NDArray[np.int16],
        picture: PictureFormat,
        kind: FrameKind,
        references: Sequence[NDArray[np.uint8]],
        quality: int,
    ) -> CodedFrame:
        """What the device makes of symbols [C, h, w]."""
        latent = device_latent(symbols, quality, self.priors.get(kind))
        inputs = {"latent": latent}
        inputs.update(zip(_PORTS, references, strict=False))
        frame, feature = self.light(kind).run(inputs)
        return CodedFrame(symbols, unpack(frame, picture), feature, latent)


def _squared_error(source: Planes, shown: Planes) -> float:
    """In squared grey levels, that of which PSNR 6:1:1 is the logarithm."""
    return float(255.0**2 * 10 ** (-psnr(source, shown).weighted / 10))


def _luma(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The luma [H, W] of a packed frame [1, 96, H/8, W/8]."""
    rows, columns = packed.shape[2:]
    blocks = packed[0, : BLOCK * BLOCK].reshape(BLOCK, BLOCK, rows, columns)
    return blocks.transpose(2, 0, 3, 1).reshape(BLOCK * rows, BLOCK * columns)
