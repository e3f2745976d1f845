"""Finished scenes on disk: kept exactly, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from edgecodec.encoder.workspace import Workspace
from edgecodec.runtime.container import Codec, StrategyId
from edgecodec.runtime.errors import UnsupportedError

from .fakes import made

CANDIDATES = [
    made(1234, 31.25, 1 / 3, codec=Codec.AV1, setting=40, body=b"body\n\0of any bytes"),
    made(
        99,
        100.0,
        codec=None,
        strategy=StrategyId.I_FRAME_INTERPOLATION,
        setting=0,
        body=bytes(range(256)),
    ),
    made(7, 20.0, codec=Codec.VVC, strategy=StrategyId.HYBRID_SEMANTIC, setting=63),
]
NOTES = ["h264: 1.3 dB behind at its first try", "ünïcode"]


def test_a_scene_comes_back_as_it_was(tmp_path: Path) -> None:
    output = tmp_path / "out.ecv"
    Workspace(output, "key").save(3, CANDIDATES, NOTES)
    again = Workspace(output, "key")
    assert again.load(3) == (CANDIDATES, NOTES)
    assert again.load(2) is None
    assert [each.body for each in again.load(3)[0]] == [each.body for each in CANDIDATES]


def test_a_scene_may_be_saved_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "out.ecv", "key")
    workspace.save(0, CANDIDATES, NOTES)
    workspace.save(0, CANDIDATES[:1], [])
    assert workspace.load(0) == (CANDIDATES[:1], [])
    assert sorted(path.name for path in workspace.folder.iterdir()) == ["key", "scene-000000"]


def test_another_key_throws_everything_away(tmp_path: Path) -> None:
    output = tmp_path / "out.ecv"
    Workspace(output, "one source").save(0, CANDIDATES, NOTES)
    other = Workspace(output, "another source")
    assert other.load(0) is None
    assert [path.name for path in other.folder.iterdir()] == ["key"]
    assert Workspace(output, "one source").load(0) is None


@pytest.mark.parametrize("key", [b"", b"\xff\xfe not text", None])
def test_a_folder_whose_key_cannot_be_read_is_thrown_away(
    tmp_path: Path, key: bytes | None
) -> None:
    output = tmp_path / "out.ecv"
    workspace = Workspace(output, "key")
    workspace.save(0, CANDIDATES, NOTES)
    note = workspace.folder / "key"
    note.unlink()
    if key is not None:
        note.write_bytes(key)
    assert Workspace(output, "key").load(0) is None


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "out.ecv.parts"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(UnsupportedError, match="holds something else"):
        Workspace(tmp_path / "out.ecv", "key")
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_a_scene_that_was_cut_or_altered_anywhere_counts_as_absent(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "out.ecv", "key")
    workspace.save(0, CANDIDATES, NOTES)
    file = workspace.folder / "scene-000000"
    whole = file.read_bytes()
    for length in [*range(0, 80, 7), *range(80, len(whole), 41)]:
        file.write_bytes(whole[:length])
        assert workspace.load(0) is None
    for at in range(0, len(whole), 13):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1 :])
        assert workspace.load(0) is None
    file.write_bytes(whole + b"!")
    assert workspace.load(0) is None
    file.write_bytes(whole)
    assert workspace.load(0) == (CANDIDATES, NOTES)


def test_a_save_that_fails_leaves_the_scene_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path / "out.ecv", "key")
    workspace.save(0, CANDIDATES, NOTES)
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        workspace.save(0, CANDIDATES[:1], [])
    assert workspace.load(0) == (CANDIDATES, NOTES)


def test_removing_leaves_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "out.ecv", "key")
    workspace.save(0, CANDIDATES, NOTES)
    workspace.remove()
    workspace.remove()
    assert list(tmp_path.iterdir()) == []


def test_workspaces_of_two_outputs_do_not_meet(tmp_path: Path) -> None:
    one, two = (Workspace(tmp_path / name, "key") for name in ("a.ecv", "b.ecv"))
    one.save(0, CANDIDATES, NOTES)
    assert two.load(0) is None
    shutil.rmtree(two.folder)
    assert one.load(0) == (CANDIDATES, NOTES)
