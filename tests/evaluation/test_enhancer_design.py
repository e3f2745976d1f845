"""What moves an enhancer's gain: variants trained for a few steps, and what is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from edgecodec.decoder import Enhancer
from edgecodec.encoder.base_store import BaseStore
from edgecodec.encoder.quality import mse_planes, psnr
from edgecodec.encoder.training.schedule import Deadline
from edgecodec.evaluation.clips import Clip
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.packing import unpack

from .scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("benchmarks/enhancer_design.py")


@pytest.fixture(autouse=True)
def torch_threads() -> Iterator[None]:
    """As many afterwards as before."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def flat_title(script: ModuleType) -> Any:
    """Grey of level 100, from encodes that have 99 1/4."""
    shown = np.full((2, 24, 8, 8), 99, np.uint8)
    beyond = np.full((2, 24, 8, 8), 129, np.uint8)
    condition, distortion = np.array([120, 0], np.uint8), np.ones(3, np.float32)
    encodes = (script.Encode(30.0, 100.0, shown, beyond, condition, distortion),)
    return script.Title(PictureFormat(32, 32), np.full((2, 24, 8, 8), 100, np.uint8), encodes)


def test_variants_are_measured_and_encodes_kept(
    script: ModuleType, small_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(small_file), "--cache", str(tmp_path), "--frames", "3", "--steps", "2"]
    arguments += ["--variants", "nano,one-frame"]
    script.main([*arguments, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["hardware"]
    assert (found["frames"], found["steps"], found["minutes"]) == (3, 2, None)
    assert [row["name"] for row in found["rows"]] == ["nano", "one-frame"]
    assert [row["variant"]["sees_neighbours"] for row in found["rows"]] == [True, False]
    for row in found["rows"]:
        assert row["steps"] == 2
        assert row["kmac_per_pixel"] == 5.0
        points = row["points"]
        assert [point["crf"] for point in points] == [30, 38, 46, 54, 60]
        assert sorted((point["kbps"] for point in points), reverse=True) == [
            point["kbps"] for point in points
        ]
        for point in points:
            for mended in point["mended"].values():
                assert mended["psnr"] >= point["base"]["psnr"]  # frames are switched
    rates = [row["bd_rates"][way]["psnr"] for row in found["rows"] for way in script.WAYS]
    assert max(rates) <= 0

    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "bases").iterdir()}
    assert len(kept) == 5
    script.main(arguments)
    shown = capsys.readouterr()
    assert "one-frame" in shown.out
    assert "nano: 2 steps" in shown.err
    assert kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "bases").iterdir()}


def test_encodes_are_read_as_they_are_decoded(
    script: ModuleType, small_clip: Clip, tmp_path: Path
) -> None:
    clip = replace(small_clip, frames=small_clip.frames[:2])
    (encode,) = script.read_title(clip, [60.0], BaseStore(tmp_path)).encodes
    assert encode.kbps > 0
    assert encode.condition.tolist() == [243, 0]
    for t, source in enumerate(clip.frames):
        shown, beyond = (
            unpack(each[t : t + 1], clip.format) for each in (encode.shown, encode.beyond)
        )
        deep = script._ten_bit(shown, beyond)
        for plane, rounded in zip(deep, shown, strict=True):
            assert np.array_equal(np.minimum((plane + 2) >> 2, 255), rounded)
        assert 20 < psnr(source, shown).weighted < 60
    assert len(np.unique(encode.beyond)) > 2  # of a base of ten bits
    errors = [
        mse_planes(source, unpack(encode.shown[t : t + 1], clip.format))
        for t, source in enumerate(clip.frames)
    ]
    assert encode.distortion == pytest.approx(np.mean(errors, axis=0), rel=1e-5)


def test_quarters_reach_what_whole_levels_do_not(script: ModuleType, flat_title: Any) -> None:
    variant = script.Variant(channels=8, layers=1)
    network = Enhancer(8, 1)
    assert network.head.bias is not None
    torch.nn.init.constant_(network.head.bias, 0.45 / 255)
    point = script.measure(flat_title, flat_title.encodes[0], variant, network, 24)
    assert point.base["psnr"] == pytest.approx(48.13, abs=0.01)
    assert point.mended["quarters"]["psnr"] == 100
    assert point.mended["whole_levels"] == point.base
    assert point.enhanced_share == {"quarters": 1, "whole_levels": 0}


def test_what_is_trained_is_as_asked(script: ModuleType, flat_title: Any) -> None:
    def trained(steps: int, **asked: bool) -> Enhancer:
        variant = script.Variant(channels=8, layers=1, batch=2, **asked)
        heard: list[float] = []
        length = script.Length(4.0, steps)
        network, done, _ = script.train(
            flat_title, variant, length, 1, lambda share, _: heard.append(share)
        )
        assert done == steps
        assert heard == [step / steps for step in range(steps)]
        assert isinstance(network, Enhancer)
        return network

    for whole in (True, False):
        less, more = trained(2, trains_trunk=whole), trained(4, trains_trunk=whole)
        assert torch.equal(less.stem.weight, more.stem.weight) is not whole
        assert not torch.equal(less.head.weight, more.head.weight)
        assert torch.equal(more.head.weight, trained(4, trains_trunk=whole).head.weight)


def test_a_length_is_in_steps_or_in_minutes(script: ModuleType) -> None:
    clock = iter((100.0, 115.0))
    deadline = Deadline(30, lambda: next(clock))
    assert script.Length(0.5, 8).share(2, deadline) == 0.25
    assert script.Length(0.5).share(2, deadline) == 0.5


def test_neighbours_are_shown_where_they_are_seen(script: ModuleType, flat_title: Any) -> None:
    (encode,) = flat_title.encodes
    encode.shown[1] = 98
    both, alone = (
        script._sample(flat_title, encode, 1, script.VARIANTS[name])
        for name in ("nano", "one-frame")
    )
    assert both.shown[:, 0, 0, 0].tolist() == [99, 98, 98]
    assert alone.shown[:, 0, 0, 0].tolist() == [98, 98, 98]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--variants", "nano,huge"], "no variant huge"),
        (["--crf", "30,40,50"], "BD-rates need 5 CRFs, not 3"),
        (["--steps", "0"], "0 is not 1 or more"),
        (["--minutes", "0"], "--minutes 0 is not above 0"),
        (["--steps", "5", "--minutes", "1"], "not allowed with"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    script: ModuleType,
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        script.main(["--cache", str(tmp_path), *arguments])
    assert said in capsys.readouterr().err
