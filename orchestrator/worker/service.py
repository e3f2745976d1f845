"""A worker from its start to its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from ...runtime.errors import DispatchError
from ..broker.engine import TASK, celery_app
from ..broker.messages import Messages
from ..deployment import Deployment
from ..ledger import Ledger, Policy, Record
from ..media import open_media
from ..tables import open_table
from ..tending import Tender
from .attempt import look_at
from .desk import Desk
from .options import WorkerOptions
from .scratch import scratch_folder
from .stopping import Stop
from .watch import IdleClock, watching

if TYPE_CHECKING:
    from celery import Celery

_log = logging.getLogger(__name__)
_RAN_WELL_S = 60.0
_LONGEST_PAUSE_S = 30.0
_MOST_FAILURES = 20


def serve(
    deployment: Deployment,
    options: WorkerOptions,
    policy: Policy | None = None,
    ended: Callable[[Record], None] | None = None,
) -> None:
    """Take jobs and do them until it is told to stop.

    SIGTERM and SIGINT give the running job back and end the worker, a second one ends it at once.
    `ended` is called with the record after each attempt. Call it in the main thread of a process
    that does nothing else. Raises DispatchError where the deployment cannot be reached, at the
    start at once, later after minutes; OSError where the worker's folder cannot be used.
    """
    stop, clock = Stop(), IdleClock()
    with ExitStack() as stack:
        stack.enter_context(stop.on_signals())
        table = stack.enter_context(closing(open_table(deployment.results)))
        ledger = Ledger(table, policy or Policy())
        messages = stack.enter_context(closing(Messages(deployment)))
        messages.waiting()
        media = stack.enter_context(closing(open_media(deployment.media)))
        scratch = stack.enter_context(scratch_folder(options.folder / "scratch"))
        desk = Desk(deployment, options, ledger, messages, media, scratch, stop)

        def work(id: str, beat: Callable[[], None]) -> None:
            with clock.busy():
                record = look_at(id, desk, beat)
                if record is not None and ended is not None:
                    ended(record)
            if record is not None and options.once:
                stop.ask()

        tender = Tender(table, ledger, messages)
        stack.enter_context(watching(tender, stop, clock, options.idle_s))
        _consume(deployment, options.name, stop, work)


def _consume(
    deployment: Deployment,
    name: str,
    stop: Stop,
    work: Callable[[str, Callable[[], None]], None],
) -> None:
    """Run Celery's worker, and again where a broker's trouble ended it."""
    failures = 0
    while True:
        began = time.monotonic()
        problem = _run_worker(deployment, name, work)
        if stop.asked:
            return
        failures = 1 if time.monotonic() - began > _RAN_WELL_S else failures + 1
        if failures > _MOST_FAILURES:
            raise DispatchError(f"{problem}: given up after {failures} times in a row")
        _log.warning("%s; trying again", problem)
        pause_over = time.monotonic() + min(_LONGEST_PAUSE_S, 0.5 * 2.0 ** (failures - 1))
        while time.monotonic() < pause_over and not stop.asked:
            time.sleep(0.1)


def _run_worker(
    deployment: Deployment, name: str, work: Callable[[str, Callable[[], None]], None]
) -> str:
    """Until it ends: why."""
    try:
        app = _app_with_task(deployment, work)
    except DispatchError as error:
        return str(error)
    from .consumer import Consumer

    # Without Celery's event loop: a job is waited for in this thread anyway, and SQS's transport
    # stops asking after an error in there.
    worker = app.WorkController(
        hostname=name,
        queues=[deployment.queue],
        consumer_cls=Consumer,
        use_eventloop=False,
        without_heartbeat=True,
        without_gossip=True,
        without_mingle=True,
    )
    try:
        worker.start()
    finally:
        app.close()
    return "Celery's worker ended"


def _app_with_task(
    deployment: Deployment, work: Callable[[str, Callable[[], None]], None]
) -> Celery:
    from ..broker.sqs import message_hold

    app = celery_app(deployment)
    hold = message_hold(deployment) if deployment.scheme == "sqs" else None

    def look(self: Any, id: str) -> None:
        tag = str(self.request.properties.get("delivery_tag", ""))
        if hold is not None:
            hold(tag)
        work(str(id), lambda: None if hold is None else hold(tag))

    # Not shared: Celery would give every later application this one's task. Celery's tracer looks
    # for tasks in the thread's current application.
    app.task(name=TASK, bind=True, shared=False)(look)
    app.set_current()
    return app
