"""Where trials run: each once, and what goes wrong costs only itself."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgecodec.encoder import encode
from edgecodec.encoder.bench import Started, Task
from edgecodec.encoder.laboratory import Failure, Laboratory, Request
from edgecodec.encoder.local_bench import local_bench, usual_jobs, usual_threads
from edgecodec.encoder.scene_file import SceneFile, write_scene
from edgecodec.encoder.store import TrialStore
from edgecodec.encoder.strategies import StandardTrial
from edgecodec.encoder.targets import Metric
from edgecodec.runtime.container import Codec
from edgecodec.runtime.errors import DispatchError
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.models import packaged_models, read_models

from .fakes import scene_of

H264 = StandardTrial(Codec.H264, 8, "ultrafast")

# In a module that other processes can import.
BROKEN = """
import os
import time
from dataclasses import dataclass

@dataclass(frozen=True)
class Broken:
    how: str
    name = "broken"

    def encode(self, scene, setting, resources):
        if self.how == "dies":
            os._exit(7)
        if self.how == "sleeps":
            time.sleep(600)
        if self.how == "errs":
            raise TypeError("not my day")
        if self.how == "raises":
            raise ValueError("no such luck")
        return ()
"""


@pytest.fixture
def scene(tmp_path: Path) -> SceneFile:
    folder = tmp_path / "scene"
    folder.mkdir()
    random = np.random.default_rng(3)
    shapes = ((64, 96), (32, 48), (32, 48))
    frames = [
        tuple(random.integers(0, 255, shape).astype(np.uint8) for shape in shapes) for _ in range(4)
    ]
    return write_scene(scene_of(frames), folder)


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type:
    (tmp_path / "broken_trial.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    import broken_trial  # type: ignore[import-not-found]

    return broken_trial.Broken


def laboratory(folder: Path, jobs: int = 1, metric: Metric = Metric.PSNR) -> Laboratory:
    return Laboratory(TrialStore(folder / "trials"), local_bench(jobs, 1), metric)


def test_a_trial_is_encoded_once_whoever_asks(
    tmp_path: Path, scene: SceneFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[float] = []
    encode = StandardTrial.encode

    def spy(self, scene, setting, resources):
        encoded.append(setting)
        return encode(self, scene, setting, resources)

    monkeypatch.setattr(StandardTrial, "encode", spy)
    with laboratory(tmp_path) as lab:
        first, second = lab.run(scene, [Request(H264, 30.0), Request(H264, 31.25)])
        assert lab.run(scene, [Request(H264, 30.0)]) == [first]
        assert lab.encodes == 2
    with laboratory(tmp_path) as lab:
        assert lab.run(scene, [Request(H264, 31.25)]) == [second]
        assert lab.encodes == 1
    assert encoded == [30.0, 31.25]
    assert not isinstance(first, Failure)
    assert not isinstance(second, Failure)
    assert second[0].bits < first[0].bits


def test_what_a_trial_depends_on_tells_it_from_others(tmp_path: Path, scene: SceneFile) -> None:
    with laboratory(tmp_path) as lab:
        lab.run(scene, [Request(H264, 30.0), Request(H264, 30.0, head=2)])
        lab.run(scene, [Request(StandardTrial(Codec.H264, 8, "superfast"), 30.0)])
        assert lab.encodes == 3
        (head,) = lab.run(scene, [Request(H264, 30.0, head=2)])
        assert not isinstance(head, Failure)
        assert len(head[0].frame_psnr) == 2
    assert len(list((tmp_path / "trials").glob("*.trial"))) == 3


def test_trials_share_the_layers_of_their_folder(tmp_path: Path, scene: SceneFile) -> None:
    enhancer = read_models(packaged_models("nano")).network("enhancer").model_id
    with laboratory(tmp_path) as lab:
        (plain,), (simple, _) = lab.run(
            scene, [Request(H264, 30.0), Request(replace(H264, enhancer=enhancer), 30.0)]
        )
        assert plain.read_body() == simple.read_body()
    assert len(list((tmp_path / "trials").glob("*.trial"))) == 2
    assert len(list((tmp_path / "trials").glob("*.base"))) == 1


def test_processes_make_what_this_one_makes(tmp_path: Path, scene: SceneFile) -> None:
    requests = [
        Request(H264, 30.0),
        Request(H264, 35.0),
        Request(StandardTrial(Codec.H265, 10), 30.0),
    ]
    with laboratory(tmp_path / "one") as lab:
        here = lab.run(scene, requests)
    with laboratory(tmp_path / "many", jobs=2) as lab:
        there = lab.run(scene, requests)
    for one, other in zip(here, there, strict=True):
        assert not isinstance(one, Failure)
        assert not isinstance(other, Failure)
        assert [(e.bits, e.frame_psnr, e.read_body()) for e in one] == [
            (e.bits, e.frame_psnr, e.read_body()) for e in other
        ]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_trial_that_fails_costs_only_itself(
    tmp_path: Path, scene: SceneFile, broken: type, jobs: int
) -> None:
    ways = ["raises", "nothing"] + ["dies"] * (jobs > 1)
    with laboratory(tmp_path, jobs) as lab:
        outcomes = lab.run(
            scene, [*(Request(broken(how), 30.0) for how in ways), Request(H264, 30.0)]
        )
        *failed, good = outcomes
        assert not isinstance(good, Failure)
        reasons = [each.reason for each in failed if isinstance(each, Failure)]
    assert reasons[:2] == ["ValueError: no such luck", "it cannot code this scene"]
    assert reasons[2:] == ["its process died (exit code 7)"] * (jobs > 1)


def test_whose_process_died_is_never_in_doubt(
    tmp_path: Path, scene: SceneFile, broken: type
) -> None:
    with laboratory(tmp_path, jobs=2) as lab:
        outcomes = lab.run(
            scene,
            [
                Request(trial, setting)
                for setting in (30.0, 33.0, 36.0, 39.0)
                for trial in (broken("dies"), H264)
            ],
        )
    assert outcomes[::2] == [Failure("its process died (exit code 7)")] * 4
    assert [isinstance(each, Failure) for each in outcomes[1::2]] == [False] * 4


def test_a_mistake_of_ours_is_not_a_trial_that_failed(
    tmp_path: Path, scene: SceneFile, broken: type
) -> None:
    with laboratory(tmp_path, jobs=2) as lab:
        with pytest.raises(TypeError, match="not my day") as raised:
            lab.run(scene, [Request(broken("errs"), 30.0)])
        assert "broken_trial.py" in raised.value.__notes__[0]
        (outcome,) = lab.run(scene, [Request(H264, 30.0)])
    assert not isinstance(outcome, Failure)


@pytest.mark.parametrize("seconds", [0.0, 1.0], ids=["before it is begun", "while it runs"])
def test_closing_ends_whoever_waits(
    tmp_path: Path, scene: SceneFile, broken: type, seconds: float
) -> None:
    """As at an interruption: a thread that waits for a trial does not wait for ever."""
    lab = laboratory(tmp_path, jobs=2)
    ended: list[BaseException | None] = []

    def wait() -> None:
        try:
            lab.run(scene, [Request(broken("sleeps"), number) for number in (1.0, 2.0, 3.0)])
            ended.append(None)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    time.sleep(seconds)
    lab.close()
    thread.join(60)
    assert [type(each) for each in ended] == [KeyboardInterrupt]
    with pytest.raises(KeyboardInterrupt):
        lab.run(scene, [Request(H264, 30.0)])


def test_nothing_is_encoded_once_it_is_closed(tmp_path: Path, scene: SceneFile) -> None:
    lab = laboratory(tmp_path)
    lab.close()
    with pytest.raises(KeyboardInterrupt):
        lab.run(scene, [Request(H264, 30.0)])
    assert not (tmp_path / "trials").exists()


@pytest.mark.parametrize("metric", [Metric.SSIM, Metric.VMAF])
def test_candidates_are_scored_by_what_is_aimed_at(
    tmp_path: Path, scene: SceneFile, metric: Metric
) -> None:
    with laboratory(tmp_path, metric=metric) as lab:
        fine, coarse = lab.run(scene, [Request(H264, 10.0), Request(H264, 45.0)])
    assert not isinstance(fine, Failure)
    assert not isinstance(coarse, Failure)
    assert len(fine[0].frame_scores) == 4
    assert fine[0].score > coarse[0].score
    assert fine[0].scores != fine[0].frame_psnr
    assert fine[0].score <= (1 if metric is Metric.SSIM else 100)


class Useless:
    """A bench that cannot go on."""

    def __init__(self) -> None:
        self.closed = 0

    def scenes_at_once(self, picture: PictureFormat) -> int:
        return 1

    def start(self, task: Task) -> Started:
        return self

    def wait(self) -> Failure | None:
        raise DispatchError("nobody works here")

    def close(self) -> None:
        self.closed += 1


def test_a_bench_that_cannot_go_on_fails_no_trial(tmp_path: Path, scene: SceneFile) -> None:
    bench = Useless()
    with (
        pytest.raises(DispatchError, match="nobody works here"),
        Laboratory(TrialStore(tmp_path), bench, Metric.PSNR) as lab,
    ):
        lab.run(scene, [Request(H264, 30.0)])
    assert bench.closed


def test_an_encode_ends_with_its_bench(small_clip, tmp_path: Path) -> None:
    bench = Useless()
    output = tmp_path / "out.ecv"
    with pytest.raises(DispatchError, match="nobody works here"):
        encode(small_clip.path, output, bench=bench)
    assert bench.closed
    assert not list(tmp_path.iterdir())


def test_jobs_and_threads_follow_the_cores() -> None:
    assert usual_jobs() >= 2
    assert usual_threads(1) >= usual_threads(4) >= 1
