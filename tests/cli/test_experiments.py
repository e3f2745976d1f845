from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from edgecodec.cli.app import app
from typer.testing import CliRunner

SPACE = "codecs=h264, strategies=classical, sizes=full, tier=nano, effort=fast, adapt=none"
VERBS = ("run", "status", "results", "report", "cancel", "retry", "list")


@dataclass(frozen=True)
class Fleet:
    """A run of three experiments that a real worker made, and what it printed."""

    broker: str
    folder: Path
    clip: Path
    found: dict[str, Any]
    stderr: str


def make_clip(path: Path) -> None:
    texture = np.random.default_rng(1).integers(16, 236, (48, 64), np.uint8)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height = 64, 48
        for number in range(8):
            planes = (np.roll(texture, number, axis=1), np.full((24, 64), 128, np.uint8))
            frame = av.VideoFrame.from_ndarray(np.concatenate(planes), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("experiments")
    clip = folder / "clip.mp4"
    make_clip(clip)
    broker = f"folder:{folder / 'fleet'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "caches"))
        for name in ("EDGECODEC_BROKER", "EDGECODEC_RESULTS", "EDGECODEC_MEDIA"):
            patch.delenv(name, raising=False)
        arguments = ["--run", "one", "--broker", broker, "--space", SPACE, "--count", "3"]
        arguments += ["--html", str(folder / "one.html"), "--preset", str(folder / "best.toml")]
        arguments += ["--goal", "bitrate min, psnr max", "--price", "3.6", "--json"]
        done = CliRunner().invoke(app, ["experiments", "run", str(clip), *arguments])
        assert done.exit_code == 0, done.output
        yield Fleet(broker, folder, clip, json.loads(done.stdout), done.stderr)


def ask(fleet: Fleet, *arguments: str) -> Any:
    done = CliRunner().invoke(app, ["experiments", *arguments, "--broker", fleet.broker, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_run_finds_a_front_and_writes_it_down(fleet: Fleet) -> None:
    found = fleet.found
    assert found["states"] == {"done": 3}
    assert found["end"].startswith("count")
    assert found["cost"] == pytest.approx(found["seconds"] / 1000)
    assert found["cost"] > 0
    assert found["best"]["number"] in {each["number"] for each in found["front"]}
    assert found["best"]["results"]["psnr"] > 20
    assert found["preset"] == str(fleet.folder / "best.toml")
    lines = [line for line in fleet.stderr.splitlines() if "Mb/s" in line]
    assert [line.partition(":")[0] for line in lines] == ["1", "2", "3"]
    page = (fleet.folder / "one.html").read_text(encoding="utf-8")
    assert "Experiments: one" in page
    assert "clip.mp4" in page
    (stream,) = [each["artefacts"][0] for each in found["best"]["clips"]]
    assert (fleet.folder / "fleet/media" / stream["name"]).stat().st_size == stream["bytes"]


def test_the_preset_encodes_to_what_was_measured(fleet: Fleet, tmp_path: Path) -> None:
    preset = fleet.folder / "best.toml"
    best = fleet.found["best"]
    assert tomllib.loads(preset.read_text(encoding="utf-8"))["target"] == best["settings"]["target"]
    out = tmp_path / "out.ecv"
    arguments = ["encode", str(fleet.clip), "-o", str(out), "--preset", str(preset), "--jobs", "1"]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    stream = fleet.folder / "fleet/media" / best["clips"][0]["artefacts"][0]["name"]
    assert out.read_bytes() == stream.read_bytes()


def test_a_run_is_looked_at(fleet: Fleet) -> None:
    assert [run["run"] for run in ask(fleet, "list")] == ["one"]
    status = ask(fleet, "status")
    assert (status["run"], status["open"]) == ("one", [])
    assert status["best"] == fleet.found["best"]
    dearer = ask(fleet, "status", "one", "--price", "36")
    assert dearer["cost"] == pytest.approx(10 * status["cost"])
    listed = ask(fleet, "results", "one")
    assert [each["number"] for each in listed] == [1, 2, 3]
    assert all(each["state"] == "done" and each["worker"] for each in listed)
    page = fleet.folder / "again.html"
    assert ask(fleet, "report", "one", "-o", str(page))["page"] == str(page)
    assert "Experiments: one" in page.read_text(encoding="utf-8")


def test_results_come_as_csv(fleet: Fleet) -> None:
    done = CliRunner().invoke(
        app, ["experiments", "results", "one", "--csv", "--broker", fleet.broker]
    )
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["number"] for row in rows] == ["1", "2", "3"]
    assert float(rows[0]["bitrate_mbps"]) > 0
    assert rows[0]["command"].startswith("edgecodec encode")


@pytest.mark.parametrize("verb", ["status", "results", "list"])
def test_people_get_tables(fleet: Fleet, verb: str) -> None:
    name = [] if verb == "list" else ["one"]
    done = CliRunner().invoke(app, ["experiments", verb, *name, "--broker", fleet.broker])
    assert done.exit_code == 0, done.output
    assert "one" in done.stdout or "front" in done.stdout


def test_what_is_done_is_not_called_off_and_not_done_again(fleet: Fleet) -> None:
    assert ask(fleet, "cancel", "one") == {"cancelled": []}
    assert ask(fleet, "retry", "one") == {"retried": []}
    assert ask(fleet, "retry", ask(fleet, "results", "one")[0]["id"]) == {"retried": []}


def test_a_run_goes_on_without_doing_anything_twice(fleet: Fleet) -> None:
    before = ask(fleet, "results", "one")
    again = ask(fleet, "run", "--run", "one", "--count", "3", "--workers", "0")
    assert again["states"] == {"done": 3}
    assert ask(fleet, "results", "one") == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["status", "nobody"], 5, "no run nobody"),
        (["cancel", "nobody"], 5, "nobody"),
        (["results", "one", "--csv", "--json"], 2, "exclude"),
        (["report", "one", "-o", "/nowhere/at/all.html"], 2, "no folder"),
        (["run", "nowhere.mp4"], 3, "nowhere.mp4"),
        (["run", __file__], 3, "not a video"),
        (["run", "--run", "one", "--seed", "9"], 3, "other seed"),
        (["run", "--run", "one", "--budget", "5"], 2, "--price"),
        (["run", "--run", "new"], 3, "there is no run new"),
    ],
)
def test_mistakes_are_named(fleet: Fleet, arguments: list[str], code: int, said: str) -> None:
    done = CliRunner().invoke(app, ["experiments", *arguments, "--broker", fleet.broker])
    assert done.exit_code == code, done.output
    assert said in done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_an_example_and_json(verb: str) -> None:
    done = CliRunner().invoke(app, ["experiments", verb, "--help"])
    assert done.exit_code == 0
    assert f"edgecodec experiments {verb}" in done.stdout
    assert "--json" in done.stdout


