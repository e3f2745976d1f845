"""Still pictures by every codec: what is coded, what is counted, and the tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from edgecodec.decoder import build
from edgecodec.encoder.analysis import build_analysis
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.targets import Metric
from edgecodec.encoder.training.checkpoint import Progress, save_checkpoint
from edgecodec.evaluation import stills
from edgecodec.evaluation.still_codecs import ANCHORS, StillCodec
from edgecodec.evaluation.still_latents import FloatIFrames, IFrames
from edgecodec.evaluation.still_pictures import Still, cropped, read_stills
from edgecodec.evaluation.stills import StillBd, StillPoint, compare, measure, table


def drawn(width: int, height: int, seed: int = 3) -> tuple[np.ndarray, ...]:
    """Smooth planes with some texture, so that every codec has something to do."""
    random = np.random.default_rng(seed)

    def plane(rows: int, columns: int) -> np.ndarray:
        coarse = random.uniform(30, 220, (4, 6)).astype(np.float32)
        smooth = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
        return (smooth + random.normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)

    return plane(height, width), plane(height // 2, width // 2), plane(height // 2, width // 2)


@pytest.fixture(scope="module")
def still() -> Still:
    return cropped("drawn", drawn(192, 128))


@pytest.fixture(scope="module")
def iframes() -> IFrames:
    return IFrames("nano", Resources(threads=1), settings=(4, 60))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks of tier nano that were never trained."""
    torch.manual_seed(1)
    networks = {
        "iframe_decoder": build("iframe_decoder", "nano"),
        "analysis_i": build_analysis("analysis_i", "nano"),
    }
    path = tmp_path_factory.mktemp("run") / "fresh.pt"
    save_checkpoint(
        path, networks, torch.optim.SGD(networks["analysis_i"].parameters()), Progress()
    )
    return path


def test_crops_are_the_middle_in_whole_blocks_and_planes_stay_together() -> None:
    y = np.arange(70, dtype=np.uint8)[:, None] + np.arange(101, dtype=np.uint8)[None]
    u = np.arange(0, 70, 2, dtype=np.uint8)[:, None] + np.arange(0, 101, 2, dtype=np.uint8)[None]
    made = cropped("ramp", (y, u, u))
    assert (made.format.width, made.format.height) == (96, 64)
    assert made.planes[1].shape == (32, 48)
    assert np.array_equal(made.planes[0][::2, ::2], made.planes[1])
    small = cropped("ramp", (y, u, u), side=50)
    assert (small.format.width, small.format.height) == (48, 48)
    assert np.array_equal(small.planes[0][::2, ::2], small.planes[2])
    # As much is cut off on either side, but for what keeps blocks of chroma whole.
    assert abs(int(small.planes[0][0, 0]) - (10 + 26)) <= 2


def test_stills_and_first_frames_are_read_by_name(tmp_path: Path, clip_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (50, 60, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "b.png"), picture)
    cv2.imwrite(str(tmp_path / "tiny.png"), picture[:10])
    (tmp_path / "a.mp4").symlink_to(clip_path)
    (tmp_path / "c.txt").write_text("no picture")
    found = list(read_stills(tmp_path, side=64))
    assert [each.name for each in found] == ["a.mp4", "b.png"]
    assert [each.format.width for each in found] == [64, 48]
    assert found[0].digest != found[1].digest
    assert found[1].digest == next(s for s in read_stills(tmp_path, 64) if s.name == "b.png").digest


@pytest.mark.parametrize("codec", ANCHORS, ids=lambda codec: codec.name)
def test_more_bytes_are_a_better_picture(codec: StillCodec, still: Still) -> None:
    low, high = (measure(still, codec, s) for s in (codec.settings[1], codec.settings[-1]))
    assert low.bytes < high.bytes
    assert low.psnr < high.psnr
    assert high.ms_ssim > 0.98
    # Nothing is lost on the way through a codec but what it quantises.
    assert min(high.psnr_y, high.psnr_u, high.psnr_v) > 38
    assert low.container_bytes == high.container_bytes == 0


def test_i_frames_are_real_streams_and_their_container_is_told_apart(
    iframes: IFrames, still: Still
) -> None:
    coarse, fine = (iframes.code(still, setting) for setting in iframes.settings)
    assert coarse.bytes < fine.bytes
    assert 0 < coarse.container_bytes < 400
    assert coarse.container_bytes < coarse.bytes
    assert psnr(still.planes, fine.planes).y > psnr(still.planes, coarse.planes).y - 1
    point = measure(still, iframes, 60)
    assert point.bytes == fine.bytes
    assert point.bits_per_pixel == 8 * (fine.bytes - fine.container_bytes) / (192 * 128)


