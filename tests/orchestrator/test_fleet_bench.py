"""Encodes whose trials real workers make: the same file, whatever happens on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from edgecodec.encoder import EncodeOptions, QualityTarget, encode
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.effort import Effort
from edgecodec.orchestrator.deployment import Deployment, deployment
from edgecodec.orchestrator.encoding.bench import FleetBench, FleetOptions
from edgecodec.orchestrator.encoding.desk import Patience
from edgecodec.orchestrator.ledger import Ledger, Record, State
from edgecodec.orchestrator.media import open_media
from edgecodec.orchestrator.tables import open_table
from edgecodec.runtime.chunks import Codec
from edgecodec.runtime.errors import DispatchError
from edgecodec.runtime.frames import PictureFormat

from .fleets import LIMIT_S, QUICK, Fleet, fleet, until

OPTIONS = EncodeOptions(
    strategies=("classical",),
    target=QualityTarget(40.0),
    effort=Effort.FAST,
    codecs=(Codec.H264,),
    sizes=("full",),
)
# Networks and programs, too.
MORE = replace(OPTIONS, strategies=("hybrid_semantic", "procedural"), adapt=Adaptation.NONE)
FLEET = FleetOptions(patience=Patience(poll_s=0.05))


@pytest.fixture(scope="module")
def local(cut_clip, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an encode on this machine makes of the clip."""
    return encoded_here(cut_clip.path, OPTIONS, tmp_path_factory.mktemp("local"))


def encoded_here(source: Path, options: EncodeOptions, folder: Path) -> bytes:
    output = folder / "local.ecv"
    encode(source, output, options)
    return output.read_bytes()


