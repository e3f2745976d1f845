"""Whether a deployment's queues are there, and may be used."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from ...runtime.doctor import Check, Status
from ...runtime.errors import DispatchError
from ..deployment import Deployment, sqs_address, without_password
from .parts import AREA, broken, fine, refused_operation

_TIMEOUT_S = 5.0
_NO_SUCH_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
# Long enough for a worker to ask for more time, which it does all the while.
_LEAST_VISIBILITY_S = 60


def queue_checks(deployment: Deployment) -> Iterator[Check]:
    """The checks of the broker's side, as each is done."""
    kinds = {"folder": _folder, "redis": _redis, "rediss": _redis, "sqs": _sqs}
    yield from kinds[deployment.scheme](deployment)


def _folder(deployment: Deployment) -> Iterator[Check]:
    folder = deployment.folder / "broker"
    probe = folder / f".doctor-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        os.replace(probe, probe.with_suffix(".moved"))
        probe.with_suffix(".moved").unlink()
    except OSError as error:
        said = f"{folder}: {error.strerror}; name a folder that you may write to"
        yield broken("queue", DispatchError(said))
    else:
        yield fine("queue", str(folder))


def _redis(deployment: Deployment) -> Iterator[Check]:
    import redis

    shown = without_password(deployment.broker)
    client: Any = redis.Redis.from_url(
        deployment.broker, socket_connect_timeout=_TIMEOUT_S, socket_timeout=_TIMEOUT_S
    )
    key = f"{deployment.queue}:doctor:{uuid.uuid4().hex}"
    try:
        client.ping()
        client.lpush(key, "probe")
        client.delete(key)
    except (redis.RedisError, OSError, ValueError) as error:
        mend = "check host, port, password and its access rules"
        yield broken("queue", DispatchError(f"{shown}: {error}; {mend}"))
        return
    else:
        yield fine("queue", f"Redis {client.info('server')['redis_version']} at {shown}")
        yield from _redis_keeps(client)
    finally:
        client.close()


def _redis_keeps(client: Any) -> Iterator[Check]:
    """A server that forgets loses the ledger. Hosted ones may not say how they are set."""
    import redis

    try:
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
        kept = client.config_get("appendonly").get("appendonly") == "yes"
    except redis.RedisError:
        return
    if policy != "noeviction":
        yield Check(
            AREA,
            "Redis keeps data",
            Status.WARN,
            f"maxmemory-policy is {policy}: it throws jobs away when memory is short",
            "CONFIG SET maxmemory-policy noeviction, and in redis.conf",
        )
    elif not kept:
        yield Check(
            AREA,
            "Redis keeps data",
            Status.WARN,
            "appendonly is no: a restart loses what came after the last snapshot",
            "CONFIG SET appendonly yes, and in redis.conf; or keep --results elsewhere",
        )
    else:
        yield Check(AREA, "Redis keeps data", Status.OK, "appendonly, nothing is evicted")


def _sqs(deployment: Deployment) -> Iterator[Check]:
    from botocore.exceptions import BotoCoreError

    from ..broker.sqs import sqs_client

    try:
        client: Any = sqs_client(sqs_address(deployment.broker))
    except DispatchError as error:
        yield broken("queue", error)
        return
    try:
        for queue, label in (
            (deployment.queue, "queue"),
            (deployment.dead_queue, "dead-letter queue"),
        ):
            yield from _sqs_queue(client, queue, label)
    except BotoCoreError as error:
        said = f"{without_password(deployment.broker)}: {error}"
        mend = "check the region, the network and the AWS keys"
        yield broken("queue", DispatchError(f"{said}; {mend}"))
    finally:
        client.close()


def _sqs_queue(client: Any, queue: str, label: str) -> Iterator[Check]:
    from botocore.exceptions import ClientError

    try:
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    except ClientError as error:
        if error.response["Error"]["Code"] in _NO_SUCH_QUEUE:
            create = f"aws sqs create-queue --queue-name {queue}"
            yield broken(label, DispatchError(f"there is no queue {queue}; {create}"))
        else:
            yield broken(label, error)
        return
    yield fine(label, str(url))
    # Workers use neither a real message nor a real receipt here: an answer other than "not
    # allowed" says that it is allowed. Sending is tried by the round trip.
    receipt = {"QueueUrl": url, "ReceiptHandle": "doctor"}
    tries: tuple[tuple[str, Callable[[], Any]], ...] = (
        (
            "sqs:GetQueueAttributes",
            lambda: client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]),
        ),
        (
            "sqs:ReceiveMessage",
            lambda: client.receive_message(QueueUrl=url, VisibilityTimeout=0, WaitTimeSeconds=0),
        ),
        ("sqs:DeleteMessage", lambda: client.delete_message(**receipt)),
        (
            "sqs:ChangeMessageVisibility",
            lambda: client.change_message_visibility(**receipt, VisibilityTimeout=60),
        ),
    )
    needed = tries if label == "queue" else tries[:1]
    for action, attempt in needed:
        try:
            answer = attempt()
        except ClientError as error:
            if refused_operation(error) is not None:
                yield broken(f"{label}, {action}", error)
        else:
            if action == "sqs:GetQueueAttributes" and label == "queue":
                yield from _attributes(queue, answer["Attributes"])


def _attributes(queue: str, attributes: dict[str, str]) -> Iterator[Check]:
    if queue.endswith(".fifo") or attributes.get("FifoQueue") == "true":
        detail = f"{queue} is a FIFO queue, which holds back all behind a message at work"
        yield broken("queue, attributes", DispatchError(f"{detail}; make a standard queue"))
    elif int(attributes.get("VisibilityTimeout", "30")) < _LEAST_VISIBILITY_S:
        yield Check(
            AREA,
            "queue, attributes",
            Status.WARN,
            f"VisibilityTimeout is {attributes['VisibilityTimeout']} s: workers get word of jobs "
            "that others are at",
            f"aws sqs set-queue-attributes with VisibilityTimeout of {_LEAST_VISIBILITY_S} or more",
        )
    else:
        yield Check(AREA, "queue, attributes", Status.OK, "standard queue")
