"""Learning rates, blocks and deadlines."""

from __future__ import annotations

import pytest
from edgecodec.encoder.training.schedule import Deadline, Schedule


def test_the_rate_warms_up_and_falls_to_a_hundredth() -> None:
    schedule = Schedule(1000, 0.5, warmup_steps=100)
    rates = [schedule.rate(step) for step in range(1001)]
    assert rates[0] == pytest.approx(0.005)
    assert rates[99] == rates[100] == max(rates) == 0.5
    assert rates[:100] == sorted(rates[:100])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[1000] == pytest.approx(0.005)
    # Beyond its end it stays there.
    assert schedule.rate(5000) == pytest.approx(0.005)


def test_a_schedule_shorter_than_its_warm_up_works() -> None:
    schedule = Schedule(10, 1.0, warmup_steps=200)
    assert 0 < schedule.rate(0) < schedule.rate(9) < 1


def test_the_last_share_is_quantised() -> None:
    schedule = Schedule(1000, 1.0, quantized_share=0.25)
    assert [step for step in range(0, 1000, 50) if schedule.quantized(step)] == [
        750, 800, 850, 900, 950,
    ]  # fmt: skip
    assert not any(Schedule(10, 1.0, quantized_share=0.0).quantized(step) for step in range(10))


def test_blocks_end_where_they_would_have_without_a_stop() -> None:
    schedule = Schedule(250, 1.0)
    assert [schedule.block(step) for step in (0, 100, 130, 200, 249)] == [100, 100, 70, 50, 1]


def test_a_deadline_passes_when_its_time_is_up() -> None:
    now = 100.0
    deadline = Deadline(10.0, lambda: now)
    assert not deadline.passed
    now = 109.9
    assert not deadline.passed
    assert deadline.elapsed == pytest.approx(9.9)
    now = 110.0
    assert deadline.passed