@pytest.fixture
def folder_fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Over a folder, without workers yet."""
    with fleet(deployment(f"folder:{tmp_path / 'fleet'}", None, None), tmp_path) as made:
        yield made


def aws(moto_url: str) -> Deployment:
    import boto3

    name = f"trials-{uuid.uuid4().hex[:10]}"
    boto3.client("s3", endpoint_url=moto_url, region_name="us-east-1").create_bucket(Bucket=name)
    at = f"region=us-east-1&endpoint_url={moto_url}"
    host = moto_url.removeprefix("http://")
    return Deployment(
        f"sqs://{host}?region=us-east-1&queue={name}",
        f"dynamodb://{name}?{at}&create=1",
        f"s3://{name}/media?{at}",
        name,
    )


def bench(made: Fleet, source: Path, options: FleetOptions = FLEET) -> FleetBench:
    return FleetBench(made.deployment, source, options=options, policy=made.policy)


def records(made: Fleet) -> list[Record]:
    with closing(open_table(made.deployment.results)) as table:
        return list(Ledger(table).records())


@pytest.mark.parametrize(("kind", "options"), [("folder", MORE), ("aws", OPTIONS)])
def test_the_file_is_the_same_as_one_encoded_here(
    kind: str,
    options: EncodeOptions,
    cut_clip,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    at = (
        aws(request.getfixturevalue("moto_url"))
        if kind == "aws"
        else deployment(f"folder:{tmp_path / 'fleet'}", None, None)
    )
    output = tmp_path / "out.ecv"
    with fleet(at, tmp_path, replace(QUICK, lease_s=10.0)) as made:
        made.start()
        with bench(made, cut_clip.path) as where:
            report = encode(cut_clip.path, output, options, bench=where)
        assert output.read_bytes() == encoded_here(cut_clip.path, options, tmp_path), made.said()
        assert not output.with_name("out.ecv.parts").exists()
        ended = records(made)
        assert {each.state for each in ended} == {State.DONE}
        assert report.trial_encodes == len(ended)
        media = open_media(at.media)
        assert len(list(media.names("trials/"))) == len(ended)
        assert len(list(media.names("sources/"))) == 1
        media.close()


def test_what_was_made_once_is_not_made_again(
    folder_fleet: Fleet, cut_clip, local: bytes, tmp_path: Path
) -> None:
    worker = folder_fleet.start()
    for name in ("one.ecv", "two.ecv"):
        with bench(folder_fleet, cut_clip.path) as where:
            encode(cut_clip.path, tmp_path / name, OPTIONS, bench=where)
        assert (tmp_path / name).read_bytes() == local
        # The second time there is nobody who could make anything, and no need to.
        worker.kill()
    attempts = [len(each.attempts) for each in records(folder_fleet)]
    assert set(attempts) == {1}


def test_a_trial_that_was_lost_from_the_media_store_is_made_again(
    folder_fleet: Fleet, cut_clip, local: bytes, tmp_path: Path
) -> None:
    folder_fleet.start()
    with bench(folder_fleet, cut_clip.path) as where:
        encode(cut_clip.path, tmp_path / "one.ecv", OPTIONS, bench=where)
    media = open_media(folder_fleet.deployment.media)
    lost, damaged, *_ = media.names("trials/")
    media.delete(lost)
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"rubbish")
    media.put(rubbish, damaged)
    with bench(folder_fleet, cut_clip.path) as where:
        encode(cut_clip.path, tmp_path / "two.ecv", OPTIONS, bench=where)
    assert (tmp_path / "two.ecv").read_bytes() == local
    assert len([each for each in records(folder_fleet) if each.job.id.endswith("-1")]) == 2


def test_a_worker_that_is_killed_in_the_middle_costs_only_time(
    folder_fleet: Fleet, cut_clip, local: bytes, tmp_path: Path
) -> None:
    first = folder_fleet.start("first")
    output = tmp_path / "out.ecv"
    killed = threading.Event()

    def kill_it_at_work() -> None:
        until(lambda: any(each.state is State.RUNNING for each in records(folder_fleet)), "work")
        first.kill()
        killed.set()
        folder_fleet.start("second")

    thread = threading.Thread(target=kill_it_at_work)
    thread.start()
    with bench(folder_fleet, cut_clip.path) as where:
        encode(cut_clip.path, output, OPTIONS, bench=where)
    thread.join(LIMIT_S)
    assert killed.is_set()
    assert output.read_bytes() == local, folder_fleet.said()
    attempts = [attempt for each in records(folder_fleet) for attempt in each.attempts]
    assert "second" in {attempt.worker for attempt in attempts}


def test_a_worker_of_another_version_is_named(
    folder_fleet: Fleet, cut_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_fleet.start("old")
    monkeypatch.setattr("edgecodec.orchestrator.encoding.bench.fingerprint", lambda: "f" * 64)
    with (
        bench(folder_fleet, cut_clip.path) as where,
        pytest.raises(DispatchError, match=f"worker old has edgecodec .*{'f' * 12}") as caught,
    ):
        encode(cut_clip.path, tmp_path / "out.ecv", OPTIONS, bench=where)
    assert "install the same edgecodec" in str(caught.value)
    assert not (tmp_path / "out.ecv").exists()


def test_an_encode_that_is_interrupted_goes_on_later(
    folder_fleet: Fleet, cut_clip, local: bytes, tmp_path: Path
) -> None:
    """Through the command line, as somebody would."""
    output = tmp_path / "out.ecv"
    command = [
        *(sys.executable, "-c", "from edgecodec.cli import main; main()"),
        *("encode", str(cut_clip.path), "-o", str(output), "--json"),
        *("--strategy", "classical", "--quality", "40", "--effort", "fast"),
        *("--codecs", "h264", "--sizes", "full"),
        *("--broker", folder_fleet.deployment.broker),
    ]
    waiting = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        until(lambda: len(records(folder_fleet)) >= 2, "trials are queued")
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=LIMIT_S)
    finally:
        waiting.kill()
    assert (waiting.returncode, b"interrupted" in said) == (130, True), said
    assert {each.state for each in records(folder_fleet)} == {State.CANCELLED}
    assert not output.exists()
    folder_fleet.start()
    done = subprocess.run(command, capture_output=True, timeout=2 * LIMIT_S)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 60
    assert output.read_bytes() == local


def test_a_trial_that_no_worker_can_make_is_said(
    folder_fleet: Fleet, cut_clip, tmp_path: Path
) -> None:
    """A worker without room for the video is no reason to leave trials out."""
    folder_fleet.start("small", cache_bytes=1000)
    with (
        bench(folder_fleet, cut_clip.path) as where,
        pytest.raises(DispatchError, match=r"after 2 attempts.*worker small.*may hold 1,000 bytes"),
    ):
        encode(cut_clip.path, tmp_path / "out.ecv", OPTIONS, bench=where)


def test_ways_that_are_not_followed_are_those_that_are_not_followed_here(
    folder_fleet: Fleet, make_clip, draw_planes, tmp_path: Path
) -> None:
    """By their names: x265's bytes for a picture this small vary a little from run to run."""
    tiny = PictureFormat(16, 16)
    clip = make_clip(tmp_path / "tiny.mkv", tiny, draw_planes(tiny, 8))
    told: list[list[str]] = []
    options = replace(OPTIONS, codecs=(Codec.H264, Codec.H265))
    folder_fleet.start()
    for name, over_fleet in (("here.ecv", False), ("there.ecv", True)):
        where = bench(folder_fleet, clip.path) if over_fleet else None
        report = encode(clip.path, tmp_path / name, options, bench=where)
        skipped = [each for scene in report.scenes for each in scene.skipped]
        told.append([each.partition(":")[0] for each in skipped])
    assert told[0] == told[1]
    assert any("h265" in each for each in told[0])
    assert (tmp_path / "here.ecv").read_bytes() == (tmp_path / "there.ecv").read_bytes()


def test_scenes_at_once_are_bounded_by_the_disk(folder_fleet: Fleet, cut_clip) -> None:
    with bench(folder_fleet, cut_clip.path) as where:
        assert where.scenes_at_once(PictureFormat(96, 64)) == FLEET.scenes
        hd = where.scenes_at_once(PictureFormat(1920, 1080))
        assert 2 <= hd < FLEET.scenes
        assert where.scenes_at_once(PictureFormat(8192, 4320, 10)) <= hd
    small = FleetOptions(disk_bytes=1, patience=FLEET.patience)
    with bench(folder_fleet, cut_clip.path, small) as where:
        assert where.scenes_at_once(PictureFormat(1920, 1080)) == 2


def test_what_cannot_begin_says_so(folder_fleet: Fleet, tmp_path: Path, cut_clip) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.mp4"):
        bench(folder_fleet, tmp_path / "nowhere.mp4")
    away = replace(folder_fleet.deployment, results=f"sqlite:{cut_clip.path}")
    with pytest.raises(DispatchError, match=r"cut\.mp4"):
        FleetBench(away, cut_clip.path)
