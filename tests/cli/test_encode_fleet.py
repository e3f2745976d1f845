"""`edgecodec encode --broker`: what it says before and while workers are waited for."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.cli._fleet import fleet
from edgecodec.cli.app import app
from typer.testing import CliRunner


@pytest.mark.parametrize("option", ["--results", "--media"])
def test_places_of_a_fleet_need_its_broker(small_clip, tmp_path: Path, option: str) -> None:
    output = tmp_path / "out.ecv"
    command = ["encode", str(small_clip.path), "-o", str(output), option, "somewhere"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "it needs --broker" in done.output
    assert not output.exists()


def test_a_broker_of_no_kind_is_refused(small_clip, tmp_path: Path) -> None:
    output = tmp_path / "out.ecv"
    command = ["encode", str(small_clip.path), "-o", str(output), "--broker", "carrier:pigeon"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code != 0
    assert "folder:PATH" in done.output
    assert not output.exists()


def test_what_is_waited_for_is_shown_and_said_once(
    small_clip, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[float, str, float | None]] = []
    tell = []

    class Bench:
        def __init__(self, deployment, source, say) -> None:
            tell.append(say)

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            pass

    def show(done: float, detail: str, seconds_left: float | None = None) -> None:
        shown.append((done, detail, seconds_left))

    monkeypatch.setattr("edgecodec.orchestrator.encoding.bench.FleetBench", Bench)
    with fleet(f"folder:{tmp_path}", None, None, small_clip.path, show) as (bench, progress):
        assert isinstance(bench, Bench)
        progress(0.25, "trials", 9.0)
        tell[0]("waiting for workers for 1 min")
        tell[0]("waiting for workers for 2 min")
        progress(0.5, "trials", 8.0)
        tell[0]("")
        progress(0.75, "trials", 7.0)
    assert shown == [
        (0.25, "trials", 9.0),
        (0.25, "waiting for workers for 1 min", None),
        (0.25, "waiting for workers for 2 min", None),
        (0.5, "waiting for workers for 2 min", None),
        (0.5, "", None),
        (0.75, "trials", 7.0),
    ]
    assert capsys.readouterr().err == "note: waiting for workers for 1 min\n"


def test_without_a_broker_all_is_as_it_was(small_clip) -> None:
    def show(done: float, detail: str, seconds_left: float | None = None) -> None:
        pass

    with fleet(None, None, None, small_clip.path, show) as (bench, progress):
        assert (bench, progress) == (None, show)
