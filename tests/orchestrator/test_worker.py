"""A worker's parts, one by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from edgecodec.orchestrator.jobs import handler
from edgecodec.orchestrator.jobs.base import _MODULES
from edgecodec.orchestrator.worker.job_process import JobProcess, last_lines
from edgecodec.orchestrator.worker.scratch import scratch_folder
from edgecodec.runtime.errors import UnsupportedError

from .fleets import LIMIT_S, until

_HOLDER = """
import pathlib, sys, time
from edgecodec.orchestrator.worker.scratch import scratch_folder
with scratch_folder(pathlib.Path(sys.argv[1])) as folder:
    print(folder, flush=True)
    time.sleep(600)
"""


def order(folder: Path, **payload: Any) -> Path:
    told = {
        "kind": "probe",
        "payload": payload,
        "folder": str(folder),
        "media": f"file:{folder / 'media'}",
        "cache": str(folder / "cache"),
        "cache_bytes": 1 << 20,
        "gpu": None,
        "worker": "w",
    }
    path = folder / "order.json"
    path.write_text(json.dumps(told))
    return path


def all_said(process: JobProcess) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    give_up = time.monotonic() + LIMIT_S
    while not process.ended and time.monotonic() < give_up:
        said += process.lines(0.1)
    said += process.end(0.0)
    process.close()
    return said


def test_a_jobs_process_says_how_far_it_is_and_what_came_of_it(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = JobProcess(order(tmp_path, wait_s=0.5, echo="e" * 300_000), log, 3)
    *progress, last = all_said(process)
    assert progress
    assert all(0.0 <= said["done"] <= 1.0 and said["text"] == "waiting" for said in progress)
    assert last["result"]["echo"] == "e" * 300_000
    assert (tmp_path / "log").read_bytes() == b""


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"trouble": "fail"}, {"error": "RuntimeError: the probe was asked to fail"}),
        ({"trouble": "refuse"}, {"error": "the probe was asked to refuse"}),
        ({"no such": 1}, {"error": "probe"}),
    ],
)
def test_a_jobs_process_says_what_went_wrong_and_whether_it_would_again(
    tmp_path: Path, payload: dict[str, Any], said: dict[str, str]
) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = JobProcess(order(tmp_path, **payload), log, None)
    (last,) = all_said(process)
    assert last["error"].startswith(said["error"])
    assert last["final"] is (payload.get("trouble") != "fail")
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_process_that_ends_without_a_word_is_described(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = JobProcess(order(tmp_path, trouble="exit"), log, None)
    assert all_said(process) == []
    assert process.how_it_ended == "with exit code 0"


def test_what_killed_workers_left_is_cleared_and_what_living_ones_have_is_not(
    tmp_path: Path,
) -> None:
    holders = [
        subprocess.Popen([sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        folders = [Path(os.fsdecode(_line(holder)).strip()) for holder in holders]
        (folders[0] / "left").write_text("x")
        holders[0].kill()
        holders[0].wait(LIMIT_S)
        with scratch_folder(tmp_path) as own:
            assert not folders[0].exists()
            assert folders[1].exists()
            assert own not in folders
        assert not own.exists()
    finally:
        for holder in holders:
            holder.kill()
            holder.wait(LIMIT_S)
            assert holder.stdout is not None
            holder.stdout.close()


def _line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def test_the_end_of_a_log_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("\n".join(str(number) for number in range(100_000)))
    assert last_lines(path, 2) == "99998\n99999"
    assert last_lines(tmp_path / "none", 2) == ""


def test_every_kind_of_job_has_its_module() -> None:
    for module in _MODULES.values():
        assert find_spec(f"edgecodec.orchestrator.jobs.{module}")


def test_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"'os'.*probe"):
        handler("os")


def test_nothing_heavy_is_loaded_by_looking_at_the_package() -> None:
    script = (
        "import sys, edgecodec.orchestrator.worker, edgecodec.orchestrator.jobs,"
        " edgecodec.orchestrator.dispatch\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=LIMIT_S
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "edgecodec" in loaded
    assert not loaded & {"torch", "optuna", "celery", "boto3"}


def test_a_process_whose_worker_is_gone_ends_with_all_that_it_started(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys\nfrom edgecodec.orchestrator.worker.job_process import JobProcess\n"
        "process = JobProcess(pathlib.Path(sys.argv[1]), open(sys.argv[2], 'wb'), None)\n"
        "print(process._process.pid, flush=True)\nprocess.lines(600)"
    )
    words = [str(order(tmp_path, trouble="deaf")), str(tmp_path / "log")]
    worker = subprocess.Popen([sys.executable, "-c", script, *words], stdout=subprocess.PIPE)
    try:
        pid = int(_line(worker))
    finally:
        worker.kill()
        worker.wait(LIMIT_S)
        assert worker.stdout is not None
        worker.stdout.close()
    until(lambda: not Path(f"/proc/{pid}").exists(), "the job's process is gone")
