"""Folders that appear whole or not at all, and the manifest in them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from edgecodec.export import Manifest
from edgecodec.export.publish import check_replaceable, publish, staging_folder
from edgecodec.runtime.errors import ExportError, ModelError


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
    with pytest.raises(ExportError, match="something else than an export"):
        check_replaceable(theirs)
    (theirs / "manifest.json").write_text('{"name": "a web app"}')
    with pytest.raises(ExportError, match="something else than an export"):
        check_replaceable(theirs)
    with pytest.raises(ExportError, match="is a file"):
        check_replaceable(theirs / "thesis.txt")


def test_publishing_replaces_an_older_export(
    exported: tuple[Path, Manifest], tmp_path: Path
) -> None:
    _, manifest = exported
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

    monkeypatch.setattr(os, "rename", refuse_the_new_one)
    with (
        staging_folder(target) as staging,
        pytest.raises(ExportError, match="Permission denied"),
    ):
        publish(staging, target)
    assert list(tmp_path.iterdir()) == [target]
    assert Manifest.load(target) == manifest


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with (
        pytest.raises(ExportError, match="cannot write beside"),
        staging_folder(file / "models"),
    ):
        pass
