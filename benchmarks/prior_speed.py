"""How fast one core decodes 1080p latents that are coded with priors.

    OPENBLAS_NUM_THREADS=1 python benchmarks/prior_speed.py [--random 127 --hidden 128 [--gated]]

Of each installed prior, at three qualities, the symbols are drawn at random from the tables that it
gives them: they are as it expects symbols to be. With `--random`, a prior of that many channels and
random weights takes the place of the installed ones, with three levels of activity; with `--gated`,
it is one of continued frames. Prints JSON:
bytes and share of symbols that are not zero; milliseconds of processor time a frame, all, in
networks, and in the range coder (of the quickest run); and, where there are 64 channels, the same
symbols with explicit scales.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
from edgecodec.evaluation.environment import hardware
from edgecodec.runtime import prior_coding
from edgecodec.runtime.prior import Prior, packaged_priors
from edgecodec.runtime.prior_coding import decode_with_prior, encode_with_prior
from edgecodec.runtime.prior_network import GroupNetwork, KindNetworks
from edgecodec.runtime.prior_shape import Previous
from edgecodec.runtime.quick_runs import QuickRunDecoder
from edgecodec.runtime.scale_tables import load_scale_tables
from edgecodec.runtime.symbols import (
    CHANNELS,
    Latent,
    choose_difference_tables,
    choose_scale_index,
    decode_latent,
    encode_latent,
)
from numpy.typing import NDArray

_CELLS = (68, 120)
_QUALITIES = (8, 30, 55)
_ACTIVITIES = (-600, 600, 1800)
_SIGNED, _WAVES = 16, 6
SYMBOLS = np.arange(-127, 128).astype(np.int8)


@dataclass(frozen=True)
class Case:
    """A prior to decode with, and what its runs are called."""

    name: str
    prior: Prior
    quality: int


def installed() -> Iterator[Case]:
    """Each installed prior at each quality."""
    for name, prior in packaged_priors().items():
        for quality in _QUALITIES:
            yield Case(f"{name}, quality {quality}", prior, quality)


def random_priors(channels: int, hidden: int, previous: Previous) -> Iterator[Case]:
    """Priors with a whole brightness, whose tables lie about a level of activity."""
    for activity in _ACTIVITIES:
        arrays = random_arrays(channels, hidden, activity, previous)
        yield Case(f"random, {channels} channels, {activity}", Prior.from_arrays(arrays), 30)


def random_arrays(
    channels: int, hidden: int, activity: int, previous: Previous
) -> dict[str, NDArray[Any]]:
    """A prior's file; its tables are `activity` / 128, more where there are large symbols."""
    random = np.random.default_rng(1)
    gated = previous is Previous.GATED
    groups = [channels // 32, channels // 32 * 3, channels // 4]
    groups.append(channels - sum(groups))
    arrays: dict[str, NDArray[Any]] = {
        "config": np.array([1, channels, 1, _SIGNED, previous], np.int32),
        "groups": np.array(groups, np.int32),
        "means": np.ones(len(groups), np.int32),
        "order": np.arange(channels, dtype=np.int32),
        "sizes": np.minimum(63, np.rint(8 * np.sqrt(np.arange(64)))).astype(np.uint8),
        "waves": random.integers(-127, 128, (64, _WAVES)).astype(np.int8),
    }
    for kind in (0, 1):
        inputs = 2 * channels + 4 * _SIGNED + gated * (3 * channels + _SIGNED) + _WAVES + 5
        for group, size in enumerate(groups):
            sides = ((hidden, inputs), (hidden, hidden), (2 * size + gated, hidden))
            for layer, (rows, columns) in enumerate(sides, start=1):
                weights = np.rint(random.normal(0, 64 / np.sqrt(columns), (rows, columns)))
                arrays[f"w{layer}_{kind}_{group}"] = weights.clip(-127, 127).astype(np.int8)
                arrays[f"b{layer}_{kind}_{group}"] = np.full(rows, 1000, np.int32)
            arrays[f"b3_{kind}_{group}"][:size] = activity
            inputs += (2 + gated) * size
    return arrays


class Drawing:
    """Stands in for a range decoder: symbols are drawn from the tables."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        shares = load_scale_tables().weights.astype(np.float64) + 1
        self._shares = shares / shares.sum(axis=1, keepdims=True)

    def decode(self, table: int, count: int) -> NDArray[np.int8]:
        """Symbols of a table."""
        return self._random.choice(SYMBOLS, count, p=self._shares[table])


def drawn(case: Case, previous: NDArray[np.int16] | None, seed: int) -> NDArray[np.int16]:
    """Symbols that the prior finds likely."""
    with (
        patch.object(prior_coding, "_checksum", lambda _: 0),
        patch.object(prior_coding, "QuickRunDecoder", lambda *_: Drawing(seed)),
    ):
        return decode_with_prior(bytes(10), _CELLS, case.quality, case.prior, previous)


def least(decode: Callable[[], object], runs: int) -> dict[str, float]:
    """Milliseconds of processor time of the quickest run, and what of it went where."""
    best: dict[str, float] = {}
    for _ in range(runs):
        spent = {"all": 0.0, "networks": 0.0, "range_coder": 0.0}
        with (
            patch.object(KindNetworks, "begin", timed(KindNetworks.begin, spent, "networks")),
            patch.object(GroupNetwork, "run", timed(GroupNetwork.run, spent, "networks")),
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


def measured(case: Case, runs: int) -> dict[str, object]:
    """One line of the result."""
    previous = drawn(case, np.zeros((case.prior.channels, *_CELLS), np.int16), 1)
    before = previous if case.prior.previous else None
    symbols = drawn(case, before, 2)
    data = encode_with_prior(symbols, case.quality, case.prior, before)

    def decode() -> NDArray[np.int16]:
        return decode_with_prior(data, _CELLS, case.quality, case.prior, before)

    np.testing.assert_array_equal(decode(), symbols)
    line: dict[str, object] = {
        "prior": case.name,
        "bytes": len(data),
        "not_zero": round(np.count_nonzero(symbols) / symbols.size, 3),
        "milliseconds": least(decode, runs),
    }
    if symbols.shape[0] == CHANNELS and not case.prior.whole:
        line["with_scales"] = with_scales(symbols.astype(np.int8), runs)
    return line


def with_scales(symbols: NDArray[np.int8], runs: int) -> dict[str, object]:
    """The same symbols without a prior."""
    latent = Latent(symbols, choose_scale_index(symbols))
    tables = choose_difference_tables([latent.scale_index])
    data = encode_latent(latent, tables, None)
    spent = least(lambda: decode_latent(data, _CELLS, tables, None), runs)
    return {"bytes": len(data), "milliseconds": spent["all"]}


def main() -> None:
    """Read the command line, decode, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--random", type=int, metavar="CHANNELS")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--gated", action="store_true", help="a prior of continued frames")
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    previous = Previous.GATED if options.gated else Previous.UNKNOWN
    cases = installed()
    if options.random:
        cases = random_priors(options.random, options.hidden, previous)
    lines = [measured(case, options.runs) for case in cases]
    print(json.dumps({"hardware": hardware(), "cells": _CELLS, "frames": lines}, indent=1))


if __name__ == "__main__":
    main()
