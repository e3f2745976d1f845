"""Three addresses from the options, the environment or the broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.orchestrator.deployment import (
    Deployment,
    SqsAddress,
    deployment,
    sqs_address,
    without_password,
)
from edgecodec.runtime.errors import DispatchError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROKER", "RESULTS", "MEDIA"):
        monkeypatch.delenv(f"EDGECODEC_{name}", raising=False)


def test_nothing_given_is_a_folder_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = deployment(None, None, None)
    assert found.scheme == "folder"
    assert found.folder.is_relative_to(tmp_path)
    assert found.results == f"sqlite:{found.folder}/results.sqlite"
    assert found.media == f"file:{found.folder}/media"


def test_a_folder_gives_all_three_and_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert deployment("folder:fleet", None, None) == Deployment(
        f"folder:{tmp_path}/fleet",
        f"sqlite:{tmp_path}/fleet/results.sqlite",
        f"file:{tmp_path}/fleet/media",
    )


def test_redis_gives_results_on_the_same_server() -> None:
    found = deployment("redis://:secret@host:6380/2?queue=films", None, "s3://videos/in")
    assert found.broker == "redis://:secret@host:6380/2"
    assert found.results == "redis://:secret@host:6380/2?prefix=films"
    assert (found.media, found.queue, found.dead_queue) == (
        "s3://videos/in",
        "films",
        "films-dead",
    )


def test_sqs_gives_a_table_of_the_queues_name_in_the_same_place() -> None:
    found = deployment("sqs://127.0.0.1:5000?region=eu-west-1&queue=films", None, "s3://videos")
    assert found.queue == "films"
    assert (
        found.results
        == "dynamodb://films?region=eu-west-1&endpoint_url=http%3A%2F%2F127.0.0.1%3A5000"
    )


@pytest.mark.parametrize("broker", ["redis://host/0", "sqs://?region=eu-west-1"])
def test_missing_media_names_the_option(broker: str) -> None:
    with pytest.raises(DispatchError, match="--media is missing"):
        deployment(broker, None, None)


def test_options_win_over_the_environment_and_that_over_what_is_derived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECODEC_BROKER", f"folder:{tmp_path}/from-environment")
    monkeypatch.setenv("EDGECODEC_MEDIA", "s3://from-environment")
    monkeypatch.setenv("EDGECODEC_RESULTS", f"sqlite:{tmp_path}/from-environment.sqlite")
    found = deployment(None, None, None)
    assert found.folder == tmp_path / "from-environment"
    assert found.media == "s3://from-environment"
    assert found.results == f"sqlite:{tmp_path}/from-environment.sqlite"
    found = deployment(f"folder:{tmp_path}/given", "dynamodb://given", f"{tmp_path}/media")
    assert found.folder == tmp_path / "given"
    assert (found.results, found.media) == ("dynamodb://given", f"file:{tmp_path}/media")


@pytest.mark.parametrize("media", ["media", "file:media", "file:///{folder}/media"])
def test_media_paths_become_absolute(
    media: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = media.replace("/{folder}", str(tmp_path))
    assert deployment("redis://host", None, given).media == f"file:{tmp_path}/media"


@pytest.mark.parametrize(
    ("broker", "said"),
    [
        ("amqp://host", "folder:PATH"),
        ("nonsense", "folder:PATH"),
        ("folder:", "path is missing"),
        ("redis://", "which host"),
        ("redis://host:notaport", "notaport"),
        ("sqs://host:99999", "out of range"),
        ("sqs://?queue=no spaces", "letters, digits"),
        ("redis://host?queue=a/b", "letters, digits"),
        ("sqs://?regoin=eu-west-1", "regoin"),
        ("sqs://host/path", "path means nothing"),
        ("sqs://KEY@host", "needs a secret"),
    ],
)
def test_a_wrong_broker_says_what_is_wrong(broker: str, said: str) -> None:
    with pytest.raises(DispatchError, match=said):
        deployment(broker, None, "s3://videos")


def test_no_message_shows_a_secret() -> None:
    with pytest.raises(DispatchError) as caught:
        deployment("sqs://KEY:hunter2@host?nothing=1", None, "s3://videos")
    assert "hunter2" not in str(caught.value)


def test_sqs_address_is_taken_apart() -> None:
    assert sqs_address("sqs://") == SqsAddress(None, None, None, None, "edgecodec")
    assert sqs_address("sqs://K%2F:S%2B@localhost:4566?region=eu-west-1&queue=q&tls=1") == (
        SqsAddress("K/", "S+", "https://localhost:4566", "eu-west-1", "q")
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:1/0", "redis://:***@host:1/0"),
        ("sqs://KEY:sec:ret@host?x=1", "sqs://KEY:***@host?x=1"),
        ("redis://host/0", "redis://host/0"),
        ("folder:/a@b/c", "folder:/a@b/c"),
        ("s3://bucket/a:b@c", "s3://bucket/a:b@c"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_only_a_folder_broker_has_a_folder() -> None:
    with pytest.raises(DispatchError, match="no folder"):
        _ = deployment("redis://host", None, "m").folder
