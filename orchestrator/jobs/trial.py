"""The job "trial": one trial of one scene of a video, for an encode that is somewhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...encoder.bench import Request, Task
from ...encoder.fingerprint import fingerprint
from ...encoder.local_bench import usual_threads
from ...encoder.make_trial import FAILURES, make_trial, said_of
from ...encoder.scene_file import SceneFile
from ...encoder.scene_place import read_scene, scene_file_at
from ...encoder.store import TrialStore
from ...encoder.strategies import LatentTrial
from ...encoder.ways import check_device
from ...runtime.errors import ModelError, ProviderError, UnsupportedError
from ..encoding.trial_codec import (
    TrialJob,
    own_version,
    title_name,
    title_of,
    trial_name,
    with_title_at,
)
from .base import JobContext
from .trial_cache import trial_folder

# Scenes and base layers that the next trials are likely to need lie beside the cache of videos,
# and take a part of the room that it was given.
_SCENES_SHARE = 0.25
# What this machine lacks or has no room for, and another may have: none of the trial's doing.
_NOT_THE_TRIALS = (ModelError, ProviderError, OSError)


def run(payload: Mapping[str, Any], context: JobContext) -> Mapping[str, Any]:
    """Make the trial and put it into the media store.

    The result is `{"trial": NAME}`, or `{"failure": WHY}` for a trial that comes to nothing on any
    machine. A trial that is there already is not made again.

    Raises UnsupportedError for a payload that is wrong, a video that is another, and where this
    version is not the one that sent the trial.
    """
    job = TrialJob.from_dict(payload, "trial")
    check_version(job, context.worker)
    name = trial_name(job.key)
    if context.media.exists(name):
        return {"trial": name}
    if isinstance(job.request.trial, LatentTrial):
        check_device(job.request.trial.device)
    context.tell(0.0, f"scene {job.place.index + 1}")
    videos = context.cache.folder
    scenes = videos.with_name(f"{videos.name}-scenes")
    limit = int(_SCENES_SHARE * context.cache.limit_bytes)
    with (
        trial_folder(scenes, limit) as folder,
        _with_title(job.request, context) as request,
    ):
        scene = _scene(job, context, folder)
        context.tell(0.2, f"scene {scene.index + 1}: {request.trial.name} at {request.setting:g}")
        task = Task(TrialStore(context.folder / "trials"), scene, request, job.metric)
        try:
            make_trial(task, folder, usual_threads(1))
        except _NOT_THE_TRIALS:
            raise
        except FAILURES as error:
            return {"failure": said_of(error)}
    context.tell(0.9, f"scene {scene.index + 1}: upload")
    context.media.put(task.store.path(task.key), name)
    return {"trial": name}


def check_version(job: TrialJob, worker: str) -> None:
    """Raises UnsupportedError unless what encodes here is what encodes where the job is from."""
    here = fingerprint()
    if job.fingerprint != here:
        raise UnsupportedError(
            f"worker {worker} has edgecodec {own_version()} ({here[:12]}), the trial is from "
            f"{job.version} ({job.fingerprint[:12]}), and their streams may differ: install the "
            "same edgecodec, with the same codecs and networks, on both"
        )


def _scene(job: TrialJob, context: JobContext, folder: Path) -> SceneFile:
    """The scene's frames: from an earlier trial, else decoded from the video."""
    path = folder / f"{job.place.digest}.raw"
    kept = scene_file_at(job.place, path)
    if kept.is_whole():
        os.utime(path)
        return kept
    with context.cache.fetch(job.source, job.sha256) as video:
        # FFmpeg knows some formats by their names only, and the cache has none.
        named = context.folder / f"source{Path(job.source).suffix}"
        named.symlink_to(video.absolute())
        os.replace(read_scene(named, job.place, folder).path, path)
    return kept


@contextmanager
def _with_title(request: Request, context: JobContext) -> Iterator[Request]:
    """The request with its title weights in a file here."""
    title = title_of(request)
    if title is None:
        yield request
        return
    with context.cache.fetch(title_name(title.digest), title.digest) as path:
        yield with_title_at(request, path)
