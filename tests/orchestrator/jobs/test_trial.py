"""The job "trial", done in this process as a worker's child does it."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from edgecodec.encoder.adaptation import TitleFile
from edgecodec.encoder.bench import Failure, Request
from edgecodec.encoder.fingerprint import fingerprint
from edgecodec.encoder.laboratory import Laboratory
from edgecodec.encoder.local_bench import local_bench
from edgecodec.encoder.media import open_source
from edgecodec.encoder.scene import scenes_of
from edgecodec.encoder.scene_file import SceneFile, write_scene
from edgecodec.encoder.scene_place import place_of
from edgecodec.encoder.store import TrialStore, trial_file
from edgecodec.encoder.strategies import Candidate, LatentTrial, ProceduralTrial, StandardTrial
from edgecodec.encoder.targets import Metric
from edgecodec.orchestrator.encoding.trial_codec import TrialJob, own_version, title_name
from edgecodec.orchestrator.jobs import JobContext, handler
from edgecodec.orchestrator.media import MediaStore, file_sha256, open_media
from edgecodec.orchestrator.media.cache import MediaCache
from edgecodec.runtime.chunks import Codec, StrategyId
from edgecodec.runtime.errors import DispatchError, ProviderError, UnsupportedError
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.template import read_template
from edgecodec.runtime.title import TensorDelta, TitleWeights, fit_table, pack_title

H264 = StandardTrial(Codec.H264, 8, "ultrafast")
SOURCE = "sources/cut.mp4"


@dataclass
class Worker:
    """A worker's folders, and a media store with one video in it."""

    folder: Path
    video: Path
    media: MediaStore
    scenes: list[SceneFile]
    told: list[tuple[float, str]] = field(default_factory=list)
    jobs: int = 0

    def job(self, request: Request, scene: int = 1, metric: Metric = Metric.PSNR) -> TrialJob:
        place = place_of(self.scenes[scene])
        sha256 = file_sha256(self.video)
        return TrialJob(SOURCE, sha256, place, request, metric, fingerprint(), "1.0")

    def do(self, job: TrialJob) -> Mapping[str, Any]:
        """The result of the job."""
        self.jobs += 1
        scratch = self.folder / f"job{self.jobs}"
        scratch.mkdir()
        context = JobContext(
            folder=scratch,
            media=self.media,
            cache=MediaCache(self.media, self.folder / "cache", 50_000_000),
            gpu=None,
            worker="tester",
            tell=lambda share, text: self.told.append((share, text)),
        )
        return handler("trial")(job.to_dict(), context)

    def made(self, job: TrialJob, result: Mapping[str, Any]) -> tuple[Candidate, ...]:
        """What whoever sent the job finds."""
        store = TrialStore(self.folder / "fetched")
        store.folder.mkdir(exist_ok=True)
        self.media.get(result["trial"], store.path(job.key))
        scene = next(each for each in self.scenes if each.digest == job.place.digest)
        found = store.load(job.key, scene)
        assert found is not None
        return found

    def here(self, job: TrialJob, request: Request) -> tuple[Candidate, ...] | Failure:
        """What comes of the same on this machine's own bench."""
        scene = next(each for each in self.scenes if each.digest == job.place.digest)
        store = TrialStore(self.folder / "here")
        with Laboratory(store, local_bench(1, 1), job.metric) as laboratory:
            (outcome,) = laboratory.run(scene, [request])
        return outcome


def content(made: tuple[Candidate, ...]) -> list[object]:
    return [(replace(each, body=b""), each.read_body()) for each in made]


@pytest.fixture
def worker(cut_clip, tmp_path: Path) -> Worker:
    sent = tmp_path / "sent"
    sent.mkdir()
    with open_source(cut_clip.path) as video:
        scenes = [write_scene(scene, sent) for scene in scenes_of(video)]
    media = open_media(str(tmp_path / "media"))
    media.put(cut_clip.path, SOURCE)
    return Worker(tmp_path, cut_clip.path, media, scenes)


@pytest.mark.parametrize(
    ("request_", "metric"),
    [
        (Request(H264, 30.0), Metric.PSNR),
        (Request(H264, 30.0, head=5), Metric.SSIM),
        (Request(StandardTrial(Codec.H265, 10, "ultrafast"), 33.25), Metric.PSNR),
    ],
    ids=["plain", "the first frames by SSIM", "10 bits"],
)
@pytest.mark.parametrize("scene", [0, 1])
def test_a_worker_makes_what_would_be_made_here(
    worker: Worker, request_: Request, metric: Metric, scene: int
) -> None:
    job = worker.job(request_, scene, metric)
    made = worker.made(job, worker.do(job))
    here = worker.here(job, request_)
    assert not isinstance(here, Failure)
    assert content(made) == content(here)
    assert [share for share, _ in worker.told] == sorted(share for share, _ in worker.told)


