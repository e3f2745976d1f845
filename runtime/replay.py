"""Decoding a stream as players do, on one kind of session, and noting what came out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .container import Chunk, Reader
from .errors import BitstreamError
from .frames import PictureFormat, Planes
from .payloads import Body, HybridBody, LatentBody, parse_body
from .scenes import SceneContext, decode_scene
from .sessions import Network, NetworkPool, Optimization
from .title import TitleWeights

# Inputs of networks that come out of the bitstream, and from nothing else.
_SYMBOL_PORTS = ("latent", "gain", "bias", "condition")


@dataclass(frozen=True)
class Variant:
    """A kind of session, as `sessions.NetworkPool` makes them."""

    provider: str
    optimization: Optimization = Optimization.ALL
    threads: int = 0
    soc_model: int | None = None


@dataclass(frozen=True)
class FrameDifference:
    """How a frame's samples differ from another decode's: how many do, by how much at most, and
    the sum of all absolute differences, in levels of the video's own depth."""

    differing: int
    largest: int
    total: int


@dataclass(frozen=True)
class SceneReplay:
    """What one scene decoded to; `start_frame` is its first frame's number in the stream.

    `symbols` has a SHA-256 for each run of a network, in decoding order, over what the bitstream
    gave it; `pixels_sha256` is over all `samples`; `differences` has one for each frame in display
    order, none where there was nothing to compare with. `feeds_references` says that networks
    predict later frames from what networks gave for earlier ones.
    """

    start_frame: int
    strategy: str
    feeds_references: bool
    frames: int
    samples: int
    symbols: tuple[str, ...]
    pixels_sha256: str
    differences: tuple[FrameDifference, ...]


@dataclass(frozen=True)
class Recording:
    """A file of raw samples, Y then U then V, frame n at n times a frame's bytes. `write` fills it;
    otherwise frames are compared with it."""

    path: Path
    write: bool


def replay(
    stream: Path,
    variant: Variant,
    models: Path | None = None,
    frames: int = 0,
    recording: Recording | None = None,
) -> Iterator[SceneReplay]:
    """Decode a stream scene by scene.

    With `frames` each scene of the same strategy and networks adds to one count and stops at it:
    only frames that a network makes count, in scenes that have such frames. Raises as
    `edgecodec.runtime.open` and its frames do.
    """
    with ExitStack() as files:
        reader = Reader(files.enter_context(stream.open("rb")))
        if reader.damage:
            raise BitstreamError(f"{reader.damage[0].what}: only a whole stream can be compared")
        pool = _ListeningPool(variant, models)
        picture = reader.header.format
        tape = None
        if recording is not None:
            file = files.enter_context(_open(recording))
            tape = _Tape(file, recording.write, picture)
        context = SceneContext(picture, pool, variant.threads, titles=reader.titles)
        left: dict[tuple[object, ...], int] = {}
        for entry in reader.index:
            chunk = reader.chunk(entry)
            body = parse_body(chunk.strategy, chunk.body, len(chunk.pts))
            count = _frames_to_decode(body, len(chunk.pts), frames, left)
            if count:
                yield _replay_scene(chunk, body, count, context, pool, tape)


class _ListeningPool(NetworkPool):
    """Notes what the bitstream gives to the networks."""

    def __init__(self, variant: Variant, models: Path | None) -> None:
        super().__init__(
            variant.provider,
            variant.threads,
            models,
            optimization=variant.optimization,
            soc_model=variant.soc_model,
        )
        self.heard: list[str] = []

    def network(self, model_id: str, title: TitleWeights | None = None) -> Network:
        network = super().network(model_id, title)
        return _ListeningNetwork(network, title.digest if title else "", self.heard)


