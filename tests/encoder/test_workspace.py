"""The folder beside an output: ours alone, and gone in the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.encoder.workspace import Workspace
from edgecodec.runtime.errors import UnsupportedError


def test_trials_and_layers_outlive_an_encode_and_frames_do_not(tmp_path: Path) -> None:
    output = tmp_path / "out.ecv"
    workspace = Workspace(output)
    assert workspace.folder == tmp_path / "out.ecv.parts"
    for name in ("a.trial", "b.base", "scene-000000.raw", "scene-000001.partial"):
        (workspace.folder / name).write_bytes(b"x")
    again = Workspace(output)
    assert {path.name for path in again.folder.iterdir()} == {"a.trial", "b.base"}
    again.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stranger", ["notes.txt", "folder"])
def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path, stranger: str) -> None:
    folder = tmp_path / "out.ecv.parts"
    folder.mkdir()
    (folder / "a.trial").write_bytes(b"x")
    if stranger == "folder":
        (folder / "folder.raw").mkdir()
    else:
        (folder / stranger).write_bytes(b"x")
    with pytest.raises(UnsupportedError, match="holds something else"):
        Workspace(tmp_path / "out.ecv")
    assert len(list(folder.iterdir())) == 2


def test_an_empty_folder_does_not_stay(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "out.ecv")
    workspace.leave()
    assert not workspace.folder.exists()
    workspace = Workspace(tmp_path / "out.ecv")
    (workspace.folder / "a.trial").write_bytes(b"x")
    (workspace.folder / "a.raw").write_bytes(b"x")
    workspace.leave()
    assert [path.name for path in workspace.folder.iterdir()] == ["a.trial"]
