"""Workers on this machine that a run starts for itself, and ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ..runtime.errors import DispatchError
from .deployment import Deployment

# They end themselves after so long without work: nobody else would, where their run was killed.
_IDLE_S = 300
_GRACE_S = 30.0
_MOST_CRASHES = 3
_TAIL = 1500
_ENTRY = "from edgecodec.cli import main; main()"


@dataclass(frozen=True)
class _Worker:
    process: subprocess.Popen[bytes]
    log: Path


class LocalWorkers:
    """`count` processes of `edgecodec worker`, from entering this to leaving it.

    Their messages go to files in `logs`; `options` are further ones of the verb. Each is a group
    of its own, so that Ctrl-C in a terminal reaches the run alone, which then ends them.
    """

    def __init__(
        self, deployment: Deployment, count: int, logs: Path, options: Sequence[str] = ()
    ) -> None:
        self._deployment = deployment
        self._count = count
        self._logs = logs
        self._options = tuple(options)
        self._workers: list[_Worker] = []
        self._crashes = 0

    def __enter__(self) -> LocalWorkers:
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            for number in range(1, self._count + 1):
                self._workers.append(self._start(self._logs / f"worker-{os.getpid()}-{number}.log"))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def check(self) -> None:
        """Start those again that ended. Raises DispatchError with a log's end where they keep
        dying."""
        for place, worker in enumerate(self._workers):
            code = worker.process.poll()
            if code is None:
                continue
            self._crashes += code != 0
            if self._crashes >= _MOST_CRASHES:
                raise DispatchError(
                    f"a worker ended with code {code}, the {self._crashes}th that did; its log,"
                    f" {worker.log}, ends with:\n{_tail(worker.log)}"
                )
            self._workers[place] = self._start(worker.log)

    def stop(self) -> None:
        """Ask all to end, which gives their jobs back; kill those that are still there after 30
        seconds. Once they have ended it does nothing."""
        for worker in self._workers:
            _send(worker.process, signal.SIGTERM)
        end = time.monotonic() + _GRACE_S
        for worker in self._workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, end - time.monotonic()))
            if worker.process.poll() is None:
                _send(worker.process, signal.SIGKILL)
                worker.process.wait()
        self._workers.clear()

    @property
    def where_to_look(self) -> str:
        """Where it is said why nothing goes on."""
        return f"see {self._logs}" if self._count else "is a worker running?"

    def _start(self, log: Path) -> _Worker:
        there = self._deployment
        command = [sys.executable, "-c", _ENTRY, "worker", "--idle", str(_IDLE_S)]
        # Not as options, which every user of the machine sees: an address may hold a password.
        addresses = {
            "EDGECODEC_BROKER": there.broker,
            "EDGECODEC_RESULTS": there.results,
            "EDGECODEC_MEDIA": there.media,
        }
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*command, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=os.environ | addresses,
            )
        return _Worker(process, log)


def log_folder(deployment: Deployment) -> Path:
    """Where the logs of workers on this machine go: a folder broker's, else the user's caches."""
    if deployment.scheme == "folder":
        return deployment.folder / "logs"
    from platformdirs import user_cache_path

    return user_cache_path("edgecodec", appauthor=False) / "logs"


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the worker alone: it ends its job's processes itself, and only it knows how."""
    if process.poll() is None:
        process.send_signal(number)


def _tail(log: Path) -> str:
    return log.read_bytes()[-_TAIL:].decode(errors="replace").strip()
