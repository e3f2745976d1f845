"""A table in Redis: one hash for a group, a field for a row.

A field holds the version, a space and the value as JSON. Redis must be told to keep what it has
(appendonly) and not to drop it when memory is short (maxmemory-policy noeviction).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    RedisError,
)
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as TookTooLong
from redis.retry import Retry

from ...runtime.errors import DispatchError
from .base import Row
from .row_text import to_text, to_value

_PREFIX = "edgecodec"
_PAGE = 200
_CONNECT_LIMIT_S = 10.0
_ANSWER_LIMIT_S = 20.0
# With these pauses a server that starts again within some seconds is waited for.
_RETRIES = 6
_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
# Compare and swap: the hash; field, expected version ("" for none), new version, value.
_PUT = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if (held and string.match(held, '^%d+') or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[4])
return 1
"""


def open_redis(url: str) -> RedisTable:
    """`redis://HOST:PORT/NUMBER?prefix=NAME` (rediss://, unix:// alike); the prefix, `edgecodec`
    where none is given, tells deployments on one server apart."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    prefix = options.pop("prefix", _PREFIX)
    server = urlunsplit(parts._replace(query=urlencode(options)))
    try:
        client = Redis.from_url(
            server,
            decode_responses=True,
            socket_connect_timeout=_CONNECT_LIMIT_S,
            socket_timeout=_ANSWER_LIMIT_S,
            retry=Retry(ExponentialWithJitterBackoff(_LONGEST_PAUSE_S, _PAUSE_S), _RETRIES),
            retry_on_error=[Unreachable, TookTooLong],
        )
    except ValueError as error:
        raise DispatchError(f"results {_without_password(url)}: {error}") from error
    return RedisTable(client, prefix, _without_password(url))


class RedisTable:
    """Rows in Redis. Threads may share it."""

    def __init__(self, client: Redis, prefix: str, url: str) -> None:
        self._client = client
        self._prefix = prefix
        self._url = url
        self._put = client.register_script(_PUT)

    @property
    def url(self) -> str:
        return self._url

    def get(self, group: str, name: str) -> Row | None:
        return self.get_many(group, [name]).get(name)

    def get_many(self, group: str, names: Iterable[str]) -> dict[str, Row]:
        return dict(self._rows(group, list(names)))

    def put(self, group: str, name: str, value: Mapping[str, Any], expected: int | None) -> bool:
        text = to_text(value, f"{self._url}, {group} {name}")
        held = "" if expected is None else str(expected)
        with self._explained():
            return bool(
                self._put(keys=[self._key(group)], args=[name, held, (expected or 0) + 1, text])
            )

    def scan(self, group: str) -> Iterator[tuple[str, Row]]:
        with self._explained():
            names = sorted(map(str, self._client.hkeys(self._key(group))))
        yield from self._rows(group, names)

    def delete(self, group: str, name: str) -> None:
        with self._explained():
            self._client.hdel(self._key(group), name)

    def close(self) -> None:
        self._client.close()

    def _rows(self, group: str, names: list[str]) -> Iterator[tuple[str, Row]]:
        for start in range(0, len(names), _PAGE):
            page = names[start : start + _PAGE]
            with self._explained():
                held = self._client.hmget(self._key(group), page)
            for name, text in zip(page, held, strict=True):
                if text is not None:
                    version, _, value = str(text).partition(" ")
                    where = f"{self._url}, {group} {name}"
                    yield name, Row(to_value(value, where), int(version))

    def _key(self, group: str) -> str:
        return f"{self._prefix}:table:{group}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            raise DispatchError(f"{self._url}: {error}; {_remedy(error)}") from error


def _remedy(error: RedisError) -> str:
    if isinstance(error, AuthenticationError):
        return "give user and password in the URL, as in redis://USER:PASSWORD@HOST:6379/0"
    if isinstance(error, NoPermissionError):
        return "the user must be allowed hget, hmget, hset, hdel, hkeys, eval and evalsha"
    # Out of a script it comes as another error, with the code in its text.
    if isinstance(error, OutOfMemoryError) or "OOM " in str(error):
        return "give the server more memory, or delete what is not needed any more"
    if isinstance(error, Unreachable | TookTooLong):
        return "see that a Redis server listens there and can be reached from here"
    return "see that it is a Redis server which takes writes"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
