"""What INT8 costs in picture quality, measured on real pictures with the files that ship."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ..decoder.networks import NetworkSpec, spec
from ..runtime.errors import ExportError
from .check import Probe, to_levels, to_real
from .inputs import fit_inputs
from .ms_ssim import luma_ms_ssim
from .records import ClipLoss, NetworkLoss
from .sessions import open_session

# Identical pictures have no error to take a logarithm of.
MAX_PSNR_DB = 100.0
# Of each clip: it takes longer than the network itself.
_MS_SSIM_FRAMES = 2


@dataclass(frozen=True)
class LossSample:
    """Inputs of a network as a device gets them, and the packed source frame it should give.

    `inputs`: uint8 [1, C, h, w] by port name, a scene's code only where it has one; `target`: uint8
    [1, 24 or 96, h, w]; `base`, for a network that gives a residual: what that is added to, uint16
    [1, 24, h, w] in quarters of a grey level, 0 to 1023. `clip` names where they come from.
    """

    clip: str
    inputs: Mapping[str, NDArray[np.uint8]]
    target: NDArray[np.uint8]
    base: NDArray[np.uint16] | None = None


def packed_psnr(frame: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """PSNR = (6 Y + U + V) / 8 in dB of a packed frame [1, C, h, w] (C = 24 or 96), at most 100.

    Two thirds of the channels are Y, a sixth each U and V.
    """
    error = (frame.astype(np.float64) - reference.astype(np.float64)) ** 2
    sixth = error.shape[1] // 6
    y, u, v = error[:, : 4 * sixth], error[:, 4 * sixth : 5 * sixth], error[:, 5 * sixth :]
    return (6 * _plane_psnr(y) + _plane_psnr(u) + _plane_psnr(v)) / 8


def measure_loss(
    float_model: Path | bytes, int8_model: Path | bytes, samples: Sequence[LossSample]
) -> NetworkLoss:
    """Both networks' PSNR on `samples` against the source, each as the file computes it; MS-SSIM of
    the luma too, on two frames of each clip.

    A sample of another size than a fixed-shape graph is cropped, or padded at its edges and judged
    without the padding. Raises `ExportError` where a sample lacks an input of the network.
    """
    if not samples:
        raise ExportError("there are no samples to measure the loss on")
    pair = _Pair(float_model, int8_model)
    by_clip: dict[str, list[LossSample]] = {}
    for sample in samples:
        by_clip.setdefault(sample.clip, []).append(sample)
    losses = [_clip_loss(pair, name, inside) for name, inside in by_clip.items()]
    fp32, int8 = (fmean(column) for column in zip(*(means for means, _ in losses), strict=True))
    clips = tuple(clip for _, clip in losses)
    return NetworkLoss(_round(fp32), _round(int8), _round(fp32 - int8), clips, len(samples))


def measure_agreement(
    float_model: Path | bytes, int8_model: Path | bytes, probes: Sequence[Probe]
) -> NetworkLoss:
    """PSNR of what INT8 gives against what float gives, for want of real inputs and a source."""
    pair = _Pair(float_model, int8_model)
    outputs = [pair.outputs(probe.inputs) for probe in probes]
    psnr = _round(fmean(packed_psnr(int8, fp32) for fp32, int8 in outputs))
    return NetworkLoss(None, psnr, None, (ClipLoss("synthetic", None, psnr, None),))


def float_psnr(model: bytes, spec: NetworkSpec, samples: Sequence[LossSample]) -> float:
    """Mean PSNR in dB over `samples` of a graph with float inputs and outputs."""
    session = open_session(model, spec.name)
    return _mean_psnr(lambda inputs: _float_levels(session, spec, inputs), spec, samples)


def int8_psnr(model: bytes, spec: NetworkSpec, samples: Sequence[LossSample]) -> float:
    """Mean PSNR in dB over `samples` of a graph with uint8 inputs and outputs."""
    session = open_session(model, spec.name)
    return _mean_psnr(lambda inputs: _int8_levels(session, spec, inputs), spec, samples)


Levels = NDArray[np.uint8]
_Levels = Callable[[Mapping[str, Levels]], Levels]


class _Pair:
    """The float and the INT8 file of one network, loaded."""

    def __init__(self, float_model: Path | bytes, int8_model: Path | bytes) -> None:
        self._float = open_session(float_model, _name(float_model, "the float graph"))
        self._int8 = open_session(int8_model, _name(int8_model, "the INT8 graph"))
        self._spec = _spec(self._int8)

    def frames(self, sample: LossSample) -> tuple[Levels, Levels, Levels]:
        """The two networks' frames and the sample's target, where all three are."""
        outputs = self.outputs(sample.inputs)
        fp32, target = _frame_and_target(outputs[0], sample, self._spec)
        int8, _ = _frame_and_target(outputs[1], sample, self._spec)
        return fp32, int8, target

    def outputs(self, inputs: Mapping[str, Levels]) -> tuple[Levels, Levels]:
        """The levels of the frame, or of the residual, that each of the two gives."""
        return (
            _float_levels(self._float, self._spec, inputs),
            _int8_levels(self._int8, self._spec, inputs),
        )


def _clip_loss(
    pair: _Pair, name: str, samples: Sequence[LossSample]
) -> tuple[tuple[float, float], ClipLoss]:
    """Mean PSNR in dB of the float and of the INT8 network, unrounded, and all that is told."""
    psnrs, similarities = [], []
    for index, sample in enumerate(samples):
        *made, target = pair.frames(sample)
        psnrs.append([packed_psnr(frame, target) for frame in made])
        if index % -(-len(samples) // _MS_SSIM_FRAMES) == 0:
            similarities.append([luma_ms_ssim(frame, target) for frame in made])
    fp32, int8 = (fmean(column) for column in zip(*psnrs, strict=True))
    similar = (_mean_or_none(column) for column in zip(*similarities, strict=True))
    return (fp32, int8), ClipLoss(name, _round(fp32), _round(int8), _round(fp32 - int8), *similar)


def _mean_psnr(levels: _Levels, spec: NetworkSpec, samples: Sequence[LossSample]) -> float:
    """Over the frames of each clip, then over clips."""
    psnrs: dict[str, list[float]] = {}
    for sample in samples:
        pair = _frame_and_target(levels(sample.inputs), sample, spec)
        psnrs.setdefault(sample.clip, []).append(packed_psnr(*pair))
    return fmean(fmean(values) for values in psnrs.values())


def _float_levels(
    session: ort.InferenceSession, spec: NetworkSpec, inputs: Mapping[str, Levels]
) -> Levels:
    picture = spec.outputs[0]
    fitted = fit_inputs(session, spec, inputs)
    real = {port.name: to_real(fitted[port.name], port) for port in spec.inputs}
    (output,) = session.run([picture.name], real)
    return to_levels(output, picture)


def _int8_levels(
    session: ort.InferenceSession, spec: NetworkSpec, inputs: Mapping[str, Levels]
) -> Levels:
    (output,) = session.run([spec.outputs[0].name], fit_inputs(session, spec, inputs))
    levels: Levels = output
    return levels


def _frame_and_target(
    output: Levels, sample: LossSample, spec: NetworkSpec
) -> tuple[Levels, Levels]:
    """The 8-bit frame that a device makes of a graph's output [1, C, h, w], and its target."""
    target = sample.target
    rows, columns = (min(target.shape[i], output.shape[i]) for i in (2, 3))
    output, target = output[:, :, :rows, :columns], target[:, :, :rows, :columns]
    if not spec.adapts:
        return output, target
    if sample.base is None:
        raise ExportError(f"loss of {spec.name}: a sample has no base to add the residual to")
    base = sample.base[:, :, :rows, :columns]
    quarters = np.clip(base.astype(np.int32) + output - spec.outputs[0].zero_point, 0, 1023)
    frame: Levels = np.minimum((quarters + 2) >> 2, 255).astype(np.uint8)
    return frame, target


def _plane_psnr(squared_error: NDArray[np.float64]) -> float:
    mean = float(squared_error.mean())
    return min(MAX_PSNR_DB, 10 * math.log10(255.0**2 / mean)) if mean > 0 else MAX_PSNR_DB


def _mean_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _round(fmean(known)) if known else None


def _round(value: float) -> float:
    """Beyond a tenth of a millibel the summation order of floats decides."""
    return round(value, 5)


def _name(model: Path | bytes, otherwise: str) -> str:
    return model.name if isinstance(model, Path) else otherwise


def _spec(session: ort.InferenceSession) -> NetworkSpec:
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        return spec(metadata["edgecodec.network"], metadata["edgecodec.tier"])
    except KeyError as error:
        raise ExportError(f"a graph is no network of edgecodec: {error} is unknown") from None
