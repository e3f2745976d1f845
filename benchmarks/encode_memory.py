"""The most memory that an encode takes, by the length of the video.

    python benchmarks/encode_memory.py [--minutes 1,10] [--size 1920x1080] [-- ENCODE OPTIONS]

Makes videos by repeating the demo clip at that size, encodes each with `edgecodec encode`, and
samples the proportional set size (PSS, which counts shared pages once) of all its processes from
/proc. Prints JSON. Encode options default to what goes through the frames quickest: only what is
held per scene and per video matters here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
from edgecodec.evaluation.environment import hardware

CLIP = Path(__file__).parent.parent / "examples" / "media" / "bbb_720p.mp4"
QUICK = ("--strategy", "classical", "--codecs", "h264", "--effort", "fast", "--quality", "20")
MIB = 1024


def make_video(path: Path, width: int, height: int, minutes: float) -> int:
    """The demo clip over and over; returns the number of frames."""
    wanted = round(25 * 60 * minutes)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        count = 0
        while count < wanted:
            with av.open(str(CLIP)) as source:
                for frame in source.decode(video=0):
                    if count == wanted:
                        break
                    scaled = frame.reformat(width, height)
                    scaled.pts, scaled.time_base = count, Fraction(1, 25)
                    output.mux(stream.encode(scaled))
                    count += 1
        output.mux(stream.encode(None))
    return count


def tree_pss_kib(root: int) -> int:
    """The PSS of a process and all below it, in KiB."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    below = {root}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in below} - below
        below |= more
        grown = bool(more)
    total = 0
    for pid in below:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def peak_mib(video: Path, options: Sequence[str], folder: Path) -> tuple[float, float]:
    """Most MiB at once, and seconds."""
    command = ["edgecodec", "encode", str(video), "-o", str(folder / "out.ecv"), "-y", *options]
    began = time.perf_counter()
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, tree_pss_kib(process.pid))
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"{command}: exit code {process.returncode}")
    return peak / MIB, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", default="1,10")
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("options", nargs="*", default=list(QUICK))
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    rows = []
    for minutes in map(float, arguments.minutes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / "video.mp4"
            frames = make_video(video, width, height, minutes)
            peak, seconds = peak_mib(video, arguments.options, Path(folder))
        rows.append(
            {
                "minutes": minutes,
                "frames": frames,
                "peak_mib": round(peak),
                "seconds": round(seconds, 1),
            }
        )
    print(
        json.dumps({"hardware": hardware(), "options": arguments.options, "rows": rows}, indent=2)
    )


if __name__ == "__main__":
    main()
