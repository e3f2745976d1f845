"""How fast the player makes planes in memory, stage by stage, and what memory it takes.

    python benchmarks/player_speed.py --cache FOLDER [--sizes 720p 1080p] [--frames 120] [--turns 5]

Encodes a clip into FOLDER at both sizes, as `classical` and as `hybrid_semantic` of AV1 and tier
nano, with the frames mended that the encoder chose and with all of them: the most that a stream
can ask for. Prints JSON, for each stream:

- frames a second of the player, of libdav1d alone (PyAV decodes and counts; nobody looks at the
  samples) and of the player with the same networks in FP32. Runs of the three take turns, so that a
  machine whose speed drifts favours none; ratios are of runs of the same turn;
- milliseconds of CPU a frame of each stage on its own, in one thread, and of the player as a whole;
- the most memory that a process takes which only plays the stream, and one that only imports the
  player (`player_memory.py`).

A turn counts as quiet if other processes had less than a tenth of a core in each of its runs. Turns
are made until so many were quiet, but at most `--most-turns`; figures are of the quiet ones, or,
where there were none, of all, and then the frames a second are too low. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
from edgecodec import runtime
from edgecodec.evaluation.environment import hardware, versions
from edgecodec.runtime.base import deep_base, round_to_8_bit
from edgecodec.runtime.base_stream import BaseStream
from edgecodec.runtime.container import Limits, Reader
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.packing import pack
from edgecodec.runtime.payloads import ClassicalBody, HybridBody, parse_body
from edgecodec.runtime.scene_code import identity_code
from edgecodec.runtime.scenes import (
    SceneContext,
    add_residual,
    condition_planes,
    decode_scene,
)
from edgecodec.runtime.sessions import NetworkPool
from edgecodec.runtime.upsample import Upsampling
from float_networks import FloatPool
from player_streams import SIZES, SpeedStream, make_streams

# Frames that stages are timed with.
_SAMPLED = 24
# Cores that other processes may have in a quiet turn.
_QUIET = 0.1
_MEMORY = Path(__file__).with_name("player_memory.py")


@dataclass(frozen=True)
class Scene:
    """A scene's base, and its body as the stream has it."""

    format: PictureFormat
    body: ClassicalBody | HybridBody
    frames: int

    @property
    def base(self) -> BaseStream:
        return self.body.base


def scenes(path: Path) -> Iterator[Scene]:
    with path.open("rb") as file:
        reader = Reader(file)
        for entry in reader.index:
            chunk = reader.chunk(entry)
            body = parse_body(chunk.strategy, chunk.body, entry.frames)
            assert isinstance(body, ClassicalBody | HybridBody)
            yield Scene(reader.header.format, body, entry.frames)


def play(path: Path, threads: int) -> int:
    """How many frames the player gives."""
    with runtime.open(path, threads=threads) as video:
        return sum(1 for _ in video)


def play_in_fp32(path: Path, threads: int, networks: NetworkPool) -> int:
    """As `play`, with other networks."""
    with path.open("rb") as file:
        reader = Reader(file)
        context = SceneContext(reader.header.format, networks, threads, titles=reader.titles)
        return sum(1 for entry in reader.index for _ in decode_scene(reader.chunk(entry), context))


def decode_alone(path: Path, threads: int) -> int:
    """How many frames libdav1d makes of the base layers."""
    count = 0
    for scene in scenes(path):
        decoder = av.CodecContext.create("libdav1d", "r")
        decoder.extradata = scene.base.extradata or None
        decoder.thread_count = threads
        decoder.thread_type = "AUTO"
        for coded in scene.base.packets:
            packet = av.Packet(coded.data)
            packet.pts = coded.pts
            count += len(decoder.decode(packet))
        count += len(decoder.decode(None))
    return count


def stage_costs(path: Path, threads: int) -> dict[str, float]:
    """Milliseconds of CPU a frame of each stage, of the scene with most frames."""
    scene = max(scenes(path), key=lambda each: each.frames)
    costs = {"base": _cpu_ms(lambda: decode_alone(path, threads), play(path, threads))}
    bases = deep_base(
        scene.base,
        scene.format,
        Upsampling.NONE,
        frames=scene.frames,
        max_pixels=Limits().max_pixels,
    )
    frames = list(bases)[:_SAMPLED]
    shown = frames
    if scene.base.bit_depth > scene.format.bit_depth:
        costs["rounding"] = _median_ms([partial(round_to_8_bit, frame) for frame in frames])
        shown = [round_to_8_bit(frame) for frame in frames]
    if isinstance(scene.body, ClassicalBody):
        return costs
    network = NetworkPool(threads=1).network(scene.body.enhancer)
    in_blocks = partial(pack, block=4, channels_last=True)
    costs["packing"] = _median_ms([partial(in_blocks, frame) for frame in shown])
    packed = [in_blocks(frame) for frame in shown]
    channels = network.entry.input("gain").shape[1]
    assert channels is not None
    condition = condition_planes(scene.base, *packed[0].shape[2:])
    inputs = [
        {
            "prev": packed[max(0, t - 1)],
            "cur": cur,
            "next": packed[min(t + 1, len(packed) - 1)],
            "condition": condition,
            **identity_code(channels).ports(),
        }
        for t, cur in enumerate(packed)
    ]
    costs["network"] = _median_ms([partial(network.run, each) for each in inputs])
    residuals = [network.run(each)[0] for each in inputs]
    costs["unpacking and adding"] = _median_ms(
        [
            partial(add_residual, frame, residual, scene.format)
            for frame, residual in zip(frames, residuals, strict=True)
        ]
    )
    return costs


