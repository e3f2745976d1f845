"""Where trials are made: what a laboratory asks, and what any place that makes them answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..runtime.frames import PictureFormat
from .fingerprint import fingerprint
from .scene_file import SceneFile
from .store import TrialStore
from .strategies import Trial
from .targets import Metric


@dataclass(frozen=True)
class Request:
    """A trial at a setting; with `head`, of the first so many frames of the scene only."""

    trial: Trial
    setting: float
    head: int | None = None


@dataclass(frozen=True)
class Failure:
    """Why a trial came to nothing."""

    reason: str


@dataclass(frozen=True)
class Task:
    """A trial to be made of `scene` and put into `store`, its candidates scored by `metric`."""

    store: TrialStore
    scene: SceneFile
    request: Request
    metric: Metric

    @property
    def key(self) -> str:
        """Everything that the result depends on: what it is kept by."""
        return trial_key(self.scene.digest, self.request, self.metric)


class Started(Protocol):
    """A task that a bench has taken."""

    def wait(self) -> Failure | None:
        """Wait until it has ended; None: its trial is in the store now.

        Raises KeyboardInterrupt once the bench is closed, and what makes it useless to go on with
        any other task.
        """


class Bench(Protocol):
    """A place that makes trials, several at a time. Its methods may be called from any thread."""

    def scenes_at_once(self, picture: PictureFormat) -> int:
        """How many scenes of that format should be at work together, to keep it busy."""

    def start(self, task: Task) -> Started:
        """Take a task; waits where too many are at work. Raises as `Started.wait`."""

    def close(self) -> None:
        """Take no more tasks and end those at work: whoever waits for one gets KeyboardInterrupt.

        It may be called more than once.
        """


def trial_key(digest: str, request: Request, metric: Metric) -> str:
    """The key of a trial of the scene with that digest, made by this version."""
    return repr((digest, request, metric.value, fingerprint()))
