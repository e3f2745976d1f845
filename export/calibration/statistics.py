"""What the inner tensors of a float network hold on real inputs, gathered one sample at a time."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import onnx
from numpy.typing import NDArray

from ...decoder.networks import NetworkSpec
from ...runtime.errors import ExportError
from ..quantization.structure import activations, constants, convolution
from ..template import template_bytes
from .histogram import BINS, Histogram, empty, histogram
from .segments import Sample, SegmentedGraph, real_input

_FORMAT = 1
# What NumPy, zipfile and json raise for bytes that are something else.
_NOT_SUCH_A_FILE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
    BadZipFile,
)


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of `samples` inputs of one network.

    `histograms`: by inner activation whose range calibration may change. `input_means`: by layer,
    the mean of each channel that it reads, float64 [I].
    """

    network: str
    samples: int
    histograms: Mapping[str, Histogram]
    input_means: Mapping[str, NDArray[np.float64]]

    def to_bytes(self) -> bytes:
        """An .npz file without pickled objects: the same bytes for the same statistics."""
        header = {
            "format": _FORMAT,
            "network": self.network,
            "samples": self.samples,
            "histograms": {
                name: {"exponent": h.exponent, "minimum": h.minimum, "maximum": h.maximum}
                for name, h in self.histograms.items()
            },
            "input_means": list(self.input_means),
        }
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        counts = {f"counts/{name}": h.counts for name, h in self.histograms.items()}
        means = {f"mean/{name}": values for name, values in self.input_means.items()}
        return template_bytes({"header": text, **counts, **means})

    def save(self, file: Path) -> None:
        """Writes `to_bytes`; the file appears whole or not at all."""
        unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
        try:
            unfinished.write_bytes(self.to_bytes())
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)


def load_statistics(file: Path) -> Statistics:
    """What `Statistics.save` wrote; `ExportError` names a file that is something else."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ExportError(f"no calibration statistics: {error}") from error
    return statistics_from_bytes(data, str(file))


def statistics_from_bytes(data: bytes, source: str) -> Statistics:
    """What `Statistics.to_bytes` gave; `ExportError` names `source` if `data` is something else."""
    try:
        with np.load(BytesIO(data), allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            if header["format"] != _FORMAT:
                raise ValueError(f"their format is {header['format']}, {_FORMAT} is known")
            return Statistics(
                network=header["network"],
                samples=header["samples"],
                histograms={
                    name: Histogram(
                        numbers["exponent"],
                        arrays[f"counts/{name}"].astype(np.int64).reshape(BINS),
                        numbers["minimum"],
                        numbers["maximum"],
                    )
                    for name, numbers in header["histograms"].items()
                },
                input_means={
                    name: arrays[f"mean/{name}"].astype(np.float64).reshape(-1)
                    for name in header["input_means"]
                },
            )
    # What NumPy, zipfile and json raise for bytes that are no such file.
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        OSError,
        BadZipFile,
    ) as error:
        raise ExportError(
            f"{source} holds no calibration statistics: {error}; calibrate again"
        ) from error


def collect(
    model: onnx.ModelProto,
    spec: NetworkSpec,
    samples: Iterable[Sample],
    progress: Callable[[int], None] | None = None,
) -> Statistics:
    """Histograms and means of the inner tensors of `model`, a float graph of any fixed or free
    size, on `samples` of any size: {port: uint8 [1, C, h, w]}.

    In memory are, at any time, one sample, the tensors that the next layer reads and what it
    gives. `progress` is told after each sample how many were seen. Raises `ExportError` where
    there is no sample, one lacks an input, or a tensor is not finite.
    """
    inputs = _layer_inputs(model, spec)
    ports = {port.name: port for port in spec.inputs if port.name in inputs.values()}
    wanted = {*activations(model, spec), *inputs.values()} - ports.keys()
    graph = SegmentedGraph(model, spec, tuple(wanted))
    histograms = {name: empty() for name in activations(model, spec)}
    means = {name: _Mean() for name in inputs.values()}
    seen = 0
    for sample in samples:
        shown = ((name, real_input(spec, port, sample)) for name, port in ports.items())
        for name, values in chain(shown, graph.run(sample)):
            if name in histograms:
                histograms[name] = histograms[name].merged(histogram(values, name))
            if name in means:
                means[name].add(values)
        seen += 1
        if progress:
            progress(seen)
    if not seen:
        raise ExportError(f"calibrate {spec.name}: there are no samples to calibrate on")
    found = {layer: means[tensor].value for layer, tensor in inputs.items()}
    return Statistics(spec.name, seen, histograms, found)


def _layer_inputs(model: onnx.ModelProto, spec: NetworkSpec) -> dict[str, str]:
    """The tensor that each convolution reads, by layer; refuses weights that are not finite."""
    known = constants(model)
    try:
        return {
            convolution(node, known).name: node.input[0]
            for node in model.graph.node
            if node.op_type == "Conv"
        }
    except ExportError as error:
        raise ExportError(f"calibrate {spec.name}: {error}") from error


class _Mean:
    """The mean of each channel over all positions of all samples."""

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] = np.zeros(1)
        self._positions = 0

    def add(self, values: NDArray[np.float32]) -> None:
        """More positions: `values` are [1, C, h, w]."""
        self._sum = self._sum + values.sum(axis=(0, 2, 3), dtype=np.float64)
        self._positions += values[:, 0].size

    @property
    def value(self) -> NDArray[np.float64]:
        return self._sum / self._positions
