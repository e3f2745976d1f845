"""Codes of scenes: found where they help, cheaper where bits are dear, the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from edgecodec.decoder import Enhancer
from edgecodec.decoder.networks import GAIN_SCALE, RELU6_SCALE
from edgecodec.encoder.code_crops import CROPS, Crop, CropSampler
from edgecodec.encoder.code_search import search_code
from edgecodec.encoder.quality import PlanePsnr
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.strategies import StandardTrial
from edgecodec.encoder.training.enhancer import prepare
from edgecodec.runtime.chunks import Codec
from edgecodec.runtime.container import Limits
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.payloads import BaseStream, ClassicalBody, parse_body
from edgecodec.runtime.scene_code import SceneCode, pack_scene_code
from edgecodec.runtime.scenes import deep_base, full_size, packed_frame
from edgecodec.runtime.upsample import Upsampling

from .fakes import scene_of

CHANNELS = 12
MANY_BITS = 10**9
BASE = (PlanePsnr(36.0, 40.0, 40.0),) * 4


@pytest.fixture(scope="module")
def network() -> Enhancer:
    torch.manual_seed(2)
    made = Enhancer(CHANNELS, 2)
    prepare(made)
    torch.nn.init.normal_(made.head.weight, std=0.004)
    return made.requires_grad_(requires_grad=False).eval()


def crops_of(network: Enhancer, code: SceneCode) -> list[Crop]:
    """Noisy pictures that this code mends without an error."""
    random = np.random.default_rng(4)
    made = []
    for frame in range(4):
        shown = random.integers(60, 190, (3, 24, 8, 8)).astype(np.uint8)
        condition = np.full((2, 8, 8), 100, np.uint8)
        base = shown[1].astype(np.uint16) * np.uint16(4)
        residual = residual_of(network, shown, condition, code)
        target = (base + residual * 1020).round().clip(0, 1023).astype(np.uint16)
        inner = (slice(0, 8), slice(0, 8))
        made.append(Crop(frame, shown, condition, inner, base, target))
    return made


def residual_of(network: Enhancer, shown, condition, code: SceneCode) -> np.ndarray:
    frames = [torch.from_numpy(each[None]).float() / 255 for each in (*shown, condition)]
    gain, bias = (torch.tensor(each).view(1, -1, 1, 1) for each in (code.gain, code.bias))
    made = network(*frames, gain * GAIN_SCALE, (bias - 128) * RELU6_SCALE)
    return made[0].numpy()


def error(network: Enhancer, crops: list[Crop], code: SceneCode) -> float:
    """Mean squared error with that code, in quarters of a grey level."""
    left = [
        each.target.astype(float)
        - each.base
        - 1020 * residual_of(network, each.shown, each.condition, code)
        for each in crops
    ]
    return float(np.square(left).mean())


def some_code(seed: int, spread: int) -> SceneCode:
    random = np.random.default_rng(seed)
    gain, bias = random.integers(-spread, spread + 1, (2, CHANNELS))
    return SceneCode(tuple((64 + gain).tolist()), tuple((128 + bias).tolist()))


IDENTITY = SceneCode((64,) * CHANNELS, (128,) * CHANNELS)


def test_a_code_that_is_there_is_found(network: Enhancer) -> None:
    crops = crops_of(network, some_code(1, 20))
    found = search_code(network, crops, BASE, MANY_BITS)
    assert found is not None
    assert error(network, crops, found) < 0.05 * error(network, crops, IDENTITY)


def test_where_nothing_is_to_be_gained_there_is_none(network: Enhancer) -> None:
    assert search_code(network, crops_of(network, IDENTITY), BASE, 20_000) is None


def test_dear_bits_make_a_smaller_code_or_none(network: Enhancer) -> None:
    crops = crops_of(network, some_code(1, 20))
    sizes = []
    for bits in (MANY_BITS, 5_000, 100):
        found = search_code(network, crops, BASE, bits)
        sizes.append(0 if found is None else len(pack_scene_code(found)))
    assert sizes[0] > sizes[1] > sizes[2]


def test_threads_change_nothing_and_stay_what_they_were(network: Enhancer) -> None:
    crops = crops_of(network, some_code(2, 10))
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(search_code(network, crops, BASE, MANY_BITS))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(1)
    assert found[0] == found[1]


def test_levels_stay_in_their_range(network: Enhancer) -> None:
    """Whatever it takes to mend a picture that the network cannot."""
    crops = [
        replace(each, target=np.full_like(each.target, 1023))
        for each in crops_of(network, IDENTITY)
    ]
    found = search_code(network, crops, BASE, MANY_BITS)
    assert found is not None
    pack_scene_code(found)


PICTURE = PictureFormat(190, 162)


def layer_of(planes: tuple[Planes, ...], size: Upsampling, depth: int) -> BaseStream:
    trial = StandardTrial(Codec.H264, depth, "ultrafast", size)
    (made,) = trial.encode(scene_of(planes, PICTURE), 24.0, Resources(1))
    body = parse_body(made.strategy, made.read_body(), len(planes))
    assert isinstance(body, ClassicalBody)
    return body.base


def sampled(planes, stream: BaseStream, size: Upsampling) -> tuple[list[Crop], list[Planes]]:
    sampler = CropSampler(scene_of(planes, PICTURE), stream, size, halo=2)
    frames = len(planes)
    deep = deep_base(
        stream, PICTURE, size, frames=frames, threads=1, max_pixels=Limits().max_pixels
    )
    return sampler.crops, list(sampler.watch(deep))


@pytest.mark.parametrize(("size", "depth"), [(Upsampling.NONE, 10), (Upsampling.EIGHT_TAP, 8)])
def test_crops_are_what_the_player_would_see_there(
    draw_planes, network: Enhancer, size: Upsampling, depth: int
) -> None:
    planes = draw_planes(PICTURE, 3)
    stream = layer_of(planes, size, depth)
    crops, deep = sampled(planes, stream, size)
    assert {each.frame for each in crops} == {0, 1, 2}
    assert len(crops) > 3
    seen = [packed_frame(each, stream, size)[0] for each in deep]
    full = [full_size(each, stream, size, PICTURE)[0] for each in deep]
    for each in crops:
        row, column = place_of(each, full[each.frame])
        y, _, v = planes[each.frame]
        luma, chroma = (
            y[row : row + 128 : 4, column : column + 128 : 4],
            v[row // 2 :, column // 2 :],
        )
        assert np.array_equal(top_left(each.target), 4 * luma.astype(np.uint16))
        assert np.array_equal(each.target[23], 4 * chroma[1:64:2, 1:64:2].astype(np.uint16))
        window = (slice(row // 4 - 2, row // 4 + 34), slice(column // 4 - 2, column // 4 + 34))
        around = (max(0, each.frame - 1), each.frame, min(2, each.frame + 1))
        for shown, t in zip(each.shown, around, strict=True):
            assert np.array_equal(shown, seen[t][:, *window])


def top_left(packed: np.ndarray) -> np.ndarray:
    """The first luma sample of every cell."""
    return packed[0]


def place_of(crop: Crop, luma: np.ndarray) -> tuple[int, int]:
    """Where in the frame the crop is from, in luma samples."""
    for row in range(0, luma.shape[0] - 127, 4):
        for column in range(0, luma.shape[1] - 127, 4):
            there = luma[row : row + 128 : 4, column : column + 128 : 4]
            if np.array_equal(there, top_left(crop.base)):
                return row, column
    raise AssertionError("the crop is not of this frame")


def test_a_single_frame_stands_for_its_neighbours(draw_planes) -> None:
    planes = draw_planes(PICTURE, 1)
    crops, _ = sampled(planes, layer_of(planes, Upsampling.NONE, 8), Upsampling.NONE)
    assert crops
    assert all(np.array_equal(each.shown[0], each.shown[2]) for each in crops)


def test_long_scenes_are_sampled_over_all_their_time(draw_planes) -> None:
    (planes,) = draw_planes(PictureFormat(32, 32), 1)
    picture = PictureFormat(32, 32)
    stream = BaseStream(Codec.H264, 32, 32, 8, 100, b"", ())
    scene = scene_of((planes,) * 400, picture)
    sampler = CropSampler(scene, stream, Upsampling.NONE, halo=2)
    watched = sampler.watch(iter(scene.frames))
    assert isinstance(watched, Iterator)
    assert len(list(watched)) == 400
    frames = [each.frame for each in sampler.crops]
    assert len(frames) == CROPS
    gaps = np.diff([0, *frames, 399])
    assert gaps.max() <= 400 / CROPS + 1
    assert sampler.crops[0].base.shape == (24, 8, 8)
