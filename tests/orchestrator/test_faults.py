"""What must hold over every broker, with real workers: each job ends once, whatever happens."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from edgecodec.orchestrator.broker.engine import celery_app
from edgecodec.orchestrator.deployment import Deployment
from edgecodec.orchestrator.dispatch import Dispatcher
from edgecodec.orchestrator.ledger import State

from .fleets import LIMIT_S, Fleet, ended, fleet, outcomes, probe, record_of, stop, until

BROKERS = ("folder", "redis", "sqs")


def deployment_over(kind: str, folder: Path, request: pytest.FixtureRequest) -> Deployment:
    """Only the broker differs: the tables have a suite of their own."""
    queue = f"q-{uuid.uuid4().hex[:10]}"
    broker = f"folder:{folder}"
    if kind == "redis":
        broker = request.getfixturevalue("redis_url")
    elif kind == "sqs":
        host = request.getfixturevalue("moto_url").removeprefix("http://")
        broker = f"sqs://{host}?region=us-east-1&queue={queue}"
    return Deployment(broker, f"sqlite:{folder / 'results.sqlite'}", f"file:{folder}/media", queue)


@pytest.fixture(scope="module", params=BROKERS)
def crew(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Fleet, Dispatcher]]:
    """One worker that lives through several tests, and a dispatcher."""
    folder = tmp_path_factory.mktemp("crew")
    deployment = deployment_over(request.param, folder, request)
    with fleet(deployment, folder) as made, made.dispatcher() as dispatcher:
        made.start("crew")
        yield made, dispatcher


def test_a_job_is_done_and_its_result_and_log_are_kept(crew: tuple[Fleet, Dispatcher]) -> None:
    fleet_, dispatcher = crew
    job = probe({"echo": [1, "ü"], "say": "hello"})
    assert dispatcher.submit(job)
    (record,) = ended(dispatcher, job)
    assert record.state is State.DONE
    assert record.result is not None
    assert (record.result["worker"], record.result["echo"]) == ("crew", [1, "ü"])
    media = Path(fleet_.deployment.media.removeprefix("file:"))
    assert (media / record.result["log"]["name"]).read_text() == "hello\n"


def test_a_known_job_is_not_done_again(crew: tuple[Fleet, Dispatcher]) -> None:
    _, dispatcher = crew
    job = probe({"wait_s": 0.3})
    assert dispatcher.submit(job)
    assert not dispatcher.submit(job)
    for _ in range(3):
        dispatcher.messages.send(job.id)
    ended(dispatcher, job)
    dispatcher.messages.send(job.id)
    # The queue is worked off in order: when the next job is done, the copies were looked at.
    after = probe()
    dispatcher.submit(after)
    ended(dispatcher, after)
    assert outcomes(record_of(dispatcher, job)) == ["done"]


def test_a_job_that_kills_its_process_is_given_up_and_the_worker_lives(
    crew: tuple[Fleet, Dispatcher],
) -> None:
    _, dispatcher = crew
    letters = dispatcher.messages.buried()
    poison, refused, good = probe({"trouble": "die"}), probe({"trouble": "refuse"}), probe()
    for job in (poison, refused, good):
        dispatcher.submit(job)
    dead, final, done = ended(dispatcher, poison, refused, good)
    assert dead.state is State.DEAD
    assert outcomes(dead) == ["error", "error"]
    assert "SIGKILL" in dead.error
    assert final.state is State.DEAD
    assert outcomes(final) == ["error"]
    assert done.state is State.DONE
    until(lambda: dispatcher.messages.buried() == letters + 2, "two dead letters")
    assert dispatcher.retry(refused.id)
    (again,) = ended(dispatcher, refused)
    assert outcomes(again) == ["error", "error"]


def test_a_running_job_is_cancelled(crew: tuple[Fleet, Dispatcher]) -> None:
    _, dispatcher = crew
    job, after = probe({"wait_s": 600, "trouble": "fail"}), probe()
    dispatcher.submit(job)
    until(lambda: record_of(dispatcher, job).state is State.RUNNING, "it runs")
    assert dispatcher.cancel(job.id)
    dispatcher.submit(after)
    ended(dispatcher, after)
    assert record_of(dispatcher, job).state is State.CANCELLED
    assert outcomes(record_of(dispatcher, job)) == ["cancelled"]


def test_a_message_that_is_no_json_is_dropped_unread(crew: tuple[Fleet, Dispatcher]) -> None:
    fleet_, dispatcher = crew
    trap = fleet_.folder / "trap"
    with celery_app(fleet_.deployment).producer_pool.acquire(block=True, timeout=30) as producer:
        producer.publish(
            Trap(trap), routing_key=fleet_.deployment.queue, serializer="pickle", exchange=""
        )
    job = probe()
    dispatcher.submit(job)
    (record,) = ended(dispatcher, job)
    assert record.state is State.DONE
    assert not trap.exists()


class Trap:
    """Whoever unpickles it makes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self._path),))


@pytest.mark.parametrize("kind", BROKERS)
def test_a_job_outlives_its_workers(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with (
        fleet(deployment_over(kind, tmp_path, request), tmp_path) as made,
        made.dispatcher() as dispatcher,
    ):
        gate = tmp_path / "gate"
        gate.touch()
        job = probe({"wait_s": 0.0, "trouble": "linger", "while_there": str(gate)})
        dispatcher.submit(job)
        first = made.start("first")
        until(lambda: record_of(dispatcher, job).state is State.RUNNING, "the first has it")
        assert stop(first) == 0, made.said()
        given_back = record_of(dispatcher, job)
        assert (given_back.state, given_back.tries) == (State.QUEUED, 0)
        second = made.start("second")
        until(lambda: record_of(dispatcher, job).worker == "second", "the second has it")
        until(lambda: bool(psutil.Process(second.pid).children()), "the job's process is there")
        (process,) = psutil.Process(second.pid).children()
        second.kill()
        second.wait(LIMIT_S)
        until(lambda: not process.is_running(), "the job's process ends with its worker")
        gate.unlink()
        third = made.start("third", once=True)
        (record,) = ended(dispatcher, job)
        assert record.state is State.DONE
        assert outcomes(record) == ["released", "lost", "done"]
        assert third.wait(LIMIT_S) == 0, made.said()


def test_a_result_that_the_table_does_not_take_ends_its_job(
    tmp_path: Path, moto_url: str, aws_credentials: None
) -> None:
    table = f"dynamodb://t{uuid.uuid4().hex[:10]}?region=us-east-1&endpoint_url={moto_url}&create=1"
    deployment = Deployment(f"folder:{tmp_path}", table, f"file:{tmp_path}/media")
    with fleet(deployment, tmp_path) as made, made.dispatcher() as dispatcher:
        made.start()
        # An item of DynamoDB holds 400 KB: the job fits, with its result it does not.
        job = probe({"echo": "e" * 250_000})
        dispatcher.submit(job)
        (record,) = ended(dispatcher, job)
    assert record.state is State.DEAD
    assert outcomes(record) == ["error"]
    assert "its result cannot be kept" in record.error
