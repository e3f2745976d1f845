"""What `doctor` says of deployments that are sound, and of ones that lack something."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from edgecodec.orchestrator.deployment import Deployment, deployment
from edgecodec.orchestrator.doctor import deployment_checks
from edgecodec.orchestrator.jobs.probe import versions
from edgecodec.orchestrator.ledger import Claim, Ledger, State
from edgecodec.orchestrator.media import open_media
from edgecodec.orchestrator.tables import open_table
from edgecodec.runtime.doctor import Check, Status

from .fleets import fleet
from .servers import moto_server, running

REGION = "us-east-1"
DOCS = Path(__file__).parents[2] / "docs" / "deploy.md"
IN_ORDER = {
    "queue",
    "results, write",
    "results, read",
    "results, read several",
    "results, conditional write",
    "results, list",
    "results, delete",
    "media, write",
    "media, read",
    "media, list",
    "media, delete",
}
ANSWERED = {"round trip", "clocks", "versions", "media, shared"}


class Cloud:
    """Queues, a table and a bucket of a name of their own on a server."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.name = f"fleet-{uuid.uuid4().hex[:12]}"
        self.broker = f"sqs://{endpoint.removeprefix('http://')}?region={REGION}&queue={self.name}"
        self.deployment = deployment(
            self.broker, None, f"s3://{self.name}/media?region={REGION}&endpoint_url={endpoint}"
        )

    def client(self, service: str) -> Any:
        return boto3.Session().client(service, region_name=REGION, endpoint_url=self.endpoint)

    def create(self) -> None:
        self.create_queue(self.name)
        self.create_queue(f"{self.name}-dead")
        self.create_table({"group": "HASH", "name": "RANGE"})
        self.client("s3").create_bucket(Bucket=self.name)

    def create_queue(self, name: str, **attributes: str) -> None:
        self.client("sqs").create_queue(
            QueueName=name, Attributes={"VisibilityTimeout": "180"} | attributes
        )

    def create_table(self, keys: dict[str, str]) -> None:
        self.client("dynamodb").create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )


@pytest.fixture
def cloud(moto_url: str) -> Cloud:
    return Cloud(moto_url)


def examine(it: Deployment) -> dict[str, Check]:
    """Checks by name, none twice; nobody is there to answer, so nobody is waited for."""
    checks = list(deployment_checks(it, wait_s=0.0))
    by_name = {check.name: check for check in checks}
    assert len(by_name) == len(checks)
    assert all(check.mend for check in checks if check.status is not Status.OK)
    return by_name


def missing(checks: dict[str, Check]) -> set[str]:
    return {check.name for check in checks.values() if check.status is Status.MISSING}


def test_a_folder_in_order(tmp_path: Path) -> None:
    checks = examine(deployment(f"folder:{tmp_path}/fleet", None, None))
    assert {name for name, check in checks.items() if check.status is Status.OK} == IN_ORDER
    assert checks["round trip"].status is Status.WARN
    assert "no worker is listening" in checks["round trip"].detail
    assert not any(path.is_file() for path in (tmp_path / "fleet" / "media").rglob("*"))


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "fleet").touch()
    checks = examine(deployment(f"folder:{tmp_path}/fleet", None, None))
    assert missing(checks) == {"queue", "results", "media, write"}
    assert "missing above comes first" in checks["round trip"].detail


def test_redis_in_order(redis_url: str, tmp_path: Path) -> None:
    url = f"{redis_url}?queue=doctor-{uuid.uuid4().hex}"
    checks = examine(deployment(url, None, str(tmp_path / "media")))
    assert missing(checks) == set()
    assert checks.keys() >= IN_ORDER
    assert "no worker" in checks["round trip"].detail


def test_redis_that_forgets_is_warned_of(redis_url: str, tmp_path: Path) -> None:
    import redis

    with redis.Redis.from_url(redis_url) as server:
        for option, value, usual in (
            ("maxmemory-policy", "allkeys-lru", "noeviction"),
            ("appendonly", "no", "yes"),
        ):
            server.config_set(option, value)
            try:
                checks = examine(deployment(redis_url, None, str(tmp_path)))
            finally:
                server.config_set(option, usual)
            assert checks["Redis keeps data"].status is Status.WARN
            assert option in checks["Redis keeps data"].detail
    assert examine(deployment(redis_url, None, str(tmp_path)))["Redis keeps data"].status is (
        Status.OK
    )


