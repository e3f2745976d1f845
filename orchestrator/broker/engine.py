"""The engine under a fleet: Celery, set up for a deployment's broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...runtime.errors import DispatchError
from ..deployment import sqs_address

if TYPE_CHECKING:
    from celery import Celery

    from ..deployment import Deployment

TASK = "edgecodec.job"
"""The one task there is: its argument is a job's id."""

# How long a broker keeps a message that a worker took and did not confirm. Nothing waits for it,
# as the ledger's leases are shorter. SQS takes no more; there workers ask for time as they go.
_LONGEST_HOLD_S = 12 * 3600
_CONNECT_S = 5
_ANSWER_S = 30
_SQS_POLL_S = 5


def celery_app(deployment: Deployment) -> Celery:
    """A Celery application that knows the queue, the dead letters' queue and no task yet.

    A folder and the queues of SQS are made where they are missing. Raises DispatchError where
    that fails. Connecting comes later.
    """
    from celery import Celery
    from kombu.entity import Exchange, Queue

    app = Celery("edgecodec", set_as_current=False)
    direct = Exchange("")  # every queue can be reached through it, and it needs no binding
    app.conf.update(
        task_queues=[
            Queue(name, direct, routing_key=name) for name in (deployment.queue, _dead(deployment))
        ],
        task_default_queue=deployment.queue,
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_eager_result=False,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # The transports' own libraries try several times before they give up.
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1},
        worker_prefetch_multiplier=1,
        worker_concurrency=1,
        worker_pool="solo",
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_timeout=_CONNECT_S,
        broker_connection_retry_on_startup=True,
        broker_heartbeat=0,
        **_broker(deployment),
    )
    return app


def _dead(deployment: Deployment) -> str:
    return deployment.dead_queue


def _broker(deployment: Deployment) -> dict[str, Any]:
    """Celery's settings for this kind of broker."""
    if deployment.scheme == "folder":
        folder = deployment.folder / "broker"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DispatchError(
                f"broker {deployment.broker}: {error.strerror}: {folder}; name a folder that you "
                "may write to"
            ) from error
        return {
            "broker_url": "folder://localhost",
            "broker_transport": "edgecodec.orchestrator.broker.folder:Transport",
            "broker_transport_options": {"folder": str(folder)},
        }
    if deployment.scheme == "sqs":
        return _sqs(deployment)
    return {
        "broker_url": deployment.broker,
        "broker_transport_options": {
            "visibility_timeout": _LONGEST_HOLD_S,
            "socket_connect_timeout": _CONNECT_S,
            "socket_timeout": _ANSWER_S,
            "socket_keepalive": True,
            "health_check_interval": _ANSWER_S,
        },
    }


def _sqs(deployment: Deployment) -> dict[str, Any]:
    from .sqs import queue_urls

    address = sqs_address(deployment.broker)
    names = (deployment.queue, _dead(deployment))
    keys = {"access_key_id": address.key, "secret_access_key": address.secret}
    login = ""
    if address.key and address.secret:
        login = f"{quote(address.key, safe='')}:{quote(address.secret, safe='')}@"
    options: dict[str, Any] = {
        "predefined_queues": {
            name: {"url": url} | (keys if address.key else {})
            for name, url in zip(names, queue_urls(address, names), strict=True)
        },
        "wait_time_seconds": _SQS_POLL_S,
        "polling_interval": 0.1,
        "client-config": {"connect_timeout": _CONNECT_S, "read_timeout": _ANSWER_S},
    }
    if address.region:
        options["region"] = address.region
    host = ""
    if address.endpoint_url:
        scheme, _, host = address.endpoint_url.partition("://")
        options["is_secure"] = scheme == "https"
    return {"broker_url": f"sqs://{login}{host}", "broker_transport_options": options}
