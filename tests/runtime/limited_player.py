"""Plays hostile streams with little memory: `python limited_player.py WARM FOLDER MARGIN_MB`.

WARM is played first, so that libraries are loaded; then no more than MARGIN_MB of addresses can be
had. For each file of FOLDER a line: its name, what became of it by pull and by push, and by how
many bytes the process's peak has grown, all in JSON.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import threading
from pathlib import Path

from edgecodec import runtime
from edgecodec.runtime import EdgecodecError, Limits, PushDecoder

PIECE = 1 << 16


def pull(data: Path, limits: Limits) -> str:
    try:
        with runtime.open(data, threads=1, on_damage="skip", limits=limits) as video:
            frames = sum(1 for _ in video)
            packets = sum(1 for _ in video.aux_packets())
            return f"{frames} frames, {packets} packets, {len(video.damage)} damaged"
    except EdgecodecError as error:
        return type(error).__name__


def push(data: Path, limits: Limits) -> str:
    frames = packets = 0
    try:
        with (
            PushDecoder(threads=1, on_damage="skip", limits=limits, keep_packets=True) as decoder,
            data.open("rb") as file,
        ):
            while True:
                piece = file.read(PIECE)
                if piece:
                    decoder.send(piece)
                else:
                    decoder.finish()
                while decoder.receive() is not None:
                    frames += 1
                while received := decoder.receive_packets():
                    packets += len(received)
                assert decoder.buffered <= decoder.capacity
                if not piece:
                    return f"{frames} frames, {packets} packets, {len(decoder.damage)} damaged"
    except EdgecodecError as error:
        return type(error).__name__


class Growth:
    """How far the process's memory rose above what it was."""

    def __init__(self) -> None:
        if sys.platform == "linux":
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            self._before = _status_bytes("VmRSS")
        else:
            self._before = _peak_bytes()

    def bytes(self) -> int:
        if sys.platform == "linux":
            # Not `ru_maxrss`, which may be that of the process that started this one.
            return _status_bytes("VmHWM") - self._before
        return _peak_bytes() - self._before


def _status_bytes(name: str) -> int:
    (line,) = re.findall(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line) << 10


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def bind_addresses(margin: int) -> None:
    """No more than `margin` bytes on top of what is mapped; only Linux says how many those are."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        bound = pages * resource.getpagesize() + margin
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


def main(warm: Path, folder: Path, margin_mb: int) -> None:
    threading.stack_size(1 << 20)
    pull(warm, Limits())
    push(warm, Limits())
    bind_addresses(margin_mb << 20)
    for path in sorted(folder.iterdir()):
        growth = Growth()
        found = {"name": path.name, "pull": pull(path, Limits()), "push": push(path, Limits())}
        print(json.dumps(found | {"grown": growth.bytes()}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
