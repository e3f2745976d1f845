"""The container: what is written is read, whole or cut off, and limits and versions are kept."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from edgecodec.runtime.container import (
    AuxPacket,
    AuxStream,
    Chunk,
    Header,
    Limits,
    Reader,
    StrategyId,
    Writer,
)
from edgecodec.runtime.errors import BitstreamError, UnsupportedError
from edgecodec.runtime.fields import pack_fields, pack_unsigned
from edgecodec.runtime.frames import ColorInfo, PictureFormat
from edgecodec.runtime.header import pack_header
from edgecodec.runtime.records import HEAD, write_record
from hypothesis import given, settings
from hypothesis import strategies as st

from .ecv_samples import (
    open_stream,
    sample_chunks,
    sample_header,
    sample_packets,
    sample_stream,
    sample_titles,
)

FORMAT_PAGE = Path(__file__).parents[2] / "docs" / "format.md"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
fractions = st.builds(Fraction, st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
small = st.integers(0, 2**31 - 1)
times = st.integers(-(2**61), 2**61)
relaxed = settings(deadline=None, max_examples=60)
model_ids = st.binary(min_size=8, max_size=8).map(bytes.hex)
aux_streams = st.builds(
    AuxStream,
    st.integers(0, 65535),
    texts,
    st.sampled_from(["audio", "subtitle"]),
    fractions,
    st.binary(max_size=50),
    small,
    small,
    texts,
    texts,
    small,
    small,
    small,
)
headers = st.builds(
    Header,
    st.builds(PictureFormat, st.integers(1, 8192), st.integers(1, 4352), st.sampled_from([8, 10])),
    fractions,
    fractions,
    st.builds(
        ColorInfo, st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.booleans()
    ),
    st.sampled_from([0, 90, 180, 270]),
    fractions,
    texts,
    st.lists(model_ids, max_size=4).map(tuple),
    st.lists(aux_streams, max_size=3, unique_by=lambda stream: stream.index).map(tuple),
    st.none() | st.integers(0, 2**63 - 1),
    texts,
)
steps = st.lists(st.integers(1, 40) | st.integers(1, 2**40), min_size=1, max_size=12)


@st.composite
def chunk_lists(draw: st.DrawFn) -> list[Chunk]:
    """Chunks that follow each other in frames and time, gaps allowed."""
    chunks: list[Chunk] = []
    frame, time = 0, draw(st.integers(-(2**60), 2**60))
    for deltas in draw(st.lists(steps, max_size=4)):
        pts = [time := time + delta for delta in deltas]
        frame += draw(st.integers(0, 3))
        scene, strategy = draw(st.integers(0, 2**62)), draw(st.sampled_from(list(StrategyId)))
        chunks.append(Chunk(scene, frame, strategy, tuple(pts), draw(st.binary(max_size=60))))
        frame += len(pts)
    return chunks


def write(header: Header, chunks: list[Chunk], packets: list[AuxPacket]) -> bytes:
    file = io.BytesIO()
    writer = Writer(file, header)
    writer.write_aux(packets)
    for chunk in chunks:
        writer.write_chunk(chunk)
    writer.finish()
    return file.getvalue()


@relaxed
@given(headers)
def test_header_round_trip(header: Header) -> None:
    reader = open_stream(write(header, [], []))
    assert reader.header == header
    assert reader.index == ()
    assert reader.damage == []


@relaxed
@given(chunk_lists(), st.integers(0, 40))
def test_chunks_round_trip_with_the_index_and_without(chunks: list[Chunk], cut: int) -> None:
    data = write(sample_header(), chunks, [])
    whole = open_stream(data)
    assert [whole.chunk(entry) for entry in whole.index] == chunks
    assert whole.damage == []
    scanned = open_stream(data[: len(data) - 16])
    assert scanned.index == whole.index
    assert "no index" in scanned.damage[0].what
    ends = [entry.offset + entry.size for entry in whole.index]
    cut_off = open_stream(data[: len(data) - 1 - cut])
    survivors = [
        entry for entry, end in zip(whole.index, ends, strict=True) if end < len(data) - cut
    ]
    assert list(cut_off.index) == survivors


@relaxed
@given(
    st.lists(
        st.builds(
            AuxPacket,
            st.sampled_from([1, 4]),
            times,
            times,
            st.integers(0, 2**63 - 1),
            st.booleans(),
            st.binary(max_size=30),
        ),
        max_size=8,
    )
)
def test_other_streams_packets_round_trip(packets: list[AuxPacket]) -> None:
    data = write(sample_header(), [], packets)
    assert list(open_stream(data).aux_packets()) == packets


def test_many_packets_are_split_over_records() -> None:
    packets = [AuxPacket(1, n, n, 1, True, b"x") for n in range(10_000)]
    assert list(open_stream(write(sample_header(), [], packets)).aux_packets()) == packets


def test_the_writer_never_seeks() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.parts: list[bytes] = []

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.parts.append(bytes(data))
            return len(data)

    pipe = Pipe()
    rng = np.random.default_rng(5)
    writer = Writer(pipe, sample_header(), sample_titles())  # type: ignore[arg-type]
    for number, chunk in enumerate(sample_chunks(rng)):
        writer.write_chunk(chunk)
        writer.write_aux(sample_packets(rng, 6 * number))
    writer.finish()
    assert b"".join(pipe.parts) == sample_stream(5)


def test_an_unfinished_stream_is_readable() -> None:
    file = io.BytesIO()
    writer = Writer(file, sample_header())
    chunks = sample_chunks(np.random.default_rng(0))
    for chunk in chunks:
        writer.write_chunk(chunk)
    reader = Reader(file)
    assert [reader.chunk(entry) for entry in reader.index] == chunks


@pytest.mark.parametrize("data", [b"", b"\x9fEC", b"RIFF....", b"\x00" * 1000])
def test_another_file_is_named_as_such(data: bytes) -> None:
    with pytest.raises(BitstreamError, match=r"not an \.ecv stream"):
        open_stream(data)


@pytest.mark.parametrize("length", [4, 15, 30, 300])
def test_a_stream_cut_in_its_header_is_refused(length: int) -> None:
    with pytest.raises(BitstreamError, match=r"header|cut off"):
        open_stream(sample_stream()[:length])


def test_a_damaged_header_is_refused() -> None:
    data = bytearray(sample_stream())
    data[40] ^= 1
    with pytest.raises(BitstreamError, match="HEAD record at byte 0: its checksum"):
        open_stream(bytes(data))


def with_header_fields(extra: list[tuple[int, bytes]]) -> bytes:
    file = io.BytesIO()
    write_record(file, HEAD, pack_header(sample_header()) + pack_fields(extra))
    return file.getvalue()


def test_an_unknown_required_field_names_the_version_that_is_needed() -> None:
    with pytest.raises(UnsupportedError, match="needs format version 3"):
        open_stream(with_header_fields([(0x8000 | 2 << 10 | 5, b"new")]))


def test_an_unknown_optional_field_is_skipped() -> None:
    assert open_stream(with_header_fields([(2 << 10 | 5, b"new")])).header == sample_header()


def test_a_later_format_version_is_refused_by_number() -> None:
    file = io.BytesIO()
    payload = pack_header(sample_header())
    assert payload[:7] == pack_fields([(0x8001, b"\x01")])
    write_record(file, HEAD, pack_fields([(0x8001, pack_unsigned(300))]) + payload[7:])
    with pytest.raises(UnsupportedError, match="format version 300"):
        Reader(file)


def test_an_unknown_strategy_only_costs_its_chunk() -> None:
    file = io.BytesIO()
    writer = Writer(file, sample_header())
    for number, strategy in enumerate((4, 77)):
        writer.write_chunk(Chunk(0, number, strategy, (number,), b""))  # type: ignore[arg-type]
    writer.finish()
    reader = Reader(file)
    assert reader.chunk(reader.index[0]).strategy is StrategyId.CLASSICAL
    with pytest.raises(UnsupportedError, match="strategy 77"):
        reader.chunk(reader.index[1])
    assert reader.damage == []


def test_a_record_of_unknown_type_is_skipped() -> None:
    chunks = sample_chunks(np.random.default_rng(0))[:2]
    file = io.BytesIO()
    writer = Writer(file, sample_header())
    writer.write_chunk(chunks[0])
    write_record(file, b"NEWR", b"some bytes")
    writer.write_chunk(chunks[1])
    reader = Reader(file)
    assert [reader.chunk(entry) for entry in reader.index] == chunks


def test_limits_of_the_reader_hold() -> None:
    data = sample_stream()
    with pytest.raises(BitstreamError, match="96x79"):
        Reader(io.BytesIO(data), Limits(max_pixels=96 * 79 - 1))
    with pytest.raises(BitstreamError, match="over the limit of 100"):
        Reader(io.BytesIO(data), Limits(max_header_bytes=100))
    small_chunks = Reader(io.BytesIO(data), Limits(max_chunk_bytes=300))
    small_chunks.chunk(small_chunks.index[0])
    with pytest.raises(BitstreamError, match="over the limit of 300"):
        small_chunks.chunk(small_chunks.index[2])
    assert [damage.offset for damage in small_chunks.damage] == [small_chunks.index[2].offset]
    few_frames = Reader(io.BytesIO(data), Limits(max_frames_per_chunk=4))
    assert [entry.frames for entry in few_frames.index] == [4, 4, 4]


def test_the_writer_refuses_what_no_reader_would_take() -> None:
    with pytest.raises(UnsupportedError, match="16384x16384"):
        Writer(io.BytesIO(), sample_header(format=PictureFormat(16384, 16384)))
    with pytest.raises(UnsupportedError, match="12 bits"):
        Writer(io.BytesIO(), sample_header(format=PictureFormat(64, 64, 12)))
    with pytest.raises(ValueError, match="model id"):
        Writer(io.BytesIO(), sample_header(model_ids=("short",)))
    writer = Writer(io.BytesIO(), sample_header())
    with pytest.raises(UnsupportedError, match="5000 frames"):
        writer.write_chunk(Chunk(0, 0, StrategyId.CLASSICAL, tuple(range(5000)), b""))
    with pytest.raises(ValueError, match="increase"):
        writer.write_chunk(Chunk(0, 0, StrategyId.CLASSICAL, (4, 4), b""))
    writer.write_chunk(Chunk(0, 0, StrategyId.CLASSICAL, (4, 5), b""))
    with pytest.raises(ValueError, match="already written"):
        writer.write_chunk(Chunk(0, 1, StrategyId.CLASSICAL, (6,), b""))
    with pytest.raises(ValueError, match="must come after"):
        writer.write_chunk(Chunk(0, 2, StrategyId.CLASSICAL, (5,), b""))
    with pytest.raises(ValueError, match="not in the header"):
        writer.write_aux([AuxPacket(2, 0, 0, 0, True, b"")])
    with pytest.raises(UnsupportedError, match="too large"):
        writer.write_aux([AuxPacket(1, 0, 0, 0, True, bytes(64 << 20))])


def test_constant_frame_rate_costs_a_few_bytes_of_timestamps() -> None:
    short = write(sample_header(), [Chunk(0, 0, StrategyId.CLASSICAL, (0, 512), b"")], [])
    times = tuple(range(0, 512 * 300, 512))
    long = write(sample_header(), [Chunk(0, 0, StrategyId.CLASSICAL, times, b"")], [])
    assert len(long) <= len(short) + 2


def test_a_stream_carries_what_pyav_needs_to_remux_its_audio(tmp_path: Path) -> None:
    source = tmp_path / "tone.mp4"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("aac", rate=48000, layout="stereo")
        tone = np.sin(np.arange(48000) / 20, dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack((tone, tone)), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        for made in (frame, None):
            output.mux(stream.encode(made))
    with av.open(str(source)) as container:
        audio = container.streams.audio[0]
        context = audio.codec_context
        aux = AuxStream(
            1,
            context.name,
            "audio",
            Fraction(audio.time_base or 1),
            bytes(context.extradata or b""),
            context.sample_rate,
            context.layout.nb_channels,
            context.layout.name,
        )
        packets = [
            AuxPacket(1, p.pts or 0, p.dts or 0, p.duration or 0, p.is_keyframe, bytes(p))
            for p in container.demux(audio)
            if p.size
        ]
    reader = open_stream(write(sample_header(aux_streams=(aux,)), [], packets))
    (carried,) = reader.header.aux_streams
    target = tmp_path / "copy.mp4"
    with av.open(str(target), "w") as output:
        copied = output.add_stream(carried.codec, rate=carried.sample_rate)
        assert isinstance(copied, av.AudioStream)
        copied.layout = carried.layout
        copied.time_base = carried.time_base
        copied.codec_context.extradata = carried.extradata
        for packet in reader.aux_packets():
            copy = av.Packet(packet.data)
            copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
            copy.stream, copy.time_base = copied, carried.time_base
            output.mux(copy)
    with av.open(str(source)) as one, av.open(str(target)) as two:
        expected = [frame.to_ndarray() for frame in one.decode(audio=0)]
        remuxed = [frame.to_ndarray() for frame in two.decode(audio=0)]
    assert len(packets) > 40
    np.testing.assert_array_equal(np.concatenate(remuxed, 1), np.concatenate(expected, 1))


def worked_example() -> bytes:
    header = Header(PictureFormat(16, 16), Fraction(1, 25), Fraction(25))
    return write(header, [Chunk(0, 0, StrategyId.CLASSICAL, (0, 1, 2), b"body")], [])


def test_the_worked_example_of_the_format_page_is_what_the_code_writes() -> None:
    page = FORMAT_PAGE.read_text()
    block = page.split("```hex\n")[1].split("```")[0]
    written = bytes.fromhex(" ".join(line.split("|")[0] for line in block.splitlines()))
    assert written.hex(" ") == worked_example().hex(" ")
