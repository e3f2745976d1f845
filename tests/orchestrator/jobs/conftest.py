"""An experiment on a small clip, done in this process as a worker's child does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from edgecodec.orchestrator.experiment_job import experiment_job
from edgecodec.orchestrator.jobs import JobContext, handler
from edgecodec.orchestrator.media import open_media
from edgecodec.orchestrator.media.cache import MediaCache
from edgecodec.orchestrator.records import Clip, EncodeSettings, Experiment, Result, TargetSpec

QUICK = EncodeSettings(
    TargetSpec("quality", 50.0),
    strategies=("classical",),
    codecs=("h264",),
    sizes=("full",),
    effort="fast",
)


@dataclass
class Bench:
    """A media store in `folder`, and a worker's folder beside it."""

    folder: Path
    gpu: int | None = None
    told: list[tuple[float, str]] = field(default_factory=list)
    jobs: int = 0

    def clip(self, path: Path, frames: int | None = None, name: str = "") -> Clip:
        """A video in the store."""
        stored = open_media(str(self.media)).put(path, name or f"clips/{path.name}")
        return Clip(stored.name, stored.sha256, frames)

    @property
    def media(self) -> Path:
        return self.folder / "media"

    @property
    def trials(self) -> list[Path]:
        """The files of trials that the worker keeps."""
        return sorted(self.folder.rglob("*.trial"))

    def payload(self, payload: dict[str, Any]) -> Result:
        """What comes of a job with this payload."""
        self.jobs += 1
        scratch = self.folder / f"job{self.jobs}"
        scratch.mkdir()
        store = open_media(str(self.media))
        context = JobContext(
            folder=scratch,
            media=store,
            cache=MediaCache(store, self.folder / "cache", 10_000_000),
            gpu=self.gpu,
            worker="tester",
            tell=lambda share, text: self.told.append((share, text)),
        )
        return Result.from_dict(handler("experiment")(payload, context))

    def run(
        self, clips: Sequence[Clip], settings: EncodeSettings = QUICK, *, vmaf: bool = False
    ) -> Result:
        """What comes of an experiment with these clips."""
        experiment = Experiment(tuple(clips), settings)
        return self.payload(dict(experiment_job(experiment, vmaf=vmaf).payload))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def make_bench(tmp_path: Path) -> Callable[[str], Bench]:
    """Benches of their own, by name."""

    def make(name: str) -> Bench:
        folder = tmp_path / name
        folder.mkdir()
        return Bench(folder)

    return make
