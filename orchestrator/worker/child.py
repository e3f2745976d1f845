"""A job's own process: `python -m edgecodec.orchestrator.worker.child FD ORDER`.

The file ORDER says what to do, as JSON; lines of JSON on the pipe FD say how far it is and what
came of it. What the job prints goes where the worker put standard output. The process ends, with
all that it started, when standard input closes: then the worker is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from ...runtime.errors import BitstreamError, ModelError, UnsupportedError
from ..jobs import JobContext, handler

# What no other worker could do either.
_FINAL = (UnsupportedError, BitstreamError, ModelError, FileNotFoundError)
_TELL_EVERY_S = 0.2
_LONGEST_MESSAGE = 2000


class Wire:
    """The pipe to the worker: one JSON object a line, from any thread."""

    def __init__(self, pipe: int) -> None:
        self._file = os.fdopen(pipe, "w", encoding="utf-8")
        self._lock = threading.Lock()
        self._told = 0.0

    def send(self, **fields: Any) -> None:
        """Raises ValueError or TypeError for what is no JSON."""
        line = json.dumps(fields, allow_nan=False)
        with self._lock:
            print(line, file=self._file, flush=True)

    def tell(self, done: float, text: str) -> None:
        """How far the job is; no oftener than the worker could use it."""
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY_S:
            self._told = now
            self.send(done=min(1.0, max(0.0, float(done))), text=str(text)[:200])


def main() -> None:
    pipe, order = int(sys.argv[1]), Path(sys.argv[2])
    os.set_inheritable(pipe, False)
    leash = _own_standard_input()
    threading.Thread(target=_end_with_the_worker, args=(leash,), daemon=True).start()
    signal.signal(signal.SIGTERM, _interrupt)
    wire = Wire(pipe)
    try:
        result = _do(json.loads(order.read_text(encoding="utf-8")), wire)
        wire.send(result=result)
    except KeyboardInterrupt:
        wire.send(stopped=True)
    except BaseException as error:
        traceback.print_exc()
        message = str(error) if isinstance(error, _FINAL) else f"{type(error).__name__}: {error}"
        wire.send(error=message[:_LONGEST_MESSAGE], final=isinstance(error, _FINAL))


def _do(order: dict[str, Any], wire: Wire) -> dict[str, Any]:
    from ..media import open_media
    from ..media.cache import MediaCache

    media = open_media(order["media"])
    context = JobContext(
        folder=Path(order["folder"]),
        media=media,
        cache=MediaCache(media, Path(order["cache"]), order["cache_bytes"]),
        gpu=order["gpu"],
        worker=order["worker"],
        tell=wire.tell,
    )
    return dict(handler(order["kind"])(order["payload"], context))


def _own_standard_input() -> int:
    """Takes standard input for this process alone: what it starts reads nothing instead."""
    leash = os.dup(0)  # is not handed on to other programs
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return leash


def _end_with_the_worker(leash: int) -> None:
    while os.read(leash, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough, cleaning up may take a while
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