def test_the_cloud_in_order(cloud: Cloud) -> None:
    cloud.create()
    checks = examine(cloud.deployment)
    assert missing(checks) == set()
    assert checks.keys() >= IN_ORDER | {"dead-letter queue", "queue, attributes"}
    assert "no worker" in checks["round trip"].detail
    assert "Contents" not in cloud.client("s3").list_objects_v2(Bucket=cloud.name)


def test_an_empty_cloud_is_told_apart(cloud: Cloud) -> None:
    checks = examine(cloud.deployment)
    assert missing(checks) == {"queue", "dead-letter queue", "results, write", "media, write"}
    assert f"create-queue --queue-name {cloud.name}" in checks["queue"].mend
    assert f"create-queue --queue-name {cloud.name}-dead" in checks["dead-letter queue"].mend
    assert f"make the table {cloud.name}" in checks["results, write"].mend
    assert "create the bucket" in checks["media, write"].mend
    # It looks, and makes nothing.
    assert missing(examine(cloud.deployment)) == missing(checks)


def test_wrong_keys_of_a_table_are_said(cloud: Cloud) -> None:
    cloud.create_table({"id": "HASH"})
    check = examine(cloud.deployment)["results, write"]
    assert check.status is Status.MISSING
    assert "group (partition) and name (sort)" in check.mend


def test_a_short_visibility_is_warned_of(cloud: Cloud) -> None:
    cloud.create_queue(cloud.name, VisibilityTimeout="5")
    check = examine(cloud.deployment)["queue, attributes"]
    assert check.status is Status.WARN
    assert "5 s" in check.detail


def test_nobody_at_the_address_is_said_once_a_part(aws_credentials: None) -> None:
    checks = examine(Cloud("http://127.0.0.1:1").deployment)
    assert missing(checks) == {"queue", "results, write", "media, write"}


@pytest.fixture(scope="module")
def strict_moto(tmp_path_factory: pytest.TempPathFactory, aws_credentials: None) -> Iterator[str]:
    """A server of its own, which is told below to look at permissions."""
    with running(moto_server(tmp_path_factory.mktemp("moto"))) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def guarded(
    strict_moto: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[Cloud, Callable[[list[str]], None]]]:
    """A cloud whose user may do what the guide's policy for a machine says, less some actions."""

    def make(machine: str) -> tuple[Cloud, Callable[[list[str]], None]]:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        look_at_permissions(strict_moto, from_request="inf")
        cloud = Cloud(strict_moto)
        cloud.create()
        iam = cloud.client("iam")
        iam.create_user(UserName=cloud.name)
        key = iam.create_access_key(UserName=cloud.name)["AccessKey"]

        def allow(without: list[str]) -> None:
            look_at_permissions(strict_moto, from_request="inf")
            iam.put_user_policy(
                UserName=cloud.name,
                PolicyName="guide",
                PolicyDocument=json.dumps(policy(machine, cloud.name, without)),
            )
            look_at_permissions(strict_moto, from_request="0")

        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        return cloud, allow

    return make


def look_at_permissions(endpoint: str, from_request: str) -> None:
    import httpx

    answer = httpx.post(f"{endpoint}/moto-api/reset-auth", content=from_request)
    answer.raise_for_status()


def policy(machine: str, name: str, without: list[str]) -> dict[str, Any]:
    """The guide's policy, for this account and names."""
    text = DOCS.read_text(encoding="utf-8")
    (found,) = re.findall(rf"<!-- policy: {machine} -->\s*```json\n(.*?)```", text, re.DOTALL)
    found = found.replace("111122223333", "123456789012").replace("eu-central-1", REGION)
    read: dict[str, Any] = json.loads(
        found.replace("edgecodec-media", name).replace("edgecodec", name)
    )
    for statement in read["Statement"]:
        if not statement["Action"][0].startswith("s3:"):
            statement["Resource"] = "*"  # moto looks at no other service's resources
        statement["Action"] = [each for each in statement["Action"] if each not in without]
    read["Statement"] = [each for each in read["Statement"] if each["Action"]]
    return read


