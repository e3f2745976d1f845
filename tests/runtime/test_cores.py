"""How many cores a process counts on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from edgecodec.runtime.cores import available_cores, onnxruntime_threads
from edgecodec.runtime.sessions import NetworkPool

KEPT_TO_ONE = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from edgecodec.runtime.cores import available_cores
print(available_cores())
"""


def test_a_process_that_is_kept_to_a_core_counts_one() -> None:
    counted = subprocess.run([sys.executable, "-c", KEPT_TO_ONE], capture_output=True, check=True)
    assert int(counted.stdout) == 1


def test_cores_that_are_not_for_this_process_are_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7})
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert available_cores() == 1
    assert NetworkPool("cpu").threads == 1
    assert [onnxruntime_threads(asked) for asked in (0, 1, 3)] == [1, 1, 3]


def test_without_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert available_cores() == 12
    assert [onnxruntime_threads(asked) for asked in (0, 1, 3)] == [0, 1, 3]
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores() == 1
