"""Folders that appear whole or not at all, and the manifest in them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from edgecodec.export import Manifest
from edgecodec.export import publish as publishing
from edgecodec.export.publish import check_replaceable, publish, staging_folder
from edgecodec.runtime.errors import ExportError, ModelError, UnsupportedError


def test_a_manifest_survives_its_file(exported: tuple[Path, Manifest]) -> None:
    folder, manifest = exported
    assert Manifest.load(folder) == manifest
    assert Manifest.from_dict(json.loads(manifest.to_json())) == manifest


def test_unknown_keys_of_a_manifest_are_ignored(exported: tuple[Path, Manifest]) -> None:
    _, manifest = exported
    data = json.loads(manifest.to_json())
    data["later"] = data["networks"][0]["later"] = data["networks"][0]["placement"]["later"] = 1
    assert Manifest.from_dict(data) == manifest


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"networks": None}, {"networks": [{}]}, {"size": {}}, {"measured_on": 3}],
)
def test_a_malformed_manifest_is_refused(
    exported: tuple[Path, Manifest], change: dict[str, object]
) -> None:
    _, manifest = exported
    with pytest.raises(ModelError, match="manifest"):
        Manifest.from_dict({**json.loads(manifest.to_json()), **change})


def test_a_folder_of_someone_else_is_not_replaced(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work")
    with pytest.raises(UnsupportedError, match=r"else than an export \(it holds no manifest\);"):
        check_replaceable(theirs)
    (theirs / "manifest.json").write_text('{"name": "a web app"}')
    with pytest.raises(UnsupportedError, match="something else than an export"):
        check_replaceable(theirs)
    with pytest.raises(UnsupportedError, match="is a file"):
        check_replaceable(theirs / "thesis.txt")


@pytest.mark.parametrize("exchange", [True, False])
def test_publishing_replaces_an_older_export(
    exported: tuple[Path, Manifest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    exchange: bool,
) -> None:
    _, manifest = exported
    if not exchange:  # as on systems that cannot swap two folders
        monkeypatch.setattr(publishing, "_exchange", lambda one, other: False)
    target = tmp_path / "deep" / "models"
    for content in ("old", "new"):
        with staging_folder(target) as staging:
            (staging / "manifest.json").write_text(manifest.to_json())
            (staging / f"{content}.onnx").write_text(content)
            publish(staging, target)
    assert sorted(p.name for p in target.iterdir()) == ["manifest.json", "new.onnx"]
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> None:
        with staging_folder(tmp_path / "models") as staging:
            (staging / "half.onnx").write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(ExportError, match="No space left"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_the_older_export_returns_where_the_new_one_cannot_take_its_place(
    exported: tuple[Path, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, manifest = exported
    target = tmp_path / "models"
    target.mkdir()
    (target / "manifest.json").write_text(manifest.to_json())
    rename = os.rename

    def refuse_the_new_one(source: Path, destination: Path) -> None:
        if source.suffix == ".part":
            raise OSError(13, "Permission denied")
        rename(source, destination)

    monkeypatch.setattr(publishing, "_exchange", lambda one, other: False)
    monkeypatch.setattr(os, "rename", refuse_the_new_one)
    with (
        staging_folder(target) as staging,
        pytest.raises(ExportError, match="Permission denied"),
    ):
        publish(staging, target)
    assert list(tmp_path.iterdir()) == [target]
    assert Manifest.load(target) == manifest


def test_linux_swaps_two_folders_in_one_step(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / folder.name).touch()
    assert publishing._exchange(one, other) == (sys.platform == "linux")
    assert not publishing._exchange(one, tmp_path / "absent")
    if sys.platform == "linux":
        assert [p.name for p in (*one.iterdir(), *other.iterdir())] == ["other", "one"]


def test_an_export_left_aside_between_two_renames_comes_back(
    exported: tuple[Path, Manifest], tmp_path: Path
) -> None:
    _, manifest = exported
    aside = tmp_path / ".models.old"
    aside.mkdir()
    (aside / "manifest.json").write_text(manifest.to_json())
    with staging_folder(tmp_path / "models"):
        assert Manifest.load(tmp_path / "models") == manifest
    assert list(tmp_path.iterdir()) == [tmp_path / "models"]


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of writing an export to `tmp_path / "models"`."""
    command = [sys.executable, "-c", _HALF_AN_EXPORT, str(tmp_path / "models")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        yield process
        process.kill()


_HALF_AN_EXPORT = """
import sys
from pathlib import Path
from edgecodec.export.publish import staging_folder

with staging_folder(Path(sys.argv[1])) as staging:
    (staging / "enhancer.onnx").write_bytes(b"half")
    print("half", flush=True)
    sys.stdin.read()
"""


def test_a_second_export_into_a_folder_is_refused_and_a_killed_one_leaves_the_old_folder_whole(
    exported: tuple[Path, Manifest], tmp_path: Path, other_process: subprocess.Popen[str]
) -> None:
    source, manifest = exported
    target = tmp_path / "models"
    shutil.copytree(source, target)
    with pytest.raises(ExportError, match="another process is exporting"), staging_folder(target):
        pass
    assert (tmp_path / ".models.part" / "enhancer.onnx").read_bytes() == b"half"
    other_process.send_signal(signal.SIGKILL)
    other_process.wait(timeout=60)

    assert Manifest.load(target) == manifest
    for entry in manifest.networks:
        data = (target / entry.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry.sha256
    with staging_folder(target) as staging:
        assert list(staging.iterdir()) == []
    assert list(tmp_path.iterdir()) == [target]


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with (
        pytest.raises(ExportError, match="cannot write beside"),
        staging_folder(file / "models"),
    ):
        pass
