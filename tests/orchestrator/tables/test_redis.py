"""What a Redis server can do to a table."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from edgecodec.orchestrator.tables import open_table, redis
from edgecodec.runtime.errors import DispatchError
from redis import Redis

from ..servers import free_port, redis_server, running


def test_a_server_that_starts_again_costs_time_only(tmp_path: Path) -> None:
    with running(redis_server(tmp_path)) as server:
        table = open_table(f"redis://127.0.0.1:{server.port}/0")
        table.put("group", "name", {"a": 1}, None)
        server.kill()
        again = threading.Timer(0.2, server.start)
        again.start()
        assert table.put("group", "name", {"a": 2}, 1)
        again.join()
        row = table.get("group", "name")
        assert row is not None
        assert (row.value, row.version) == ({"a": 2}, 2)
        table.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a server will not come back there is no use in waiting for it."""
    monkeypatch.setattr(redis, "_RETRIES", 1)


def test_no_server_is_said(impatient: None) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    table = open_table(url)
    with pytest.raises(DispatchError, match="see that a Redis server listens there") as refused:
        table.get("group", "name")
    assert url in str(refused.value)
    table.close()


def test_passwords_are_asked_for_and_never_shown(tmp_path: Path, impatient: None) -> None:
    with running(redis_server(tmp_path, "--requirepass", "se'cret")) as server:
        wrong = open_table(f"redis://:wrong@127.0.0.1:{server.port}/0?prefix=p")
        right = open_table(f"redis://:se%27cret@127.0.0.1:{server.port}/0")
        with pytest.raises(DispatchError, match="give user and password") as refused:
            wrong.get("group", "name")
        assert "wrong@" not in str(refused.value)
        assert right.put("group", "name", {}, None)
        assert right.url == f"redis://127.0.0.1:{server.port}/0"
        wrong.close()
        right.close()


def test_what_a_user_may_not_do_is_named(redis_url: str) -> None:
    admin = Redis.from_url(redis_url)
    admin.acl_setuser("reader", enabled=True, nopass=True, keys=["*"], commands=["+hmget"])
    table = open_table(redis_url.replace("redis://", "redis://reader@") + "?prefix=rights")
    assert table.get("group", "name") is None
    with pytest.raises(DispatchError, match="must be allowed"):
        table.put("group", "name", {}, None)
    table.close()
    admin.acl_deluser("reader")
    admin.close()


def test_a_server_without_memory_says_so(tmp_path: Path) -> None:
    with running(redis_server(tmp_path, "--maxmemory-policy", "noeviction")) as server:
        table = open_table(f"redis://127.0.0.1:{server.port}/0")
        table.put("group", "name", {"a": 1}, None)
        admin = Redis(port=server.port)
        admin.config_set("maxmemory", 1)
        with pytest.raises(DispatchError, match="more memory"):
            table.put("group", "name", {"a": 2}, 1)
        row = table.get("group", "name")
        assert row is not None
        assert row.value == {"a": 1}
        table.close()
        admin.close()


@pytest.mark.parametrize("options", ["?db=x", "?socket_timeout=soon"])
def test_options_that_redis_does_not_know_are_refused(options: str) -> None:
    with pytest.raises(DispatchError, match="results redis://host:6379"):
        open_table(f"redis://host:6379{options}")
