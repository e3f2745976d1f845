"""Coverage-guided fuzzing of one harness: `python -m tests.fuzz.run container --seconds 300`.

Needs the extra `fuzz`. What it finds worth keeping lies in `build/fuzz/<harness>/found`, where the
next run begins; inputs that break a promise lie in `build/fuzz/<harness>/broken`. At the end it
prints a line of totals and adds it to `build/fuzz/totals.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

INSIDE = "EDGECODEC_FUZZ_INSIDE"
_SECONDS_PER_INPUT = 10
_MEMORY_MB = 1500


def main() -> None:
    """Runs the fuzzer in a process of its own, which ends when it likes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("harness")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--corpus", type=Path, help="kept inputs; by default the repository's")
    parser.add_argument("--work", type=Path, default=Path("build/fuzz"))
    arguments = parser.parse_args()
    if INSIDE in os.environ:
        fuzz(arguments.harness, arguments.seconds, arguments.corpus, arguments.work)
        return
    before, log = time.time(), arguments.work / arguments.harness / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        command = [sys.executable, "-m", "tests.fuzz.run", *sys.argv[1:]]
        environment = os.environ | {INSIDE: "1"}
        done = subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    totals = summary(log.read_text(errors="replace"))
    broken = sorted(each.name for each in (log.parent / "broken").glob("*"))
    seconds = round(time.time() - before)
    line = {"harness": arguments.harness, "seconds": seconds, **totals, "broken": broken}
    print(json.dumps(line))
    with (arguments.work / "totals.jsonl").open("a") as totals_file:
        totals_file.write(json.dumps(line) + "\n")
    sys.exit(done.returncode)


def fuzz(name: str, seconds: int, kept: Path | None, work: Path) -> None:
    """Does not return: libFuzzer ends the process."""
    import atheris
    import numpy as np

    with atheris.instrument_imports(include=["edgecodec"]):
        from .registry import CORPUS, HARNESSES

    harness = HARNESSES[name]

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        def mutate_value(_: np.random.Generator, value: bytes) -> bytes:
            mutated: bytes = atheris.Mutate(value, max(most - len(data) + len(value), 1))
            return mutated

        return harness.mutate(np.random.default_rng(seed), data, mutate_value)[:most]

    folders = {each: work / name / each for each in ("found", "seeds", "broken")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(harness.seeds()):
        (folders["seeds"] / str(number)).write_bytes(seed)
    options = (
        f"-max_total_time={seconds}",
        f"-max_len={harness.most_bytes}",
        f"-timeout={_SECONDS_PER_INPUT}",
        f"-rss_limit_mb={_MEMORY_MB}",
        f"-artifact_prefix={folders['broken']}/",
        "-print_final_stats=1",
        "-report_slow_units=2",
        "-len_control=20",
        str(folders["found"]),
        str(folders["seeds"]),
    )
    kept = kept or CORPUS / name
    corpora = [str(kept)] if kept.is_dir() else []
    atheris.Setup(
        [sys.argv[0], *options, *corpora],
        lambda data: harness.run(data[: harness.most_bytes]) and None,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


def summary(log: str) -> dict[str, int]:
    """Executions, the edges and features of the code that they reached, and what one took."""
    reached = re.findall(r"^#(\d+)\s.*cov: (\d+) ft: (\d+)", log, re.MULTILINE)
    slowest = re.findall(r"slowest_unit_time_sec: +(\d+)", log)
    executed = re.findall(r"number_of_executed_units: (\d+)", log)
    last = reached[-1] if reached else ("0", "0", "0")
    return {
        "executions": int(executed[-1] if executed else last[0]),
        "edges": int(last[1]),
        "features": int(last[2]),
        "slowest_seconds": int(slowest[-1]) if slowest else 0,
    }


if __name__ == "__main__":
    main()
