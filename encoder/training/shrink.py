"""Make a checkpoint small enough to move between machines: half precision, no optimiser's state.

    python -m edgecodec.encoder.training.shrink RUN.pt SMALL.pt

Training goes on from it as from any other, at the step and rate where it stopped; only the
optimiser begins anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..script import run_script
from .checkpoint import shrink_checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("small", type=Path)
    asked = parser.parse_args()
    shrink_checkpoint(asked.checkpoint, asked.small)
    before, after = (path.stat().st_size / 2**20 for path in (asked.checkpoint, asked.small))
    print(f"{asked.small}: {after:.1f} MiB of {before:.1f}")


if __name__ == "__main__":
    run_script(main)
