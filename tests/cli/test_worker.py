"""`edgecodec worker` as it is called."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from edgecodec.orchestrator.deployment import deployment
from edgecodec.orchestrator.dispatch import Dispatcher
from edgecodec.orchestrator.ledger.record import Job, State


def edgecodec(*words: str) -> subprocess.CompletedProcess[str]:
    script = "from edgecodec.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=120
    )


def test_one_job_is_done_and_said_as_json(tmp_path: Path) -> None:
    broker = f"folder:{tmp_path / 'fleet'}"
    with Dispatcher(deployment(broker, None, None)) as dispatcher:
        for number in range(2):
            dispatcher.submit(Job("probe", f"p{number}", {"echo": number}))
        done = edgecodec(
            *("worker", "--broker", broker, "--folder", str(tmp_path / "own"), "--name", "me"),
            *("--once", "--json", "--idle", "60"),
        )
        assert done.returncode == 0, done.stderr
        (line,) = done.stdout.splitlines()
        said = json.loads(line)
        assert (said["id"], said["state"], said["outcome"]) == ("p0", "done", "done")
        states = [record.state for record in dispatcher.ledger.records()]
        assert states == [State.DONE, State.QUEUED]
        assert dispatcher.messages.waiting() == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("--broker", "sqs://key:secret@127.0.0.1:1?region=us-east-1", "--media", "{}"),
            5,
            "check region, credentials",
        ),
        (("--broker", "redis://127.0.0.1:1/0"), 5, "--media is missing"),
        (("--broker", "amqp://x"), 5, "folder:PATH"),
        (("--soft-limit", "20", "--hard-limit", "10"), 2, "--hard-limit"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = edgecodec("worker", *(word.replace("{}", str(tmp_path)) for word in words))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "secret" not in done.stderr
