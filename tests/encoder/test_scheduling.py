"""An encoder does not shut out the rest of the machine."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
from edgecodec.encoder.codecs import BaseSettings, encoder_for
from edgecodec.encoder.codecs.scheduling import usual_scheduling
from edgecodec.runtime.container import Codec
from edgecodec.runtime.frames import ColorInfo, PictureFormat


def policies() -> set[int]:
    return {os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}


def test_encoding_leaves_every_thread_as_it_was() -> None:
    """As root SVT-AV1 would make this thread and its own real-time threads."""
    before = policies()
    seen: list[set[int]] = []
    grey = tuple(np.full(shape, 128, np.uint8) for shape in ((64, 96), (32, 48), (32, 48)))

    class Frames(tuple):  # type: ignore[type-arg]
        """Looks at the threads when the encoder, open by then, asks for frames."""

        def __iter__(self):
            for frame in super().__iter__():
                seen.append(policies())
                yield frame

    settings = BaseSettings(30.0, PictureFormat(96, 64), Fraction(25), ColorInfo(), 8, "8")
    encoder_for(Codec.AV1).encode(Frames([grey] * 3), settings)
    assert seen[-1] == before
    assert policies() == before


def test_a_policy_that_was_changed_within_is_changed_back() -> None:
    before = os.sched_getscheduler(0)
    with usual_scheduling():
        # What a user without any rights may do too: batch jobs.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        assert os.sched_getscheduler(0) != before
    assert os.sched_getscheduler(0) == before
