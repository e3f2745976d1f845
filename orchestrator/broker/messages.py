"""What goes over the broker: "look at this job", and word of jobs that were given up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...runtime.errors import DispatchError
from ..deployment import Deployment, without_password
from .engine import TASK, celery_app

if TYPE_CHECKING:
    from celery import Celery

    from ..ledger import Record

_MENDS = {
    "folder": "check that the folder may be written to and that its disk has room",
    "redis": "check that the server runs and that address, port and password are right",
    "rediss": "check that the server runs and that address, port and password are right",
    "sqs": "check credentials, region and what the role is allowed; `edgecodec doctor --broker`"
    " names it",
}


class Messages:
    """The queue and the dead letters' queue of a deployment, from a sender's side.

    Every method raises DispatchError where the broker does not take or give it. Safe to use from
    several threads.
    """

    def __init__(self, deployment: Deployment, app: Celery | None = None) -> None:
        self._deployment = deployment
        self._app = app or celery_app(deployment)

    def send(self, id: str) -> None:
        """Tell one worker to look at a job."""
        with self._reaching():
            self._app.send_task(TASK, args=(id,), queue=self._deployment.queue)

    def bury(self, record: Record) -> None:
        """Put a dead job's id, kind and last error into the dead letters' queue."""
        attempts = record.attempts
        letter = {
            "id": record.job.id,
            "kind": record.job.kind,
            "attempts": len(attempts),
            "error": attempts[-1].error if attempts else "",
        }
        with self._reaching(), self._app.producer_pool.acquire(block=True, timeout=30) as producer:
            producer.publish(
                letter,
                exchange="",
                routing_key=self._deployment.dead_queue,
                serializer="json",
                retry=True,
                retry_policy=self._app.conf.task_publish_retry_policy,
            )

    def waiting(self) -> int:
        """About how many messages the queue holds that no worker has taken."""
        return self._length(self._deployment.queue)

    def buried(self) -> int:
        """About how many dead letters there are."""
        return self._length(self._deployment.dead_queue)

    def close(self) -> None:
        """Let go of connections."""
        self._app.close()

    def _length(self, queue: str) -> int:
        with self._reaching(), self._app.connection_for_read() as connection:
            return int(connection.default_channel.queue_declare(queue).message_count)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        # Each transport has errors of its own, and those of the libraries under it leak through.
        except Exception as error:
            shown = without_password(self._deployment.broker)
            mend = _MENDS[self._deployment.scheme]
            raise DispatchError(
                f"broker {shown}: {error or type(error).__name__}; {mend}"
            ) from error
