"""Servers that go away for a while, and workers that get into trouble of their own."""

from __future__ import annotations

import signal
import uuid
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
import pytest
from edgecodec.orchestrator.deployment import Deployment
from edgecodec.orchestrator.ledger import State

from .flaky import flaky
from .fleets import (
    LIMIT_S,
    QUICK,
    Fleet,
    ended,
    fleet,
    outcomes,
    probe,
    record_of,
    stop,
    until,
)
from .servers import moto_server, redis_server, running

PATIENT = replace(QUICK, most_attempts=30)


def local(folder: Path, broker: str | None = None) -> Deployment:
    return Deployment(
        broker or f"folder:{folder}",
        f"sqlite:{folder / 'results.sqlite'}",
        f"file:{folder / 'media'}",
        f"q-{uuid.uuid4().hex[:10]}",
    )


def run_through(made: Fleet, restart: object) -> None:
    """Jobs before, in the middle of and after an outage, each done in one attempt."""
    with made.dispatcher() as dispatcher:
        jobs = [probe({"wait_s": 1.0}), probe(), probe()]
        for job in jobs:
            dispatcher.submit(job)
        made.start()
        until(lambda: record_of(dispatcher, jobs[0]).state is State.RUNNING, "the first runs")
        restart()  # type: ignore[operator]
        later = probe()
        dispatcher.submit(later)
        for record in ended(dispatcher, *jobs, later):
            assert (record.state, outcomes(record)) == (State.DONE, ["done"]), made.said()


@pytest.mark.parametrize("kind", ["redis", "sqs"])
def test_a_broker_that_is_killed_and_started_again_loses_no_job(
    kind: str, tmp_path: Path, aws_credentials: None
) -> None:
    make = redis_server if kind == "redis" else moto_server
    (tmp_path / "server").mkdir()
    with running(make(tmp_path / "server")) as server:
        address = f"127.0.0.1:{server.port}"
        broker = f"redis://{address}/0" if kind == "redis" else f"sqs://{address}?region=us-east-1"

        def restart() -> None:
            server.kill()
            server.start()

        with fleet(local(tmp_path, broker), tmp_path) as made:
            run_through(made, restart)


@pytest.mark.parametrize("kind", ["redis", "sqs"])
def test_a_broker_that_is_away_when_a_job_is_done_gets_the_worker_back(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("redis_url" if kind == "redis" else "moto_url")
    with flaky(urlsplit(server).port or 0) as way:
        address = f"127.0.0.1:{way.port}"
        queue = f"q-{uuid.uuid4().hex[:8]}"
        broker = f"redis://{address}/0" if kind == "redis" else f"sqs://{address}?region=us-east-1"
        deployment = replace(local(tmp_path, broker), queue=queue)
        with fleet(deployment, tmp_path) as made, made.dispatcher() as dispatcher:
            first, second = probe({"wait_s": 1.0}), probe()
            dispatcher.submit(first)
            made.start()
            until(lambda: record_of(dispatcher, first).state is State.RUNNING, "it runs")
            way.cut()
            until(lambda: "Couldn't ack" in made.said(), "the message cannot be confirmed")
            way.mend()
            dispatcher.submit(second)
            for record in ended(dispatcher, first, second):
                assert outcomes(record) == ["done"], made.said()


def test_a_fleet_on_aws_goes_on_after_all_of_it_was_out_of_reach(
    tmp_path: Path, moto_url: str
) -> None:
    name = f"fleet-{uuid.uuid4().hex[:8]}"
    with flaky(urlsplit(moto_url).port or 0) as way:
        url = f"http://127.0.0.1:{way.port}"
        at = f"region=us-east-1&endpoint_url={quote(url, safe='')}"
        import boto3

        boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket=name)
        deployment = Deployment(
            f"sqs://127.0.0.1:{way.port}?region=us-east-1&queue={name}",
            f"dynamodb://{name}?{at}&create=1",
            f"s3://{name}?{at}",
            name,
        )
        with fleet(deployment, tmp_path, PATIENT) as made, made.dispatcher() as dispatcher:
            # Long enough to be at it still when the way is cut, however busy the machine is.
            jobs = [probe({"wait_s": 8.0, "put_bytes": 100}), probe({"put_bytes": 100})]
            for job in jobs:
                dispatcher.submit(job)
            made.start()
            until(lambda: record_of(dispatcher, jobs[0]).state is State.RUNNING, "it runs")
            way.cut()
            until(lambda: "goes on: dynamodb" in made.said(), "the worker noticed")
            way.mend()
            for record in ended(dispatcher, *jobs):
                assert record.state is State.DONE, made.said()
                assert outcomes(record)[-1] == "done"


