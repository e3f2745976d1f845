"""Which samples a network has, known by their content before any of them is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..decoder.networks import PER_SCENE, NetworkSpec
from ..runtime.errors import BitstreamError
from .loss import LossSample
from .origin import code_digest, tool_versions
from .records import ClipFile
from .samples import SampleSource, base_samples

_Level = TypeVar("_Level", np.uint8, np.uint16)
# Frames, so that of one clip other pictures decide than those that judge.
CALIBRATION_SKIP = 48
# What decides between two recipes, or ranks layers, is measured on this much of each clip.
_QUICK_SAMPLES = 4
_QUICK_WIDTH, _QUICK_HEIGHT, _QUICK_STEP = 416, 240, 16  # luma samples


@dataclass(frozen=True)
class ClipSamples:
    """A `SampleSource` over video files.

    `make` gives the samples of a network by its name; they must depend on nothing but `clips` and
    `origin`, which stands for the code and the weights behind them.
    """

    clips: tuple[Path, ...]
    make: Callable[[str], Sequence[LossSample]]
    origin: str

    def __call__(self, network: str) -> Sequence[LossSample]:
        return self.make(network)

    @cached_property
    def files(self) -> tuple[ClipFile, ...]:
        """The videos; `BitstreamError` for one that cannot be read."""
        return tuple(ClipFile(clip.name, _file_digest(clip)) for clip in self.clips)


def base_source(clips: Sequence[Path], *, skip: int = 0) -> ClipSamples:
    """`base_samples` of `clips`, for the networks that mend a base."""

    def make(network: str) -> Sequence[LossSample]:
        return base_samples(network, clips, skip=skip)

    origin = [code_digest((f"{__package__}.samples",)), tool_versions(("av",)), skip]
    return ClipSamples(tuple(clips), make, json.dumps(origin))


@dataclass(frozen=True)
class SampleSet:
    """One network's samples of `source`, made when they are first needed."""

    network: str
    source: SampleSource | None
    _made: list[Sequence[LossSample]] = field(default_factory=list, repr=False)

    @property
    def samples(self) -> Sequence[LossSample]:
        """All of them; none where there is no source, or it has none for this network."""
        if not self._made:
            self._made.append(self.source(self.network) if self.source else ())
        return self._made[0]

    def forget(self) -> None:
        """Free the memory that they take; they are made again if they are needed again."""
        self._made.clear()

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hex of what decides the samples, or of the samples themselves."""
        if isinstance(self.source, ClipSamples):
            clips = [file.sha256 for file in self.source.files]
            content = json.dumps([self.network, self.source.origin, clips])
            return hashlib.sha256(content.encode()).hexdigest()
        return _samples_digest(self.samples)


def quick_samples(samples: Sequence[LossSample], spec: NetworkSpec) -> list[LossSample]:
    """At most four samples of each clip, evenly spread, each cut to at most 416x240 luma samples
    from its middle: their graph must take any size."""
    by_clip: dict[str, list[LossSample]] = {}
    for sample in samples:
        by_clip.setdefault(sample.clip, []).append(sample)
    return [
        _cut(sample, spec)
        for inside in by_clip.values()
        for sample in inside[:: -(-len(inside) // _QUICK_SAMPLES)]
    ]


def _cut(sample: LossSample, spec: NetworkSpec) -> LossSample:
    strides = {port.name: port.stride for port in spec.inputs}
    picture = spec.outputs[0].stride
    height, width = (side * picture for side in sample.target.shape[2:])
    tall, wide = (_window(height, _QUICK_HEIGHT), _window(width, _QUICK_WIDTH))

    def cut(array: NDArray[_Level], stride: int) -> NDArray[_Level]:
        if stride == PER_SCENE:
            return array
        rows, columns = (slice(a // stride, -(-b // stride)) for a, b in (tall, wide))
        return np.ascontiguousarray(array[:, :, rows, columns])

    return replace(
        sample,
        inputs={name: cut(array, strides[name]) for name, array in sample.inputs.items()},
        target=cut(sample.target, picture),
        base=None if sample.base is None else cut(sample.base, picture),
    )


def _window(side: int, most: int) -> tuple[int, int]:
    """First and last luma sample of what is kept of a side, from its middle, in whole steps."""
    if side <= most:
        return 0, side
    start = (side - most) // 2 // _QUICK_STEP * _QUICK_STEP
    return start, start + most


def _samples_digest(samples: Iterable[LossSample]) -> str:
    content = hashlib.sha256()
    for sample in samples:
        arrays: dict[str, NDArray[np.generic]] = {**sample.inputs, "target": sample.target}
        if sample.base is not None:
            arrays["base"] = sample.base
        content.update(sample.clip.encode())
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            content.update(f"\0{name}\0{array.dtype}\0{array.shape}\0".encode())
            content.update(array.data)
    return content.hexdigest()


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BitstreamError(f"{path} cannot be read: {error.strerror}") from error
