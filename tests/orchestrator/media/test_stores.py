"""One contract, every store."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from edgecodec.orchestrator.media import MediaStore, open_media
from edgecodec.runtime.errors import DispatchError


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return f"file:{tmp_path / 'store'}"
    bucket: Callable[[], str] = request.getfixturevalue("new_bucket")
    return bucket()


@pytest.fixture
def store(url: str) -> MediaStore:
    return open_media(url)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "in.bin"
    path.write_bytes(b"frames" * 1000)
    return path


def test_what_was_put_comes_back(store: MediaStore, file: Path, tmp_path: Path) -> None:
    artefact = store.put(file, "clips/a.mp4")
    assert artefact.name == "clips/a.mp4"
    assert artefact.bytes == store.size("clips/a.mp4") == 6000
    assert artefact.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    out = tmp_path / "out.bin"
    store.get("clips/a.mp4", out)
    assert out.read_bytes() == file.read_bytes()


def test_the_url_opens_the_same_store(store: MediaStore, file: Path, tmp_path: Path) -> None:
    store.put(file, "a")
    open_media(store.url).get("a", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == file.read_bytes()


def test_an_empty_file_is_a_file(store: MediaStore, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert store.put(tmp_path / "empty", "empty").bytes == 0
    store.get("empty", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b""


def test_a_large_file_in_parts(store: MediaStore, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * (20 << 12))  # 20 MiB: several parts on S3
    artefact = store.put(path, "large")
    store.get("large", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == path.read_bytes()
    assert store.put(path, "large") == artefact


def test_putting_replaces_and_the_same_again_does_nothing(
    store: MediaStore, file: Path, tmp_path: Path
) -> None:
    first = store.put(file, "a")
    assert store.put(file, "a") == first
    file.write_bytes(b"other" * 1200)  # of the same length
    second = store.put(file, "a")
    assert second.sha256 != first.sha256
    store.get("a", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == file.read_bytes()


def test_names_are_listed_sorted_and_by_prefix(store: MediaStore, file: Path) -> None:
    assert list(store.names()) == []
    for name in ("b/2", "b-1", "a", "b/1/x"):
        store.put(file, name)
    assert list(store.names()) == ["a", "b-1", "b/1/x", "b/2"]
    assert list(store.names("b/")) == ["b/1/x", "b/2"]
    assert list(store.names("c")) == []


def test_deleted_is_gone_and_twice_is_nothing(store: MediaStore, file: Path) -> None:
    store.put(file, "a/b")
    assert store.exists("a/b")
    store.delete("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")
    assert not store.exists("a")


def test_what_is_not_there_is_named(store: MediaStore, tmp_path: Path) -> None:
    with pytest.raises(DispatchError, match=r"there is no clips/none\.mp4"):
        store.get("clips/none.mp4", tmp_path / "out")
    with pytest.raises(DispatchError, match="there is no none"):
        store.size("none")
    assert list(tmp_path.glob("out*")) == []


@pytest.mark.parametrize(
    "name", ["", "/a", "a//b", "../a", "a/../b", "a/", ".hidden", "a\\b", "c:a", "a\nb", "x" * 201]
)
def test_names_that_could_lead_out_are_refused(store: MediaStore, file: Path, name: str) -> None:
    for act in (
        lambda: store.put(file, name),
        lambda: store.get(name, file),
        lambda: store.exists(name),
        lambda: store.delete(name),
    ):
        with pytest.raises(DispatchError, match="media name"):
            act()
    assert file.stat().st_size == 6000


def test_a_file_that_cannot_be_read_is_the_callers_error(store: MediaStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put(tmp_path / "none", "a")
    assert not store.exists("a")


def test_a_failed_get_leaves_nothing(store: MediaStore, file: Path, tmp_path: Path) -> None:
    store.put(file, "a")
    with pytest.raises(OSError, match="no-folder"):
        store.get("a", tmp_path / "no-folder" / "out")
    folder = tmp_path / "is-a-folder"
    folder.mkdir()
    (folder / "x").touch()
    with pytest.raises(OSError, match="folder"):
        store.get("a", folder)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "store") == [
        "in.bin",
        "is-a-folder",
    ]


def test_readers_never_see_half_of_a_file(store: MediaStore, tmp_path: Path) -> None:
    contents = [bytes([each]) * 300_000 for each in range(8)]
    paths = []
    for index, content in enumerate(contents):
        paths.append(tmp_path / f"in-{index}")
        paths[-1].write_bytes(content)
    store.put(paths[0], "a")
    over = threading.Event()
    seen: list[bytes] = []

    def read() -> None:
        while not over.is_set():
            out = tmp_path / uuid.uuid4().hex
            try:
                store.get("a", out)
            except DispatchError as error:  # replaced in the middle of it: said, never mixed
                assert "a" in str(error)  # noqa: PT017
            else:
                seen.append(out.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for path in paths:
            store.put(path, "a")
    finally:
        over.set()
        reader.join(60)
    assert set(seen) <= set(contents)


def test_a_plain_path_is_a_folder(file: Path, tmp_path: Path) -> None:
    open_media(str(tmp_path / "plain")).put(file, "a")
    assert (tmp_path / "plain" / "a").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    "url", ["", "file:", "http://host/x", "s3://", "s3://KEY:SECRET@bucket", "s3://bucket?regoin=x"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(DispatchError, match="media"):
        open_media(url)


def test_a_folder_that_is_a_file_is_said(file: Path) -> None:
    with pytest.raises(DispatchError, match="cannot store a"):
        open_media(str(file)).put(file, "a")


def test_what_a_killed_process_left_in_a_folder_goes_after_a_day(
    file: Path, tmp_path: Path
) -> None:
    store = open_media(str(tmp_path / "store"))
    store.put(file, "a")
    left = [tmp_path / "store" / ".partial" / name for name in ("old", "new")]
    for path in left:
        path.write_bytes(b"half")
    os.utime(left[0], (time.time() - 90_000,) * 2)
    store.put(file, "b")
    assert [path.exists() for path in left] == [False, True]
    assert list(store.names()) == ["a", "b"]
