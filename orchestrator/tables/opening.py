"""Tables by URL."""

from __future__ import annotations

from ...runtime.errors import DispatchError
from .base import Table

FORMS = (
    "sqlite:PATH",
    "redis://HOST:PORT/NUMBER[?prefix=NAME]",
    "dynamodb://TABLE[?region=REGION&endpoint_url=URL&create=1]",
)


def open_table(url: str) -> Table:
    """The table that `url` names, one of `FORMS` (rediss:// and unix:// too).

    A SQLite file is made where there is none, a DynamoDB table with `create=1` only. Raises
    DispatchError for what is no such URL, or where the table is not to be had.
    """
    scheme = url.partition(":")[0].lower()
    if scheme == "sqlite":
        from .sqlite import open_sqlite

        return open_sqlite(url)
    if scheme in ("redis", "rediss", "unix"):
        from .redis import open_redis

        return open_redis(url)
    if scheme == "dynamodb":
        from .dynamodb import open_dynamodb

        return open_dynamodb(url)
    raise DispatchError(f"results {url!r:.200}: give one of {', '.join(FORMS)}")
