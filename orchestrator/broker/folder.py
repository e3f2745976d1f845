"""A queue in a folder: Celery's broker for one machine, which needs no server.

Kombu's own file transport is not used: its reader may take a message that is still being written,
and it moves messages through the system's temporary folder.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import virtual
from kombu.utils.json import dumps, loads

_log = logging.getLogger(__name__)
_POLL_S = 0.2


class Channel(virtual.Channel):
    """Messages are files `<time>-<random>.<queue>.msg`, put there and taken away by renaming."""

    @property
    def _folder(self) -> Path:
        return Path(self.connection.client.transport_options["folder"])

    def _put(self, queue: str, message: Any, **_: Any) -> None:
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex}.{queue}.msg"
        partial = self._folder / f"{name}.partial"
        try:
            partial.write_text(dumps(message), encoding="utf-8")
            partial.rename(self._folder / name)
        except OSError:
            partial.unlink(missing_ok=True)
            raise

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for name in self._waiting(queue):
            taken = self._folder / f"{name}.taken"
            try:
                os.rename(self._folder / name, taken)
            except FileNotFoundError:
                continue  # another worker was faster
            content = taken.read_bytes()
            taken.unlink()
            try:
                return loads(content)
            except ValueError:
                _log.warning("%s in %s is no message: dropped", name, self._folder)
        raise Empty

    def _size(self, queue: str) -> int:
        return len(self._waiting(queue))

    def _purge(self, queue: str) -> int:
        waiting = self._waiting(queue)
        for name in waiting:
            (self._folder / name).unlink(missing_ok=True)
        return len(waiting)

    def _waiting(self, queue: str) -> list[str]:
        """Oldest first."""
        ending = f"{queue}.msg"
        return sorted(name for name in os.listdir(self._folder) if name.partition(".")[2] == ending)


class Transport(virtual.Transport):
    """Takes the folder from the transport option `folder`; it has to be there."""

    Channel = Channel
    polling_interval = _POLL_S
    driver_type = "folder"
    driver_name = "folder"

    def driver_version(self) -> str:
        """The format of the files, as kombu wants it."""
        return "1"