def _median_ms(jobs: list[Callable[[], object]]) -> float:
    taken = []
    for job in jobs:
        began = time.thread_time()
        job()
        taken.append(1e3 * (time.thread_time() - began))
    return statistics.median(taken)


def _cpu_ms(work: Callable[[], object], frames: int) -> float:
    """Of the whole process."""
    began = time.process_time()
    work()
    return 1e3 * (time.process_time() - began) / frames


@dataclass(frozen=True)
class Run:
    """Frames a second, and how many cores other processes had meanwhile."""

    fps: float
    others: float


def _run(work: Callable[[], int]) -> Run:
    began, own, all_in_all = time.perf_counter(), time.process_time(), _busy_seconds()
    frames = work()
    seconds = time.perf_counter() - began
    others = _busy_seconds() - all_in_all - (time.process_time() - own)
    return Run(frames / seconds, others / seconds)


def _busy_seconds() -> float:
    """What all cores together have worked since the machine started."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")


def _turns(
    players: dict[str, Callable[[], int]], wanted: int, most: int
) -> tuple[list[dict[str, Run]], bool]:
    """The quiet turns, or all if none was; and whether they were quiet."""
    turns: list[dict[str, Run]] = []
    quiet: list[dict[str, Run]] = []
    while len(quiet) < wanted and len(turns) < most:
        turns.append({name: _run(work) for name, work in players.items()})
        if max(run.others for run in turns[-1].values()) < _QUIET:
            quiet.append(turns[-1])
    return (quiet, True) if quiet else (turns, False)


def measure(stream: SpeedStream, threads: int, wanted: int, most: int) -> dict[str, object]:
    path = stream.path
    players: dict[str, Callable[[], int]] = {
        "player": lambda: play(path, threads),
        "libdav1d": lambda: decode_alone(path, threads),
    }
    if stream.strategy != "classical":
        floats = FloatPool(threads)
        players["fp32"] = lambda: play_in_fp32(path, threads, floats)
    frames = {name: work() for name, work in players.items()}  # also loads everything
    assert len(set(frames.values())) == 1, frames
    turns, quiet = _turns(players, wanted, most)
    costs = stage_costs(path, threads)
    costs["player, all in all"] = _cpu_ms(lambda: play(path, threads), frames["player"])
    bodies = [scene.body for scene in scenes(path)]
    mended = sum(sum(body.enhanced) for body in bodies if isinstance(body, HybridBody))
    return {
        "size": stream.size,
        "strategy": stream.strategy,
        "flags": stream.flags,
        "frames": frames["player"],
        "mended": mended,
        "base_bits": bodies[0].base.bit_depth,
        "mbps": round(_mbps(path), 2),
        "turns": len(turns),
        "quiet": quiet,
        "others_cores": _spread([run.others for turn in turns for run in turn.values()]),
        "fps": {name: _spread([turn[name].fps for turn in turns]) for name in players},
        "player_over": {
            name: _spread([turn["player"].fps / turn[name].fps for turn in turns])
            for name in players
            if name != "player"
        },
        "cpu_ms": {name: round(cost, 2) for name, cost in costs.items()},
        "peak_mb": _peak_mb(str(path), str(threads)),
    }


def _mbps(path: Path) -> float:
    """Of the scenes alone."""
    with path.open("rb") as file:
        reader = Reader(file)
        frames = sum(entry.frames for entry in reader.index)
        bits = 8 * sum(entry.size for entry in reader.index)
        return 1e-6 * bits * float(reader.header.frame_rate) / frames


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "lowest": round(min(values), 3),
        "highest": round(max(values), 3),
    }


def _peak_mb(*arguments: str) -> float:
    command = [sys.executable, str(_MEMORY), *arguments]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--most-turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    streams = make_streams(arguments.cache, arguments.sizes, arguments.frames)
    report = {
        "threads": arguments.threads,
        "streams": [
            measure(each, arguments.threads, arguments.turns, arguments.most_turns)
            for each in streams
        ],
        "import_peak_mb": _peak_mb(),
        "hardware": hardware(),
        "versions": versions(),
    }
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