class _ListeningNetwork(Network):
    def __init__(self, network: Network, title: str, heard: list[str]) -> None:
        self.entry = network.entry
        self.channels_last = network.channels_last
        self._network = network
        self._title = title
        self._heard = heard

    def run(self, inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        state = hashlib.sha256(f"{self.entry.model_id} {self._title}".encode())
        for port in _SYMBOL_PORTS:
            if port in inputs:
                state.update(f" {port} {inputs[port].shape}".encode())
                state.update(np.ascontiguousarray(inputs[port]).data)
        self._heard.append(state.hexdigest())
        return self._network.run(inputs)


class _Tape:
    """Frames written to a file, or compared with those in it."""

    def __init__(self, file: BinaryIO, write: bool, picture: PictureFormat) -> None:
        self._file = file
        self._write = write
        rows, columns = picture.chroma_shape
        samples = picture.width * picture.height + 2 * rows * columns
        self._frame_bytes = samples * (1 if picture.bit_depth == 8 else 2)

    def take(self, number: int, planes: Planes) -> FrameDifference | None:
        """Write the stream's frame of that number, or say how it differs."""
        self._file.seek(number * self._frame_bytes)
        if self._write:
            for plane in planes:
                self._file.write(np.ascontiguousarray(plane).data)
            return None
        differing = largest = total = 0
        for plane in planes:
            wanted = np.frombuffer(self._file.read(plane.nbytes), plane.dtype).reshape(plane.shape)
            if not np.array_equal(plane, wanted):
                apart = np.abs(np.subtract(plane, wanted, dtype=np.int32))
                differing += int(np.count_nonzero(apart))
                largest = max(largest, int(apart.max()))
                total += int(apart.sum(dtype=np.int64))
        return FrameDifference(differing, largest, total)


def _open(recording: Recording) -> BinaryIO:
    return recording.path.open("r+b") if recording.write else recording.path.open("rb")


def _replay_scene(
    chunk: Chunk,
    body: Body,
    count: int,
    context: SceneContext,
    pool: _ListeningPool,
    tape: _Tape | None,
) -> SceneReplay:
    pool.heard.clear()
    state = hashlib.sha256()
    samples = 0
    differences = []
    decoded = decode_scene(chunk, context)
    if count < len(chunk.pts):
        decoded = islice(decoded, count)
    for position, planes in enumerate(decoded):
        for plane in planes:
            state.update(np.ascontiguousarray(plane).data)
            samples += plane.size
        if tape is not None:
            difference = tape.take(chunk.start_frame + position, planes)
            differences += [difference] if difference else []
    return SceneReplay(
        start_frame=chunk.start_frame,
        strategy=chunk.strategy.name.lower(),
        feeds_references=_feeds_references(body),
        frames=count,
        samples=samples,
        symbols=tuple(pool.heard[: _runs(body, count)]),
        pixels_sha256=state.hexdigest(),
        differences=tuple(differences),
    )


def _feeds_references(body: Body) -> bool:
    """Whether frames are drawn from features of others, and not from their own latents alone."""
    return isinstance(body, LatentBody) and any(
        not body.drawn_alone(packet.kind) for packet in body.packets
    )


def _runs(body: Body, count: int) -> int | None:
    """How many runs of networks the first frames took; None: all that were heard. Frames that are
    mended are made ahead, so more runs than the frames took may have been."""
    return sum(body.enhanced[:count]) if isinstance(body, HybridBody) else None


def _frames_to_decode(
    body: Body, frames: int, most: int, left: dict[tuple[object, ...], int]
) -> int:
    """How many frames of a scene to decode; `left` counts down what is left of each kind."""
    if not most:
        return frames
    made = [True] * frames
    kind: tuple[object, ...] = (type(body).__name__,)
    if isinstance(body, LatentBody):
        kind += body.models
    elif isinstance(body, HybridBody) and any(body.enhanced):
        made = list(body.enhanced)
        kind += (body.enhancer, body.title is None)
    wanted = left.setdefault(kind, most)
    count = 0
    for position, by_network in enumerate(made):
        if not wanted:
            break
        if by_network:
            wanted -= 1
            count = position + 1
    left[kind] = wanted
    return count
