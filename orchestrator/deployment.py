"""Where a fleet's queue, results and media are: three addresses, most of them derived."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from ..runtime.errors import DispatchError

BROKER_SCHEMES = ("folder", "redis", "rediss", "sqs")
_DEFAULT_QUEUE = "edgecodec"
_QUEUE_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}")
_OPTIONS = {"sqlite": "--results", "file": "--media"}
_FORMS = "folder:PATH, redis://host:port/db or sqs://?region=REGION&queue=NAME"


@dataclass(frozen=True)
class Deployment:
    """`broker` carries messages, `results` keeps what is true, `media` holds files.

    `broker` is `folder:PATH` (absolute), `redis://...`, `rediss://...` or `sqs://...`; the others
    are what `open_table` and `open_media` take. `queue` names the queue; the dead letters' is
    `<queue>-dead`.
    """

    broker: str
    results: str
    media: str
    queue: str = _DEFAULT_QUEUE

    @property
    def scheme(self) -> str:
        """One of `BROKER_SCHEMES`."""
        return self.broker.partition(":")[0]

    @property
    def folder(self) -> Path:
        """A folder broker's folder. Raises DispatchError for another."""
        if self.scheme != "folder":
            raise DispatchError(f"broker {without_password(self.broker)} is no folder")
        return Path(self.broker.removeprefix("folder:"))

    @property
    def dead_queue(self) -> str:
        """The queue of jobs that were given up."""
        return f"{self.queue}-dead"


@dataclass(frozen=True)
class SqsAddress:
    """What an `sqs://` address says; None: boto3's own search for it (environment, files, role).

    `endpoint_url` is None for Amazon's own service.
    """

    key: str | None
    secret: str | None
    endpoint_url: str | None
    region: str | None
    queue: str


def deployment(broker: str | None, results: str | None, media: str | None) -> Deployment:
    """What the options of a command say: each or its environment variable (EDGECODEC_BROKER,
    EDGECODEC_RESULTS, EDGECODEC_MEDIA), else what follows from the broker; the broker else is a
    folder of the user's.

    Raises DispatchError that names the option where one is wrong or missing.
    """
    return _deployment(broker, results, media, os.environ)


def _deployment(
    broker: str | None, results: str | None, media: str | None, environment: Mapping[str, str]
) -> Deployment:
    broker = broker or environment.get("EDGECODEC_BROKER") or _users_folder()
    results = results or environment.get("EDGECODEC_RESULTS")
    media = media or environment.get("EDGECODEC_MEDIA")
    scheme, _, rest = broker.partition(":")
    queue = _DEFAULT_QUEUE
    if scheme == "folder":
        folder = _absolute(rest, "--broker")
        broker = f"folder:{folder}"
        results = results or f"sqlite:{folder / 'results.sqlite'}"
        media = media or f"file:{folder / 'media'}"
    elif scheme in ("redis", "rediss"):
        broker, queue = _redis(broker)
        separator = "&" if urlsplit(broker).query else "?"
        results = results or f"{broker}{separator}{urlencode({'prefix': queue})}"
    elif scheme == "sqs":
        address = sqs_address(broker)
        queue = address.queue
        results = results or _dynamodb(address)
    else:
        raise DispatchError(f"--broker {without_password(broker)}: give {_FORMS}")
    if media is None:
        raise DispatchError(
            f"--broker {without_password(broker)}: --media is missing: where all machines find "
            "videos, s3://bucket/prefix or a folder that all of them mount"
        )
    return Deployment(broker, _local(results, "sqlite"), _local(media, "file"), queue)


def sqs_address(broker: str) -> SqsAddress:
    """Takes `sqs://[KEY:SECRET@][host:port][?region=...&queue=...]` apart.

    A host of one's own speaks HTTP, with `&tls=1` HTTPS. Key and secret are percent-encoded.
    Raises DispatchError.
    """
    where = f"--broker {without_password(broker)}"
    try:
        parts = urlsplit(broker)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise DispatchError(f"{where}: {error}; give {_FORMS}") from error
    query = dict(parse_qsl(parts.query))
    region, queue = query.pop("region", None), query.pop("queue", _DEFAULT_QUEUE)
    scheme = "https" if query.pop("tls", "0") == "1" else "http"
    if query or parts.path.strip("/"):
        unknown = ", ".join([*query, *filter(None, [parts.path.strip("/")])])
        raise DispatchError(f"{where}: {unknown} means nothing; region, queue and tls do")
    if (parts.username is None) != (parts.password is None):
        raise DispatchError(f"{where}: a key needs a secret: sqs://KEY:SECRET@...")
    return SqsAddress(
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        f"{scheme}://{host}{'' if port is None else f':{port}'}" if host else None,
        region,
        _checked_queue(queue, where),
    )


def without_password(url: str) -> str:
    """The address as it may be shown."""
    scheme, separator, rest = url.partition("://")
    authority, tail = _split_at_first(rest, "/?#")
    user, at, host = authority.rpartition("@")
    if not separator or not at:
        return url
    name, colon, _ = user.partition(":")
    return f"{scheme}://{name}{':***' if colon else ''}@{host}{tail}"


def _users_folder() -> str:
    from platformdirs import user_data_path

    return f"folder:{user_data_path('edgecodec', appauthor=False) / 'fleet'}"


def _redis(broker: str) -> tuple[str, str]:
    """The address without what is ours in it, and the queue's name."""
    where = f"--broker {without_password(broker)}"
    try:
        parts = urlsplit(broker)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise DispatchError(f"{where}: {error}; give {_FORMS}") from error
    if not host:
        raise DispatchError(f"{where}: which host? Give redis://host:port/db")
    query = dict(parse_qsl(parts.query))
    queue = _checked_queue(query.pop("queue", _DEFAULT_QUEUE), where)
    return urlunsplit(parts._replace(query=urlencode(query))), queue


def _dynamodb(address: SqsAddress) -> str:
    query = {"region": address.region, "endpoint_url": address.endpoint_url}
    given = urlencode({name: value for name, value in query.items() if value})
    return f"dynamodb://{address.queue}{'?' if given else ''}{given}"


def _checked_queue(queue: str, where: str) -> str:
    if not _QUEUE_NAME.fullmatch(queue):
        raise DispatchError(
            f"{where}: the queue's name {queue!r:.100} has to be 1 to 75 letters, digits, - and _"
        )
    return queue


def _local(url: str, scheme: str) -> str:
    """A path made absolute, so that processes in other folders mean the same; other addresses stay
    as they are."""
    given, colon, rest = url.partition(":")
    if colon and given != scheme:
        return url
    path = rest if colon else url
    path = path[2:] if path.startswith("///") else path
    return f"{scheme}:{_absolute(path, _OPTIONS[scheme])}"


def _absolute(path: str, option: str) -> Path:
    if not path:
        raise DispatchError(f"{option}: the path is missing")
    return Path(path).expanduser().absolute()


def _split_at_first(text: str, marks: str) -> tuple[str, str]:
    end = min((at for mark in marks if (at := text.find(mark)) >= 0), default=len(text))
    return text[:end], text[end:]
