"""Buckets on the tests' own server."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def s3(moto_url: str) -> Any:
    import boto3

    return boto3.client("s3", endpoint_url=moto_url)


@pytest.fixture
def new_bucket(s3: Any, moto_url: str) -> Callable[[], str]:
    """Makes a bucket and gives a store's address in it."""

    def make() -> str:
        bucket = f"media-{uuid.uuid4().hex}"
        s3.create_bucket(Bucket=bucket)
        return f"s3://{bucket}/some/prefix?endpoint_url={moto_url}"

    return make
