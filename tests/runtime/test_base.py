"""The base layer's decoder: exact promises kept, broken ones refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.container import Codec
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.frames import Frame, PictureFormat
from edgecodec.runtime.payloads import BasePacket, BaseStream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SMALL = PictureFormat(96, 64)
DEEP = PictureFormat(96, 64, bit_depth=10)
LOSSLESS = {"qp": "0", "x264-params": "keyint=infinite"}
# B-frames throughout, so that the order of packets is not that of the frames.
REORDERED = {"x265-params": "lossless=1:keyint=-1:bframes=2:b-adapt=0:log-level=none"}
LIMIT = 1 << 20


def code(planes, form, encoder="libx264", codec=Codec.H264, options=None):
    """A stream straight from PyAV: the runtime is tested without our own encoders."""
    context = av.CodecContext.create(encoder, "w")
    context.width, context.height = form.width, form.height
    context.pix_fmt = "yuv420p" if form.bit_depth == 8 else "yuv420p10le"
    context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
    context.flags |= av.codec.context.Flags.global_header
    context.options = LOSSLESS if options is None else options
    coded = []
    for index, frame in enumerate(planes):
        coded += context.encode(Frame(frame, form, index, Fraction(1, 30)).to_av())
    coded += context.encode(None)
    return BaseStream(
        codec=codec,
        width=form.width,
        height=form.height,
        bit_depth=form.bit_depth,
        quantizer=0,
        extradata=context.extradata,
        packets=tuple(
            BasePacket(p.pts, index - 2, p.is_keyframe, bytes(p)) for index, p in enumerate(coded)
        ),
    )


def decode(stream, form=SMALL, frames=9, **others):
    return list(decode_base(stream, form, frames=frames, **{"max_pixels": LIMIT, **others}))


@pytest.fixture(scope="module")
def drawn(draw_planes: Callable):
    return draw_planes(SMALL, 9)


@pytest.fixture(scope="module")
def lossless(drawn):
    return code(drawn, SMALL)


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_lossless_frames_come_back_in_order(drawn, threads):
    stream = code(drawn, SMALL, "libx265", Codec.H265, REORDERED)
    assert [packet.pts for packet in stream.packets] != list(range(9))
    frames = decode(stream, threads=threads)
    for got, wanted in zip(frames, drawn, strict=True):
        for a, b in zip(got, wanted, strict=True):
            assert np.array_equal(a, b)


def test_planes_outlive_the_decoder_and_are_read_only(lossless, drawn):
    frames = decode_base(lossless, SMALL, frames=9, max_pixels=LIMIT)
    kept, seen = [], []
    for planes in frames:
        kept.append(planes)
        seen.append([plane.copy() for plane in planes])
    for planes, copies in zip(kept, seen, strict=True):
        for plane, copy in zip(planes, copies, strict=True):
            assert np.array_equal(plane, copy)
            assert plane.strides[1] == plane.itemsize
            with pytest.raises(ValueError, match="read-only"):
                plane[0, 0] = 1


def test_a_larger_picture_is_cropped(lossless, drawn):
    form = PictureFormat(91, 63)
    for got, wanted in zip(decode(lossless, form), drawn, strict=True):
        assert np.array_equal(got[0], wanted[0][:63, :91])
        assert np.array_equal(got[1], wanted[1][:32, :46])
        assert np.array_equal(got[2], wanted[2][:32, :46])


def test_a_deeper_picture_is_rounded(draw_planes):
    deep = [tuple(p.copy() for p in planes) for planes in draw_planes(DEEP, 2)]
    deep[0][0][0, :6] = (0, 1, 2, 5, 1021, 1023)
    frames = decode(code(deep, DEEP), SMALL, 2)
    assert frames[0][0].dtype == np.uint8
    assert frames[0][0][0, :6].tolist() == [0, 0, 1, 1, 255, 255]
    for got, wanted in zip(frames, deep, strict=True):
        for a, b in zip(got, wanted, strict=True):
            assert np.array_equal(a, np.minimum((b + 2) >> 2, 255))
    whole = decode(code(deep, DEEP), DEEP, 2)
    assert np.array_equal(whole[1][2], deep[1][2])


def test_full_range_is_not_converted(draw_planes):
    planes = draw_planes(SMALL, 2)
    stream = code(planes, SMALL, options={**LOSSLESS, "color_range": "pc"})
    context = av.CodecContext.create("h264", "r")
    context.extradata = stream.extradata
    pictures = context.decode(av.Packet(stream.packets[0].data)) + context.decode(None)
    assert pictures[0].format.name == "yuvj420p"
    assert np.array_equal(decode(stream, SMALL, 2)[1][0], planes[1][0])


def test_another_number_of_frames(lossless):
    with pytest.raises(BitstreamError, match="frame 8: its scene has only 8 frames"):
        decode(lossless, frames=8)
    with pytest.raises(BitstreamError, match="holds 9 frames, but its scene has 10"):
        decode(lossless, frames=10)


def test_a_lost_packet(lossless):
    for lost in (0, 3, 8):
        packets = lossless.packets[:lost] + lossless.packets[lost + 1 :]
        with pytest.raises(BitstreamError):
            decode(replace(lossless, packets=packets))


def test_frames_out_of_place(lossless):
    packets = tuple(replace(packet, pts=packet.pts + 1) for packet in lossless.packets)
    with pytest.raises(BitstreamError, match="frame 0: frame 1 came"):
        decode(replace(lossless, packets=packets))


def test_an_empty_packet(lossless):
    packets = (*lossless.packets[:4], replace(lossless.packets[4], data=b""))
    with pytest.raises(BitstreamError, match="empty"):
        decode(replace(lossless, packets=packets))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 98}, "96x64 instead of 98x64"),
        ({"height": 66}, "96x64 instead of 96x66"),
        ({"width": 94}, "smaller than the video"),
        ({"bit_depth": 10}, "yuv420p instead of yuv420p10le"),
        ({"bit_depth": 12}, "12 bits"),
    ],
)
def test_a_header_that_lies(lossless, change, message):
    with pytest.raises(BitstreamError, match=message):
        decode(replace(lossless, **change))


def test_a_base_shallower_than_the_video(lossless):
    with pytest.raises(BitstreamError, match="8 bits a sample, the video 10"):
        decode(lossless, DEEP)


def test_the_limit_of_pixels(lossless):
    assert len(decode(lossless, max_pixels=96 * 64)) == 9
    with pytest.raises(BitstreamError, match="limit of 6143"):
        decode(lossless, max_pixels=96 * 64 - 1)


def test_a_picture_far_larger_than_promised_is_not_decoded(draw_planes):
    large = PictureFormat(640, 384)
    stream = code(draw_planes(large, 2), large)
    with pytest.raises(BitstreamError, match="does not decode"):
        decode(replace(stream, width=96, height=64), SMALL, 2)


@pytest.mark.parametrize("codec", list(Codec), ids=lambda codec: codec.name)
@pytest.mark.parametrize("data", [b"\x00", b"\x00\x00\x01\x65\xff", b"nonsense" * 40])
def test_nonsense(codec, data):
    stream = BaseStream(codec, 96, 64, 8, 0, b"", (BasePacket(0, 0, True, data),))
    with pytest.raises(BitstreamError):
        decode(stream, frames=1)
    with pytest.raises(BitstreamError):
        decode(replace(stream, extradata=data), frames=1)


@pytest.fixture(scope="module")
def lossy(drawn):
    """The three codecs that PyAV encodes, at a size where every byte matters."""
    return [
        code(drawn, SMALL, options={"crf": "30"}),
        code(drawn, SMALL, "libx265", Codec.H265, {"crf": "30", "x265-params": "log-level=none"}),
        code(drawn, SMALL, "libsvtav1", Codec.AV1, {"crf": "40", "preset": "10"}),
    ]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damage_ends_in_one_kind_of_error(lossy, data):
    stream = data.draw(st.sampled_from(lossy))
    packets = list(stream.packets)
    number = data.draw(st.integers(0, len(packets) - 1))
    hurt = bytearray(packets[number].data)
    for _ in range(data.draw(st.integers(1, 4))):
        hurt[data.draw(st.integers(0, len(hurt) - 1))] ^= data.draw(st.integers(1, 255))
    packets[number] = replace(packets[number], data=bytes(hurt))
    try:
        frames = decode(replace(stream, packets=tuple(packets)))
    except BitstreamError:
        return
    assert [planes[0].shape for planes in frames] == [(64, 96)] * 9


def test_decoders_close_while_their_threads_let_go_of_packets(draw_planes):
    """Tiny pictures are over before the threads are: this used to deadlock in a few rounds."""
    form = PictureFormat(16, 16)
    options = {"x265-params": "log-level=none"}
    stream = code(draw_planes(form, 2), form, "libx265", Codec.H265, options)
    for _ in range(40):
        assert len(decode(stream, form, 2, threads=4)) == 2


def test_a_reader_may_stop_in_the_middle(lossless):
    for _ in range(20):
        frames = decode_base(lossless, SMALL, frames=9, threads=4, max_pixels=LIMIT)
        next(frames)
        frames.close()
