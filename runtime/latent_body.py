"""What a chunk of a strategy in latents holds: packets of symbols, and what reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from .base_stream import check_each_once
from .errors import BitstreamError
from .fields import Fields, pack_fields, pack_signed, pack_unsigned, parse_fields
from .header import MODEL_ID_BYTES, pack_model_ids, parse_model_ids
from .scene_filter import SceneFilter, pack_scene_filter, parse_scene_filter

TABLES = 64
KINDS = 3
"""The first kinds of frames, which have tables of scale differences: I, P and B."""
GROUPS = 16
MAX_MODELS = 8
_ALONE = "iframe_decoder"
_NO_PRIOR = "0" * 2 * MODEL_ID_BYTES


class FrameKind(IntEnum):
    """How a frame is made of its latents and of other frames.

    An I frame is on its own, P and B frames are made from one and two others. Of a C frame (for
    "continued") only the coding of its latents knows another frame's: it is drawn as an I frame.
    So is a B frame in a body that has motion (`LatentBody.drawn_alone`).
    """

    I = 0  # noqa: E741 (the field's own name)
    P = 1
    B = 2
    C = 3

    @property
    def references(self) -> int:
        """How many frames a frame of this kind refers to."""
        return _REFERENCES[self]


_REFERENCES = {FrameKind.I: 0, FrameKind.P: 1, FrameKind.B: 2, FrameKind.C: 1}
_FROM_OTHERS = {FrameKind.P: "generator_p", FrameKind.B: "generator_b"}
CONTINUED = (FrameKind.I, FrameKind.C)
"""The kinds that a C frame may refer to; B frames in a body that has motion also to each other."""


@dataclass(frozen=True)
class LatentPacket:
    """The latents of one frame.

    `position` and `references` are display indices in the chunk: none for I, one for P, past and
    future for B, the frame that it continues for C. `quality` is 0 to 63. `data` is read by
    `symbols.decode_latent`, by `prior_coding.decode_with_prior` where the kind has a prior, and
    where the body has motion of C frames by `moved_frames.decode_moved`, of B frames by
    `between_frames.decode_between`. `detail` is read by `detail.decode_detail`, `b""` is none.
    """

    kind: FrameKind
    position: int
    references: tuple[int, ...]
    quality: int
    data: bytes = field(repr=False)
    detail: bytes = field(default=b"", repr=False)


PriorIds = tuple[str | None, str | None, str | None, str | None]
NO_PRIORS: PriorIds = (None, None, None, None)
"""For I, P, B and C frames."""


@dataclass(frozen=True)
class LatentBody:
    """A scene in latents.

    `models` are the ids of the networks that were used, `difference_tables` for I, P and B frames
    the table (0 to 63) of each of the 16 groups' scale differences, `packets` in decoding order.
    `priors` are the ids (16 hexadecimal digits) of what codes I, P, B and C frames; kinds that
    have one use no difference tables. Where there are C frames, I and C have one. `motion` is the
    id of the tables by which C and B frames move, None where they do not. With it B frames have a
    prior too. `detail` is the id of the prior that codes frames' detail, None where none has any.
    What networks draw is `filter`ed before detail is added to it.
    """

    models: tuple[str, ...]
    difference_tables: tuple[tuple[int, ...], ...]
    packets: tuple[LatentPacket, ...]
    priors: PriorIds = NO_PRIORS
    motion: str | None = None
    detail: str | None = None
    filter: SceneFilter | None = None

    def drawn_alone(self, kind: FrameKind) -> bool:
        """Whether frames of a kind are drawn from nothing but their own latents, as I frames."""
        return kind in CONTINUED or (kind is FrameKind.B and self.motion is not None)

    def network_of(self, kind: FrameKind) -> str:
        """The name of the network that draws frames of a kind."""
        return _ALONE if self.drawn_alone(kind) else _FROM_OTHERS[kind]

    def rests_on(self, packet: LatentPacket) -> tuple[int, ...]:
        """The frames that must be decoded for a packet's latents, which are drawn alone."""
        return packet.references if self.drawn_alone(packet.kind) else ()


class _LatentField(IntEnum):
    MODELS = 0x8001
    DIFFERENCE_TABLES = 0x8002
    TABLE = 0x8003
    DATA = 0x8004
    PRIORS = 0x8005
    MOTION = 0x8006
    DETAIL = 0x8007
    FILTER = 0x8009


def pack_latents(body: LatentBody) -> bytes:
    """A body as `parse_latents` reads it. ValueError if a value does not fit."""
    table: list[bytes] = []
    for number, packet in enumerate(body.packets):
        if not 0 <= packet.quality < 64:
            raise ValueError(f"quality {packet.quality}: 0 to 63 is wanted")
        table += (
            pack_unsigned(packet.quality << 2 | packet.kind),
            pack_signed(packet.position - number),
            pack_signed(*(reference - packet.position for reference in packet.references)),
            pack_unsigned(len(packet.data)),
        )
        if body.detail is not None:
            table.append(pack_unsigned(len(packet.detail)))
        elif packet.detail:
            raise ValueError(f"frame {packet.position} has detail, and the body no prior for it")
    fields = [
        (_LatentField.MODELS, pack_model_ids(body.models)),
        (_LatentField.DIFFERENCE_TABLES, bytes(sum(body.difference_tables, ()))),
        (_LatentField.TABLE, b"".join(table)),
        (_LatentField.DATA, b"".join(packet.data + packet.detail for packet in body.packets)),
    ]
    if body.priors != NO_PRIORS:
        ids = tuple(_NO_PRIOR if each is None else each for each in body.priors)
        fields.append((_LatentField.PRIORS, pack_model_ids(ids)))
    if body.motion is not None:
        fields.append((_LatentField.MOTION, pack_model_ids((body.motion,))))
    if body.detail is not None:
        fields.append((_LatentField.DETAIL, pack_model_ids((body.detail,))))
    if body.filter is not None:
        fields.append((_LatentField.FILTER, pack_scene_filter(body.filter)))
    return pack_fields(fields)


