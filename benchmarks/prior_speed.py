"""How fast one core decodes the symbols of a clip's frames that are coded with priors.

    OPENBLAS_NUM_THREADS=1 python benchmarks/prior_speed.py CLIP --tier edge --short-side 1080

The first frames, scaled down to that size, are coded by `semantic_latent` at several qualities,
as an encode does it. Prints JSON, for each quality and frame: its kind, bytes, how many of its
prior's groups of channels are coded and the share of symbols that a cell's neighbourhood did not
foretell (that are not zero, or not as in the frame before); and milliseconds of processor time to
decode it, all, in networks, in motion, and in the range coder (of the quickest run). `all_groups`
is the same with every group coded, which gives the same symbols. Frames that are predicted by
motion, in decoding order, say the share of cells that moved, and the bytes of their motion.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from edgecodec.encoder.latent_symbols import device_latent
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies.latent import LatentCoder
from edgecodec.encoder.strategies.latent_scene import code_scene
from edgecodec.evaluation.environment import hardware
from edgecodec.evaluation.latent_video_clips import Cut, read_clip
from edgecodec.runtime import between_frames, moved_frames, prior_coding
from edgecodec.runtime.between_frames import Between, decode_between, sighted
from edgecodec.runtime.chunks import StrategyId
from edgecodec.runtime.fields import Cursor, pack_unsigned
from edgecodec.runtime.frame_levels import levels_of
from edgecodec.runtime.latent_body import FrameKind, LatentPacket
from edgecodec.runtime.motion import expected_levels
from edgecodec.runtime.motion_tables import MotionTables
from edgecodec.runtime.moved_frames import Shown, decode_moved, seen_before
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import decode_with_prior, encode_with_prior
from edgecodec.runtime.prior_network import GroupNetwork, KindNetworks
from edgecodec.runtime.quick_runs import QuickRunDecoder
from edgecodec.runtime.sides import decode_motion
from numpy.typing import NDArray

_ALIGN = 16
Symbols = NDArray[np.int16]


def first_scene(path: Path, cut: Cut) -> Scene:
    """A part of a clip."""
    clip = read_clip(path, path.name, cut)
    times = tuple(range(len(clip.frames)))
    return Scene(0, 0, clip.frames, times, clip.format, clip.frame_rate, clip.color)


def least(decodes: Sequence[Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of processor time of the quickest run, and what of it went where."""
    best: dict[str, float] = {}
    for decode in decodes:
        spent = {"all": 0.0, "networks": 0.0, "motion": 0.0, "range_coder": 0.0}
        with (
            patch.object(KindNetworks, "begin", timed(KindNetworks.begin, spent, "networks")),
            patch.object(GroupNetwork, "run", timed(GroupNetwork.run, spent, "networks")),
            patch.object(moved_frames, "expected_levels", timed(expected_levels, spent, "motion")),
            patch.object(between_frames, "sighted", timed(sighted, spent, "motion")),
            patch.object(
                QuickRunDecoder, "decode", timed(QuickRunDecoder.decode, spent, "range_coder")
            ),
        ):
            timed(decode, spent, "all")()
        if not best or spent["all"] < best["all"]:
            best = spent
    return {name: round(1e3 * seconds, 1) for name, seconds in best.items()}


def timed(function: Callable[..., Any], spent: dict[str, float], name: str) -> Callable[..., Any]:
    """`function`, which adds its seconds of processor time to `spent`."""

    def wrapped(*arguments: Any) -> Any:
        start = time.thread_time()
        result = function(*arguments)
        spent[name] += time.thread_time() - start
        return result

    return wrapped


def measured(
    packet: LatentPacket, prior: Prior, shape: tuple[int, int], known: Symbols | None, runs: int
) -> tuple[Symbols, dict[str, object]]:
    """A packet's symbols, and what decoding them took."""

    def decode(data: bytes) -> Symbols:
        return decode_with_prior(data, shape, packet.quality, prior, known)

    symbols = decode(packet.data)
    expected = known if prior.shape.is_gated and known is not None else np.zeros_like(symbols)
    line: dict[str, object] = {
        "kind": packet.kind.name,
        "quality": packet.quality,
        "bytes": len(packet.data),
        "groups": packet.data[6] if packet.data else 0,
        "unforeseen": round(float((symbols != expected).mean()), 4),
        "milliseconds": least([lambda: decode(packet.data)] * runs),
    }
    with patch.object(prior_coding, "groups_needed", lambda *_: len(prior.groups)):
        everything = encode_with_prior(symbols, packet.quality, prior, known)
    np.testing.assert_array_equal(decode(everything), symbols)
    line["all_groups"] = {
        "bytes": len(everything),
        "milliseconds": least([lambda: decode(everything)] * runs),
    }
    return symbols, line


