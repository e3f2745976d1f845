"""What DynamoDB can do to a table."""

from __future__ import annotations

import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from edgecodec.orchestrator.tables import open_table
from edgecodec.orchestrator.tables.dynamodb import DynamoTable
from edgecodec.runtime.errors import DispatchError, UnsupportedError

from ..servers import free_port


def _url(endpoint: str, table: str, *options: str) -> str:
    return "&".join((f"dynamodb://{table}?region=us-east-1", f"endpoint_url={endpoint}", *options))


def test_a_table_that_is_not_there_is_said_and_made_on_demand(moto_url: str) -> None:
    name = f"t{uuid.uuid4().hex}"
    table = open_table(_url(moto_url, name))
    for use in (
        lambda: table.get("group", "name"),
        lambda: table.get_many("group", ["name"]),
        lambda: table.put("group", "name", {}, None),
        lambda: list(table.scan("group")),
        lambda: table.delete("group", "name"),
    ):
        with pytest.raises(DispatchError, match=f"make the table {name} .*create=1"):
            use()
    table.close()
    for _ in range(2):
        made = open_table(_url(moto_url, name, "create=1"))
        made.put("group", "name", {}, None)
        made.close()
    bill = boto3.client("dynamodb", endpoint_url=moto_url).describe_table(TableName=name)["Table"]
    assert bill["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_a_table_with_other_keys_is_said(moto_url: str) -> None:
    name = f"t{uuid.uuid4().hex}"
    boto3.client("dynamodb", endpoint_url=moto_url).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    table = open_table(_url(moto_url, name))
    with pytest.raises(DispatchError, match=r"keys of .* are the texts group"):
        table.get("group", "name")
    with pytest.raises(DispatchError, match=r"keys of .* are the texts group"):
        table.put("group", "name", {}, None)
    table.close()


def test_another_program_s_items_are_said(moto_url: str) -> None:
    name = f"t{uuid.uuid4().hex}"
    table = open_table(_url(moto_url, name, "create=1"))
    boto3.client("dynamodb", endpoint_url=moto_url).put_item(
        TableName=name, Item={"group": {"S": "group"}, "name": {"S": "name"}}
    )
    with pytest.raises(DispatchError, match="group name: the item is not edgecodec's"):
        table.get("group", "name")
    table.close()


def test_a_row_that_is_too_long_is_said(moto_url: str) -> None:
    table = open_table(_url(moto_url, f"t{uuid.uuid4().hex}", "create=1"))
    with pytest.raises(UnsupportedError, match=r"group name: 4000.. bytes"):
        table.put("group", "name", {"long": "x" * 400_000}, None)
    assert table.get("group", "name") is None
    assert table.put("group", "name", {"long": "x" * 399_900}, None)
    table.close()


def test_an_endpoint_that_does_not_answer_is_said(aws_credentials: None) -> None:
    table = open_table(_url(f"http://127.0.0.1:{free_port()}", "name"))
    with pytest.raises(DispatchError, match="can be reached from here"):
        table.get("group", "name")
    table.close()


def test_without_a_region_one_is_asked_for(
    aws_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(DispatchError, match=r"add \?region="):
        open_table("dynamodb://name")


def test_without_keys_they_are_asked_for(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    table = open_table(_url(moto_url, "name"))
    with pytest.raises(DispatchError, match="give the machine a role"):
        table.get("group", "name")
    table.close()


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDeniedException", "allow dynamodb:PutItem on the table fleet"),
        ("ExpiredTokenException", "see to the access keys"),
        ("ProvisionedThroughputExceededException", "try again later"),
    ],
)
def test_what_aws_refuses_is_explained(code: str, remedy: str, aws_credentials: None) -> None:
    table = DynamoTable(_Refusing(code), "fleet", "dynamodb://fleet")
    with pytest.raises(DispatchError, match=remedy):
        table.put("group", "name", {}, None)


def test_reads_that_are_put_off_are_asked_for_again(aws_credentials: None) -> None:
    names = [f"{number:03d}" for number in range(130)]
    table = DynamoTable(_Busy(), "fleet", "dynamodb://fleet")
    assert sorted(table.get_many("group", names)) == names


@pytest.mark.parametrize(
    "url", ["dynamodb://", "dynamodb://name/more", "dynamodb://name?regoin=x", "dynamodb:name"]
)
def test_urls_that_say_nothing_are_refused(url: str) -> None:
    with pytest.raises(DispatchError, match="give dynamodb://TABLE"):
        open_table(url)


class _Refusing:
    """Stands in for a client whose account may not do this: moto allows everything."""

    def __init__(self, code: str) -> None:
        self._code = code
        self.exceptions = boto3.client("dynamodb", region_name="us-east-1").exceptions

    def put_item(self, **_request: Any) -> None:
        raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, "PutItem")


class _Busy:
    """Stands in for a DynamoDB that answers a third of a batch at a time, or nothing."""

    def __init__(self) -> None:
        self._turns = 0

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, request),) = RequestItems.items()
        assert len(request["Keys"]) <= 100
        self._turns += 1
        count = 0 if self._turns % 3 == 0 else len(request["Keys"]) // 3 + 1
        found, left = request["Keys"][:count], request["Keys"][count:]
        items = [key | {"version": {"N": "1"}, "value": {"S": "{}"}} for key in found]
        unprocessed = {table: {"Keys": left, "ConsistentRead": True}} if left else {}
        return {"Responses": {table: items}, "UnprocessedKeys": unprocessed}
