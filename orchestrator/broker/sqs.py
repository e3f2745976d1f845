"""Amazon's queues: finding them, making them, and asking for more time with a message."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.errors import DispatchError
from ..deployment import Deployment, SqsAddress, sqs_address

if TYPE_CHECKING:
    from botocore.client import BaseClient

_log = logging.getLogger(__name__)
HOLD_S = 180
"""How long a queue of ours hides a message that was taken, unless its worker asks for more."""

_KEPT_S = 14 * 24 * 3600


def sqs_client(address: SqsAddress) -> BaseClient:
    """A client of the service; nothing is asked of it yet. Raises DispatchError where no region is
    named anywhere."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3, "mode": "standard"}
    )
    try:
        # Not boto3's shared session, which no two threads may use and which keeps old keys.
        return boto3.Session().client(
            "sqs",
            region_name=address.region,
            endpoint_url=address.endpoint_url,
            aws_access_key_id=address.key,
            aws_secret_access_key=address.secret,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise DispatchError(f"broker sqs: {error}; name it: sqs://?region=REGION") from error


def queue_urls(address: SqsAddress, names: Sequence[str]) -> list[str]:
    """Each queue's URL, in order; what is missing is made.

    Raises DispatchError where the service does not answer or does not allow it.
    """
    client: Any = sqs_client(address)
    try:
        return [_queue_url(client, name) for name in names]
    finally:
        client.close()


def _queue_url(client: Any, name: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    action = "sqs:GetQueueUrl"
    try:
        try:
            return str(client.get_queue_url(QueueName=name)["QueueUrl"])
        except client.exceptions.QueueDoesNotExist:
            action = "sqs:CreateQueue"
            attributes = {"VisibilityTimeout": str(HOLD_S), "MessageRetentionPeriod": str(_KEPT_S)}
            made = client.create_queue(QueueName=name, Attributes=attributes)
            return str(made["QueueUrl"])
    except (BotoCoreError, ClientError) as error:
        raise DispatchError(
            f"broker sqs, queue {name}: {error}; check region, credentials and that {action} is "
            "allowed"
        ) from error


def message_hold(deployment: Deployment) -> Callable[[str], None]:
    """What keeps a taken message hidden for another `HOLD_S`, by its receipt.

    It never fails: a message that comes up again does no harm.
    """
    address = sqs_address(deployment.broker)
    client: Any = sqs_client(address)
    (url,) = queue_urls(address, (deployment.queue,))

    def hold(receipt: str) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            client.change_message_visibility(
                QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=HOLD_S
            )
        except (BotoCoreError, ClientError) as error:
            _log.info("a message could not be kept hidden: %s", error)

    return hold
