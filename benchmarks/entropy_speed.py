"""How many of a stream's latent symbols are coded, and how fast one core decodes them.

    python benchmarks/entropy_speed.py STREAM.ecv

Prints JSON: frames with latents, the share of their symbols that is coded (with explicit scales the
others lie in groups that are all zero; with a prior all are coded), coded symbols a second and
milliseconds a frame, both of processor time, which other load does not lengthen much. What a
profile assumes of entropy decoding rests on these.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import edgecodec.runtime
import numpy as np
from edgecodec.evaluation.environment import hardware
from edgecodec.runtime.scenes import _symbols as scene_symbols
from edgecodec.runtime.symbols import GROUP_CELLS, GROUP_CHANNELS, Latent
from numpy.typing import NDArray

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


def timed(decode: Callable[..., Any], found: list[Decoded]) -> Callable[..., Any]:
    """`decode`, with a note in `found` of each latent, or symbols, that it gives."""

    def wrapped(*arguments: Any, **options: Any) -> Latent | NDArray[np.int16]:
        start = time.thread_time()
        made: Latent | NDArray[np.int16] = decode(*arguments, **options)
        seconds = time.thread_time() - start
        if isinstance(made, Latent):
            found.append(Decoded(made.symbols.size, coded_symbols(made), seconds))
        else:
            found.append(Decoded(made.size, made.size, seconds))
        return made

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
    with ExitStack() as stack:
        for name in ("decode_latent", "decode_with_prior"):
            decode = timed(getattr(scene_symbols, name), found)
            stack.enter_context(patch.object(scene_symbols, name, decode))
        video = stack.enter_context(edgecodec.runtime.open(stream, threads=1))
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
