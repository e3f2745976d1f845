"""Every job ends exactly once, over every table, whatever workers do."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from edgecodec.orchestrator.ledger import Job, Ledger, Outcome, State
from edgecodec.orchestrator.tables import open_table

from .contender import POLICY, work

LIMIT_S = 120.0
JOBS = [Job("probe", f"job-{number:02d}", {"number": number}) for number in range(20)]


def accounted(ledger: Ledger, ended: list[str]) -> None:
    """Each job is done or dead; each that is done was ended by one worker, once."""
    records = list(ledger.records())
    assert [record.job for record in records] == JOBS
    done = [record for record in records if record.state is State.DONE]
    assert Counter(ended) == Counter(record.job.id for record in done)
    assert all(record.state in (State.DONE, State.DEAD) for record in records)
    for record in done:
        assert record.result == {"worker": record.worker, "attempt": len(record.attempts)}
    for record in records:
        outcomes = [attempt.outcome for attempt in record.attempts]
        assert outcomes.count(Outcome.DONE) == (record.state is State.DONE)
        assert Outcome.RUNNING not in outcomes
        assert [attempt.number for attempt in record.attempts] == list(range(1, len(outcomes) + 1))
        assert record.tries <= POLICY.most_attempts
    assert ledger.due() == []
    assert done


def test_threads(table_url: str) -> None:
    table = open_table(table_url)
    ledger = Ledger(table, POLICY)
    for job in JOBS:
        assert ledger.add(job)
    ended: list[str] = []
    threads = [
        threading.Thread(
            target=lambda number=number: ended.extend(work(ledger, f"thread {number}", number))
        )
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    accounted(ledger, ended)
    table.close()


def test_processes(table_url: str) -> None:
    table = open_table(table_url)
    ledger = Ledger(table, POLICY)
    for job in JOBS:
        assert ledger.add(job)
    command = [sys.executable, str(Path(__file__).with_name("contender.py")), table_url]
    workers = [
        subprocess.Popen([*command, f"process {seed}", str(seed)], stdout=subprocess.PIPE)
        for seed in range(3)
    ]
    try:
        said = [worker.communicate(timeout=LIMIT_S)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    accounted(ledger, [id for line in said for id in json.loads(line)])
    table.close()
