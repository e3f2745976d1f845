"""The worker's side of a job's process: it is started, listened to, and ended."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

_CHILD = "edgecodec.orchestrator.worker.child"
_LONGEST_LINE = 64 << 20
_PIECE = 1 << 16


class JobProcess:
    """A process group of its own that does one job and goes when this process does.

    `order` is a file of JSON that says what to do, `log` takes all that it prints. Raises OSError
    where it cannot be started.
    """

    def __init__(self, order: Path, log: IO[bytes], gpu: int | None) -> None:
        self._pipe, theirs = os.pipe()
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "" if gpu is None else str(gpu)}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _CHILD, str(theirs), str(order)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(theirs,),
                start_new_session=True,
                env=environment,
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(theirs)
        os.set_blocking(self._pipe, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)
        self._unread = b""
        self._open = True

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    @property
    def how_it_ended(self) -> str:
        """In words, of a process that is gone."""
        code = self._process.returncode
        if code < 0:
            return f"by signal {-code} ({signal.Signals(-code).name})"
        return f"with exit code {code}"

    def lines(self, timeout_s: float) -> list[dict[str, Any]]:
        """What it said since the last call; waits for up to `timeout_s` where it said nothing."""
        if self._open and self._selector.select(timeout_s):
            self._read()
        elif not self._open:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        *whole, self._unread = self._unread.split(b"\n")
        return [said for line in whole if (said := _object(line)) is not None]

    def terminate(self) -> None:
        """Ask it to end and to clean up."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it and all that it started, at once."""
        # The group may outlive its first process: what an encoder started is ended too.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self, grace_s: float) -> list[dict[str, Any]]:
        """See it gone, killed if it takes longer than `grace_s`: what it still said."""
        said: list[dict[str, Any]] = []
        give_up = time.monotonic() + grace_s
        while not self.ended and time.monotonic() < give_up:
            said += self.lines(0.1)
        self.kill()
        self._process.wait()
        if self._open:
            self._read()
        said += self.lines(0.0)
        return said

    def close(self) -> None:
        """Let go of it; it is gone by then."""
        self._selector.close()
        os.close(self._pipe)
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _read(self) -> None:
        """Takes all that is there."""
        while True:
            try:
                piece = os.read(self._pipe, _PIECE)
            except BlockingIOError:
                return
            if not piece:
                self._selector.unregister(self._pipe)
                self._open = False
                return
            self._unread += piece
            if len(self._unread) > _LONGEST_LINE:
                self.kill()
                self._unread = b""
                return


def _object(line: bytes) -> dict[str, Any] | None:
    """None for what a library wrote where it had no business."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def last_lines(log: Path, count: int) -> str:
    """The end of a log, for a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _PIECE))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-count:])