def test_a_media_store_that_answers_with_errors_costs_attempts_only(
    tmp_path: Path, moto_url: str
) -> None:
    bucket = f"media-{uuid.uuid4().hex[:8]}"
    import boto3

    boto3.client("s3", endpoint_url=moto_url, region_name="us-east-1").create_bucket(Bucket=bucket)
    with flaky(urlsplit(moto_url).port or 0) as way:
        url = quote(f"http://127.0.0.1:{way.port}", safe="")
        media = f"s3://{bucket}?region=us-east-1&endpoint_url={url}"
        deployment = replace(local(tmp_path), media=media)
        with fleet(deployment, tmp_path, PATIENT) as made, made.dispatcher() as dispatcher:
            job = probe({"put_bytes": 1000})
            way.be_sorry()
            dispatcher.submit(job)
            made.start()
            until(lambda: "error" in outcomes(record_of(dispatcher, job)), "it failed once")
            assert "503" in record_of(dispatcher, job).attempts[0].error
            way.mend()
            (record,) = ended(dispatcher, job)
            assert record.state is State.DONE
            assert set(outcomes(record)[:-1]) == {"error"}


def test_a_full_disk_fails_the_attempt_and_another_worker_does_the_job(tmp_path: Path) -> None:
    with fleet(local(tmp_path), tmp_path, PATIENT) as made, made.dispatcher() as dispatcher:
        job = probe({"write_bytes": 8 << 20})
        dispatcher.submit(job)
        small = made.start("small", largest_file=4 << 20)
        until(lambda: "error" in outcomes(record_of(dispatcher, job)), "it failed once")
        assert "File too large" in record_of(dispatcher, job).attempts[0].error
        assert stop(small) == 0, made.said()
        made.start("large")
        (record,) = ended(dispatcher, job)
        assert (record.state, record.worker) == (State.DONE, "large")


def test_a_job_that_takes_too_long_is_asked_to_stop_and_then_killed(tmp_path: Path) -> None:
    with fleet(local(tmp_path), tmp_path) as made, made.dispatcher() as dispatcher:
        slow, deaf = probe({"trouble": "linger"}), probe({"trouble": "deaf"})
        dispatcher.submit(slow)
        dispatcher.submit(deaf)
        made.start(soft_limit_s=0.8, hard_limit_s=1.6)
        for record in ended(dispatcher, slow, deaf):
            assert record.state is State.DEAD
            assert "longer than the worker's limit of 0.8 s" in record.error


def test_a_second_signal_ends_a_worker_at_once_and_its_job_with_it(tmp_path: Path) -> None:
    with fleet(local(tmp_path), tmp_path) as made, made.dispatcher() as dispatcher:
        job = probe({"trouble": "deaf", "say": "deaf"})
        dispatcher.submit(job)
        worker = made.start()
        until(lambda: record_of(dispatcher, job).state is State.RUNNING, "it runs")
        until(lambda: bool(psutil.Process(worker.pid).children()), "its process is there")
        (process,) = psutil.Process(worker.pid).children()
        worker.send_signal(signal.SIGTERM)
        worker.send_signal(signal.SIGINT)
        assert worker.wait(LIMIT_S) in (128 + signal.SIGTERM, 128 + signal.SIGINT), made.said()
        until(lambda: not process.is_running(), "the job's process is gone")
        assert record_of(dispatcher, job).state is State.RUNNING  # until its lease runs out


def test_a_worker_ends_when_there_was_nothing_to_do(tmp_path: Path) -> None:
    with fleet(local(tmp_path), tmp_path) as made:
        assert made.start(idle_s=0.0).wait(LIMIT_S) == 0, made.said()
        assert list((tmp_path / "workers" / "scratch").iterdir()) == []
