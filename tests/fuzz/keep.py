"""Keeps of a fuzzer's finds what the tests replay: `python -m tests.fuzz.keep container`.

Of the inputs in `build/fuzz/<harness>/found` and of those that are kept already, smallest first,
each stays that takes a step from line to line of `runtime/` which none before it took, or ends in
another way.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

from edgecodec import runtime

from .registry import CORPUS, HARNESSES

_RUNTIME = str(Path(runtime.__file__).parent)
Step = tuple[str, int, int]


def main() -> None:
    """Rewrites the kept corpus of one harness."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("harness", choices=HARNESSES)
    parser.add_argument("--work", type=Path, default=Path("build/fuzz"))
    arguments = parser.parse_args()
    kept_folder = CORPUS / arguments.harness
    kept_folder.mkdir(parents=True, exist_ok=True)
    found = (arguments.work / arguments.harness / "found").glob("*")
    paths = [path for path in (*found, *kept_folder.iterdir()) if path.is_file()]
    kept = chosen(arguments.harness, sorted({path.read_bytes() for path in paths}))
    for path in kept_folder.iterdir():
        path.unlink()
    for data in kept:
        (kept_folder / sha256(data).hexdigest()[:16]).write_bytes(data)
    print(f"{arguments.harness}: {len(kept)} of {len(paths)}, {sum(map(len, kept))} bytes")


def chosen(name: str, inputs: list[bytes]) -> list[bytes]:
    """The smallest inputs that do together what all do."""
    harness, seen, kept = HARNESSES[name], set[object](), list[bytes]()
    for seed in harness.seeds():
        seen |= steps(name, seed)  # the tests run those too
    for data in sorted(inputs, key=lambda data: (len(data), data)):
        new = steps(name, data[: harness.most_bytes]) - seen
        if new:
            seen |= new
            kept.append(data)
    return kept


def steps(name: str, data: bytes) -> set[object]:
    """From which line to which the code went, and how it ended."""
    taken: set[Step] = set()
    with traced(taken):
        outcome = HARNESSES[name].run(data)
    return {*taken, outcome}


@contextmanager
def traced(taken: set[Step]) -> Iterator[None]:
    """Adds steps within functions of `runtime/`, in every thread that starts meanwhile."""

    def enter(frame: FrameType, event: str, _: object) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(_RUNTIME):
            return None
        last = frame.f_lineno

        def step(frame: FrameType, event: str, _: object) -> Any:
            nonlocal last
            if event == "line":
                taken.add((name, last, frame.f_lineno))
                last = frame.f_lineno
            return step

        return step

    threading.settrace(enter)
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
