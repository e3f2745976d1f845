"""Time and peak memory of a whole export, from weights to checked and measured artefacts.

    python benchmarks/export_cost.py [--size 1080p] [--targets cpu,qnn,tensorrt] [--tier nano]
                                     [-- OPTION ...]

Runs `edgecodec export --int8 --no-cache` once for each target and tier, in a process of its own,
with the options after `--`. Prints a Markdown table: seconds, processor seconds and the largest
resident memory of the export itself and of the largest process that it started (its compilers).
Linux and macOS.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from device_graphs import all_tiers
from edgecodec.evaluation.environment import hardware

_MEASURED = """
import json, resource, sys
from edgecodec.cli import main
try:
    main()
finally:
    kib = 1 if sys.platform != "darwin" else 1024
    own, others = (resource.getrusage(w).ru_maxrss // kib
                   for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps([own, others]), file=open({report!r}, "w"))
"""


def cost(arguments: list[str], folder: Path) -> list[str]:
    """Wall seconds, processor seconds, MiB of the export, MiB of its largest child, the outcome."""
    report = folder / "memory.json"
    script = _MEASURED.format(report=str(report))
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    own, others = (int(kib) // 1024 for kib in report.read_text("utf-8").strip("[]\n").split(","))
    outcome = "made" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]
    return [f"{wall:.0f}", f"{processor:.0f}", str(own), str(others), outcome]


def main() -> None:
    own = sys.argv[1:]
    options = own[own.index("--") + 1 :] if "--" in own else []
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1080p")
    parser.add_argument("--targets", default="cpu,qnn,tensorrt")
    parser.add_argument("--tier", choices=all_tiers(), action="append")
    arguments = parser.parse_args(own[: len(own) - len(options) - bool("--" in own)])
    print(f"{arguments.size}; {hardware()}\n")
    columns = "target | tier | s | processor s | MiB | MiB of the largest child | outcome"
    print(f"| {columns} |\n|{'---|' * len(columns.split('|'))}")
    for target in arguments.targets.split(","):
        for tier in arguments.tier or all_tiers():
            with tempfile.TemporaryDirectory() as name:
                command = ["export", "--int8", "--no-cache", "--size", arguments.size]
                command += ["--target", target, "--tier", tier, "-o", f"{name}/models", *options]
                row = [target, tier, *cost(command, Path(name))]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
