"""Features are about the picture, not about how it is stored; classes are what a person says."""

from __future__ import annotations

from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from edgecodec.encoder.classify import SceneClass, classify
from edgecodec.encoder.features import SceneFeatures, features
from edgecodec.encoder.media import open_source
from edgecodec.encoder.pilot import Pilot, pilot, predicted_octaves
from edgecodec.encoder.scene import Scene
from edgecodec.runtime.frames import ColorInfo, PictureFormat

DEMO = Path(__file__).parents[2] / "examples" / "media" / "bbb_720p.mp4"
FORM = PictureFormat(640, 360)
RATE = Fraction(25)


def planes_of(rgb):
    """4:2:0 planes of an RGB picture [even, even, 3]."""
    rows, columns = rgb.shape[:2]
    stacked = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    chroma = stacked[rows:].reshape(2, rows // 2, columns // 2)
    return stacked[:rows], chroma[0], chroma[1]


def grey(luma):
    """Planes of a grey picture."""
    rows, columns = luma.shape
    chroma = np.full(((rows + 1) // 2, (columns + 1) // 2), 128, np.uint8)
    return luma, chroma, chroma


def texture(seed=0):
    """A soft random luma picture, larger than `FORM`."""
    noise = np.random.default_rng(seed).normal(0, 1, (500, 1000)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 8)
    return np.clip(128 + smooth * (40 / smooth.std()), 0, 255).astype(np.uint8)


def panned(step, count=13):
    """A texture that moves by `step` samples a frame."""
    picture = texture()
    return [grey(picture[:360, i * step : i * step + 640].copy()) for i in range(count)]


def slide(typed=0):
    """A white page with lines of text, of which `typed` letters of the last line are there."""
    page = np.full((360, 640, 3), 255, np.uint8)
    for line in range(8):
        text = "The quick brown fox jumps over"
        cv2.putText(page, text, (20, 50 + 35 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 0, 0), 2)
    cv2.putText(page, "x" * typed, (20, 340), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 0, 0), 2)
    return page


def portrait(shift):
    """An oval of skin colour before a grey wall with some grain."""
    picture = np.full((360, 640, 3), 150, np.uint8)
    cv2.ellipse(picture, (320 + shift, 180), (80, 115), 0, 0, 360, (205, 150, 120), -1)
    grain = np.random.default_rng(shift).normal(0, 3, picture.shape)
    return planes_of(np.clip(picture + grain, 0, 255).astype(np.uint8))


def cartoon(shift):
    """Flat areas in strong colours; one of them moves."""
    picture = np.zeros((360, 640, 3), np.uint8)
    picture[:200] = (80, 160, 255)
    picture[200:] = (60, 190, 60)
    cv2.circle(picture, (500, 80), 40, (255, 220, 30), -1)
    cv2.rectangle(picture, (40 + shift, 120), (280 + shift, 300), (230, 40, 60), -1)
    cv2.rectangle(picture, (380 - shift, 200), (600 - shift, 340), (170, 60, 210), -1)
    return planes_of(picture)


def deepened(frames):
    """The same pictures in 10 bits."""
    return [tuple(plane.astype(np.uint16) << 2 for plane in planes) for planes in frames]


def scene_of(frames, form=FORM, rate=RATE):
    return Scene(0, 0, tuple(frames), tuple(range(len(frames))), form, rate, ColorInfo())


def class_of(frames, form=FORM, rate=RATE):
    return classify(features(frames, form, rate))


@pytest.fixture(scope="module")
def demo():
    """The first 26 frames of the demo clip."""
    with open_source(DEMO) as source:
        frames = [frame.planes for frame, _ in zip(source.frames(), range(26), strict=False)]
        return Scene(
            0,
            0,
            tuple(frames),
            tuple(range(26)),
            source.info.format,
            source.info.frame_rate,
            source.info.color,
        )


def test_a_still_is_unchanged_and_does_not_move():
    found = features([grey(texture()[:360, :640])] * 10, FORM, RATE)
    assert (found.unchanged, found.nearly_unchanged) == (1, 1)
    assert (found.global_motion, found.local_motion, found.change, found.residual) == (0, 0, 0, 0)


@pytest.mark.parametrize("step", [2, 6, 12])
def test_a_pan_is_measured_in_picture_lengths_a_second(step):
    found = features(panned(step), FORM, RATE)
    assert found.global_motion == pytest.approx(step * 25 / 640, rel=0.1, abs=0.025)
    assert found.local_motion < 0.2 * found.global_motion
    assert found.residual < 0.5 * found.change
    assert found.unchanged < 0.05


def test_the_frame_rate_makes_the_same_pictures_faster():
    frames = panned(4)
    slow, fast = (features(frames, FORM, Fraction(rate)) for rate in (10, 60))
    assert fast.global_motion == pytest.approx(6 * slow.global_motion, rel=0.01)
    assert classify(slow) is SceneClass.SLOW
    assert classify(fast) is SceneClass.FAST


def test_what_moves_by_itself_is_local_motion():
    back = texture(1)[:360, :640]
    thing = texture(2)
    frames = []
    for index in range(13):
        picture = back.copy()
        picture[100:260, 100 + 6 * index : 340 + 6 * index] = thing[:160, :240]
        frames.append(grey(picture))
    found = features(frames, FORM, RATE)
    assert found.local_motion > 2 * found.global_motion
    assert 0.6 < found.unchanged < 0.9


def test_white_noise_is_measured_and_cannot_be_predicted():
    noise = np.random.default_rng(3)
    frames = [
        grey(np.clip(128 + noise.normal(0, 5, (360, 640)), 0, 255).round().astype(np.uint8))
        for _ in range(7)
    ]
    found = features(frames, FORM, RATE)
    assert found.noise == pytest.approx(5, rel=0.15)
    assert found.residual > 0.5 * found.change
    assert found.hues == 1
    assert found.saturation == 0


def test_a_picture_has_as_many_hues_as_were_painted():
    picture = np.zeros((360, 640, 3), np.uint8)
    for index, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 255)]):
        picture[:, 160 * index : 160 * index + 160] = colour
    found = features([planes_of(picture)], FORM, RATE)
    assert found.hues == pytest.approx(4, abs=0.3)
    assert found.flat > 0.85