def test_ctrl_c_ends_the_workers_and_leaves_a_run_that_goes_on(fleet: Fleet) -> None:
    command = [sys.executable, "-c", "from edgecodec.cli import main; main()", "experiments"]
    common = ["--broker", fleet.broker, "--run", "two"]
    process = subprocess.Popen(
        [*command, "run", str(fleet.clip), *common, "--space", SPACE, "--seed", "2"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()  # a result has come
    assert _given(fleet.broker)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130, first + rest
    assert "--run two" in rest
    status = ask(fleet, "status", "two")
    assert status["end"] == "interrupted"
    assert set(status["states"]) <= {"done", "cancelled"}
    assert not workers_of(fleet)
    count = str(status["experiments"])
    assert int(count) < 25
    again = ask(fleet, "run", *common[2:], "--count", count)
    assert again["states"] == {"done": int(count)}


def workers_of(fleet: Fleet) -> list[str]:
    """Processes that were given the fleet's address, waited for a while to end."""
    limit = time.monotonic() + 10
    while time.monotonic() < limit and (found := _given(fleet.broker)):
        time.sleep(0.05)
    return found if time.monotonic() >= limit else []


def _given(broker: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
        if f"EDGECODEC_BROKER={broker}" in variables:
            found.append(folder.name)
    return found
