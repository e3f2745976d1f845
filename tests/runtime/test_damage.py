"""Damaged and hostile streams: an error of the tree or a flagged chunk, in bounded memory."""

from __future__ import annotations

import io
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from edgecodec.runtime.container import Limits, Reader
from edgecodec.runtime.demux import Demuxer, Window
from edgecodec.runtime.errors import BitstreamError, UnsupportedError
from edgecodec.runtime.header import pack_header
from edgecodec.runtime.payloads import LatentBody, parse_body
from edgecodec.runtime.records import CHNK, HEAD, SYNC, write_record
from edgecodec.runtime.scale_tables import load_scale_tables

from . import bombs, mutations
from .bombs import declared, sample_head
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


@pytest.mark.parametrize("name", bombs.SMALL)
def test_enormous_declared_sizes_allocate_little(name: str) -> None:
    data = bombs.SMALL[name]()
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


@pytest.mark.parametrize("piece", [1000, 1 << 16])
def test_pieces_of_records_that_claim_each_other_are_read_in_linear_time(
    monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    read: list[int] = []

    def counted(window: Window, offset: int, size: int) -> bytes:
        data = read_at(window, offset, size)
        read.append(len(data))
        return data

    read_at = Window.read_at
    monkeypatch.setattr(Window, "read_at", counted)
    count = 20_000
    nested = b"".join(declared(CHNK, 25 * (count - n))[:25] for n in range(count))
    data = sample_head() + nested + bytes(2000)
    demuxer = Demuxer()
    for at in range(0, len(data), piece):
        demuxer.send(data[at : at + piece])
        while demuxer.next_event() is not None:
            pass
    demuxer.finish()
    while demuxer.next_event() is not None:
        pass
    assert any("inside each other" in damage.what for damage in demuxer.damage)
    assert sum(read) < 20 * len(data)
