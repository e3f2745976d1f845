"""What records hold: header, chunk and body, index, packets, title weights.

The first byte chooses. What parses must come through being written and parsed again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from edgecodec.runtime.auxiliary import pack_aux_packets, parse_aux_packets
from edgecodec.runtime.chunks import (
    StrategyId,
    pack_chunk,
    pack_index,
    parse_chunk,
    parse_index,
    peek_times,
)
from edgecodec.runtime.errors import BitstreamError, UnsupportedError
from edgecodec.runtime.fields import Limits
from edgecodec.runtime.header import pack_header, parse_header
from edgecodec.runtime.payloads import (
    ClassicalBody,
    FrameKind,
    HybridBody,
    LatentBody,
    pack_body,
    parse_body,
)
from edgecodec.runtime.records import AUXD, CHNK, HEAD, INDX, NETW, Record, RecordFile
from edgecodec.runtime.title import pack_title_record, parse_title_record

from ..runtime import mutations
from ..runtime.ecv_samples import MODEL, sample_stream
from ..runtime.filter_samples import fixed_filter
from ..runtime.golden_streams import GOLDEN
from .harness import Harness

LIMITS = Limits(max_pixels=1 << 24, max_frames_per_chunk=64, max_title_symbols=1 << 12)
_STREAMS = frozenset((1, 4))
_END = 1 << 40
_MOST_BYTES = 5000


def _header(payload: bytes) -> None:
    header = parse_header(payload, LIMITS)
    assert parse_header(pack_header(header), Limits()) == header


def _chunk(payload: bytes) -> None:
    chunk = parse_chunk(payload, LIMITS, "chunk")
    peeked = peek_times(payload, LIMITS)
    assert peeked in (None, chunk.pts)
    assert parse_chunk(pack_chunk(chunk), LIMITS, "chunk") == chunk
    _parse_body(chunk.strategy, chunk.body, len(chunk.pts))


def _parse_body(strategy: StrategyId, data: bytes, frames: int) -> None:
    body = parse_body(strategy, data, frames, LIMITS)
    assert parse_body(strategy, pack_body(body), frames, LIMITS) == body


def _index(payload: bytes) -> None:
    entries = parse_index(payload, _END, LIMITS)
    assert parse_index(pack_index(entries), _END, LIMITS) == entries


def _packets(payload: bytes) -> None:
    packets = parse_aux_packets(payload, _STREAMS, LIMITS, "packets")
    assert parse_aux_packets(pack_aux_packets(packets), _STREAMS, LIMITS, "packets") == packets


def _title(payload: bytes) -> None:
    number, title = parse_title_record(payload, LIMITS, "title")
    again = parse_title_record(pack_title_record(number, title), LIMITS, "title")
    assert again == (number, title)


def _body(data: bytes) -> None:
    """One byte of strategy, one of frames, then a body."""
    strategy = StrategyId(1 + data[0] % len(StrategyId))
    _parse_body(strategy, data[2:], data[1] % (LIMITS.max_frames_per_chunk + 1))


_LAYERS = (_header, _chunk, _index, _packets, _title, _body)
_KINDS = (HEAD, CHNK, INDX, AUXD, NETW)


def run(data: bytes) -> str:
    """Parses what the first byte says."""
    if len(data) < 3:
        return "empty"
    layer = _LAYERS[data[0] % len(_LAYERS)]
    name = layer.__name__.strip("_")
    try:
        layer(data[1:])
    except BitstreamError:
        return f"{name} damaged"
    except UnsupportedError:
        return f"{name} unsupported"
    return f"{name} parsed"


def seeds() -> Iterator[bytes]:
    """Every payload of whole streams, and every body."""
    streams = [(GOLDEN / f"{name}_1.ecv").read_bytes() for name in ("version", "codecs")]
    strategies = (GOLDEN / "strategies_1.ecv").read_bytes()
    for stream in (*streams, strategies, sample_stream(1)):
        file = RecordFile(io.BytesIO(stream))
        for record in file.walk(0):
            if not isinstance(record, Record) or record.length >= _MOST_BYTES - 3:
                continue
            payload = file.payload(record, record.length)
            yield bytes([_KINDS.index(record.kind)]) + payload
            if record.kind == CHNK:
                chunk = parse_chunk(payload, Limits(), "seed")
                tag = bytes([_LAYERS.index(_body), chunk.strategy - 1, len(chunk.pts)])
                yield tag + chunk.body
                body = parse_body(chunk.strategy, chunk.body, len(chunk.pts))
                if isinstance(body, ClassicalBody | HybridBody | LatentBody):
                    yield tag + pack_body(replace(body, filter=fixed_filter()))
                if isinstance(body, LatentBody):
                    yield tag + pack_body(replace(body, priors=(MODEL, None, MODEL, None)))
                    if chunk.strategy is StrategyId.SEMANTIC_LATENT:
                        continued = _continued(body)
                        yield tag + pack_body(continued)
                        yield tag + pack_body(_detailed(replace(continued, motion=MODEL)))
                        yield tag + pack_body(replace(continued, motion=MODEL))
                    else:
                        yield tag + pack_body(_between(body))
                        yield tag + pack_body(_detailed(_between(body)))


def _continued(body: LatentBody) -> LatentBody:
    """The same with C frames in place of P frames."""
    packets = tuple(
        replace(packet, kind=FrameKind.C if packet.references else FrameKind.I)
        for packet in body.packets
    )
    return replace(body, packets=packets, priors=(MODEL, None, None, MODEL))


def _between(body: LatentBody) -> LatentBody:
    """The same with B frames that move, and C frames in place of P frames."""
    packets = tuple(
        replace(packet, kind=FrameKind.C) if packet.kind is FrameKind.P else packet
        for packet in body.packets
    )
    return replace(body, packets=packets, priors=(MODEL, None, MODEL, MODEL), motion=MODEL)


def _detailed(body: LatentBody) -> LatentBody:
    """The same with detail of every other frame."""
    packets = tuple(
        replace(packet, detail=bytes([number]) + packet.data[:30] if number % 2 == 0 else b"")
        for number, packet in enumerate(body.packets)
    )
    return replace(body, packets=packets, detail=MODEL)


def mutate(random: np.random.Generator, data: bytes, mutate_value: mutations.Mutation) -> bytes:
    """Mostly one value in the fields, with the lengths around it mended."""
    skipped = 3 if data and data[0] % len(_LAYERS) == _LAYERS.index(_body) else 1
    if len(data) <= skipped or random.random() < 0.2:
        return mutate_value(random, data)
    return data[:skipped] + mutations.inside_fields(random, data[skipped:], mutate_value)


HARNESS = Harness(run, seeds, _MOST_BYTES, mutate)
