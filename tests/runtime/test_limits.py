"""Hostile streams in a process that cannot have much memory: nothing is allocated for what they
only claim."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgecodec.runtime import PictureFormat
from edgecodec.runtime.container import Codec
from edgecodec.runtime.payloads import ClassicalBody

from . import bombs
from .golden_streams import GOLDEN
from .streams import Scene, classical, stream_of

PLAYER = Path(__file__).parent / "limited_player.py"
ADDRESS_MARGIN_MB = 256


def play(folder: Path, streams: Mapping[str, bytes]) -> dict[str, dict[str, object]]:
    """What became of each stream, and how far each took the peak of the process's memory."""
    for name, data in streams.items():
        (folder / name).write_bytes(data)
    command = [PLAYER, GOLDEN / "codecs_1.ecv", folder, str(ADDRESS_MARGIN_MB)]
    # One heap: the C library otherwise reserves 64 MB of addresses for every thread.
    environment = os.environ | {"MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["name"] for each in found] == sorted(streams)
    return {each["name"]: each for each in found}


def made(streams: Mapping[str, Callable[[], bytes]]) -> dict[str, bytes]:
    return {name: make() for name, make in streams.items()}


def test_what_is_only_claimed_is_not_allocated(tmp_path: Path) -> None:
    found = play(tmp_path, made(bombs.SMALL))
    for name, each in found.items():
        assert each["grown"] < 4 << 20, name  # type: ignore[operator]
        # Seen as damage, by pull and by push alike.
        assert each["pull"] == each["push"], name
        outcome = str(each["pull"])
        assert outcome == "BitstreamError" or outcome.startswith("0 frames, 0 packets"), name
        assert not outcome.endswith(" 0 damaged"), name


def test_many_small_things_stay_within_the_limits(tmp_path: Path) -> None:
    """The most that the default limits allow, 262,144 chunks in an index, takes under 100 MB."""
    found = play(tmp_path, made(bombs.LARGE))
    grown = {name: int(each["grown"]) for name, each in found.items()}  # type: ignore[call-overload]
    assert sum(grown.values()) < 100 << 20
    packets = found["packets of no bytes"]
    assert packets["pull"] == packets["push"] == f"0 frames, {20 * 4096} packets, 1 damaged"


@pytest.mark.parametrize("codec", Codec)
def test_a_coded_picture_that_is_larger_than_it_says_is_not_decoded(
    tmp_path: Path, codec: Codec
) -> None:
    """64x64 by the container, 2048x2048 by the codec's own header: 6 MB a frame, of which decoders
    want several. FFmpeg's for H.265 and VVC make tables before they look at the limit."""
    large, small = PictureFormat(2048, 2048), PictureFormat(64, 64)
    grey = np.full((2048, 2048), 100, np.uint8)
    scene = classical([(grey, grey[:1024, :1024], grey[:1024, :1024])] * 2, large, codec)
    assert isinstance(scene.body, ClassicalBody)
    base = replace(scene.body.base, width=64, height=64)
    data = stream_of([Scene(ClassicalBody(base), 2, scene.strategy)], small)
    (found,) = play(tmp_path, {codec.name: data}).values()
    most_mb = 24 if codec in (Codec.H265, Codec.VVC) else 2
    assert found["grown"] < most_mb << 20  # type: ignore[operator]
    assert found["pull"] == found["push"] == "0 frames, 0 packets, 1 damaged"
