"""Scene codes, title weights and scene filters."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
from edgecodec.runtime import title
from edgecodec.runtime.errors import BitstreamError, EdgecodecError
from edgecodec.runtime.fields import Limits
from edgecodec.runtime.scene_code import SceneCode, pack_scene_code, parse_scene_code
from edgecodec.runtime.scene_filter import pack_scene_filter, parse_scene_filter
from edgecodec.runtime.template import Template, TemplateTensor, titled

from ..runtime.ecv_samples import CODE, sample_titles
from ..runtime.filter_samples import fixed_filter, random_filter
from .harness import Harness

LIMITS = Limits(max_title_symbols=1 << 12)


def _scene_code(data: bytes) -> None:
    code = parse_scene_code(data, "code")
    assert parse_scene_code(pack_scene_code(code), "code") == code
    ports = code.ports()
    assert ports["gain"].min() >= 1
    assert ports["bias"].min() >= 1
    assert ports["gain"].shape == ports["bias"].shape == (1, code.channels, 1, 1)


def _title(data: bytes) -> None:
    """A checksum of 0 is taken to be right, or hardly any input would get past it."""
    with patch.object(title, "_checksum", lambda _: 0):
        found = title.parse_title(data, LIMITS, "title")
    assert title.parse_title(title.pack_title(found), LIMITS, "title") == found
    assert sum(delta.symbols.size for delta in found.deltas) <= LIMITS.max_title_symbols
    tensors = []
    for number, delta in enumerate(found.deltas):
        kind, shape = (np.int8, (-1, 1, 1, 1)) if number % 2 else (np.int32, (-1,))
        values = np.zeros(delta.symbols.size, kind).reshape(shape)
        tensors.append(TemplateTensor(f"t{number}", values, np.ones(len(values), np.float32)))
    try:
        changed = titled(Template(tuple(tensors)), found)
    except BitstreamError:
        return  # a bias goes too far
    assert len(changed) == len(tensors)


def _filter(data: bytes) -> None:
    found = parse_scene_filter(data, "filter")
    assert parse_scene_filter(pack_scene_filter(found), "filter") == found
    for plane in found.planes:
        assert plane is None or max(plane.filters) < len(plane.coefficients)


def run(data: bytes) -> str:
    """The first byte chooses."""
    if len(data) < 2:
        return "empty"
    layer = (_scene_code, _title, _filter)[data[0] % 3]
    name = layer.__name__.strip("_")
    try:
        layer(data[1:])
    except EdgecodecError as error:
        return f"{name} {type(error).__name__}"
    return f"{name} parsed"


def seeds() -> Iterator[bytes]:
    """Codes and weights that the encoder wrote."""
    for code in (CODE, SceneCode((64,), (128,)), SceneCode((1, 191) * 24, (1, 255) * 24)):
        yield b"\0" + pack_scene_code(code)
    with patch.object(title, "_checksum", lambda _: 0):
        for each in sample_titles():
            yield b"\1" + title.pack_title(each)
    for scene in (fixed_filter(), random_filter(0, planes=(False, True, False))):
        yield b"\2" + pack_scene_filter(scene)


HARNESS = Harness(run, seeds, 1000)
