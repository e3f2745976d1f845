"""The engine's settings, the queue in a folder, and what goes over a broker."""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path
from queue import Empty

import pytest
from edgecodec.orchestrator.broker.engine import celery_app
from edgecodec.orchestrator.broker.messages import Messages
from edgecodec.orchestrator.broker.sqs import message_hold
from edgecodec.orchestrator.deployment import Deployment
from edgecodec.orchestrator.ledger.record import Attempt, Job, Outcome, Record, State
from edgecodec.runtime.errors import DispatchError


def local(folder: Path, broker: str | None = None, queue: str = "edgecodec") -> Deployment:
    return Deployment(
        broker or f"folder:{folder}", f"sqlite:{folder}/results.sqlite", f"file:{folder}", queue
    )


def test_an_application_takes_json_only_and_confirms_late(tmp_path: Path) -> None:
    conf = celery_app(local(tmp_path)).conf
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"
    assert conf.task_acks_late
    assert conf.worker_prefetch_multiplier == 1
    assert not conf.worker_enable_remote_control


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DispatchError, match="file/broker"):
        celery_app(local(tmp_path, f"folder:{tmp_path / 'file'}"))


def test_a_queue_of_sqs_is_made_where_there_is_none_and_found_again(moto_url: str) -> None:
    import boto3

    queue = f"q-{uuid.uuid4().hex[:8]}"
    host = moto_url.removeprefix("http://")
    deployment = Deployment(f"sqs://{host}?region=us-east-1&queue={queue}", "", "", queue)
    for _ in range(2):
        messages = Messages(deployment)
        messages.send("one")
        messages.close()
    client = boto3.client("sqs", endpoint_url=moto_url, region_name="us-east-1")
    names = {url.rpartition("/")[2] for url in client.list_queues()["QueueUrls"]}
    assert {queue, f"{queue}-dead"} <= names
    assert messages.waiting() == 2


def test_a_message_stays_hidden_as_long_as_its_worker_asks_for_it(moto_url: str) -> None:
    import boto3

    queue = f"q-{uuid.uuid4().hex[:8]}"
    host = moto_url.removeprefix("http://")
    deployment = Deployment(f"sqs://{host}?region=us-east-1&queue={queue}", "", "", queue)
    Messages(deployment).send("one")
    hold = message_hold(deployment)
    client = boto3.client("sqs", endpoint_url=moto_url, region_name="us-east-1")
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    (taken,) = client.receive_message(QueueUrl=url, VisibilityTimeout=1)["Messages"]
    hold(taken["ReceiptHandle"])
    assert not client.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages")
    client.change_message_visibility(
        QueueUrl=url, ReceiptHandle=taken["ReceiptHandle"], VisibilityTimeout=0
    )
    (again,) = client.receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"]
    client.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    hold(again["ReceiptHandle"])  # too late: that is no error


def test_a_broker_that_is_not_there_is_said_without_its_password(tmp_path: Path) -> None:
    broker = "sqs://key:secret@127.0.0.1:1?region=us-east-1"
    with pytest.raises(DispatchError, match="sqs:GetQueueUrl is allowed") as raised:
        Messages(local(tmp_path, broker))
    assert "secret" not in str(raised.value)


def test_a_message_holds_a_jobs_name_and_a_letter_why_it_died(tmp_path: Path) -> None:
    deployment = local(tmp_path)
    messages = Messages(deployment)
    messages.send("abc")
    attempt = Attempt(1, "w", 0.0, 1.0, Outcome.ERROR, "it broke", "t")
    messages.bury(Record(Job("probe", "abc", {"secret": 1}), State.DEAD, 0.0, (attempt,)))
    assert (messages.waiting(), messages.buried()) == (1, 1)
    with celery_app(deployment).connection_for_read() as connection:
        channel = connection.default_channel
        task = channel.basic_get(deployment.queue)
        letter = channel.basic_get(deployment.dead_queue)
    assert json.loads(task.body)[0] == ["abc"]
    assert letter.decode() == {"id": "abc", "kind": "probe", "attempts": 1, "error": "it broke"}


def test_a_folders_messages_come_in_order_each_to_one_reader(tmp_path: Path) -> None:
    app = celery_app(local(tmp_path))
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        for number in range(60):
            channel._put("edgecodec", {"number": number})
        channel._put("edgecodec-dead", {"number": -1})
        assert channel._size("edgecodec") == 60
    got: list[list[int]] = [[], [], []]

    def read(mine: list[int]) -> None:
        with app.connection_for_read() as connection:
            channel = connection.default_channel
            while True:
                try:
                    mine.append(channel._get("edgecodec")["number"])
                except Empty:
                    return

    readers = [threading.Thread(target=read, args=(mine,)) for mine in got]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(30)
    assert sorted(number for mine in got for number in mine) == list(range(60))
    assert all(mine == sorted(mine) for mine in got)
    left = [path.name.partition(".")[2] for path in (tmp_path / "broker").iterdir()]
    assert left == ["edgecodec-dead.msg"]


def test_what_is_no_message_in_the_folder_is_dropped(tmp_path: Path) -> None:
    deployment = local(tmp_path)
    with celery_app(deployment).connection_for_read() as connection:
        folder = tmp_path / "broker"
        (folder / "0.edgecodec.msg").write_bytes(b"\x80\x04K\x01.")
        (folder / "1.edgecodec.msg.partial").write_text("{")
        connection.default_channel._put("edgecodec", {"number": 7})
        assert connection.default_channel._get("edgecodec") == {"number": 7}
        with pytest.raises(Empty):
            connection.default_channel._get("edgecodec")
