"""What INT8 costs in picture quality, measured on real pictures with the files that ship."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ..decoder.networks import BIAS_IDENTITY, GAIN_IDENTITY, NetworkSpec, PortSpec, spec
from ..runtime.errors import ExportError
from .check import Probe, to_levels, to_real
from .manifest import ClipLoss
from .sessions import open_session

# Identical pictures have no error to take a logarithm of.
MAX_PSNR_DB = 100.0
# What stands for no scene code, where a sample brings none.
_IDENTITY = {"gain": GAIN_IDENTITY, "bias": BIAS_IDENTITY}


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


@dataclass(frozen=True)
class NetworkLoss:
    """PSNR in dB of the float and of the INT8 network, their difference, and the same by clip.

    Means over frames within a clip, then over clips. `psnr_fp32` and `drop_db` are None for
    synthetic inputs, which have no source; `psnr_int8` is then against the float output.
    """

    psnr_fp32: float | None
    psnr_int8: float | None
    drop_db: float | None
    clips: tuple[ClipLoss, ...]


def packed_psnr(frame: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """PSNR = (6 Y + U + V) / 8 in dB of a packed frame [1, C, h, w] (C = 24 or 96), at most 100.

    Two thirds of the channels are Y, a sixth each U and V.
    """
    error = (frame.astype(np.float64) - reference.astype(np.float64)) ** 2
    sixth = error.shape[1] // 6
    y, u, v = error[:, : 4 * sixth], error[:, 4 * sixth : 5 * sixth], error[:, 5 * sixth :]
    return (6 * _plane_psnr(y) + _plane_psnr(u) + _plane_psnr(v)) / 8


def measure_loss(
    float_model_path: Path, int8_model_path: Path, samples: Sequence[LossSample]
) -> NetworkLoss:
    """Both networks' PSNR on `samples` against the source, each as the file computes it.

    A sample of another size than a fixed-shape graph is cropped, or padded at its edges and judged
    without the padding. Raises `ExportError` where a sample lacks an input of the network.
    """
    pair = _Pair(float_model_path, int8_model_path)
    psnrs: dict[str, list[tuple[float, float]]] = {}
    for sample in samples:
        psnrs.setdefault(sample.clip, []).append(pair.psnr(sample))
    clips = []
    for name, values in psnrs.items():
        fp32, int8 = (fmean(column) for column in zip(*values, strict=True))
        clips.append(ClipLoss(name, _round(fp32), _round(int8), _round(fp32 - int8)))
    if not clips:
        raise ExportError(f"{int8_model_path.name}: there are no samples to measure its loss on")
    fp32, int8 = (fmean(fmean(v[i] for v in values) for values in psnrs.values()) for i in (0, 1))
    return NetworkLoss(_round(fp32), _round(int8), _round(fp32 - int8), tuple(clips))


def measure_agreement(
    float_model_path: Path, int8_model_path: Path, probes: Sequence[Probe]
) -> NetworkLoss:
    """PSNR of what INT8 gives against what float gives, for want of real inputs and a source."""
    pair = _Pair(float_model_path, int8_model_path)
    outputs = [pair.outputs(probe.inputs) for probe in probes]
    psnr = _round(fmean(packed_psnr(int8, fp32) for fp32, int8 in outputs))
    return NetworkLoss(None, psnr, None, (ClipLoss("synthetic", None, psnr, None),))


class _Pair:
    """The float and the INT8 file of one network, loaded."""

    def __init__(self, float_model_path: Path, int8_model_path: Path) -> None:
        self._float = open_session(float_model_path, float_model_path.name)
        self._int8 = open_session(int8_model_path, int8_model_path.name)
        self._spec = _spec(self._int8, int8_model_path)
        self._shapes = {i.name: tuple(i.shape) for i in self._int8.get_inputs()}

    def psnr(self, sample: LossSample) -> tuple[float, float]:
        """PSNR in dB of the two networks' frames against the sample's target, where both are."""
        outputs = self.outputs(sample.inputs)
        target = sample.target
        rows, columns = (min(target.shape[i], outputs[0].shape[i]) for i in (2, 3))
        frames = (self._frame(output[:, :, :rows, :columns], sample) for output in outputs)
        fp32, int8 = (packed_psnr(frame, target[:, :, :rows, :columns]) for frame in frames)
        return fp32, int8

    def outputs(
        self, inputs: Mapping[str, NDArray[np.uint8]]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The levels of the frame, or of the residual, that each of the two gives."""
        fitted = {port.name: self._fit(port, inputs) for port in self._spec.inputs}
        picture = self._spec.outputs[0]
        real = {port.name: to_real(fitted[port.name], port) for port in self._spec.inputs}
        (fp32,) = self._float.run([picture.name], real)
        (int8,) = self._int8.run([picture.name], fitted)
        return to_levels(fp32, picture), int8

    def _frame(self, output: NDArray[np.uint8], sample: LossSample) -> NDArray[np.uint8]:
        """The 8-bit frame that a device makes of a graph's output [1, C, h, w]."""
        if not self._spec.adapts:
            return output
        if sample.base is None:
            raise ExportError(
                f"loss of {self._spec.name}: a sample has no base to add the residual to"
            )
        zero_point = self._spec.outputs[0].zero_point
        base = sample.base[:, :, : output.shape[2], : output.shape[3]]
        quarters = np.clip(base.astype(np.int32) + output - zero_point, 0, 1023)
        frame: NDArray[np.uint8] = np.minimum((quarters + 2) >> 2, 255).astype(np.uint8)
        return frame

    def _fit(self, port: PortSpec, inputs: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
        array = inputs.get(port.name)
        if array is None and port.name in _IDENTITY:
            array = np.full((1, port.channels, 1, 1), _IDENTITY[port.name], np.uint8)
        if array is None or array.ndim != 4 or array.shape[:2] != (1, port.channels):
            found = "nothing" if array is None else f"shape {array.shape}"
            raise ExportError(
                f"loss of {self._spec.name}: a sample has {found} for input '{port.name}', which"
                f" takes [1, {port.channels}, h, w]"
            )
        fixed = self._shapes[port.name]
        rows, columns = (
            side if isinstance(side, int) else actual
            for side, actual in zip(fixed[2:], array.shape[2:], strict=True)
        )
        array = array[:, :, :rows, :columns]
        missing = (rows - array.shape[2], columns - array.shape[3])
        if any(missing):
            array = np.pad(array, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])), mode="edge")
        return np.ascontiguousarray(array)


def _plane_psnr(squared_error: NDArray[np.float64]) -> float:
    mean = float(squared_error.mean())
    return min(MAX_PSNR_DB, 10 * math.log10(255.0**2 / mean)) if mean > 0 else MAX_PSNR_DB


def _round(db: float) -> float:
    """To a tenth of a millibel: beyond that the summation order of floats decides."""
    return round(db, 5)


def _spec(session: ort.InferenceSession, path: Path) -> NetworkSpec:
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        return spec(metadata["edgecodec.network"], metadata["edgecodec.tier"])
    except KeyError as error:
        raise ExportError(f"{path.name} is no network of edgecodec: {error} is unknown") from None
