"""Real servers for the tests here: Redis, and AWS's interfaces by moto."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import moto_server, redis_server, running

AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`redis://127.0.0.1:PORT/0` of a server for all tests: use names and prefixes of your own."""
    with running(redis_server(tmp_path_factory.mktemp("redis"))) as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture(scope="session")
def moto_url(tmp_path_factory: pytest.TempPathFactory, aws_credentials: None) -> Iterator[str]:
    """`http://127.0.0.1:PORT`, an endpoint for every service of AWS, for all tests: use tables,
    queues and buckets with names of your own."""
    with running(moto_server(tmp_path_factory.mktemp("moto"))) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="session")
def aws_credentials() -> Iterator[None]:
    """What moto takes for an account; never those of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        for name, value in AWS.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(params=["sqlite", "redis", "dynamodb"])
def table_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A table of each kind, empty, for one test."""
    own = f"t{uuid.uuid4().hex}"
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'fleet' / 'results.sqlite'}"
    if request.param == "redis":
        return f"{request.getfixturevalue('redis_url')}?prefix={own}"
    return dynamodb_url(request.getfixturevalue("moto_url"), own)


def dynamodb_url(moto_url: str, table: str) -> str:
    """A table there, made when it is opened."""
    return f"dynamodb://{table}?region=us-east-1&endpoint_url={moto_url}&create=1"