@dataclass(frozen=True)
class Predicted:
    """How a frame that is predicted by motion is decoded."""

    packet: LatentPacket
    prior: Prior
    tables: MotionTables
    others: list[Shown]

    def decode(self, data: bytes) -> Shown:
        """The frame, of these bytes."""
        how = self.packet.quality, self.prior, self.tables
        away = [self.packet.position - each for each in self.packet.references]
        if self.packet.kind is FrameKind.C:
            return decode_moved(data, self.others[0], *how, span=away[0])
        return decode_between(data, self._between, *how)

    @property
    def _between(self) -> Between:
        ahead, behind = (self.packet.position - each for each in self.packet.references)
        return Between(*self.others, ahead, -behind)

    def seen(self, shown: Shown, motion: bytes) -> Symbols:
        """What the prior sees as the frame before."""
        if self.packet.kind is FrameKind.C:
            expected = expected_levels(self.others[0].levels, shown.vectors, self.tables)
            return seen_before(expected, shown.vectors, self.packet.quality)
        _, sides = decode_motion(motion, self._between.vectors_before())
        return sighted(self._between, shown.vectors, self.tables).seen(sides, self.packet.quality)


def measured_moved(frame: Predicted, runs: int) -> tuple[Shown, dict[str, object]]:
    """A frame that is predicted by motion, and what decoding it took."""
    packet, prior = frame.packet, frame.prior
    # As a player comes to it: of the others is drawn what frames before have looked at.
    times = iter([replace(frame, others=deepcopy(frame.others)) for _ in range(2 * runs)])
    shown = frame.decode(packet.data)
    line: dict[str, object] = {
        "kind": packet.kind.name,
        "quality": packet.quality,
        "bytes": len(packet.data),
        "moved": round(float(shown.vectors.any(axis=0).mean()), 4),
        "milliseconds": least([partial(next(times).decode, packet.data) for _ in range(runs)]),
    }
    if packet.data:
        cursor = Cursor(packet.data, "a moved frame")
        motion = cursor.take(cursor.unsigned())
        left = cursor.take(cursor.remaining)
        seen = frame.seen(shown, motion)
        cells = (seen.shape[1], seen.shape[2])
        symbols = decode_with_prior(left, cells, packet.quality, prior, seen)
        line |= {
            "motion_bytes": len(motion),
            "groups": left[6] if left else 0,
            "unforeseen": round(float((symbols != 0).mean()), 4),
        }
        with patch.object(prior_coding, "groups_needed", lambda *_: len(prior.groups)):
            everything = encode_with_prior(symbols, packet.quality, prior, seen)
        whole = pack_unsigned(len(motion)) + motion + everything
        np.testing.assert_array_equal(frame.decode(whole).levels, shown.levels)
        line["all_groups"] = {
            "bytes": len(whole),
            "milliseconds": least([partial(next(times).decode, whole) for _ in range(runs)]),
        }
    return shown, line


def lines(coder: LatentCoder, scene: Scene, quality: int, runs: int) -> Iterator[dict[str, object]]:
    """What each frame takes at a quality index."""
    body, _ = code_scene(coder, StrategyId.SEMANTIC_LATENT, scene, quality)
    shape = (-(-scene.format.height // _ALIGN), -(-scene.format.width // _ALIGN))
    sent: dict[int, Symbols] = {}
    latest: dict[FrameKind, Symbols] = {}
    shown: dict[int, Shown] = {}
    for packet in body.packets:
        prior = coder.priors[packet.kind]
        if packet.kind is not FrameKind.I and body.motion is not None:
            assert coder.motion is not None
            others = [shown[reference] for reference in packet.references]
            frame = Predicted(packet, prior, coder.motion, others)
            shown[packet.position], line = measured_moved(frame, runs)
            yield line
            continue
        known = latest.get(packet.kind) if prior.previous else None
        if packet.kind is FrameKind.C:
            known = sent[packet.references[0]]
        symbols, line = measured(packet, prior, shape, known, runs)
        sent[packet.position] = latest[packet.kind] = symbols
        if coder.motion is not None:
            latent = device_latent(symbols, packet.quality, prior)
            shown[packet.position] = Shown.still(levels_of(latent))
        yield line


def main() -> None:
    """Read the command line, decode, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--tier", default="edge")
    parser.add_argument("--short-side", type=int, default=1080)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--qualities", type=int, nargs="+", default=(2, 12, 22, 32, 42, 52, 62))
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    coder = Resources(1).latent_coder(asked.tier, "cpu")
    scene = first_scene(asked.clip, Cut(asked.frames, 0, asked.short_side))
    found = [line for each in asked.qualities for line in lines(coder, scene, each, asked.runs)]
    size = [scene.format.width, scene.format.height]
    print(json.dumps({"hardware": hardware(), "size": size, "frames": found}, indent=1))


if __name__ == "__main__":
    main()
