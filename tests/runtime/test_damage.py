"""Damaged and hostile streams: an error of the tree or a flagged chunk, in bounded memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
from collections import Counter
from collections.abc import Callable
from zlib import crc32

import numpy as np
import pytest
from edgecodec.runtime.container import Limits, Reader, StrategyId
from edgecodec.runtime.errors import BitstreamError, UnsupportedError
from edgecodec.runtime.fields import pack_fields, pack_signed, pack_unsigned
from edgecodec.runtime.header import pack_header
from edgecodec.runtime.payloads import LatentBody, parse_body
from edgecodec.runtime.records import AUXD, CHNK, HEAD, INDX, NETW, SYNC, pack_footer, write_record
from edgecodec.runtime.scale_tables import load_scale_tables

from . import mutations
from .ecv_samples import decode_latents, open_stream, sample_chunks, sample_header, sample_stream

FUZZ_LIMITS = Limits(max_pixels=1 << 16, max_title_symbols=1 << 20)


def read_everything(data: bytes) -> Counter[str]:
    """Decodes what it can and counts what became of the parts. Any other exception escapes."""
    seen: Counter[str] = Counter()
    try:
        reader = Reader(io.BytesIO(data), FUZZ_LIMITS)
    except (BitstreamError, UnsupportedError):
        return Counter(refused=1)
    picture = reader.header.format
    cells = -(-picture.height // 16), -(-picture.width // 16)
    for entry in reader.index:
        stage = "chunk"
        try:
            chunk = reader.chunk(entry)
            stage = "body"
            body = parse_body(chunk.strategy, chunk.body, len(chunk.pts), FUZZ_LIMITS)
            stage = "latents"
            if isinstance(body, LatentBody):
                decode_latents(body, cells)
            seen["read"] += 1
        except UnsupportedError:
            seen["unsupported"] += 1
        except BitstreamError:
            seen[stage] += 1
            flagged = {damage.offset for damage in reader.damage}
            assert (entry.offset in flagged) == (stage == "chunk")
    seen["packets"] += sum(1 for _ in reader.aux_packets())
    seen["flagged"] += len(reader.damage)
    return seen


def run(mutate: mutations.Mutation, count: int, seed: int) -> Counter[str]:
    rng = np.random.default_rng(seed)
    streams = [sample_stream(number) for number in range(4)]
    total: Counter[str] = Counter()
    for number in range(count):
        total += read_everything(mutate(rng, streams[number % len(streams)]))
    return total


@pytest.mark.parametrize("mutate", mutations.RAW, ids=lambda mutate: str(mutate.__name__))
def test_damaged_streams_are_refused_or_flagged(mutate: mutations.Mutation) -> None:
    total = run(mutate, 650, seed=1)
    # What lies apart from the damage is still read.
    assert total["refused"] + total["flagged"] >= 300
    assert total["read"] >= 300
    assert total["packets"] >= 1000


@pytest.mark.parametrize("seed", range(6))
def test_streams_damaged_under_good_checksums_are_refused_or_flagged(seed: int) -> None:
    total = run(mutations.repaired, 1000, seed)
    assert min(total[stage] for stage in ("refused", "body", "latents", "flagged")) >= 20
    assert total["unsupported"] >= 1
    assert total["read"] >= 1000


def test_a_damaged_chunk_costs_only_itself() -> None:
    chunks = sample_chunks(np.random.default_rng(5))
    data = sample_stream(5)
    entries = open_stream(data).index
    for hit, entry in enumerate(entries):
        for at in (
            entry.offset,
            entry.offset + 5,
            entry.offset + 40,
            entry.offset + entry.size - 1,
        ):
            damaged = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
            reader = open_stream(damaged)
            for number, other in enumerate(reader.index):
                if number != hit:
                    assert reader.chunk(other) == chunks[number]
            with pytest.raises(BitstreamError):
                reader.chunk(reader.index[hit])
            assert [damage.offset for damage in reader.damage] == [entry.offset]
            assert len(list(reader.aux_packets())) == 28


@pytest.mark.parametrize("change", [-30, -1, 1, 500])
def test_without_an_index_a_reader_finds_its_way_after_missing_or_extra_bytes(change: int) -> None:
    data = sample_stream(5)
    chunks = sample_chunks(np.random.default_rng(5))
    entries = open_stream(data).index
    at = entries[2].offset + 60
    damaged = data[:at] + (b"\0" * change + data[at:] if change > 0 else data[at - change :])
    reader = open_stream(damaged)
    assert [reader.chunk(entry) for entry in reader.index] == [*chunks[:2], chunks[3]]
    assert entries[2].offset in [damage.offset for damage in reader.damage]
    assert len(list(reader.aux_packets())) == 28


def test_junk_between_whole_records_costs_nothing() -> None:
    data = sample_stream(5)
    entries = open_stream(data).index
    at = entries[1].offset
    reader = open_stream(data[:at] + b"junk" + SYNC + b"more junk" + data[at:-16])
    assert len(reader.index) == 4
    assert [(damage.offset, damage.size) for damage in reader.damage][1:] == [(at, 17)]


def test_a_record_inside_a_whole_one_is_not_mistaken_for_one() -> None:
    inner = sample_stream(1)
    file = io.BytesIO()
    write_record(file, HEAD, pack_header(sample_header()))
    first = file.tell()
    write_record(file, b"NOTE", inner)
    reader = open_stream(file.getvalue() + b"\0" * 50)
    assert reader.index == ()
    assert first not in [damage.offset for damage in reader.damage]


HUGE = 1 << 40
CHUNK_FIELDS = [(0x8001, b"\x04"), (0x8002, b"\x00\x00")]
LONG_TIMELINE = pack_signed(0) + pack_unsigned(1, HUGE)


def record(kind: bytes, fields: list[tuple[int, bytes]]) -> bytes:
    file = io.BytesIO()
    write_record(file, kind, pack_fields(fields))
    return file.getvalue()


def sample_head() -> bytes:
    file = io.BytesIO()
    write_record(file, HEAD, pack_header(sample_header()))
    return file.getvalue()


def declared(kind: bytes, length: int) -> bytes:
    """A record whose header, checksum and all, declares `length` bytes that are not there."""
    head = SYNC + kind + struct.pack("<I", length)
    return head + struct.pack("<I", crc32(head)) + b"few bytes"


def picture(width: int, height: int) -> bytes:
    rate = pack_unsigned(25, 1)
    size = pack_unsigned(width, height, 8)
    return record(HEAD, [(0x8001, b"\x01"), (0x8002, size), (0x8003, rate), (0x0004, rate)])


def chunk_of(body: list[tuple[int, bytes]], strategy: int) -> bytes:
    fields = [(0x8001, pack_unsigned(strategy)), (0x8002, b"\0\0"), (0x8003, pack_signed(0))]
    return sample_head() + record(CHNK, [*fields, (0x8004, pack_fields(body))])


def index_of(entries: bytes) -> bytes:
    head = sample_head()
    return head + record(INDX, [(0x8001, entries)]) + pack_footer(len(head))


def base_of(fields: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    size = pack_unsigned(96, 80, 8, 100)
    return [(0x8001, pack_fields([(0x8001, b"\x01"), (0x8002, size), *fields]))]


def title_of(tensors: bytes) -> bytes:
    file = io.BytesIO()
    write_record(file, HEAD, pack_header(sample_header(titles=1)))
    data = bytes(8) + tensors + bytes(4)
    return file.getvalue() + record(NETW, [(0x8001, b"\0"), (0x8002, data)])


BOMBS: dict[str, Callable[[], bytes]] = {
    "header length": lambda: declared(HEAD, 0xFFFFFFF0),
    "picture": lambda: picture(2**31 - 1, 2**31 - 1),
    "chunk length": lambda: sample_head() + declared(CHNK, 0xFFFFFFF0),
    "field length": lambda: sample_head() + record(CHNK, [])[:-8] + struct.pack("<HI", 1, 1 << 31),
    "timeline": lambda: sample_head() + record(CHNK, [*CHUNK_FIELDS, (0x8003, LONG_TIMELINE)]),
    "titles": lambda: title_of(pack_unsigned(HUGE)),
    "title symbols": lambda: title_of(pack_unsigned(1, HUGE) + b"\0\1"),
    "title symbols of zero": lambda: title_of(pack_unsigned(1, 1 << 20 | 1) + b"\0\0"),
    "index": lambda: index_of(pack_unsigned(HUGE)),
    "packets": lambda: sample_head() + record(AUXD, [(0x8001, pack_unsigned(HUGE)), (0x8002, b"")]),
    "base timeline": lambda: chunk_of(base_of([(0x8004, LONG_TIMELINE)]), StrategyId.CLASSICAL),
    "base packet": lambda: chunk_of(
        base_of([(0x8004, pack_signed(0)), (0x8005, pack_unsigned(HUGE + 1, 0)), (0x8006, b"")]),
        StrategyId.CLASSICAL,
    ),
    "latent packet": lambda: chunk_of(
        [
            (0x8001, bytes(8)),
            (0x8002, bytes(48)),
            (0x8003, pack_unsigned(0, 0, HUGE)),
            (0x8004, b""),
        ],
        StrategyId.SEMANTIC_LATENT,
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_enormous_declared_sizes_allocate_little(name: str) -> None:
    data = BOMBS[name]()
    load_scale_tables()
    tracemalloc.start()
    try:
        seen = read_everything(data)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1 << 20
    assert seen["read"] == 0
    assert seen["refused"] + seen["flagged"] + seen["body"] > 0


def test_records_that_claim_each_other_are_read_in_linear_time() -> None:
    class Counting(io.BytesIO):
        bytes_read = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.bytes_read += len(data)
            return data

    head = sample_head()
    count = 20_000
    nested = b"".join(declared(CHNK, 25 * (count - n))[:25] for n in range(count))
    file = Counting(head + nested + bytes(2000))
    reader = Reader(file)
    assert reader.index == ()
    assert any("inside each other" in damage.what for damage in reader.damage)
    assert file.bytes_read < 20 * len(file.getvalue())
