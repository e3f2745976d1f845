"""Priors: small integer networks that say which table codes a symbol, from symbols known before.

A prior's file is an `.npz` of integer arrays (docs/format.md says which). Everything about it is
checked when it is read, above all that no sum in it can leave the integers that a float32 holds
exactly: decoders rely on that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array_file import read_arrays
from .errors import ModelError
from .prior_network import KindNetworks
from .prior_shape import Previous, Shape
from .prior_weights import KINDS, network_keys, read_networks

PRIOR_VERSION = 2
KIND_LETTERS = "ipbc"
"""In the order of `payloads.FrameKind`: the last letters of names like `edge-i`."""
QUALITIES = 64
MAX_CHANNELS = 1024
MAX_SIZES = 256
MAX_GROUPS = 255
LARGEST_SIZE = 63
_PACKAGED = Path(__file__).parent / "priors"
_CONFIG = ("version", "channels", "whole", "signed", "previous")
_ARRAYS = ("config", "groups", "means", "order", "sizes", "waves")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Prior:
    """What codes the symbols [channels, h, w] of frames of one kind.

    `prior_id` is its name in streams: 16 hexadecimal digits. Channel `order[j]` is coded j-th;
    `whole` says that channel 0, the first, is a whole brightness and not a difference. `signed` of
    the channels are seen with their signs. `previous` says how it looks at the frame before.
    `groups` are channels coded at once, `means` where their networks also give centres. `sizes`
    [N] uint8 are what magnitudes are seen as, `waves` [64, W] int8 what a quality is seen as.
    `networks[kind]` are those of diagonal (0) and cross (1) cells; `shape` says what they see.
    """

    prior_id: str
    channels: int
    whole: bool
    signed: int
    previous: Previous
    groups: tuple[int, ...]
    means: tuple[bool, ...]
    order: NDArray[np.intp]
    sizes: NDArray[np.uint8]
    waves: NDArray[np.int8]
    shape: Shape
    networks: tuple[KindNetworks, ...]

    @classmethod
    def from_arrays(cls, arrays: Arrays, what: str = "prior") -> Prior:
        """The prior that arrays of a file are. ModelError, naming `what`, if they are none."""
        try:
            return _checked(arrays)
        except ModelError as error:
            raise ModelError(f"{what}: {error}") from error


def read_prior(path: Path) -> Prior:
    """The prior of a file. ModelError if it cannot be read or breaks a rule of the format."""
    return Prior.from_arrays(read_arrays(path, "prior"), str(path))


@cache
def packaged_priors(folder: Path = _PACKAGED) -> Mapping[str, Prior]:
    """All priors that are installed with edgecodec, by name: tier, hyphen, and letter i, p, b or c,
    h for C frames without motion where others have it, s for I frames made for MS-SSIM, or d for
    detail."""
    return {path.stem: read_prior(path) for path in sorted(folder.glob("*.npz"))}


def find_prior(prior_id: str) -> Prior:
    """The installed prior that a stream names. ModelError if there is none."""
    for prior in packaged_priors().values():
        if prior.prior_id == prior_id:
            return prior
    raise ModelError(f"the stream needs prior {prior_id}, which is not installed: update edgecodec")


def identity(arrays: Arrays) -> str:
    """The first 16 hexadecimal digits of SHA-256 over all arrays in the order of their names.

    Each gives a line of name, NumPy's little-endian type and sides, then its bytes in C order:
    `groups <i4 3` and a line feed, for instance.
    """
    state = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        kind = array.dtype.newbyteorder("<")
        sides = "x".join(map(str, array.shape))
        state.update(f"{name} {kind.str} {sides}\n".encode())
        state.update(np.ascontiguousarray(array, kind).tobytes())
    return state.hexdigest()[:16]


def _checked(arrays: Arrays) -> Prior:
    missing = [name for name in _ARRAYS if name not in arrays]
    if missing:
        raise ModelError(f"no array {', '.join(missing)}")
    config = _array(arrays, "config", np.int32, 1)
    if len(config) != len(_CONFIG):
        raise ModelError(f"config has {len(config)} numbers, {len(_CONFIG)} are wanted")
    version, channels, whole, signed, previous = map(int, config)
    if version != PRIOR_VERSION:
        raise ModelError(f"version {version}, this edgecodec reads {PRIOR_VERSION}: update it")
    _require(1 <= channels <= MAX_CHANNELS, f"{channels} channels, 1 to {MAX_CHANNELS} are wanted")
    _require(whole in (0, 1), f"whole is {whole}, neither 0 nor 1")
    _require(previous in tuple(Previous), f"previous is {previous}, neither 0, 1 nor 2")
    _require(0 <= signed <= channels, f"{signed} signed channels of {channels}")
    groups = _array(arrays, "groups", np.int32, 1)
    means = _array(arrays, "means", np.int32, 1)
    _require(
        groups.min(initial=1) > 0 and int(groups.astype(np.int64).sum()) == channels,
        f"groups of {groups.tolist()} are not {channels} channels",
    )
    _require(len(groups) <= MAX_GROUPS, f"{len(groups)} groups, at most {MAX_GROUPS} are allowed")
    _require(
        means.shape == groups.shape and set(means.tolist()) <= {0, 1},
        f"means {means.tolist()} are not a 0 or 1 for each of {len(groups)} groups",
    )
    order = _array(arrays, "order", np.int32, 1)
    _require(
        sorted(order.tolist()) == list(range(channels)) and (not whole or order[0] == 0),
        f"order is no order of {channels} channels" + (" from channel 0 on" if whole else ""),
    )
    sizes = _array(arrays, "sizes", np.uint8, 1)
    steps = np.diff(sizes.astype(np.int16))
    _require(
        2 <= len(sizes) <= MAX_SIZES
        and int(sizes[0]) == 0
        and int(sizes[-1]) <= LARGEST_SIZE
        and bool((steps >= 0).all()),
        f"sizes are not 2 to {MAX_SIZES} numbers that go up from 0 to at most {LARGEST_SIZE}",
    )
    waves = _array(arrays, "waves", np.int8, 2)
    _require(
        len(waves) == QUALITIES and waves.min(initial=0) >= -127,
        f"waves {waves.shape} are not {QUALITIES} rows of -127 to 127",
    )
    shape = Shape(
        channels, signed, Previous(previous), tuple(groups.tolist()), tuple(map(bool, means)), waves
    )
    unknown = set(arrays) - {*_ARRAYS, *network_keys(len(groups))}
    _require(not unknown, f"arrays that no prior has: {', '.join(sorted(unknown)[:4])}")
    return Prior(
        prior_id=identity(arrays),
        channels=channels,
        whole=bool(whole),
        signed=signed,
        previous=shape.previous,
        groups=shape.groups,
        means=shape.means,
        order=order.astype(np.intp),
        sizes=sizes,
        waves=waves,
        shape=shape,
        networks=tuple(read_networks(arrays, shape, kind) for kind in range(KINDS)),
    )


def _array(arrays: Arrays, name: str, dtype: type, dimensions: int) -> NDArray[Any]:
    array = np.asarray(arrays[name])
    if array.dtype != np.dtype(dtype) or array.ndim != dimensions:
        raise ModelError(
            f"{name} is {array.dtype} {array.shape}, {np.dtype(dtype)} of {dimensions} dimensions "
            "is wanted"
        )
    return array


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ModelError(message)