def test_a_trial_is_made_once(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    job = worker.job(Request(H264, 30.0))
    first = worker.do(job)
    worker.media.delete(SOURCE)
    monkeypatch.setattr(StandardTrial, "encode", None)
    assert worker.do(job) == first


def test_the_next_trials_of_a_scene_need_no_video(worker: Worker) -> None:
    worker.do(worker.job(Request(H264, 30.0)))
    worker.media.delete(SOURCE)
    for path in (worker.folder / "cache" / "files").iterdir():
        path.unlink()
    assert "trial" in worker.do(worker.job(Request(H264, 31.0)))
    with pytest.raises(DispatchError, match=SOURCE):
        worker.do(worker.job(Request(H264, 30.0), scene=0))


def test_a_kept_scene_that_was_damaged_is_read_again(worker: Worker) -> None:
    request = Request(H264, 31.0)
    worker.do(worker.job(Request(H264, 30.0)))
    (kept,) = worker.folder.glob("cache-scenes/*/*.raw")
    kept.write_bytes(b"\x07" * kept.stat().st_size)
    job = worker.job(request)
    here = worker.here(job, request)
    assert not isinstance(here, Failure)
    assert content(worker.made(job, worker.do(job))) == content(here)


def test_trials_of_a_scene_share_its_base_layers(worker: Worker) -> None:
    enhancer = read_models(packaged_models("nano")).network("enhancer").model_id
    worker.do(worker.job(Request(H264, 40.0)))
    worker.do(worker.job(Request(replace(H264, enhancer=enhancer), 40.0)))
    assert len(list(worker.folder.glob("cache-scenes/*/*.base"))) == 1


def test_a_trial_that_comes_to_nothing_says_what_it_would_say_here(worker: Worker) -> None:
    request = Request(StandardTrial(Codec.H264, 8, "nosuchpreset"), 30.0)
    job = worker.job(request)
    here = worker.here(job, request)
    assert isinstance(here, Failure)
    assert worker.do(job) == {"failure": here.reason}


def test_what_cannot_be_coded_this_way_is_no_failure(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecodec.encoder.strategies.procedural.program_of", lambda _: None)
    job = worker.job(Request(ProceduralTrial(Codec.H264, "ultrafast"), 30.0))
    assert worker.made(job, worker.do(job)) == ()


def test_what_a_worker_lacks_is_not_the_trials_fault(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is raised, so that another worker may try: a failure would change the stream."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    job = worker.job(Request(H264, 30.0))
    with monkeypatch.context() as patch:
        patch.setattr(StandardTrial, "encode", full)
        with pytest.raises(OSError, match="no space"):
            worker.do(job)
    assert "trial" in worker.do(job)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    latents = LatentTrial(StrategyId.SEMANTIC_LATENT, "nano", "cuda")
    with pytest.raises(ProviderError, match="CUDA"):
        worker.do(worker.job(Request(latents, 63.0)))


def test_another_version_is_refused(worker: Worker) -> None:
    job = replace(worker.job(Request(H264, 30.0)), fingerprint="0" * 64, version="9.9")
    with pytest.raises(UnsupportedError) as caught:
        worker.do(job)
    said = str(caught.value)
    assert f"worker tester has edgecodec {own_version()} ({fingerprint()[:12]})" in said
    assert f"from 9.9 ({'0' * 12})" in said


def test_another_video_is_refused(worker: Worker) -> None:
    job = worker.job(Request(H264, 30.0))
    with pytest.raises(UnsupportedError, match="is not what it was for whoever sent it"):
        worker.do(replace(job, place=replace(job.place, digest="0" * 40)))
    with pytest.raises(DispatchError, match="has changed"):
        worker.do(replace(job, sha256="0" * 64))


def test_title_weights_travel_by_their_digest(worker: Worker, own_title: TitleFile) -> None:
    enhancer = read_models(packaged_models("nano")).network("enhancer").model_id
    request = Request(replace(H264, enhancer=enhancer, title=own_title), 40.0)
    job = worker.job(request)
    sent = TrialJob.from_dict(job.to_dict(), "trial")
    with pytest.raises(DispatchError, match=own_title.digest):
        worker.do(sent)
    worker.media.put(own_title.path, title_name(own_title.digest))
    here = worker.here(job, request)
    assert not isinstance(here, Failure)
    assert content(worker.made(job, worker.do(sent))) == content(here)


@pytest.fixture
def own_title(tmp_path: Path) -> TitleFile:
    """Weights that change nothing, in a file of one's own."""
    entry = read_models(packaged_models("nano")).network("enhancer")
    deltas = []
    for tensor in read_template(entry).tensors:
        symbols = (0 * tensor.values).astype("int8").ravel()
        deltas.append(TensorDelta(0, fit_table(symbols), symbols))
    data = pack_title(TitleWeights(entry.model_id, tuple(deltas)))
    path = tmp_path / "own.title"
    path.write_bytes(data)
    return TitleFile(path, hashlib.sha256(data).hexdigest())


def test_files_are_named_alike_everywhere(worker: Worker) -> None:
    job = worker.job(Request(H264, 30.0))
    assert worker.do(job)["trial"] == f"trials/{trial_file(job.key)}"
