"""What only a bucket can get wrong."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from edgecodec.orchestrator.media import open_media
from edgecodec.runtime.errors import DispatchError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "in.bin"
    path.write_bytes(b"frames")
    return path


def test_a_missing_bucket_is_said(moto_url: str, file: Path, tmp_path: Path) -> None:
    store = open_media(f"s3://no-such-bucket/x?endpoint_url={moto_url}")
    for act in (
        lambda: store.put(file, "a"),
        lambda: store.get("a", tmp_path / "out"),
        lambda: store.exists("a"),
        lambda: list(store.names()),
        lambda: store.delete("a"),
    ):
        with pytest.raises(DispatchError, match="NoSuchBucket; create the bucket"):
            act()


def test_an_object_that_was_changed_is_not_given(
    new_bucket: Callable[[], str], s3: Any, file: Path, tmp_path: Path
) -> None:
    url = new_bucket()
    store = open_media(url)
    artefact = store.put(file, "a")
    parts = urlsplit(url)
    key = f"{parts.path.strip('/')}/a"
    s3.put_object(
        Bucket=parts.netloc, Key=key, Body=b"forged", Metadata={"sha256": artefact.sha256}
    )
    with pytest.raises(DispatchError, match="put it there again"):
        store.get("a", tmp_path / "out")
    assert list(tmp_path.iterdir()) == [file]


def test_an_object_that_others_put_there_is_given(
    new_bucket: Callable[[], str], s3: Any, tmp_path: Path
) -> None:
    url = new_bucket()
    parts = urlsplit(url)
    s3.put_object(Bucket=parts.netloc, Key=f"{parts.path.strip('/')}/a", Body=b"by hand")
    open_media(url).get("a", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"by hand"


def test_a_server_that_is_not_there_is_said(aws_credentials: None, file: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"s3://bucket?endpoint_url=http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(DispatchError, match="check the address, the network"):
            open_media(url).put(file, "a")


def test_missing_keys_are_said(
    moto_url: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DispatchError, match=r"credentials.*check the"):
        open_media(f"s3://bucket?endpoint_url={moto_url}").put(file, "a")
