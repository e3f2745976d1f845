"""How many of a stream's latent symbols are coded, and how fast one core decodes them.

    python benchmarks/entropy_speed.py STREAM.ecv

Prints JSON: frames with latents, the share of their symbols that is coded (the others lie in groups
that are all zero), coded symbols a second and milliseconds a frame, both of processor time, which
other load does not lengthen much. What a profile assumes of entropy decoding rests on these.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import edgecodec.runtime
import numpy as np
from edgecodec.evaluation.environment import hardware
from edgecodec.runtime.scenes import latent as latent_scenes
from edgecodec.runtime.symbols import GROUP_CELLS, GROUP_CHANNELS, Latent

_QUANTILES = {"low": 0, "p10": 10, "p50": 50, "p90": 90, "high": 100}


@dataclass(frozen=True)
class Decoded:
    """One latent: its symbols, how many were coded, and how long it took."""

    symbols: int
    coded: int
    seconds: float


def coded_symbols(latent: Latent) -> int:
    """Symbols in groups whose scale index is not 0."""
    _, height, width = latent.symbols.shape
    index = latent.scale_index.astype(bool).repeat(GROUP_CELLS, 1).repeat(GROUP_CELLS, 2)
    return GROUP_CHANNELS * int(np.count_nonzero(index[:, :height, :width]))


def timed(decode: Callable[..., Latent], found: list[Decoded]) -> Callable[..., Latent]:
    """`decode`, with a note of each latent in `found`."""

    def wrapped(*arguments: Any, **options: Any) -> Latent:
        start = time.thread_time()
        latent = decode(*arguments, **options)
        seconds = time.thread_time() - start
        found.append(Decoded(latent.symbols.size, coded_symbols(latent), seconds))
        return latent

    return wrapped


def quantiles(values: list[float], digits: int) -> dict[str, float]:
    """Lowest, tenths and highest."""
    found = np.percentile(values, list(_QUANTILES.values()))
    return {name: round(float(each), digits) for name, each in zip(_QUANTILES, found, strict=True)}


def main() -> None:
    """Read the command line, decode, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stream", type=Path)
    stream = parser.parse_args().stream
    found: list[Decoded] = []
    decode = timed(latent_scenes.decode_latent, found)
    with (
        patch.object(latent_scenes, "decode_latent", decode),
        edgecodec.runtime.open(stream, threads=1) as video,
    ):
        for _ in video:
            pass
    if not found:
        raise SystemExit(f"{stream} has no latents")
    result = {
        "hardware": hardware(),
        "frames": len(found),
        "symbols_a_frame": found[0].symbols,
        "coded_share": quantiles([each.coded / each.symbols for each in found], 3),
        "million_coded_symbols_a_second": quantiles(
            [each.coded / each.seconds * 1e-6 for each in found if each.coded], 2
        ),
        "milliseconds": quantiles([1e3 * each.seconds for each in found], 2),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
