"""How `edgecodec experiments run` begins and ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ._experiments_found import digest, print_findings
from ._output import print_json

if TYPE_CHECKING:
    from types import FrameType

    from ..orchestrator.deployment import Deployment
    from ..orchestrator.local_workers import LocalWorkers
    from ..orchestrator.loop import Loop
    from ..orchestrator.report import RunReport
    from ..orchestrator.sitting import Sitting


def sit(loop: Loop, sitting: Sitting) -> None:
    """Go through the loop; where that is broken off, say how to go on."""
    try:
        loop.run()
    except KeyboardInterrupt:
        print(
            f"interrupted; `edgecodec experiments run --run {sitting.run.name}` goes on",
            file=sys.stderr,
        )
        raise


def conclude(found: RunReport, preset: Path | None, *, as_json: bool) -> None:
    """Write the best settings, and say what was found."""
    from ..runtime.errors import DispatchError

    best = found.analysis.best
    written = None
    if preset is not None and best is not None and best.result is not None:
        from ..orchestrator.preset import origin_lines, write_preset

        origin = (
            *origin_lines(found.run.name, best.result),
            f"Videos: {', '.join(found.clips)}",
        )
        write_preset(preset, best.experiment.settings, origin)
        written = str(preset)
    if as_json:
        print_json(digest(found) | {"preset": written})
    else:
        print_findings(found)
        print(f"the run ended: {found.run.end}", file=sys.stderr)
    if preset is not None and written is None:
        print(f"{preset} is not written: no result keeps to the goal's bounds", file=sys.stderr)
    if not found.analysis.measured:
        errors = [each.error for each in found.analysis.outcomes if each.error]
        raise DispatchError(
            f"run {found.run.name} has no result: {errors[-1] if errors else found.run.end}"
        )


def note_other_encoder(sitting: Sitting) -> None:
    """Say so where a run goes on with another encoder than it began with."""
    from ..encoder.fingerprint import fingerprint

    if sitting.options.model != fingerprint():
        print(
            f"note: the encoder has changed since run {sitting.run.name} began: its earlier"
            " results may not hold for this one",
            file=sys.stderr,
        )


@contextmanager
def own_workers(fleet: Deployment, count: int, gpu: int | None) -> Iterator[LocalWorkers]:
    """So many workers here, as long as this is entered."""
    from ..orchestrator.local_workers import LocalWorkers, log_folder

    logs = log_folder(fleet)
    options = () if gpu is None else ("--gpu", str(gpu))
    if not count:
        yield LocalWorkers(fleet, 0, logs)
        return
    with LocalWorkers(fleet, count, logs, options) as workers:
        yield workers


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Within it SIGTERM does what Ctrl-C does: whoever ends this must not leave jobs behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
