"""Whether a deployment works: its queue, results, media, and a worker that answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ...runtime.doctor import Check, Status
from ...runtime.errors import DispatchError
from ..deployment import Deployment, without_password
from .parts import AREA, broken, fine, refused_operation

if TYPE_CHECKING:
    from ..ledger.record import Record
    from ..media import MediaStore
    from ..tables import Table

_GROUP = "doctor"
_MOST_SKEW_S = 5.0
_OWN_TO_A_MACHINE = ("python", "system")
_START_A_WORKER = "start one: edgecodec worker, with the same addresses as here"


def deployment_checks(deployment: Deployment, *, wait_s: float = 20.0) -> Iterator[Check]:
    """Every check of a deployment, as each is done; `required` are those without which no job is
    done. A worker gets `wait_s` seconds to answer.

    What is written for a check is deleted again, but for the record of one job, a probe.
    """
    from .queues import queue_checks

    sound = True
    for part in (queue_checks, _results, _media):
        for check in part(deployment):
            sound = sound and not (check.required and check.status is Status.MISSING)
            yield check
    if sound:
        yield from _round_trip(deployment, wait_s)
    else:
        detail = "not tried: what is missing above comes first"
        yield Check(AREA, "round trip", Status.WARN, detail, "mend that and run this again")


def _results(deployment: Deployment) -> Iterator[Check]:
    """Each thing that the ledger does to its table."""
    from ..tables import open_table

    shown = without_password(deployment.results)
    try:
        table = open_table(deployment.results)
    except DispatchError as error:
        yield broken("results", error)
        return
    name = uuid.uuid4().hex
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("results, write", lambda: table.put(_GROUP, name, {"step": 1}, None)),
        ("results, read", lambda: table.get(_GROUP, name)),
        ("results, read several", lambda: table.get_many(_GROUP, [name])),
        ("results, conditional write", lambda: _conditional(table, name)),
        ("results, list", lambda: list(table.scan(_GROUP))),
        ("results, delete", lambda: table.delete(_GROUP, name)),
    )
    try:
        yield from _steps(steps, shown)
    finally:
        table.close()


def _conditional(table: Table, name: str) -> None:
    """Two who write at once: one of them must learn that it lost."""
    row = table.get(_GROUP, name)
    expected = row.version if row else None
    second = table.put(_GROUP, name, {"step": 2}, expected)
    late = table.put(_GROUP, name, {"step": 3}, expected)
    if not second or late:
        raise DispatchError(
            f"results {table.url}: two who wrote at once were not told apart, so jobs would be "
            "done twice; use SQLite on a local disk, Redis or DynamoDB"
        )


def _media(deployment: Deployment) -> Iterator[Check]:
    """Each thing that workers do with files."""
    from ..media import open_media

    try:
        store = open_media(deployment.media)
    except DispatchError as error:
        yield broken("media", error)
        return
    with TemporaryDirectory(prefix="edgecodec-doctor-") as folder:
        probe = _MediaProbe(store, f"doctor/{uuid.uuid4().hex}", Path(folder))
        steps: tuple[tuple[str, Callable[[], object]], ...] = (
            ("media, write", probe.write),
            ("media, read", probe.read),
            ("media, list", lambda: list(store.names("doctor/"))),
            ("media, delete", lambda: store.delete(probe.name)),
        )
        try:
            yield from _steps(steps, store.url)
        finally:
            store.close()


class _MediaProbe:
    """A small file that goes there and back."""

    def __init__(self, store: MediaStore, name: str, folder: Path) -> None:
        self.name = name
        self._store = store
        self._received = folder / "received"
        self._sent = folder / "sent"
        self._sent.write_bytes(uuid.uuid4().bytes)
        self._stored = False

    def write(self) -> None:
        self._store.put(self._sent, self.name)
        self._stored = True

    def read(self) -> None:
        """Where nothing could be written, to be told that there is nothing takes the permission
        to read too."""
        if not self._stored:
            self._store.exists(self.name)
            return
        self._store.get(self.name, self._received)
        if self._received.read_bytes() != self._sent.read_bytes():
            raise DispatchError(
                f"media {self._store.url}: what was written came back as something else; look "
                "for what stands between"
            )


def _steps(steps: tuple[tuple[str, Callable[[], object]], ...], shown: str) -> Iterator[Check]:
    """Each step by itself, so that every missing permission is named. Where it is not permission
    that is missing, the first says what, and the others would say the same."""
    for name, step in steps:
        try:
            step()
        except DispatchError as error:
            yield broken(name, error)
            if refused_operation(error) is None:
                return
        else:
            yield fine(name, shown)


def _round_trip(deployment: Deployment, wait_s: float) -> Iterator[Check]:
    """A job through the queue to a worker and back, which leaves a file in the media store."""
    from ..dispatch import Dispatcher
    from ..ledger.record import Job, State

    job = Job("probe", f"probe-{uuid.uuid4().hex}", {"put_bytes": 1})
    began = time.time()
    try:
        with Dispatcher(deployment) as dispatcher:
            try:
                # Not `submit`, which takes a message that fails for one that will be sent later.
                dispatcher.ledger.add(job)
                dispatcher.messages.send(job.id)
                dispatcher.ledger.mark_sent(job.id)
                dispatcher.wait([job.id], timeout_s=wait_s)
                record = dispatcher.ledger.get(job.id)
            finally:
                dispatcher.cancel(job.id)
    except DispatchError as error:
        yield broken("round trip", error)
        return
    ended = time.time()
    if record is None or not record.attempts:
        detail = f"no worker is listening: none took a job within {wait_s:g} s"
        yield Check(AREA, "round trip", Status.WARN, detail, _START_A_WORKER)
    elif record.state is State.DONE:
        yield fine("round trip", f"worker {record.worker} answered in {ended - began:.1f} s")
        yield _clock(record, began, ended)
        yield _versions(record)
        yield _shared_media(deployment, record)
    elif record.error:
        detail = f"worker {record.worker} failed: {record.error.strip().splitlines()[-1]}"
        mend = "see that worker's log"
        yield Check(AREA, "round trip", Status.MISSING, detail, mend, required=True)
    else:
        detail = f"worker {record.worker} took a job, but did not end it within {wait_s:g} s"
        yield Check(AREA, "round trip", Status.WARN, detail, "give it longer: --wait 60")


def _clock(record: Record, began: float, ended: float) -> Check:
    """What the worker calls the time of its work lies between, or its clock is wrong by at least
    the rest."""
    attempt = record.attempts[-1]
    skew = max(began - attempt.began, attempt.began + attempt.seconds - ended)
    if skew <= _MOST_SKEW_S:
        return fine("clocks", f"worker {record.worker}'s agrees with this one")
    detail = f"worker {record.worker}'s differs from this one by at least {skew:.0f} s"
    mend = "run a time service (chrony, systemd-timesyncd) on both: leases go by these clocks"
    return Check(AREA, "clocks", Status.WARN, detail, mend)


def _versions(record: Record) -> Check:
    from ..jobs.probe import versions

    theirs, ours = _field(record, "versions", {}), versions()
    other = [
        f"{name} {theirs.get(name, 'none')} (here {ours.get(name, 'none')})"
        for name in sorted(set(theirs) | set(ours))
        if name not in _OWN_TO_A_MACHINE and theirs.get(name) != ours.get(name)
    ]
    if not other:
        return fine("versions", f"worker {record.worker} has the packages that are here")
    detail = f"worker {record.worker} has {', '.join(other)}"
    mend = "install the same on both: streams and figures depend on it"
    return Check(AREA, "versions", Status.WARN, detail, mend)


def _shared_media(deployment: Deployment, record: Record) -> Check:
    """Whether the worker's media store is this one, and not a folder of the same name."""
    from ..media import open_media

    store = open_media(deployment.media)
    try:
        for name in _field(record, "artefacts", []):
            if not store.exists(name):
                raise DispatchError(
                    f"worker {record.worker} stored {name}, but it is not in {store.url}; give "
                    "all machines the same --media: s3://bucket/prefix or a folder that is mounted"
                )
            store.delete(name)
        log = _field(record, "log", {})
        if "name" in log:
            store.delete(str(log["name"]))
    except DispatchError as error:
        return broken("media, shared", error)
    finally:
        store.close()
    return fine("media, shared", f"what worker {record.worker} stores is here")


def _field(record: Record, name: str, otherwise: Any) -> Any:
    value = (record.result or {}).get(name, otherwise)
    return value if isinstance(value, type(otherwise)) else otherwise
