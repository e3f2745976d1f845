from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from edgecodec.orchestrator.cost import Price
from edgecodec.orchestrator.media import MediaStore, open_media
from edgecodec.orchestrator.runs import RunBook
from edgecodec.orchestrator.sitting import Wish, open_run, sitting
from edgecodec.orchestrator.tables import open_table
from edgecodec.runtime.errors import BitstreamError, UnsupportedError
from edgecodec.runtime.frames import PictureFormat

SIZE = PictureFormat(64, 64)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[RunBook]:
    table = open_table(f"sqlite:{tmp_path / 'results.sqlite'}")
    yield RunBook(table)
    table.close()


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return open_media(str(tmp_path / "media"))


@pytest.fixture
def video(tmp_path: Path, make_clip, draw_planes) -> Path:
    clip = make_clip(tmp_path / "Holiday.MP4", SIZE, draw_planes(SIZE, 3))
    return Path(clip.path)


@pytest.fixture
def wish(video: Path) -> Wish:
    return Wish(run="r", clips=(video,), frames=24, goal="psnr>=38, bitrate min", seed=7)


def test_a_new_run_puts_its_videos_where_workers_find_them(
    book: RunBook, media: MediaStore, wish: Wish, video: Path
) -> None:
    begun = open_run(wish, book, media)
    (clip,) = begun.options.clips
    assert clip.file == "Holiday.MP4"
    assert clip.clip.frames == 24
    assert clip.clip.name == f"clips/{clip.clip.sha256[:16]}.mp4"
    assert list(media.names("clips/")) == [clip.clip.name]
    assert begun.goal.min_psnr == 38
    assert begun.space.kind == "psnr"
    assert (begun.options.seed, begun.price.per_hour) == (7, 0)
    assert len(begun.options.model) == 64


def test_an_old_run_keeps_what_it_is_about(book: RunBook, media: MediaStore, wish: Wish) -> None:
    begun = open_run(replace(wish, quick=True, price=Price(2.5, "EUR")), book, media)
    again = open_run(Wish(run="r"), book, media)
    assert (again.options, again.goal, again.space) == (begun.options, begun.goal, begun.space)
    assert again.price == Price(2.5, "EUR")
    assert open_run(wish, book, media).options == begun.options
    assert open_run(Wish(run="r", price=Price(9.0)), book, media).price == Price(9.0)
    stored = book.get("r")
    assert stored is not None
    assert sitting(stored) == again


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"frames": 12}, "frames"),
        ({"goal": "bitrate min"}, "goal"),
        ({"device": "apple-ane-m1"}, "device"),
        ({"seed": 8}, "seed"),
        ({"space": "codecs=av1"}, "space"),
        ({"quick": True}, "quick"),
    ],
)
def test_an_old_run_is_not_made_another(
    book: RunBook, media: MediaStore, wish: Wish, change: dict[str, object], named: str
) -> None:
    open_run(wish, book, media)
    with pytest.raises(UnsupportedError, match=f"begun with other {named}"):
        open_run(replace(wish, **change), book, media)  # type: ignore[arg-type]


def test_other_videos_are_another_run(
    book: RunBook, media: MediaStore, wish: Wish, tmp_path: Path, make_clip, draw_planes
) -> None:
    open_run(wish, book, media)
    other = tmp_path / "other.mp4"
    make_clip(other, SIZE, draw_planes(SIZE, 4))
    with pytest.raises(UnsupportedError, match="other videos"):
        open_run(replace(wish, clips=(other,)), book, media)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"clips": ()}, "there is no run r"),
        ({"clips": (), "run": None}, "at least one video"),
        ({"goal": "beauty max"}, "beauty"),
        ({"space": "codecs=mpeg2"}, "mpeg2"),
        ({"device": "toaster"}, "toaster"),
    ],
)
def test_what_cannot_be_leaves_no_run_behind(
    book: RunBook, media: MediaStore, wish: Wish, change: dict[str, object], said: str
) -> None:
    with pytest.raises(UnsupportedError, match=said):
        open_run(replace(wish, **change), book, media)  # type: ignore[arg-type]
    assert list(book.list()) == []


def test_a_damaged_video_is_refused_before_anything_is_sent(
    book: RunBook, media: MediaStore, wish: Wish, video: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(video.read_bytes()[:100])
    with pytest.raises(BitstreamError, match=r"broken\.mp4"):
        open_run(replace(wish, clips=(video, broken)), book, media)
    assert list(media.names("clips/")) == []
    assert book.list() == ()


def test_the_same_video_twice_is_refused(
    book: RunBook, media: MediaStore, wish: Wish, video: Path
) -> None:
    with pytest.raises(UnsupportedError, match="twice"):
        open_run(replace(wish, clips=(video, video)), book, media)


def test_a_run_without_a_name_gets_one(book: RunBook, media: MediaStore, wish: Wish) -> None:
    begun = open_run(replace(wish, run=None), book, media)
    assert [run.name for run in book.list()] == [begun.run.name]
