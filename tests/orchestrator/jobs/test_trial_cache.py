from __future__ import annotations

import os
from pathlib import Path

from edgecodec.orchestrator.jobs.trial_cache import cut_down, trial_folder


def fill(folder: Path, name: str, size: int, written: int) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (written, written))
    return path


def test_one_after_the_other_gets_the_same_folder(tmp_path: Path) -> None:
    with trial_folder(tmp_path / "trials", 100) as first:
        (first / "x.trial").write_bytes(b"kept")
    with trial_folder(tmp_path / "trials", 100) as second:
        assert second == first
        assert (second / "x.trial").read_bytes() == b"kept"


def test_at_the_same_time_each_gets_one_of_its_own(tmp_path: Path) -> None:
    with trial_folder(tmp_path, 100) as first, trial_folder(tmp_path, 100) as second:
        assert first != second
        fill(first, "x.trial", 50, 1)
        with trial_folder(tmp_path, 0) as third:
            assert third not in (first, second)
        assert (first / "x.trial").exists()


def test_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    old = fill(tmp_path, "old.trial", 40, 1)
    middle = fill(tmp_path, "below/middle.base", 40, 2)
    new = fill(tmp_path, "new.trial", 40, 3)
    cut_down(tmp_path, 100)
    assert [path.exists() for path in (old, middle, new)] == [False, True, True]
    cut_down(tmp_path, 80)
    assert [path.exists() for path in (old, middle, new)] == [False, True, True]
    cut_down(tmp_path, 0)
    assert not any(path.exists() for path in (old, middle, new))


def test_it_is_cut_down_before_it_is_given(tmp_path: Path) -> None:
    fill(tmp_path / "0", "old.trial", 40, 1)
    new = fill(tmp_path / "0", "new.trial", 40, 2)
    with trial_folder(tmp_path, 50) as folder:
        assert [path.name for path in folder.glob("*.trial")] == [new.name]
