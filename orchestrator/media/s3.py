"""Media in an S3 bucket, Amazon's or another that speaks the same."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ...runtime.errors import DispatchError
from ..records.result import Artefact
from .base import check_name, file_sha256

_CONNECT_S, _READ_S, _ATTEMPTS = 10, 60, 5
_ABSENT = ("404", "NoSuchKey", "NotFound")
_MENDS = {
    "NoSuchBucket": "create the bucket, or check its name and region",
    "AccessDenied": "allow it to this machine's role or user",
    "403": "allow it, and s3:ListBucket, to this machine's role or user, or check the keys",
    "InvalidAccessKeyId": "check the AWS keys",
    "SignatureDoesNotMatch": "check the AWS keys",
    "ExpiredToken": "get new AWS keys",
    "PermanentRedirect": "check the bucket's region",
    "301": "check the bucket's region",
}


@dataclass(frozen=True)
class S3Store:
    """Objects below `prefix` of a bucket; see `MediaStore`.

    Keys come from where boto3 looks for them: environment, files, the machine's role. Each request
    is tried several times and none waits for ever. The SHA-256 is kept beside each object.
    """

    url: str
    bucket: str
    prefix: str
    region: str | None
    endpoint_url: str | None

    def put(self, path: Path, name: str) -> Artefact:
        """Store a file, whole or not at all."""
        key, sha256, size = self._key(name), file_sha256(path), path.stat().st_size
        if self._described(name) != (size, sha256):
            with self._said("s3:PutObject", name):
                self._client.upload_file(
                    str(path), self.bucket, key, ExtraArgs={"Metadata": {"sha256": sha256}}
                )
        return Artefact(name, f"s3://{self.bucket}/{key}", size, sha256)

    def get(self, name: str, path: Path) -> None:
        """Fetch a file to `path`, whole or not at all."""
        size, sha256 = self._present(name)
        temporary = path.with_name(f".partial-{uuid.uuid4().hex}")
        try:
            with self._said("s3:GetObject", name):
                self._client.download_file(self.bucket, self._key(name), str(temporary))
            found, digest = temporary.stat().st_size, file_sha256(temporary)
            if found != size or sha256 not in (None, digest):
                raise DispatchError(
                    f"media {self.url}: {name} came as {found} bytes with SHA-256 {digest}, but "
                    f"was stored as {size} with {sha256}; put it there again"
                )
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise

    def size(self, name: str) -> int:
        """The file's length in bytes."""
        return self._present(name)[0]

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return self._described(name) is not None

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names that begin with `prefix`, sorted."""
        with self._said("s3:ListBucket", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix
            )
            for page in pages:
                for each in page.get("Contents", ()):
                    yield str(each["Key"]).removeprefix(self.prefix)

    def delete(self, name: str) -> None:
        """Take a file away; nothing happens if there is none."""
        key = self._key(name)
        with self._said("s3:DeleteObject", name):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            # Servers other than Amazon's may not know its newer checksums; ours is enough.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        with self._said("a client", ""):
            # A session of its own: the shared one is not safe to make clients in threads.
            return boto3.Session().client(
                "s3", region_name=self.region, endpoint_url=self.endpoint_url, config=config
            )

    @cached_property
    def _bucket_is_there(self) -> None:
        """Asked once; raises DispatchError."""
        with self._said("s3:ListBucket", ""):
            self._client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)

    def _key(self, name: str) -> str:
        return self.prefix + check_name(name)

    def _present(self, name: str) -> tuple[int, str | None]:
        described = self._described(name)
        if described is None:
            raise DispatchError(
                f"media {self.url}: there is no {name}; put it there again, or check --media"
            )
        return described

    def _described(self, name: str) -> tuple[int, str | None] | None:
        """Length and SHA-256 (None: somebody else put it there), None where there is no object."""
        from botocore.exceptions import ClientError

        key = self._key(name)
        with self._said("s3:GetObject", name):
            try:
                head = self._client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _ABSENT:
                    raise
                # A missing bucket says the same "404" here as a missing object.
                return self._bucket_is_there
        return int(head["ContentLength"]), head["Metadata"].get("sha256")

    @contextmanager
    def _said(self, action: str, name: str) -> Iterator[None]:
        """Errors of Amazon's libraries in our words: what was not allowed or not reached."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            mend = _MENDS.get(code, "check --media; it may pass")
            raise DispatchError(
                f"media {self.url}: {action} of {name or self.bucket} failed: {code}; {mend}"
            ) from error
        except (BotoCoreError, Boto3Error, ValueError) as error:
            raise DispatchError(
                f"media {self.url}: {action} of {name or self.bucket} failed: {error}; check the "
                "address, the network and the AWS keys"
            ) from error


def open_s3(url: str) -> S3Store:
    """The store of `s3://bucket/prefix?region=...&endpoint_url=...`. Raises DispatchError."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    region, endpoint_url = query.pop("region", None), query.pop("endpoint_url", None)
    prefix = parts.path.strip("/")
    if not parts.netloc or "@" in parts.netloc or query:
        raise DispatchError(
            f"media {url}: give s3://bucket/prefix?region=REGION&endpoint_url=URL; keys come from "
            "the environment or the machine's role"
        )
    if prefix:
        check_name(prefix)
    return S3Store(url, parts.netloc, f"{prefix}/" if prefix else "", region, endpoint_url)
