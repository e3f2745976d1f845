"""Every snippet of docs/player.md runs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edgecodec.runtime import AuxPacket, AuxStream, PictureFormat
from edgecodec.runtime.container import Reader
from edgecodec.runtime.frames import Planes

from .http_server import Habits, serving
from .streams import FILM, classical, stream_of

SMALL = PictureFormat(96, 64)
PAGE = Path(__file__).parents[2] / "docs" / "player.md"
SNIPPETS = re.findall(r"^## ([^\n]*)\n|```python\n(.*?)```", PAGE.read_text("utf-8"), re.M | re.S)


def snippets() -> Iterator[tuple[str, str]]:
    """(heading, code), of which there may be several under one heading."""
    heading = ""
    for title, code in SNIPPETS:
        heading = title or heading
        if code:
            yield heading, code


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, draw_planes: Callable[..., tuple[Planes, ...]]
) -> Path:
    """`clip.ecv` of 30 frames and a subtitle, and `damaged.ecv`, whose second scene is broken."""
    folder = tmp_path_factory.mktemp("page")
    scene = classical(draw_planes(SMALL, 6), SMALL)
    text = AuxStream(3, "subrip", "subtitle", FILM)
    packets = [AuxPacket(3, 0, 0, 9, True, b"hello")]
    data = bytearray(stream_of([scene] * 5, SMALL, aux=packets, aux_streams=(text,)))
    (folder / "clip.ecv").write_bytes(data)
    with (folder / "clip.ecv").open("rb") as file:
        second = Reader(file).index[1]
    data[second.offset + second.size // 2] ^= 1
    (folder / "damaged.ecv").write_bytes(data)
    return folder


@pytest.mark.parametrize(("heading", "code"), list(snippets()))
def test_a_snippet_runs(folder: Path, heading: str, code: str) -> None:
    habits = Habits((folder / "clip.ecv").read_bytes())
    with serving(habits) as url:
        script = code.replace("https://example.com/clip.ecv", url)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    if "damaged.ecv" in code:
        assert "checksum does not match" in done.stdout
    assert bool(habits.requests) == ("example.com" in code)


def test_the_page_has_a_snippet_for_every_part() -> None:
    assert {heading.split()[0].rstrip(":,") for heading, _ in snippets()} >= {
        "Pull",
        "Push",
        "Seek",
        "Threads",
        "Async",
        "URLs",
        "Damage",
        "Audio",
    }