def test_refined_latents_are_another_codec_of_the_same_settings(
    iframes: IFrames, checkpoint: Path, still: Still
) -> None:
    for plain in (iframes, FloatIFrames(checkpoint, "nano")):
        refined = replace(plain, refinement=4)
        assert refined.name == f"{plain.name} refined 4"
        assert refined.settings == plain.settings
        assert measure(still, refined, 60).bytes > 0


def test_a_checkpoint_is_measured_in_float(checkpoint: Path, still: Still) -> None:
    codec = FloatIFrames(checkpoint, "nano")
    point = measure(still, codec, 30)
    assert point.container_bytes == 0
    assert point.codec == "float fresh"
    assert measure(still, codec, 30) == point


def points_of(codec: str, factor: float, picture: str = "p") -> list[StillPoint]:
    """A curve that needs `factor` times the bytes of another."""
    return [
        StillPoint(
            picture,
            codec,
            n,
            1000,
            round(1000 * factor * 2**n),
            0,
            30 + 3 * n,
            30 + 3 * n,
            30,
            30,
            1 - 0.1 / 2**n,
        )
        for n in range(6)
    ]


def test_half_the_bytes_are_half_the_rate() -> None:
    found = list(compare(points_of("other", 2.0) + points_of("ours", 1.0), "ours"))
    assert {each.metric for each in found} == set(stills.METRICS)
    for each in found:
        assert each.anchor == "other"
        assert each.percent == pytest.approx(-50, abs=0.01)
        assert each.overlap == pytest.approx(1)


def test_what_is_around_a_picture_counts_in_files_alone() -> None:
    ours = [replace(p, bytes=p.bytes + 1000, container_bytes=1000) for p in points_of("ours", 1.0)]
    found = {each.metric: each.percent for each in compare(points_of("other", 1.0) + ours, "ours")}
    assert found["psnr"] == pytest.approx(0, abs=1e-6)
    assert found["psnr_file"] > 5


def test_curves_that_share_no_quality_have_no_figure_and_no_part_in_the_mean() -> None:
    far = [replace(p, psnr=p.psnr + 90) for p in points_of("other", 1.0, "q")]
    points = points_of("other", 2.0) + points_of("ours", 1.0) + far + points_of("ours", 1.0, "q")
    found = list(compare(points, "ours"))
    assert StillBd("q", "other", "psnr", None, 0.0) in found
    made = table(found, "psnr")
    assert [row[0] for row in made.rows] == ["p", "q", "mean (pictures)"]
    assert made.rows[1][1] == "-"
    assert made.rows[2][1] == "-50.0 % of 100 % (1)"


def test_the_command_prints_tables_and_keeps_the_other_codecs_points(
    tmp_path: Path, checkpoint: Path, capsys, monkeypatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    bgr = cv2.cvtColor(
        np.concatenate([p.reshape(-1) for p in drawn(64, 64)]).reshape(96, 64),
        cv2.COLOR_YUV2BGR_I420,
    )
    cv2.imwrite(str(data / "one.png"), bgr)
    keep, result = tmp_path / "keep.json", tmp_path / "result.json"
    command = ["--data", str(data), "--tier", "nano", "--checkpoint", str(checkpoint)]
    command += ["--keep", str(keep), "--json", str(result), "--threads", "1"]
    stills.main(command)
    first = capsys.readouterr().out
    assert "| one.png |" in first
    assert "| mean (pictures) |" in first
    written = json.loads(result.read_text())
    codecs = {point["codec"] for point in written["points"]}
    assert codecs == {"float fresh", *(codec.name for codec in ANCHORS)}
    # Again, without coding anything but what is tested.
    monkeypatch.setattr(type(ANCHORS[0]), "code", None)
    stills.main(command)
    assert capsys.readouterr().out == first


def test_a_tier_that_is_not_tuned_for_a_measure_is_refused(
    clip_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        stills.main(["--data", str(clip_path), "--tier", "nano", "--tune", "ssim"])
    assert refused.value.code == 2
    assert "tier nano has no analysis network for --tune ssim" in capsys.readouterr().err


def test_what_latents_are_made_for_is_told_apart() -> None:
    names = {IFrames("edge", Resources(1), tune=tune).name for tune in (Metric.PSNR, Metric.SSIM)}
    assert names == {"edgecodec edge", "edgecodec edge for SSIM"}
