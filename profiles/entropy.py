"""Entropy decoding in a frame's time: latents are decoded on the CPU, beside the networks."""

from __future__ import annotations

import time

import numpy as np

from ..runtime.models import ModelEntry
from ..runtime.motion_tables import packaged_motion
from ..runtime.moved_frames import suits_motion
from ..runtime.prior import Prior, packaged_priors
from ..runtime.prior_part import first_groups
from ..runtime.symbols import (
    CHANNELS,
    Latent,
    choose_difference_tables,
    choose_scale_index,
    decode_latent,
    encode_latent,
)
from .device import Basis, DeviceProfile
from .roofline import Interval
from .size import FrameSize

# Share of a latent's symbols that are coded, the others being zero by their group: the least, the
# middle and, as the most, all. `benchmarks/entropy_speed.py` counts them in a stream.
_CODED_LOW, _CODED_MID, _CODED_HIGH = 0.37, 0.56, 1.0
# With a prior all symbols of coded groups are coded. The fastest and the slowest tenth of frames,
# as shares of the middle.
_PRIOR_LOW, _PRIOR_HIGH = 0.9, 1.3
_FEW_GROUPS = 3
# Multiply-accumulates of a prior's networks in the time of one coded symbol, on the same core.
_MACS_A_SYMBOL = 2100
# Of cells, those that move: in quiet scenes, in the middle, and at most; and multiply-accumulates
# that a moved cell's window takes the time of. About twice as many cells have to be drawn as move.
_MOVED_LOW, _MOVED_MID, _MOVED_HIGH = 0.05, 0.15, 1.0
_WINDOW_MACS = 250_000
_DRAWN_FOR_MOVED = 2.0
_KIND_LETTERS = {"iframe_decoder": "ci", "generator_p": "p", "generator_b": "b"}
# An I-frame decoder draws C frames too, whose prior has more to compute, and where they move most
# of its frames are B frames, which are seen in two others.
_BETWEEN, _LETTER_BETWEEN = "iframe_decoder", "b"
# Million coded symbols a second of one core where a profile does not say: what one core of the
# server that `docs/profiles.md` names decodes while others work beside it.
_ASSUMED_MSYMBOLS = 17.0
_LATENT = "latent"
_STRIDE = 16
# The probe: a latent of this many cells, all of it coded.
_PROBE_CELLS = (45, 80)
_PROBE_RUNS = 5


def entropy_interval(
    network: ModelEntry, size: FrameSize, device: DeviceProfile, *, probed: float | None = None
) -> Interval | None:
    """Milliseconds of one core for the symbols of a frame, None for a network without latents.

    `probed` is this machine's rate by `entropy_rate`; without it the profile's or, as an
    assumption, that of the machine that the figures in the documentation were taken on.
    """
    if all(port.name != _LATENT for port in network.inputs):
        return None
    padded = size.padded(_STRIDE)
    cells = (padded.height // _STRIDE) * (padded.width // _STRIDE)
    rate, basis = _rate(device, probed)
    prior = _prior(network)
    if prior is not None:
        coded = [first_groups(prior, count) for count in _coded_groups(prior)]
        seen_in = 1 if _between(network) is None else 2
        moving = _motion_macs(network.tier, prior, seen_in)
        low, mid, high = (
            1e3 * cells * (part.channels + (_macs(part) + macs) / _MACS_A_SYMBOL) / rate
            for part, macs in zip(coded, moving, strict=True)
        )
        part = coded[1]
        motion = f" and {moving[1]:,} of motion" if moving[1] else ""
        what = (
            f"{cells * part.channels:,} symbols of {len(part.groups)} of {len(prior.groups)} "
            f"groups, with {_macs(part):,} MACs of a prior{motion} for each 16x16, one core, "
            f"{basis}"
        )
        return Interval(_PRIOR_LOW * low, mid, _PRIOR_HIGH * high, what, None)
    symbols = CHANNELS * cells
    low, mid, high = (
        1e3 * share * symbols / rate for share in (_CODED_LOW, _CODED_MID, _CODED_HIGH)
    )
    shares = f"{_CODED_LOW:.0%}, {_CODED_MID:.0%} and all of {symbols:,} symbols coded"
    return Interval(low, mid, high, f"{shares}, one core, {basis}", None)


def _prior(network: ModelEntry) -> Prior | None:
    """The prior that codes most of what a network draws, None if there is none."""
    if (between := _between(network)) is not None:
        return between
    letters = _KIND_LETTERS.get(network.name, "")
    found = (packaged_priors().get(f"{network.tier}-{letter}") for letter in letters)
    return next((prior for prior in found if prior is not None), None)


def _between(network: ModelEntry) -> Prior | None:
    """The prior of frames that lie between two others, if there is one and a network draws them."""
    prior = packaged_priors().get(f"{network.tier}-{_LETTER_BETWEEN}")
    tables = packaged_motion().get(network.tier)
    if network.name != _BETWEEN or prior is None or tables is None:
        return None
    return prior if suits_motion(prior, tables) else None


def _coded_groups(prior: Prior) -> tuple[int, int, int]:
    """How many groups are coded: at low rates, in the middle, and at most.

    `benchmarks/prior_speed.py` tells what a clip's frames have. Where there are few, all are coded.
    """
    count = len(prior.groups)
    return (2, count - 1, count) if count > _FEW_GROUPS else (count, count, count)


def _motion_macs(tier: str, prior: Prior, seen_in: int) -> tuple[int, int, int]:
    """Multiply-accumulates for a cell of frames that are predicted by motion from `seen_in` others:
    where little moves, in the middle, and where all does. None for other priors."""
    tables = packaged_motion().get(tier)
    if tables is None or not suits_motion(prior, tables):
        return 0, 0, 0
    low, mid, high = (
        seen_in
        * round(
            min(1.0, _DRAWN_FOR_MOVED * share) * tables.draw.size
            + share * (tables.see.size + _WINDOW_MACS)
        )
        for share in (_MOVED_LOW, _MOVED_MID, _MOVED_HIGH)
    )
    return low, mid, high


def _macs(prior: Prior) -> int:
    """Multiply-accumulates of a prior for a cell, the mean of both kinds of cells."""
    return sum(networks.macs for networks in prior.networks) // len(prior.networks)


def entropy_rate() -> float:
    """Coded symbols that one core of this machine decodes in a second (takes about 0.2 s)."""
    generator = np.random.default_rng(0)
    shape = CHANNELS, *_PROBE_CELLS
    symbols = np.rint(generator.laplace(0, 0.7, shape)).clip(-127, 127).astype(np.int8)
    index = choose_scale_index(symbols)
    tables = choose_difference_tables([index])
    data = encode_latent(Latent(symbols, index), tables, None)
    fastest = min(_decoding_seconds(data, tables) for _ in range(_PROBE_RUNS))
    return symbols.size / fastest


def _decoding_seconds(data: bytes, tables: tuple[int, ...]) -> float:
    start = time.perf_counter()
    decode_latent(data, _PROBE_CELLS, tables, None)
    return time.perf_counter() - start


def _rate(device: DeviceProfile, probed: float | None) -> tuple[float, str]:
    """Coded symbols a second, and how they are known."""
    if probed is not None and device.basis is Basis.MEASURED:
        return probed, f"{probed * 1e-6:.1f} million a second, timed just now"
    if device.entropy_msymbols:
        figure = device.entropy_msymbols
        return figure.value * 1e6, f"{figure.value:g} million a second: {figure.source}"
    return (
        _ASSUMED_MSYMBOLS * 1e6,
        f"assumed: {_ASSUMED_MSYMBOLS:g} million a second, as on one core of a server",
    )
