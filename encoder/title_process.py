"""Fine-tuning in a process of its own, which Ctrl-C ends in order."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection

from ..runtime.container import Limits
from ..runtime.errors import EdgecodecError
from ..runtime.title import TitleWeights, pack_title, parse_title
from .apart import begin_apart
from .interrupts import ignore_interrupts
from .title_task import TuningTask

_POLL_S = 0.2


def tune_apart(task: TuningTask, tell: Callable[[float], None]) -> TitleWeights:
    """`title_tuning.tune` in a process of its own.

    Raises EdgecodecError where it fails there. Whatever is raised here ends it.
    """
    apart = begin_apart(_work, task)
    process, here = apart.process, apart.connection
    try:
        while True:
            if not here.poll(_POLL_S):
                continue
            try:
                heard: float | bytes | str = here.recv()
            except EOFError:
                process.join()
                raise EdgecodecError(
                    f"title weights: the process died (exit code {process.exitcode})"
                ) from None
            if isinstance(heard, float):
                tell(heard)
            elif isinstance(heard, bytes):
                return parse_title(heard, Limits(), "title weights")
            else:
                raise EdgecodecError(f"title weights: {heard}")
    finally:
        process.terminate()
        process.join()
        here.close()


def _work(there: Connection, task: TuningTask) -> None:
    # Imported here, or the encode would wait for torch whether it tunes or not.
    from .title_tuning import tune

    ignore_interrupts()
    try:
        there.send(pack_title(tune(task, there.send)))
    except BrokenPipeError:
        return  # nobody waits for it any more
    except Exception as error:  # said where it is waited for
        there.send(f"{type(error).__name__}: {error}")
