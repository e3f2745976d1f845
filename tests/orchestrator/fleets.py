"""Fleets for tests: a deployment, and workers that are real processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgecodec.orchestrator.deployment import Deployment
from edgecodec.orchestrator.dispatch import Dispatcher
from edgecodec.orchestrator.ledger import Job, Policy, Record

LIMIT_S = 60.0
QUICK = Policy(lease_s=2.0, most_attempts=2, backoff_s=0.1, longest_backoff_s=0.2, resend_s=2.0)

_WORKER = """
import json, logging, pathlib, resource, sys
from edgecodec.orchestrator.deployment import Deployment
from edgecodec.orchestrator.ledger import Policy
from edgecodec.orchestrator.worker import WorkerOptions, serve
told = json.loads(sys.argv[1])
logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
logging.getLogger("edgecodec").setLevel(logging.INFO)
if told["largest_file"]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (told["largest_file"],) * 2)
options = WorkerOptions(pathlib.Path(told["folder"]), told["name"], **told["options"])
serve(Deployment(**told["deployment"]), options, Policy(**told["policy"]))
"""


@dataclass
class Fleet:
    """A deployment in `folder` with workers that end with the test."""

    deployment: Deployment
    folder: Path
    policy: Policy = QUICK
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(
        self, name: str = "", largest_file: int = 0, policy: Policy | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """A worker; what it says is in the folder."""
        name = name or f"worker-{len(self.workers)}"
        told = {
            "deployment": asdict(self.deployment),
            "policy": asdict(policy or self.policy),
            "folder": str(self.folder / "workers"),
            "name": name,
            "largest_file": largest_file,
            "options": options,
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [sys.executable, "-c", _WORKER, json.dumps(told)]
            worker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.workers.append(worker)
        return worker

    def dispatcher(self) -> Dispatcher:
        """One of this fleet."""
        return Dispatcher(self.deployment, self.policy)

    def said(self) -> str:
        """What all workers said, for a message."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-30000:]}" for log in logs)


@contextmanager
def fleet(deployment: Deployment, folder: Path, policy: Policy = QUICK) -> Iterator[Fleet]:
    """Its workers are killed at the end, if they still run."""
    made = Fleet(deployment, folder, policy)
    try:
        yield made
    finally:
        for worker in made.workers:
            worker.kill()
            worker.wait(LIMIT_S)


def probe(payload: Mapping[str, Any] | None = None) -> Job:
    """A job of its own."""
    return Job("probe", f"probe-{uuid.uuid4().hex}", dict(payload or {}))


def until(holds: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Waits for it."""
    give_up = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < give_up, f"waited {limit_s:g} s in vain: {what}"
        time.sleep(0.05)


def outcomes(record: Record) -> list[str]:
    """How its attempts ended, in order."""
    return [attempt.outcome.value for attempt in record.attempts]


def ended(dispatcher: Dispatcher, *jobs: Job) -> list[Record]:
    """Their records, when all have ended."""
    records = dispatcher.wait([job.id for job in jobs], timeout_s=LIMIT_S)
    missing = [job.id for job in jobs if job.id not in records]
    assert not missing, [dispatcher.ledger.get(id) for id in missing]
    return [records[job.id] for job in jobs]


def record_of(dispatcher: Dispatcher, job: Job) -> Record:
    """As it is now."""
    record = dispatcher.ledger.get(job.id)
    assert record is not None
    return record


def stop(worker: subprocess.Popen[bytes]) -> int:
    """SIGTERM; the exit code."""
    worker.send_signal(signal.SIGTERM)
    return worker.wait(LIMIT_S)
