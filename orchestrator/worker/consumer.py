"""Celery's consumer, mended in two places."""

from __future__ import annotations

from celery.worker.consumer import Consumer as CeleryConsumer
from celery.worker.state import maybe_shutdown


class Consumer(CeleryConsumer):  # type: ignore[misc]  # Celery has no types
    """Takes no message after it was told to stop, and never stops asking otherwise.

    Celery's loop looks for one more message when it is told to stop. And where the broker is away
    just as a message is confirmed, Celery logs it and goes on; but the message stays the one that
    may be open at a time, and Redis's transport takes no other for ever. So the connection is
    made anew, and the broker brings the message again.
    """

    def perform_pending_operations(self) -> None:
        """Confirm what was done; between two messages none may be open afterwards."""
        super().perform_pending_operations()
        maybe_shutdown()
        if not self.task_consumer.channel.qos.can_consume():
            raise ConnectionResetError("a message could not be confirmed")