def parse_latents(body: bytes, frames: int, what: str) -> LatentBody:
    """What `pack_latents` wrote, of `frames` frames. BitstreamError, naming `what`, if damaged."""
    fields = parse_fields(body, _LatentField, what)
    models = parse_model_ids(fields.one(_LatentField.MODELS), what)
    if not 0 < len(models) <= MAX_MODELS:
        raise BitstreamError(f"{what}: {len(models)} models, 1 to {MAX_MODELS} are allowed")
    tables = tuple(fields.one(_LatentField.DIFFERENCE_TABLES))
    if len(tables) != KINDS * GROUPS or max(tables) >= TABLES:
        raise BitstreamError(f"{what}: {KINDS} x {GROUPS} tables of 0 to {TABLES - 1} are wanted")
    rows = tuple(tables[start : start + GROUPS] for start in range(0, len(tables), GROUPS))
    priors = _parse_priors(fields)
    motion = _parse_id(fields, _LatentField.MOTION, "motion tables")
    detail = _parse_id(fields, _LatentField.DETAIL, "priors of detail")
    packets = _parse_latent_packets(
        fields, frames, moves=motion is not None, detailed=detail is not None
    )
    data = fields.optional(_LatentField.FILTER)
    scene_filter = None if data is None else parse_scene_filter(data, what)
    parsed = LatentBody(models, rows, packets, priors, motion, detail, scene_filter)
    for packet in packets:
        if packet.detail and not parsed.drawn_alone(packet.kind):
            raise BitstreamError(
                f"{what}: {packet.kind.name} frame {packet.position} has detail, which only frames "
                "that are drawn alone have"
            )
    kinds = {packet.kind for packet in packets}
    for kind in sorted(kinds - {FrameKind.I}):
        if parsed.drawn_alone(kind):
            missing = [each.name for each in (FrameKind.I, kind) if priors[each] is None]
            if missing:
                raise BitstreamError(
                    f"{what}: {kind.name} frames, but no prior for {' and '.join(missing)} frames"
                )
    return parsed


def _parse_priors(fields: Fields) -> PriorIds:
    data = fields.optional(_LatentField.PRIORS)
    if data is None:
        return NO_PRIORS
    ids = parse_model_ids(data, fields.what)
    if len(ids) != len(FrameKind):
        raise BitstreamError(f"{fields.what}: {len(ids)} priors, {len(FrameKind)} are wanted")
    i, p, b, c = (None if each == _NO_PRIOR else each for each in ids)
    return i, p, b, c


def _parse_id(fields: Fields, field_id: _LatentField, name: str) -> str | None:
    data = fields.optional(field_id)
    if data is None:
        return None
    ids = parse_model_ids(data, fields.what)
    if len(ids) != 1:
        raise BitstreamError(f"{fields.what}: {len(ids)} {name}, one is wanted")
    return ids[0]


def _parse_latent_packets(
    fields: Fields, frames: int, *, moves: bool, detailed: bool
) -> tuple[LatentPacket, ...]:
    table, content = fields.cursor(_LatentField.TABLE), fields.cursor(_LatentField.DATA)
    packets: list[LatentPacket] = []
    decoded: dict[int, FrameKind] = {}
    for number in range(frames):
        tag = table.unsigned(64 << 2)
        kind, position = FrameKind(tag & 3), number + table.signed()
        references = tuple(position + table.signed() for _ in range(kind.references))
        if not decoded.keys() >= set(references):
            raise table.fail(f"frame {position} refers to {references}, not all decoded before it")
        if kind is FrameKind.B and not references[0] < position < references[1]:
            raise table.fail(f"B frame {position} is not between its references {references}")
        for reference in references:
            if decoded[reference] not in _referable(kind, moves=moves):
                raise table.fail(
                    f"{kind.name} frame {position} refers to {decoded[reference].name} frame "
                    f"{reference}, which it may not"
                )
        decoded[position] = kind
        data = content.take(table.unsigned())
        detail = content.take(table.unsigned()) if detailed else b""
        packets.append(LatentPacket(kind, position, references, tag >> 2, data, detail))
    table.finish()
    content.finish()
    check_each_once([packet.position for packet in packets], frames, fields.what)
    return tuple(packets)


def _referable(kind: FrameKind, *, moves: bool) -> tuple[FrameKind, ...]:
    """The kinds that a frame may refer to, in a body that has motion or not."""
    if kind is FrameKind.C:
        return CONTINUED
    if kind is FrameKind.B and moves:
        return (*CONTINUED, FrameKind.B)
    return tuple(FrameKind)
