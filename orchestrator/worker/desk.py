"""What a worker has at hand while it works."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ...runtime.errors import DispatchError
from ..broker.messages import Messages
from ..deployment import Deployment
from ..ledger import Ledger
from ..media import MediaStore
from .options import WorkerOptions
from .stopping import Stop

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_STOPPING_S = 10.0


@dataclass(frozen=True)
class Desk:
    """`scratch` is this worker's own folder."""

    deployment: Deployment
    options: WorkerOptions
    ledger: Ledger
    messages: Messages
    media: MediaStore
    scratch: Path
    stop: Stop

    def patiently(self, call: Callable[[], _T], limit_s: float) -> _T:
        """What `call` gives, tried again while it raises DispatchError: for `limit_s`, or for ten
        seconds once the worker is to stop. Then the error is raised."""
        began = time.monotonic()
        stopping: float | None = None
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return call()
            except DispatchError as error:
                now = time.monotonic()
                if self.stop.asked and stopping is None:
                    stopping = now
                if now - began > limit_s or (stopping and now - stopping > _STOPPING_S):
                    raise
                _log.warning("%s; trying again", error)
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S if stopping is None else 1.0)
