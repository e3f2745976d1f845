"""One contract for all standard codecs, checked on what the runtime decodes."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from edgecodec.encoder.codecs import BaseSettings, encoder_for, encoders
from edgecodec.encoder.codecs import vvenc as vvenc_module
from edgecodec.encoder.codecs.vvenc import lambda_factor, whole_qp
from edgecodec.runtime.av_planes import view_planes
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.container import Codec
from edgecodec.runtime.errors import EdgecodecError, UnsupportedError
from edgecodec.runtime.fields import Limits
from edgecodec.runtime.frames import ColorInfo, PictureFormat
from edgecodec.runtime.payloads import ClassicalBody, StrategyId, pack_body, parse_body

SMALL = PictureFormat(96, 64)
DEEP = PictureFormat(96, 64, bit_depth=10)
MIDDLE = {Codec.AV1: 30, Codec.H265: 24, Codec.H264: 24, Codec.VVC: 30}
FINE = {Codec.AV1: 10, Codec.H265: 12, Codec.H264: 12, Codec.VVC: 12}

CLIP = Path(__file__).parents[2] / "examples" / "media" / "bbb_720p.mp4"
REAL = PictureFormat(480, 256)

each_codec = pytest.mark.parametrize("codec", list(Codec), ids=lambda codec: codec.name)


def settings(codec, form=SMALL, *, crf=None, bit_depth=None, **others):
    return BaseSettings(
        crf=MIDDLE[codec] if crf is None else crf,
        format=form,
        frame_rate=others.pop("frame_rate", Fraction(30000, 1001)),
        color=others.pop("color", ColorInfo(1, 1, 1)),
        bit_depth=bit_depth or form.bit_depth,
        **others,
    )


def decode(stream, form, frames):
    return list(decode_base(stream, form, frames=frames, max_pixels=1 << 20))


def psnr(decoded, drawn, form):
    """Of all samples alike, in dB."""
    errors = [
        np.square(a.astype(float) - b).ravel()
        for got, wanted in zip(decoded, drawn, strict=True)
        for a, b in zip(got, wanted, strict=True)
    ]
    top = (1 << form.bit_depth) - 1
    return 10 * np.log10(top**2 / max(np.concatenate(errors).mean(), 1e-9))


def size_of(stream):
    return len(stream.extradata) + sum(len(packet.data) for packet in stream.packets)


@pytest.fixture(scope="module")
def real_planes():
    """5 frames of `REAL` cut out of a film's scene."""
    left, top = 400, 232
    planes = []
    with av.open(str(CLIP)) as film:
        for frame in itertools.islice(film.decode(video=0), 60, 65):
            whole = view_planes(frame, 8, frame.width, frame.height)
            planes.append(
                tuple(
                    np.ascontiguousarray(samples[top // step :, left // step :][:rows, :columns])
                    for samples, step, (rows, columns) in zip(
                        whole, (1, 2, 2), ((256, 480), (128, 240), (128, 240)), strict=True
                    )
                )
            )
    return planes


def test_there_is_an_encoder_for_every_codec():
    assert set(encoders()) == set(Codec)
    assert all(encoder_for(codec).codec is codec for codec in Codec)


@each_codec
def test_a_scene_comes_back(codec, draw_planes):
    drawn = draw_planes(SMALL, 12)
    stream = encoder_for(codec).encode(drawn, settings(codec))
    assert stream.codec is codec
    assert stream.bit_depth == (10 if codec is Codec.VVC else 8)
    assert psnr(decode(stream, SMALL, 12), drawn, SMALL) > 36
    assert size_of(stream) < sum(plane.nbytes for planes in drawn for plane in planes) / 20


@each_codec
def test_packets_are_numbered_and_ordered(codec, draw_planes):
    stream = encoder_for(codec).encode(draw_planes(SMALL, 12), settings(codec))
    assert sorted(packet.pts for packet in stream.packets) == list(range(12))
    assert [packet.is_keyframe for packet in stream.packets] == [True] + [False] * 11
    first = stream.packets[0].dts
    assert [packet.dts for packet in stream.packets] == list(range(first, first + 12))
    assert all(packet.dts <= packet.pts for packet in stream.packets)


@each_codec
def test_the_container_takes_it(codec, draw_planes):
    body = ClassicalBody(encoder_for(codec).encode(draw_planes(SMALL, 4), settings(codec)))
    assert parse_body(StrategyId.CLASSICAL, pack_body(body), 4, Limits()) == body


@each_codec
@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_short_scenes(codec, count, draw_planes):
    drawn = draw_planes(SMALL, count)
    stream = encoder_for(codec).encode(drawn, settings(codec))
    assert psnr(decode(stream, SMALL, count), drawn, SMALL) > 36


@each_codec
@pytest.mark.parametrize(
    "form",
    [PictureFormat(1, 1), PictureFormat(97, 65), PictureFormat(18, 130), PictureFormat(250, 7)],
    ids=lambda form: f"{form.width}x{form.height}",
)
def test_any_size_is_padded_and_cropped_back(codec, form, draw_planes):
    drawn = draw_planes(form, 4)
    stream = encoder_for(codec).encode(drawn, settings(codec, form, crf=FINE[codec]))
    assert stream.width >= form.width
    assert stream.height >= form.height
    assert stream.width % 2 == stream.height % 2 == 0
    decoded = decode(stream, form, 4)
    assert decoded[0][0].shape == (form.height, form.width)
    assert decoded[0][1].shape == decoded[0][2].shape == form.chroma_shape
    assert psnr(decoded, drawn, form) > 40


@each_codec
def test_ten_bits(codec, draw_planes):
    drawn = draw_planes(DEEP, 6)
    stream = encoder_for(codec).encode(drawn, settings(codec, DEEP, crf=FINE[codec]))
    assert stream.bit_depth == 10
    decoded = decode(stream, DEEP, 6)
    assert decoded[0][0].dtype == np.uint16
    assert psnr(decoded, drawn, DEEP) > 42


@each_codec
def test_eight_bits_coded_as_ten(codec, draw_planes):
    drawn = draw_planes(SMALL, 6)
    stream = encoder_for(codec).encode(drawn, settings(codec, crf=FINE[codec], bit_depth=10))
    assert stream.bit_depth == 10
    decoded = decode(stream, SMALL, 6)
    assert decoded[0][0].dtype == np.uint8
    assert psnr(decoded, drawn, SMALL) > 42


@each_codec
def test_a_higher_crf_is_smaller_and_worse(codec, draw_planes):
    drawn = draw_planes(SMALL, 4)
    encoder = encoder_for(codec)
    lowest, highest = encoder.quantizer_range
    assert lowest < FINE[codec] < highest
    fine = encoder.encode(drawn, settings(codec, crf=FINE[codec]))
    coarse = encoder.encode(drawn, settings(codec, crf=highest))
    assert size_of(coarse) < size_of(fine)
    assert psnr(decode(coarse, SMALL, 4), drawn, SMALL) < psnr(decode(fine, SMALL, 4), drawn, SMALL)
    assert fine.quantizer == round(255 * FINE[codec] / highest)
    assert coarse.quantizer == 255


@each_codec
def test_quarters_of_a_crf_are_steps_between_whole_ones(codec, real_planes):
    encoder = encoder_for(codec)
    crfs = [MIDDLE[codec] + quarter / 4 for quarter in range(5)]
    streams = [encoder.encode(real_planes, settings(codec, REAL, crf=crf)) for crf in crfs]
    assert len({stream.packets for stream in streams}) == 5
    sizes = [size_of(stream) for stream in streams]
    assert sizes[0] > sizes[2] > sizes[4]
    assert [stream.quantizer for stream in streams] == [
        round(255 * crf / encoder.quantizer_range[1]) for crf in crfs
    ]


def test_vvc_makes_quarters_by_weighing_the_bits():
    assert [whole_qp(qp) for qp in (30, 30.25, 30.5, 30.75, 31)] == [30, 30, 30, 31, 31]
    assert (whole_qp(0), whole_qp(62.75), whole_qp(63)) == (0, 63, 63)
    for qp in (0, 20, 37, 63):
        assert lambda_factor(qp) == 1
    for qp in (0, 22, 30, 45):
        assert 1 < lambda_factor(qp + 0.25) < lambda_factor(qp + 0.5)
        assert lambda_factor(qp + 0.75) < 1
    assert lambda_factor(32.5) == pytest.approx(2**0.5)
    assert lambda_factor(10.5) > lambda_factor(24.5) > lambda_factor(32.5) > lambda_factor(50.5)


@each_codec
@pytest.mark.parametrize("interval", [1, 8, 11])
def test_keyframes_are_where_they_are_asked_for(codec, interval, draw_planes):
    """And none at the cut."""
    drawn = draw_planes(SMALL, 24, cut_at=14)
    stream = encoder_for(codec).encode(drawn, settings(codec, keyframe_interval=interval))
    assert stream.packets[0].is_keyframe
    marked = sorted(packet.pts for packet in stream.packets if packet.is_keyframe)
    assert marked == list(range(0, 24, interval))
    assert psnr(decode(stream, SMALL, 24), drawn, SMALL) > 33


@each_codec
def test_a_cut_makes_no_keyframe(codec, draw_planes):
    """So long after the start that encoders would make one."""
    drawn = draw_planes(SMALL, 60, cut_at=45)
    stream = encoder_for(codec).encode(drawn, settings(codec))
    assert [packet.is_keyframe for packet in stream.packets] == [True] + [False] * 59


@each_codec
def test_decoding_can_start_at_a_keyframe(codec, draw_planes):
    stream = encoder_for(codec).encode(
        draw_planes(SMALL, 20), settings(codec, keyframe_interval=10)
    )
    whole = decode(stream, SMALL, 20)
    at = next(i for i, packet in enumerate(stream.packets) if packet.pts == 10)
    # Pictures that are coded after the keyframe, but shown before it, may refer to what is gone.
    packets = tuple(
        replace(packet, pts=packet.pts - 10) for packet in stream.packets[at:] if packet.pts >= 10
    )
    tail = decode(replace(stream, packets=packets), SMALL, 10)
    for planes, wanted in zip(tail, whole[10:], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(planes, wanted, strict=True))


@each_codec
@pytest.mark.parametrize("rate", [Fraction(1, 3), Fraction(12345, 678), Fraction(1000)])
def test_any_frame_rate(codec, rate, draw_planes):
    stream = encoder_for(codec).encode(draw_planes(SMALL, 3), settings(codec, frame_rate=rate))
    assert len(decode(stream, SMALL, 3)) == 3


@each_codec
def test_any_colour_leaves_the_samples_alone(codec, draw_planes):
    drawn = draw_planes(SMALL, 3)
    for color in (ColorInfo(9, 16, 0, full_range=True), ColorInfo(2, 2, 2, full_range=False)):
        stream = encoder_for(codec).encode(drawn, settings(codec, crf=FINE[codec], color=color))
        assert psnr(decode(stream, SMALL, 3), drawn, SMALL) > 42


@each_codec
def test_the_same_scene_gives_the_same_bytes_on_any_number_of_threads(codec, draw_planes):
    form = PictureFormat(192, 136)
    drawn = draw_planes(form, 10)
    encoder = encoder_for(codec)
    first = encoder.encode(drawn, settings(codec, form))
    for threads in (1, 4, 16):
        assert encoder.encode(drawn, settings(codec, form, threads=threads)) == first


def test_the_same_scene_gives_the_same_bytes_whatever_was_in_memory():
    """In fresh processes whose allocator fills memory with other values (glibc's does)."""
    script = """
import hashlib, sys
from fractions import Fraction
import numpy as np
from edgecodec.encoder.codecs import BaseSettings, encoders
from edgecodec.runtime.frames import ColorInfo, PictureFormat
form = PictureFormat(208, 120)
y, x = np.mgrid[0:120, 0:208]
def plane(step, t):
    wave = np.sin((x + 3 * t) / 9) + np.sin((y - 2 * t) * x / 700)
    return (64 * wave + 127)[::step, ::step].astype(np.uint8)
frames = [(plane(1, t), plane(2, t), plane(2, t)) for t in range(12)]
for encoder in encoders().values():
    stream = encoder.encode(frames, BaseSettings(26, form, Fraction(25), ColorInfo(), 8))
    coded = stream.extradata + b"".join(packet.data for packet in stream.packets)
    print(encoder.codec.name, hashlib.sha256(coded).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "MALLOC_PERTURB_": fill},
        ).stdout
        for fill in ("1", "85")
    }
    assert len(digests) == 1
    assert digests.pop().count("\n") == len(Codec)


@each_codec
def test_requests_that_make_no_sense(codec, draw_planes):
    encoder = encoder_for(codec)
    drawn = draw_planes(SMALL, 2)
    lowest, highest = encoder.quantizer_range
    for crf in (lowest - 1, highest + 1):
        with pytest.raises(ValueError, match=f"crf {crf}"):
            encoder.encode(drawn, settings(codec, crf=crf))
    for crf in (MIDDLE[codec] + 0.1, float("nan")):
        with pytest.raises(ValueError, match=f"crf {crf}"):
            encoder.encode(drawn, settings(codec, crf=crf))
    with pytest.raises(ValueError, match="interval of -1 frames"):
        encoder.encode(drawn, settings(codec, keyframe_interval=-1))
    with pytest.raises(ValueError, match="no frames"):
        encoder.encode([], settings(codec))
    with pytest.raises(ValueError, match="8 bits cannot hold a video of 10"):
        encoder.encode(draw_planes(DEEP, 1), settings(codec, DEEP, bit_depth=8))
    with pytest.raises(ValueError, match="frame 0 is not 96x32"):
        encoder.encode(drawn, settings(codec, PictureFormat(96, 32)))


@each_codec
def test_an_unknown_preset_is_told(codec, draw_planes):
    with pytest.raises(EdgecodecError, match=r"lib.*failed"):
        encoder_for(codec).encode(draw_planes(SMALL, 2), settings(codec, preset="warp"))


@each_codec
def test_it_decodes_to_the_same_samples_every_time(codec, draw_planes):
    """In one block column, where FFmpeg's threaded VVC decoder races with itself."""
    form = PictureFormat(64, 72)
    stream = encoder_for(codec).encode(draw_planes(form, 4), settings(codec, form))
    once = decode(stream, form, 4)
    for _ in range(15):
        for first, again in zip(once, decode(stream, form, 4), strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    ("codec", "preset"),
    [(Codec.AV1, str(preset)) for preset in range(2, 9)]
    + [(Codec.VVC, preset) for preset in ("faster", "fast", "medium")],
)
def test_presets_that_are_worth_their_time(codec, preset, draw_planes):
    drawn = draw_planes(SMALL, 4)
    stream = encoder_for(codec).encode(drawn, settings(codec, bit_depth=10, preset=preset))
    assert psnr(decode(stream, SMALL, 4), drawn, SMALL) > 36


def test_a_faster_preset_is_used(draw_planes):
    drawn = draw_planes(SMALL, 6)
    encoder = encoder_for(Codec.H264)
    streams = [encoder.encode(drawn, settings(Codec.H264, preset=p)) for p in ("ultrafast", None)]
    assert streams[0] != streams[1]
    assert streams[1] == encoder.encode(drawn, settings(Codec.H264, preset="medium"))


def test_vvc_without_ffmpeg(draw_planes, monkeypatch):
    def missing():
        raise RuntimeError("No ffmpeg exe could be found")

    monkeypatch.setattr(vvenc_module.imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(UnsupportedError, match="imageio-ffmpeg"):
        encoder_for(Codec.VVC).encode(draw_planes(SMALL, 1), settings(Codec.VVC))


def test_vvc_with_a_program_that_fails(draw_planes, monkeypatch, tmp_path):
    """It reads nothing and leaves: the encoder must not hang on the pipe, and says why."""
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho Unknown encoder libvvenc >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(vvenc_module.imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(program))
    form = PictureFormat(640, 360)
    with pytest.raises(UnsupportedError, match="no libvvenc"):
        encoder_for(Codec.VVC).encode(draw_planes(form, 3), settings(Codec.VVC, form))
    program.write_text("#!/bin/sh\necho out of wits >&2\nexit 7\n")
    with pytest.raises(EdgecodecError, match=r"exit code 7.*out of wits"):
        encoder_for(Codec.VVC).encode(draw_planes(form, 3), settings(Codec.VVC, form))


def test_encoders_are_silent():
    """In a fresh process: what they print does not pass through Python."""
    script = """
import numpy as np
from fractions import Fraction
from edgecodec.encoder.codecs import BaseSettings, encoders
from edgecodec.runtime.frames import ColorInfo, PictureFormat
frame = tuple(np.full(shape, 90, np.uint8) for shape in ((64, 64), (32, 32), (32, 32)))
for encoder in encoders().values():
    encoder.encode(
        [frame, frame],
        BaseSettings(30, PictureFormat(64, 64), Fraction(25), ColorInfo(), 8),
    )
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""
