"""A table in DynamoDB, one item for a row: `group` and `name` are its keys.

An item holds the version as a number and the value as JSON text, at most 400 KB together.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from ...runtime.errors import DispatchError, UnsupportedError
from .base import Row
from .row_text import to_text, to_value

_OPTIONS = ("region", "endpoint_url", "create")
_KEYS = {"group": "HASH", "name": "RANGE"}
_CONNECT_LIMIT_S = 10.0
_ANSWER_LIMIT_S = 20.0
_ATTEMPTS = 4
_CREATE_LIMIT_S = 120.0
_BATCH = 100  # DynamoDB takes no more at a time
_BATCH_LIMIT_S = 60.0
_LONGEST_TEXT = 400_000  # of an item's 409,600 bytes
_BAD_KEYS = ("UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException")


def open_dynamodb(url: str) -> DynamoTable:
    """`dynamodb://TABLE?region=REGION&endpoint_url=URL&create=1`; access keys come from where
    boto3 looks for them. With `create=1` the table is made where there is none."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    unknown = set(options) - set(_OPTIONS)
    if unknown or not parts.netloc or parts.path.strip("/"):
        raise DispatchError(
            f"results {url!r:.200}: give dynamodb://TABLE, after a ? options of"
            f" {', '.join(_OPTIONS)}, joined by &"
        )
    with _explained(url, parts.netloc):
        client = boto3.session.Session().client(
            "dynamodb",
            region_name=options.get("region"),
            endpoint_url=options.get("endpoint_url"),
            config=Config(
                connect_timeout=_CONNECT_LIMIT_S,
                read_timeout=_ANSWER_LIMIT_S,
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            ),
        )
    table = DynamoTable(client, parts.netloc, url)
    if options.get("create", "0") not in ("0", ""):
        table.create()
    return table


class DynamoTable:
    """Rows in DynamoDB. Threads may share it."""

    def __init__(self, client: Any, table: str, url: str) -> None:
        self._client = client
        self._table = table
        self._url = url

    @property
    def url(self) -> str:
        return self._url

    def create(self) -> None:
        """Make the table, paid by request, unless it is there."""
        with self._explained():
            with suppress(self._client.exceptions.ResourceInUseException):
                self._client.create_table(
                    TableName=self._table,
                    KeySchema=[
                        {"AttributeName": name, "KeyType": kind} for name, kind in _KEYS.items()
                    ],
                    AttributeDefinitions=[
                        {"AttributeName": name, "AttributeType": "S"} for name in _KEYS
                    ],
                    BillingMode="PAY_PER_REQUEST",
                )
            waiter = self._client.get_waiter("table_exists")
            pause = 2
            waiter.wait(
                TableName=self._table,
                WaiterConfig={"Delay": pause, "MaxAttempts": int(_CREATE_LIMIT_S / pause)},
            )

    def get(self, group: str, name: str) -> Row | None:
        with self._explained():
            answer = self._client.get_item(
                TableName=self._table, Key=_key(group, name), ConsistentRead=True
            )
        item = answer.get("Item")
        return None if item is None else self._named_row(item)[1]

    def get_many(self, group: str, names: Iterable[str]) -> dict[str, Row]:
        wanted = sorted(set(names))
        rows: dict[str, Row] = {}
        for start in range(0, len(wanted), _BATCH):
            keys = [_key(group, name) for name in wanted[start : start + _BATCH]]
            rows.update(self._named_row(item) for item in self._batch(keys))
        return rows

    def put(self, group: str, name: str, value: Mapping[str, Any], expected: int | None) -> bool:
        where = f"{self._url}, {group} {name}"
        text = to_text(value, where)
        if len(text) > _LONGEST_TEXT:
            raise UnsupportedError(f"{where}: {len(text)} bytes, DynamoDB takes {_LONGEST_TEXT}")
        item = _key(group, name) | {
            "version": {"N": str((expected or 0) + 1)},
            "value": {"S": text},
        }
        condition: dict[str, Any] = {
            "ConditionExpression": "attribute_not_exists(#n)",
            "ExpressionAttributeNames": {"#n": "name"},
        }
        if expected is not None:
            condition = {
                "ConditionExpression": "#v = :expected",
                "ExpressionAttributeNames": {"#v": "version"},
                "ExpressionAttributeValues": {":expected": {"N": str(expected)}},
            }
        with self._explained():
            try:
                self._client.put_item(TableName=self._table, Item=item, **condition)
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def scan(self, group: str) -> Iterator[tuple[str, Row]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#g = :group",
            ExpressionAttributeNames={"#g": "group"},
            ExpressionAttributeValues={":group": {"S": group}},
        )
        turns = iter(pages)
        while True:
            with self._explained():
                page = next(turns, None)
            if page is None:
                return
            yield from (self._named_row(item) for item in page["Items"])

    def delete(self, group: str, name: str) -> None:
        with self._explained():
            self._client.delete_item(TableName=self._table, Key=_key(group, name))

    def close(self) -> None:
        self._client.close()

    def _batch(self, keys: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """DynamoDB leaves keys for another time where it is busy or the answer is long."""
        left: dict[str, Any] = {self._table: {"Keys": keys, "ConsistentRead": True}}
        give_up, pause = time.monotonic() + _BATCH_LIMIT_S, 0.05
        while left:
            with self._explained():
                answer = self._client.batch_get_item(RequestItems=left)
            found = answer["Responses"].get(self._table, [])
            yield from found
            left = answer.get("UnprocessedKeys", {})
            if left and not found:
                if time.monotonic() > give_up:
                    raise DispatchError(
                        f"{self._url}: DynamoDB put a read off for {_BATCH_LIMIT_S:g} s;"
                        " raise the table's read capacity"
                    )
                time.sleep(pause)
                pause = min(pause * 2, 2.0)

    def _named_row(self, item: Mapping[str, Any]) -> tuple[str, Row]:
        where = f"{self._url}, {item['group']['S']} {item['name']['S']}"
        try:
            text, version = item["value"]["S"], int(item["version"]["N"])
        except (KeyError, ValueError) as error:
            raise DispatchError(
                f"{where}: the item is not edgecodec's; give a table of its own"
            ) from error
        return item["name"]["S"], Row(to_value(text, where), version)

    def _explained(self) -> AbstractContextManager[None]:
        return _explained(self._url, self._table)


def _key(group: str, name: str) -> dict[str, Any]:
    return {"group": {"S": group}, "name": {"S": name}}


@contextmanager
def _explained(url: str, table: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError, ValueError) as error:
        raise DispatchError(f"{url}: {error}; {_remedy(error, table)}") from error


def _remedy(error: Exception, table: str) -> str:
    if isinstance(error, NoRegionError):
        return "add ?region=REGION to the URL or set AWS_DEFAULT_REGION"
    if isinstance(error, NoCredentialsError):
        return "give the machine a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if not isinstance(error, ClientError):
        return "see that AWS, or the endpoint in the URL, can be reached from here"
    code = error.response.get("Error", {}).get("Code", "")
    if code == "ResourceNotFoundException":
        return f"make the table {table} (add create=1 to the URL once), or see to the region"
    if code == "AccessDeniedException":
        return f"allow dynamodb:{error.operation_name} on the table {table}"
    if code == "ValidationException":
        return f"see that the keys of {table} are the texts group (partition) and name (sort)"
    if code in _BAD_KEYS:
        return "see to the access keys and to this machine's clock"
    return "try again later, or see what AWS says about this error"
