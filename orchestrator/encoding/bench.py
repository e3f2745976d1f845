"""The trials of an encode, made by a fleet's workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ...encoder.bench import Failure, Request, Started, Task
from ...encoder.fingerprint import fingerprint
from ...encoder.scene import longest_scene
from ...encoder.scene_place import place_of
from ...runtime.errors import DispatchError
from ...runtime.frames import PictureFormat
from ..ledger.record import Job, Record, State
from ..media import file_sha256, open_media
from .desk import Errand, JobDesk, Patience
from .trial_codec import TrialJob, own_version, title_name, title_of, trial_id, trial_name

if TYPE_CHECKING:
    from ..deployment import Deployment
    from ..ledger import Policy

KIND = "trial"
# A trial whose file is gone from the media store, or damaged there, is made again so often.
_MOST_REMADE = 3
_LEAST_SCENES = 2


@dataclass(frozen=True)
class FleetOptions:
    """How much is under way: `trials` at a time, of at most `scenes` scenes, whose frames take up
    to `disk_bytes` on the encode's own disk (two scenes always may)."""

    trials: int = 64
    scenes: int = 16
    disk_bytes: int = 8 << 30
    patience: Patience = field(default_factory=Patience)


class FleetBench:
    """A `Bench` of workers, for one encode of `source`; use it as a context manager.

    The first trial that is needed brings the video into the media store, where workers find it and
    leave what they made. A trial that is there already is not made again, whoever had it made.
    `tell` hears, from any thread, what an encode waits for while no worker does anything, and ""
    when it goes on.

    Closing it takes back the trials that no worker has begun. Raises DispatchError where the
    deployment cannot be reached, FileNotFoundError for a source that is not there.
    """

    def __init__(
        self,
        deployment: Deployment,
        source: Path,
        tell: Callable[[str], None] = lambda _: None,
        options: FleetOptions | None = None,
        policy: Policy | None = None,
    ) -> None:
        from ..dispatch import Dispatcher

        self._options = options or FleetOptions()
        self._source = source
        self._tell = tell
        self._lock = Lock()
        self._sha256 = ""
        self._titles: set[str] = set()
        if not source.is_file():
            raise FileNotFoundError(f"{source}: no such file")
        self._media = open_media(deployment.media)
        connect = partial(Dispatcher, deployment, policy)
        self._desk = JobDesk(connect, self._options.trials, self._options.patience, tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def scenes_at_once(self, picture: PictureFormat) -> int:
        """See `Bench.scenes_at_once`."""
        chroma = 2 * picture.chroma_shape[0] * picture.chroma_shape[1]
        samples = picture.width * picture.height + chroma
        largest = longest_scene(picture) * samples * (1 if picture.bit_depth == 8 else 2)
        fitting = self._options.disk_bytes // largest
        return min(self._options.scenes, max(_LEAST_SCENES, fitting))

    def start(self, task: Task) -> Started:
        """See `Bench.start`. Raises DispatchError where no trial can be sent."""
        with self._lock:
            if not self._sha256:
                self._bring_source()
        if self.fetched(task):
            return _Made()
        self._bring_title(task.request)
        return _Sent(self, task, self.hand_in(task, 0))

    def close(self) -> None:
        """See `Bench.close`."""
        self._desk.close()
        self._media.close()

    def hand_in(self, task: Task, remade: int) -> Errand:
        """Have the trial made, `remade` counts how often it was before."""
        job = TrialJob(
            source=self._source_name(),
            sha256=self._sha256,
            place=place_of(task.scene),
            request=task.request,
            metric=task.metric,
            fingerprint=fingerprint(),
            version=own_version(),
        )
        return self._desk.hand_in(Job(KIND, trial_id(task.key, remade), job.to_dict()))

    def fetched(self, task: Task) -> bool:
        """Whether the trial is in the media store; then it is in the task's store, too."""
        name = trial_name(task.key)
        if not self._media.exists(name):
            return False
        path = task.store.path(task.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._media.get(name, path)
        if task.store.load(task.key, task.scene) is not None:
            return True
        self._media.delete(name)  # it was damaged before it came there
        path.unlink()
        return False

    def _bring_source(self) -> None:
        self._sha256 = file_sha256(self._source)
        name = self._source_name()
        try:
            if not self._media.exists(name):
                self._tell(f"sending {self._source.name} to {self._media.url}")
            self._media.put(self._source, name)
            self._tell("")
        except BaseException:
            self._sha256 = ""
            raise

    def _source_name(self) -> str:
        return f"sources/{self._sha256}{self._source.suffix.lower()}"

    def _bring_title(self, request: Request) -> None:
        title = title_of(request)
        if title is None:
            return
        with self._lock:
            if title.digest not in self._titles:
                self._media.put(title.path, title_name(title.digest))
                self._titles.add(title.digest)


@dataclass(frozen=True)
class _Made:
    """A trial that was there."""

    def wait(self) -> Failure | None:
        """See `Started.wait`."""
        return None


@dataclass(frozen=True)
class _Sent:
    """A trial that workers have been told of."""

    bench: FleetBench
    task: Task
    errand: Errand

    def wait(self) -> Failure | None:
        """See `Started.wait`. Raises DispatchError where the trial was given up or taken back."""
        record = self.errand.wait()
        for remade in range(1, _MOST_REMADE + 1):
            failure = self._failure(record)
            if failure is not None or self.bench.fetched(self.task):
                return failure
            record = self.bench.hand_in(self.task, remade).wait()
        raise DispatchError(
            f"{self._name}: workers made it {_MOST_REMADE} times, and it is not in the media "
            "store: check that all of them have the same --media"
        )

    @property
    def _name(self) -> str:
        request, scene = self.task.request, self.task.scene
        return f"trial {request.trial.name} at {request.setting:g} of scene {scene.index + 1}"

    def _failure(self, record: Record) -> Failure | None:
        """Why the trial itself came to nothing. Raises DispatchError where the job did."""
        if record.state is State.DONE:
            reason = dict(record.result or {}).get("failure")
            return None if reason is None else Failure(str(reason))
        what = "was cancelled" if record.state is State.CANCELLED else "was given up"
        said = f", the last by worker {record.worker}: {record.error}" if record.error else ""
        raise DispatchError(
            f"{self._name} (job {record.job.id}) {what} after {len(record.attempts)} attempts"
            f"{said}; encode again to go on where it stopped"
        )