def test_the_guides_policy_suffices_and_each_action_is_needed_and_named(
    guarded: Callable[[str], tuple[Cloud, Callable[[list[str]], None]]],
) -> None:
    cloud, allow = guarded("worker")
    allow([])
    assert missing(examine(cloud.deployment)) == set()
    named: set[str] = set()
    for needed in (
        {
            "queue, sqs:GetQueueAttributes": "sqs:GetQueueAttributes",
            "queue, sqs:ReceiveMessage": "sqs:ReceiveMessage",
            "queue, sqs:DeleteMessage": "sqs:DeleteMessage",
            "queue, sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibility",
            "results, write": "dynamodb:PutItem",
            "results, read": "dynamodb:GetItem",
            "results, read several": "dynamodb:BatchGetItem",
            "results, list": "dynamodb:Query",
            "results, delete": "dynamodb:DeleteItem",
            "media, write": "s3:PutObject",
            "media, delete": "s3:DeleteObject",
        },
        {"queue": "sqs:GetQueueUrl", "media, read": "s3:GetObject"},
        {"media, list": "s3:ListBucket"},
        {"round trip": "sqs:SendMessage"},
    ):
        allow(list(needed.values()))
        checks = examine(cloud.deployment)
        assert missing(checks) >= needed.keys()
        for name, action in needed.items():
            assert f"allow {action} to" in checks[name].mend
            named.add(action)
    statements = policy("worker", cloud.name, [])["Statement"]
    assert named == {action for each in statements for action in each["Action"]}


def test_a_worker_that_may_do_what_the_guide_says_answers(
    guarded: Callable[[str], tuple[Cloud, Callable[[list[str]], None]]], tmp_path: Path
) -> None:
    cloud, allow = guarded("worker")
    allow([])
    with fleet(cloud.deployment, tmp_path) as machines:
        machines.start(name="spot")
        checks = answered(cloud.deployment)
        assert checks["round trip"].status is Status.OK, machines.said()
    assert all(check.status is Status.OK for check in checks.values())
    assert checks.keys() >= IN_ORDER | ANSWERED
    assert "spot" in checks["round trip"].detail
    with closing(open_media(cloud.deployment.media)) as store:
        assert list(store.names()) == []


@contextmanager
def odd_worker(
    it: Deployment, work: Callable[[Ledger, Claim], object], ahead_s: float = 0.0
) -> Iterator[None]:
    """One that takes probes from the ledger by a clock of its own and does something else."""
    over = threading.Event()

    def serve() -> None:
        with closing(open_table(it.results)) as table:
            ledger = Ledger(table, clock=lambda: time.time() + ahead_s)
            while not over.wait(0.02):
                for record in list(ledger.records()):
                    claim = ledger.claim(record.job.id, "odd")
                    if isinstance(claim, Claim):
                        work(ledger, claim)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)


def answered(it: Deployment) -> dict[str, Check]:
    return {check.name: check for check in deployment_checks(it, wait_s=60.0)}


@pytest.mark.parametrize("ahead_s", [-300.0, 300.0])
def test_a_worker_with_another_clock_is_warned_of(tmp_path: Path, ahead_s: float) -> None:
    it = deployment(f"folder:{tmp_path}", None, None)
    with odd_worker(it, lambda ledger, claim: ledger.finish(claim, {}), ahead_s):
        check = answered(it)["clocks"]
    assert check.status is Status.WARN
    (seconds,) = re.findall(r"at least (\d+) s", check.detail)
    assert 200 < int(seconds) <= 300


def test_a_worker_with_other_packages_and_media_is_told(tmp_path: Path) -> None:
    it = deployment(f"folder:{tmp_path}", None, None)
    result = {"versions": versions() | {"av": "1.2.3"}, "artefacts": ["probes/odd"]}
    with odd_worker(it, lambda ledger, claim: ledger.finish(claim, result)):
        checks = answered(it)
    assert checks["clocks"].status is Status.OK
    assert checks["versions"].status is Status.WARN
    assert "av 1.2.3 (here" in checks["versions"].detail
    assert missing(checks) == {"media, shared"}
    assert "same --media" in checks["media, shared"].mend


def test_a_worker_that_fails_is_told(tmp_path: Path) -> None:
    it = deployment(f"folder:{tmp_path}", None, None)
    with odd_worker(it, lambda ledger, claim: ledger.fail(claim, "no disk", final=True)):
        checks = answered(it)
    assert missing(checks) == {"round trip"}
    assert "worker odd failed: no disk" in checks["round trip"].detail


def test_a_worker_that_is_slow_is_told_and_its_job_taken_back(tmp_path: Path) -> None:
    it = deployment(f"folder:{tmp_path}", None, None)
    with odd_worker(it, lambda ledger, claim: None):
        checks = {check.name: check for check in deployment_checks(it, wait_s=2.0)}
    assert checks["round trip"].status is Status.WARN
    assert "did not end it" in checks["round trip"].detail
    with closing(open_table(it.results)) as table:
        assert [record.state for record in Ledger(table).records()] == [State.CANCELLED]