@pytest.mark.parametrize("frames", [panned(5), [portrait(4 * i) for i in range(8)]])
def test_ten_bits_are_judged_as_eight_are(frames):
    eight = asdict(features(frames, FORM, RATE))
    ten = asdict(features(deepened(frames), replace(FORM, bit_depth=10), RATE))
    assert ten == pytest.approx(eight, rel=0.02, abs=0.002)


def test_a_slide_is_a_screen_whether_or_not_somebody_types():
    still = [planes_of(slide())] * 10
    typed = [planes_of(slide(index)) for index in range(14)]
    assert class_of(still) is SceneClass.SCREEN
    assert class_of(typed) is SceneClass.SCREEN


def test_text_that_scrolls_is_a_screen():
    page = slide(10)
    scrolled = [planes_of(np.roll(page, -6 * index, axis=0)) for index in range(13)]
    found = features(scrolled, FORM, RATE)
    assert found.unchanged < 0.63
    assert classify(found) is SceneClass.SCREEN


def test_a_moving_head_is_a_talking_head_and_a_still_one_is_not():
    assert class_of([portrait(3 * index) for index in range(13)]) is SceneClass.TALKING_HEAD
    assert class_of([portrait(0)] * 13) is SceneClass.SCREEN


def test_skin_colour_all_over_is_no_face():
    picture = np.empty((360, 640, 3), np.uint8)
    picture[:] = (205, 150, 120)
    assert features([planes_of(picture)], FORM, RATE).face == 0


def test_a_cartoon_is_an_animation():
    assert class_of([cartoon(6 * index) for index in range(13)]) is SceneClass.ANIMATION


def test_the_demo_clip_is_an_animation(demo):
    assert class_of(demo.frames, demo.format, demo.frame_rate) is SceneClass.ANIMATION


def test_black_frames_are_a_screen():
    black = grey(np.full((360, 640), 16, np.uint8))
    assert class_of([black] * 5) is SceneClass.SCREEN


@pytest.mark.parametrize(
    "form",
    [
        PictureFormat(16, 16),
        PictureFormat(17, 33, 10),
        PictureFormat(1, 1),
        PictureFormat(2000, 3),
        PictureFormat(3, 900),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 9])
def test_any_shape_and_length(draw_planes, form, count):
    found = features(draw_planes(form, count), form, RATE)
    assert all(np.isfinite(value) and value >= 0 for value in asdict(found).values())
    assert isinstance(classify(found), SceneClass)


def test_a_scene_of_one_frame_is_still(draw_planes):
    assert class_of(draw_planes(FORM, 1)) is SceneClass.SCREEN


def test_no_frames_have_no_features():
    with pytest.raises(ValueError, match="no frames"):
        features([], FORM, RATE)


class Counting(list):
    """A list that notes which of its items were asked for."""

    def __init__(self, items):
        super().__init__(items)
        self.asked = set()

    def __getitem__(self, index):
        self.asked.add(index)
        return super().__getitem__(index)


def test_few_frames_are_looked_at_and_from_all_over_the_scene(draw_planes):
    form = PictureFormat(64, 48)
    frames = Counting(draw_planes(form, 4) * 100)
    features(frames, form, RATE)
    assert 2 <= len(frames.asked) <= 24
    assert min(frames.asked) < 40
    assert max(frames.asked) > 360


def test_a_pilot_counts_the_bits_of_the_small_scene(demo):
    found = pilot(demo)
    assert found.pixels == 26 * 480 * 270
    assert found.scene_pixels == 26 * 1280 * 720
    assert 0.01 < found.bits / found.pixels < 1
    assert 30 < found.psnr < 45
    assert pilot(demo) == found


@pytest.mark.parametrize(
    "form", [PictureFormat(16, 16), PictureFormat(17, 33, 10), PictureFormat(1, 1)]
)
def test_a_pilot_of_a_tiny_scene(draw_planes, form):
    found = pilot(scene_of(draw_planes(form, 2), form))
    assert found.bits > 0
    assert found.pixels == found.scene_pixels == 2 * form.width * form.height


def test_busier_scenes_are_predicted_to_need_more(draw_planes):
    calm, busy = [grey(texture()[:360, :640])] * 10, panned(9, 10)
    rough = np.random.default_rng(5).integers(0, 255, (10, 360, 640), np.uint8)
    scenes = [scene_of(frames) for frames in (calm, busy, [grey(luma) for luma in rough])]
    octaves = [
        predicted_octaves(pilot(scene), features(scene.frames, FORM, RATE)) for scene in scenes
    ]
    assert octaves == sorted(octaves)
    assert octaves[2] > octaves[0] + 3


def test_the_demo_clip_is_about_the_yardstick(demo):
    found = features(demo.frames, demo.format, demo.frame_rate)
    assert abs(predicted_octaves(pilot(demo), found)) < 1


def test_twice_the_pilot_bits_raise_the_prediction():
    found = SceneFeatures(**dict.fromkeys(SceneFeatures.__dataclass_fields__, 0.5))
    one, two = (Pilot(bits, 38.0, 100_000, 400_000) for bits in (5_000, 10_000))
    assert predicted_octaves(two, found) > predicted_octaves(one, found) + 0.3
