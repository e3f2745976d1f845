"""The fault run of `benchmarks`, a small one: every job accounted for exactly once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_jobs_under_random_faults_are_each_accounted_for_once(tmp_path: Path) -> None:
    output = tmp_path / "ledger.json"
    options = {"jobs": 6, "experiments": 2, "seed": 42, "faults": 0.4, "limit": 150}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    script = ROOT / "benchmarks" / "fault_run.py"
    done = subprocess.run(
        [sys.executable, str(script), *words, "--output", str(output)],
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(output.read_text())
    assert report["problems"] == []
    assert len(report["jobs"]) == 6
    assert {job["state"] for job in report["jobs"]} <= {"done", "dead", "cancelled"}
    assert sum(report["faults"].values()) > 0
