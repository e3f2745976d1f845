"""What title weights are fitted to: crops that say what a decoder has and what it lacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgecodec.encoder.title_samples import SampleFile, crop_cells, plan_samples, scene_samples
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.container import Limits
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.packing import pack
from edgecodec.runtime.scenes import condition_planes
from edgecodec.runtime.upsample import Upsampling

from .title_scenes import OFFSETS, base_of, scene_of, shifted, textured

PICTURE = PictureFormat(64, 48)


def sampled(tmp_path: Path, picture: PictureFormat, upsampling: Upsampling, crop: int):
    """(scene, base, plan, records) of 5 frames whose base is too bright."""
    frames = textured(picture, 5)
    base = base_of([shifted(planes) for planes in frames], picture, upsampling)
    plan = plan_samples([5], picture, crop, 9)
    channels = 24 if upsampling is Upsampling.NONE else 6
    file = SampleFile(tmp_path / "x.raw", plan.count, channels, *crop_cells(picture, crop))
    file.create()
    scene = scene_of(frames, picture)
    file.write(0, scene_samples(scene, base, upsampling, plan.of(0), file, 1))
    return scene, base, plan, file.open()


def test_samples_are_spread_evenly_over_all_scenes() -> None:
    plan = plan_samples([10, 30, 1, 59], PictureFormat(640, 480), 128, 200)
    assert plan.count == 200
    assert plan.starts == (0, 20, 80, 82, 200)
    assert plan.of(2) == (0, 0)
    for number, frames in enumerate((10, 30, 1, 59)):
        counts = np.bincount(plan.of(number), minlength=frames)
        assert len(counts) == frames
        assert (counts == 2).all()


def test_a_short_title_is_not_sampled_over_and_over() -> None:
    assert plan_samples([3], PictureFormat(64, 64), 64, 4000).count == 12
    assert plan_samples([1, 1], PictureFormat(128, 64), 64, 5).count == 5


def test_a_long_title_may_leave_scenes_out() -> None:
    plan = plan_samples([1] * 10, PictureFormat(640, 480), 128, 5)
    assert [len(plan.of(number)) for number in range(10)].count(1) == 5


def test_crops_are_no_larger_than_the_picture() -> None:
    assert crop_cells(PictureFormat(640, 480), 128) == (32, 32)
    assert crop_cells(PictureFormat(97, 65), 128) == (17, 25)


def test_a_sample_is_what_the_device_has_and_what_it_lacks(tmp_path: Path) -> None:
    scene, base, plan, records = sampled(tmp_path, PICTURE, Upsampling.NONE, 128)
    decoded = list(decode_base(base, PICTURE, frames=5, threads=1, max_pixels=Limits().max_pixels))
    condition = condition_planes(base, 1, 1).reshape(2)
    for t, record in zip(plan.of(0), records, strict=True):
        for place, at in enumerate((max(0, t - 1), t, min(4, t + 1))):
            assert np.array_equal(record["shown"][place], pack(decoded[at], 4)[0])
        assert np.array_equal(record["condition"], condition)
        wanted = pack(scene.frames[t], 4)[0].astype(int) - pack(decoded[t], 4)[0]
        assert np.array_equal(record["lacking"], 4 * wanted)
        errors = [np.square(wanted[s:e]).mean() for s, e in ((0, 16), (16, 20), (20, 24))]
        assert record["base_error"] == pytest.approx(errors)
        assert errors == pytest.approx(np.square(OFFSETS), rel=0.3)


@pytest.mark.parametrize("upsampling", Upsampling)
def test_crops_of_any_picture_are_crops_of_its_frames(
    tmp_path: Path, upsampling: Upsampling
) -> None:
    picture = PictureFormat(150, 141)
    _, _, _, records = sampled(tmp_path, picture, upsampling, 64)
    channels = 24 if upsampling is Upsampling.NONE else 6
    assert records["shown"].shape == (9, 3, channels, 16, 16)
    for start, end, offset in zip((0, 16, 20), (16, 20, 24), OFFSETS, strict=True):
        lacking = records["lacking"][:, start:end].mean() / 4
        assert lacking == pytest.approx(-offset, abs=1.0)
    assert len({record.tobytes() for record in records["lacking"]}) == len(records)


def test_the_same_scene_gives_the_same_samples(tmp_path: Path) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
        sampled(place, PICTURE, Upsampling.NONE, 32)
    one, two = ((place / "x.raw").read_bytes() for place in places)
    assert one == two


def test_scenes_may_be_written_in_any_order(tmp_path: Path) -> None:
    file = SampleFile(tmp_path / "x.raw", 3, 6, 2, 2)
    file.create()
    records = np.zeros(3, file.dtype)
    records["condition"] = [[1, 2], [3, 4], [5, 6]]
    file.write(1, iter(records[1:]))
    file.write(0, [records[0]])
    assert np.array_equal(file.open()["condition"], records["condition"])
