"""One contract for all standard codecs, checked on what the runtime decodes."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from edgecodec.encoder.codecs import BaseSettings, encoder_for, encoders
from edgecodec.encoder.codecs import vvenc as vvenc_module
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
def test_the_same_scene_gives_the_same_bytes(codec, draw_planes):
    drawn = draw_planes(SMALL, 5)
    encoder = encoder_for(codec)
    first, second = (encoder.encode(drawn, settings(codec, threads=1)) for _ in range(2))
    assert first == second


@each_codec
def test_requests_that_make_no_sense(codec, draw_planes):
    encoder = encoder_for(codec)
    drawn = draw_planes(SMALL, 2)
    lowest, highest = encoder.quantizer_range
    for crf in (lowest - 1, highest + 1):
        with pytest.raises(ValueError, match=f"crf {crf}"):
            encoder.encode(drawn, settings(codec, crf=crf))
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
