"""How many cores a process counts on."""

from __future__ import annotations

import os

import pytest
from edgecodec.runtime.cores import available_cores, onnxruntime_threads
from edgecodec.runtime.sessions import NetworkPool


@pytest.fixture
def one_core():
    """This process on one core only, for as long as a test takes."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


def test_cores_that_are_not_for_this_process_are_not_counted(
    one_core, monkeypatch: pytest.MonkeyPatch
) -> None:
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
