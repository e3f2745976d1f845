"""Bodies of every strategy: exact round trips, and refusal of what could not be decoded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from edgecodec.runtime.container import Codec, Limits, StrategyId
from edgecodec.runtime.errors import BitstreamError, UnsupportedError
from edgecodec.runtime.fields import pack_fields, pack_unsigned
from edgecodec.runtime.payloads import (
    CONTINUED,
    BasePacket,
    BaseStream,
    Body,
    ClassicalBody,
    FrameKind,
    HybridBody,
    LatentBody,
    LatentPacket,
    pack_body,
    parse_body,
)
from edgecodec.runtime.scene_code import SceneCode
from edgecodec.runtime.scene_filter import SceneFilter, pack_scene_filter
from edgecodec.runtime.upsample import Upsampling
from hypothesis import given, settings
from hypothesis import strategies as st

from .ecv_samples import MODEL, encode_latents, sample_base, sample_latent
from .filter_samples import fixed_filter, scene_filters

relaxed = settings(deadline=None, max_examples=80)
model_ids = st.binary(min_size=8, max_size=8).map(bytes.hex)
frame_counts = st.integers(1, 20)


@st.composite
def base_streams(draw: st.DrawFn) -> BaseStream:
    order = draw(frame_counts.flatmap(lambda frames: st.permutations(range(frames))))
    dts = draw(st.integers(-(2**40), 2**40))
    packets = []
    for number, pts in enumerate(order):
        dts += draw(st.sampled_from([1, 1, 1, 2, 700]))
        is_keyframe = number == 0 or draw(st.booleans())
        packets.append(BasePacket(pts, dts, is_keyframe, draw(st.binary(min_size=1, max_size=30))))
    return BaseStream(
        draw(st.sampled_from(list(Codec))),
        2 * draw(st.integers(1, 4096)),
        2 * draw(st.integers(1, 2176)),
        draw(st.sampled_from([8, 10])),
        draw(st.integers(0, 255)),
        draw(st.binary(max_size=40)),
        tuple(packets),
    )


scene_codes = st.integers(1, 100).flatmap(
    lambda channels: st.builds(
        SceneCode,
        st.lists(st.integers(1, 191), min_size=channels, max_size=channels).map(tuple),
        st.lists(st.integers(1, 255), min_size=channels, max_size=channels).map(tuple),
    )
)


@st.composite
def hybrid_bodies(draw: st.DrawFn) -> HybridBody:
    base = draw(base_streams())
    enhanced = tuple(draw(st.booleans()) for _ in base.packets)
    return HybridBody(
        base,
        draw(model_ids),
        enhanced,
        draw(st.none() | scene_codes),
        draw(st.sampled_from(Upsampling)),
        draw(st.none() | st.integers(0, 0xFFFF)),
        draw(st.tuples(st.booleans(), st.booleans(), st.booleans())),
        draw(st.none() | scene_filters()),
    )


@st.composite
def latent_bodies(draw: st.DrawFn) -> LatentBody:
    order = draw(frame_counts.flatmap(lambda frames: st.permutations(range(frames))))
    motion, detail = draw(st.none() | model_ids), draw(st.none() | model_ids)
    packets: list[LatentPacket] = []
    for position in order:
        decoded = sorted(packet.position for packet in packets)
        around = sorted(
            packet.position
            for packet in packets
            if motion is None or packet.kind is not FrameKind.P
        )
        past = [each for each in around if each < position]
        future = [each for each in around if each > position]
        choices: list[tuple[int, ...]] = [()]
        choices += [(each,) for each in decoded]
        if past and future:
            choices.append((draw(st.sampled_from(past)), draw(st.sampled_from(future))))
        references = draw(st.sampled_from(choices))
        kinds = [FrameKind(len(references))]
        if any(each.kind in CONTINUED for each in packets if (each.position,) == references):
            kinds.append(FrameKind.C)
        kind = draw(st.sampled_from(kinds))
        quality, data = draw(st.integers(0, 63)), draw(st.binary(max_size=30))
        drawn_alone = kind in CONTINUED or (kind is FrameKind.B and motion is not None)
        more = draw(st.binary(max_size=30)) if detail is not None and drawn_alone else b""
        packets.append(LatentPacket(kind, position, references, quality, data, more))
    rows = st.lists(st.integers(0, 63), min_size=16, max_size=16).map(tuple)
    there = model_ids.filter(lambda each: int(each, 16) > 0)
    prior = st.none() | there
    kinds_coded = {each.kind for each in packets}
    continues, moves = FrameKind.C in kinds_coded, motion is not None and FrameKind.B in kinds_coded
    return LatentBody(
        tuple(draw(st.lists(model_ids, min_size=1, max_size=8))),
        (draw(rows), draw(rows), draw(rows)),
        tuple(packets),
        draw(
            st.tuples(
                there if continues or moves else prior,
                prior,
                there if moves else prior,
                there if continues else prior,
            )
        ),
        motion,
        detail,
        draw(st.none() | scene_filters(most_filters=3)),
    )


@relaxed
@given(base_streams(), st.sampled_from(Upsampling), st.none() | scene_filters())
def test_classical_bodies_round_trip(
    base: BaseStream, upsampling: Upsampling, scene_filter: SceneFilter | None
) -> None:
    body = ClassicalBody(base, upsampling, scene_filter)
    assert parse_body(StrategyId.CLASSICAL, pack_body(body), len(base.packets)) == body


@relaxed
@given(hybrid_bodies())
def test_hybrid_bodies_round_trip(body: HybridBody) -> None:
    packed = pack_body(body)
    assert parse_body(StrategyId.HYBRID_SEMANTIC, packed, len(body.enhanced)) == body


@relaxed
@given(
    latent_bodies(),
    st.sampled_from([StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION]),
)
def test_latent_bodies_round_trip(body: LatentBody, strategy: StrategyId) -> None:
    assert parse_body(strategy, pack_body(body), len(body.packets)) == body


def classical(**changes: object) -> Body:
    base = sample_base(np.random.default_rng(0), 3)
    return ClassicalBody(replace(base, **changes))  # type: ignore[arg-type]


def latents(*changes: tuple[int, dict[str, object]]) -> Body:
    rng = np.random.default_rng(0)
    empty = sample_latent(rng, (4, 4), 0.0)
    body = encode_latents(
        [
            (FrameKind.I, 0, (), empty),
            (FrameKind.P, 2, (0,), empty),
            (FrameKind.B, 1, (0, 2), empty),
        ]
    )
    packets = list(body.packets)
    for number, fields in changes:
        packets[number] = replace(packets[number], **fields)  # type: ignore[arg-type]
    return replace(body, packets=tuple(packets))


def moving_latents(*changes: tuple[int, dict[str, object]]) -> LatentBody:
    """A hierarchy of B frames that move: 2 between I and C frames, 1 and 3 beside it, P last."""
    packets = [
        LatentPacket(FrameKind.I, 0, (), 30, b"i"),
        LatentPacket(FrameKind.C, 4, (0,), 30, b"c"),
        LatentPacket(FrameKind.B, 2, (0, 4), 30, b"b"),
        LatentPacket(FrameKind.B, 1, (0, 2), 30, b""),
        LatentPacket(FrameKind.B, 3, (2, 4), 30, b"b"),
        LatentPacket(FrameKind.P, 5, (3,), 30, b"p"),
    ]
    for number, fields in changes:
        packets[number] = replace(packets[number], **fields)  # type: ignore[arg-type]
    rows = ((0,) * 16,) * 3
    return LatentBody((MODEL,), rows, tuple(packets), (MODEL, None, MODEL, MODEL), MODEL)


PACKETS = sample_base(np.random.default_rng(0), 3).packets
REFUSED: dict[str, tuple[Body, str]] = {
    "odd width": (classical(width=95), r"95x80"),
    "no height": (classical(height=0), r"96x0"),
    "over the limit": (classical(width=16384, height=16384), r"16384x16384"),
    "quantizer of nine bits": (classical(quantizer=256), r"256 is not below"),
    "no packets": (classical(packets=()), r"no timestamps"),
    "a frame twice": (classical(packets=(*PACKETS[:2], replace(PACKETS[2], pts=1))), r"each once"),
    "a frame outside": (
        classical(packets=(*PACKETS[:2], replace(PACKETS[2], pts=3))),
        r"each once",
    ),
    "equal decoding times": (
        classical(packets=(*PACKETS[:2], replace(PACKETS[2], dts=0))),
        r"must increase",
    ),
    "no keyframe first": (
        classical(packets=(replace(PACKETS[0], is_keyframe=False), *PACKETS[1:])),
        r"no keyframe",
    ),
    "an empty packet": (
        classical(packets=(*PACKETS[:2], replace(PACKETS[2], data=b""))),
        r"empty packet",
    ),
    "a switch too few": (
        HybridBody(sample_base(np.random.default_rng(0), 9), MODEL, (True,) * 8),
        r"1 bytes of bits for 9",
    ),
    "a scene code out of range": (
        HybridBody(sample_base(np.random.default_rng(0), 1), MODEL, (True,), SceneCode((0,), (9,))),
        r"gains are 1 to 191",
    ),
    "a title beyond 16 bits": (
        HybridBody(sample_base(np.random.default_rng(0), 1), MODEL, (True,), title=1 << 16),
        r"65536 is not below",
    ),
    "a model id too short": (
        HybridBody(sample_base(np.random.default_rng(0), 1), "ab", (True,)),
        r"model id 'ab'",
    ),
    "a reference before it is decoded": (
        latents((1, {"references": (1,)})),
        r"not all decoded before",
    ),
    "a reference to itself": (latents((1, {"references": (2,)})), r"not all decoded before"),
    "a P frame without a reference": (latents((1, {"references": ()})), r"frame 2 refers to"),
    "a B frame outside its references": (latents((2, {"references": (2, 0)})), r"not between"),
    "a position twice": (
        latents((2, {"position": 2, "kind": FrameKind.I, "references": ()})),
        r"each once",
    ),
    "a negative position": (latents((0, {"position": -1})), r"not all decoded before"),
    "a C frame without a reference": (
        latents((2, {"kind": FrameKind.C, "references": ()})),
        r"frame 1 refers to",
    ),
    "a C frame that continues a P frame": (
        latents((2, {"kind": FrameKind.C, "references": (2,)})),
        r"C frame 1 refers to P frame 2, which it may not",
    ),
    "a C frame that continues a moving B frame": (
        moving_latents((4, {"kind": FrameKind.C, "references": (2,)})),
        r"C frame 3 refers to B frame 2, which it may not",
    ),
    "a moving B frame after a P frame": (
        moving_latents((1, {"kind": FrameKind.P})),
        r"B frame 2 refers to P frame 4, which it may not",
    ),
    "a moving B frame before a P frame": (
        moving_latents((2, {"kind": FrameKind.P, "references": (4,)})),
        r"B frame 1 refers to P frame 2, which it may not",
    ),
    "a moving B frame outside its references": (
        moving_latents((4, {"references": (0, 2)})),
        r"B frame 3 is not between",
    ),
    "a moving B frame before its references": (
        moving_latents((2, {"references": (0, 5)})),
        r"not all decoded before",
    ),
    "a C frame without a prior": (
        latents((2, {"kind": FrameKind.C, "references": (0,)})),
        r"no prior for I and C frames",
    ),
    "detail without a prior": (
        latents((0, {"detail": b"d"})),
        r"frame 0 has detail, and the body no prior for it",
    ),
    "detail of a P frame": (
        replace(moving_latents((5, {"detail": b"d"})), detail=MODEL),
        r"P frame 5 has detail, which only frames that are drawn alone have",
    ),
    "detail of a B frame that does not move": (
        replace(moving_latents((2, {"detail": b"d"})), motion=None, detail=MODEL),
        r"B frame 2 has detail, which only frames that are drawn alone have",
    ),
    "quality of seven bits": (latents((0, {"quality": 64})), r"quality 64"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_not_be_decoded_is_not_written(name: str) -> None:
    body, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        pack_body(body)


def test_latents_need_models_and_tables_in_range() -> None:
    body = latents()
    assert isinstance(body, LatentBody)
    for wrong in (
        replace(body, models=()),
        replace(body, models=(MODEL,) * 9),
        replace(body, difference_tables=body.difference_tables[:2]),
        replace(body, difference_tables=((64,) * 16,) * 3),
    ):
        with pytest.raises(BitstreamError):
            pack_body(wrong)


def test_a_body_without_priors_is_as_it_was_before_there_were_any() -> None:
    body = latents()
    assert isinstance(body, LatentBody)
    packed = pack_body(body)
    with_one = pack_body(replace(body, priors=(None, MODEL, None, None)))
    assert with_one == packed + pack_fields([(0x8005, bytes(8) + bytes.fromhex(MODEL) + bytes(16))])
    zeros = packed + pack_fields([(0x8005, bytes(32))])
    assert parse_body(StrategyId.SEMANTIC_LATENT, zeros, 3) == body


@pytest.mark.parametrize("size", [0, 8, 24, 31, 33, 40])
def test_priors_are_four_ids(size: int) -> None:
    damaged = pack_body(latents()) + pack_fields([(0x8005, bytes(size))])
    with pytest.raises(BitstreamError, match=r"priors|model ids"):
        parse_body(StrategyId.SEMANTIC_LATENT, damaged, 3)


def test_a_body_with_motion_has_a_field_more() -> None:
    body = latents((2, {"kind": FrameKind.C, "references": (0,)}))
    assert isinstance(body, LatentBody)
    body = replace(body, priors=(MODEL, None, None, MODEL))
    packed = pack_body(body)
    assert parse_body(StrategyId.SEMANTIC_LATENT, packed, 3).motion is None  # type: ignore[union-attr]
    moving = replace(body, motion="0123456789abcdef")
    assert pack_body(moving) == packed + pack_fields([(0x8006, bytes.fromhex("0123456789abcdef"))])
    assert parse_body(StrategyId.SEMANTIC_LATENT, pack_body(moving), 3) == moving


@pytest.mark.parametrize("size", [0, 7, 9, 16, 24])
def test_motion_is_one_id(size: int) -> None:
    damaged = pack_body(latents()) + pack_fields([(0x8006, bytes(size))])
    with pytest.raises(BitstreamError, match=r"motion tables, one is wanted|model ids of"):
        parse_body(StrategyId.SEMANTIC_LATENT, damaged, 3)


def test_a_body_moves_by_one_set_of_tables() -> None:
    field = pack_fields([(0x8006, bytes.fromhex(MODEL))])
    with pytest.raises(BitstreamError, match="field 0x8006 occurs 2 times"):
        parse_body(StrategyId.SEMANTIC_LATENT, pack_body(latents()) + 2 * field, 3)
    body = latents()
    assert isinstance(body, LatentBody)
    for wrong in ("ab", "AB" * 8, ""):
        with pytest.raises(ValueError, match="model id"):
            pack_body(replace(body, motion=wrong))


def test_a_body_without_detail_is_as_it_was_before_there_was_any() -> None:
    """A table as docs/format.md had it then, and no field."""
    body = moving_latents()
    fields = [
        (0x8001, bytes.fromhex(MODEL)),
        (0x8002, bytes(48)),
        (0x8003, bytes.fromhex("780001 7b060701 7a00030401 7a03010200 7a01010201 79000301")),
        (0x8004, b"icbbp"),
        (0x8005, bytes.fromhex(MODEL) + bytes(8) + 2 * bytes.fromhex(MODEL)),
        (0x8006, bytes.fromhex(MODEL)),
    ]
    assert pack_body(body) == pack_fields(fields)


def test_detail_lies_behind_the_packets_own_bytes() -> None:
    body = moving_latents((0, {"detail": b"III"}), (1, {"detail": b"CC"}), (4, {"detail": b"B"}))
    body = replace(body, detail="0123456789abcdef")
    packed = pack_body(body)
    assert parse_body(StrategyId.SEMANTIC_LATENT, packed, 6) == body
    assert packed.endswith(pack_fields([(0x8007, bytes.fromhex("0123456789abcdef"))]))
    assert pack_fields([(0x8004, b"iIIIcCCbbBp")]) in packed
    # Six lengths more, though most are 0, and a field.
    plain = moving_latents()
    assert len(packed) == len(pack_body(plain)) + 6 + 6 + 6 + 8
    none = replace(plain, detail=body.detail)
    assert len(pack_body(none)) == len(packed) - 6
    assert parse_body(StrategyId.SEMANTIC_LATENT, pack_body(none), 6) == none


@pytest.mark.parametrize("size", [0, 7, 9, 16, 24])
def test_detail_is_of_one_id(size: int) -> None:
    body = replace(moving_latents(), detail=MODEL)
    field = pack_fields([(0x8007, bytes.fromhex(MODEL))])
    packed = pack_body(body)
    assert packed.endswith(field)
    damaged = packed[: -len(field)] + pack_fields([(0x8007, bytes(size))])
    with pytest.raises(BitstreamError, match=r"priors of detail, one is wanted|model ids of"):
        parse_body(StrategyId.SEMANTIC_LATENT, damaged, 6)


def test_detail_has_one_prior_and_lengths_of_it() -> None:
    body = moving_latents()
    field = pack_fields([(0x8007, bytes.fromhex(MODEL))])
    detailed = pack_body(replace(body, detail=MODEL))
    with pytest.raises(BitstreamError, match="field 0x8007 occurs 2 times"):
        parse_body(StrategyId.SEMANTIC_LATENT, detailed + field, 6)
    # Without lengths, and with lengths but no field.
    for damaged in (pack_body(body) + field, detailed[: -len(field)]):
        with pytest.raises(BitstreamError):
            parse_body(StrategyId.SEMANTIC_LATENT, damaged, 6)
    longer = pack_body(replace(moving_latents((5, {"data": b"pp"})), detail=MODEL))
    for wrong in ("ab", "AB" * 8, ""):
        with pytest.raises(ValueError, match="model id"):
            pack_body(replace(body, detail=wrong))
    table = pack_fields([(0x8004, b"icbbpp")])
    cut = longer.replace(table, pack_fields([(0x8004, b"icbbp")]))
    assert cut != longer
    with pytest.raises(BitstreamError, match="bytes wanted"):
        parse_body(StrategyId.SEMANTIC_LATENT, cut, 6)


def test_c_frames_need_the_priors_of_both_kinds() -> None:
    body = latents((2, {"kind": FrameKind.C, "references": (0,)}))
    assert isinstance(body, LatentBody)
    for priors, missing in (((MODEL, None, None, None), "C"), ((None, None, None, MODEL), "I")):
        with pytest.raises(BitstreamError, match=f"no prior for {missing} frames"):
            pack_body(replace(body, priors=priors))
    both = replace(body, priors=(MODEL, None, None, MODEL))
    assert parse_body(StrategyId.SEMANTIC_LATENT, pack_body(both), 3) == both


def test_b_frames_that_move_need_the_priors_of_both_kinds() -> None:
    """Others need none, and may refer to any frame."""
    body = moving_latents((1, {"kind": FrameKind.I, "references": ()}))
    both = replace(body, priors=(MODEL, None, MODEL, None))
    assert parse_body(StrategyId.SEMANTIC_LATENT, pack_body(both), 6) == both
    for priors, missing in (
        ((MODEL, MODEL, None, MODEL), "B"),
        ((None, MODEL, MODEL, MODEL), "I"),
        ((None, None, None, None), "I and B"),
    ):
        with pytest.raises(BitstreamError, match=f": B frames, but no prior for {missing} frames"):
            pack_body(replace(body, priors=priors))
        still = replace(body, priors=priors, motion=None)
        assert parse_body(StrategyId.SEMANTIC_LATENT, pack_body(still), 6) == still
    of_p = moving_latents((1, {"kind": FrameKind.P}))
    still = replace(of_p, motion=None)
    assert parse_body(StrategyId.SEMANTIC_LATENT, pack_body(still), 6) == still


def test_what_is_drawn_alone_rests_on_what_it_refers_to() -> None:
    body = moving_latents()
    found = {packet.position: body.rests_on(packet) for packet in body.packets}
    assert found == {0: (), 4: (0,), 2: (0, 4), 1: (0, 2), 3: (2, 4), 5: ()}
    names = [body.network_of(kind) for kind in FrameKind]
    assert names == ["iframe_decoder", "generator_p", "iframe_decoder", "iframe_decoder"]
    still = replace(body, motion=None)
    found = {packet.position: still.rests_on(packet) for packet in body.packets}
    assert found == {0: (), 4: (0,), 2: (), 1: (), 3: (), 5: ()}
    names = [still.network_of(kind) for kind in FrameKind]
    assert names == ["iframe_decoder", "generator_p", "generator_b", "iframe_decoder"]


def test_priors_of_no_id_cannot_be_written() -> None:
    body = latents()
    assert isinstance(body, LatentBody)
    for wrong in ("0" * 16, "ab", "AB" * 8):
        with pytest.raises(ValueError, match=r"cannot hold|model id"):
            pack_body(replace(body, priors=(wrong, None, None, None)))


def test_a_body_of_another_number_of_frames_is_refused() -> None:
    for strategy, body in (
        (StrategyId.CLASSICAL, classical()),
        (StrategyId.SEMANTIC_LATENT, latents()),
    ):
        for frames in (2, 4):
            with pytest.raises(BitstreamError):
                parse_body(strategy, pack_body(body), frames)


def test_the_readers_limits_hold_for_the_base_picture() -> None:
    packed = pack_body(classical())
    with pytest.raises(BitstreamError, match="96x80"):
        parse_body(StrategyId.CLASSICAL, packed, 3, Limits(max_pixels=96 * 80 - 1))


def test_what_a_later_version_adds_is_named() -> None:
    later = pack_body(classical()) + pack_fields([(0x8000 | 1 << 10 | 1, b"")])
    for strategy in StrategyId:
        name = strategy.name.lower()
        with pytest.raises(UnsupportedError, match=f"{name} body: .*format version 2") as raised:
            parse_body(strategy, later[len(pack_body(classical())) :], 3)
        assert "update edgecodec" in str(raised.value)
    with pytest.raises(UnsupportedError, match="format version 2"):
        parse_body(StrategyId.CLASSICAL, later, 3)
    picture = pack_unsigned(96, 80, 8, 0)
    unknown = pack_fields([(0x8001, pack_fields([(0x8001, b"\x09"), (0x8002, picture)]))])
    with pytest.raises(UnsupportedError, match="codec 9"):
        parse_body(StrategyId.CLASSICAL, unknown, 1)


def test_a_filter_is_a_field_that_is_there_once() -> None:
    base = sample_base(np.random.default_rng(0), 3)
    scene_filter = fixed_filter()
    field = pack_fields([(0x8009, pack_scene_filter(scene_filter))])
    bodies: list[tuple[StrategyId, ClassicalBody | HybridBody]] = [
        (StrategyId.CLASSICAL, ClassicalBody(base)),
        (StrategyId.HYBRID_SEMANTIC, HybridBody(base, MODEL, (True,) * 3)),
    ]
    for strategy, body in bodies:
        filtered = pack_body(replace(body, filter=scene_filter))
        assert filtered == pack_body(body) + field
        with pytest.raises(BitstreamError, match="field 0x8009 occurs 2 times"):
            parse_body(strategy, filtered + field, 3)
        name = strategy.name.lower()
        with pytest.raises(
            BitstreamError, match=f"{name} body, scene filter: .*cut off|bytes wanted"
        ):
            parse_body(strategy, pack_body(body) + pack_fields([(0x8009, b"")]), 3)
        with pytest.raises(BitstreamError, match=f"{name} body, scene filter.*planes 0x9"):
            parse_body(strategy, pack_body(body) + pack_fields([(0x8009, b"\x09")]), 3)


def test_an_optional_field_of_a_later_version_is_skipped() -> None:
    body = classical()
    later = pack_body(body) + pack_fields([(1 << 10 | 1, b"anything")])
    assert parse_body(StrategyId.CLASSICAL, later, 3) == body


def test_a_base_packet_costs_about_three_bytes_beside_its_data() -> None:
    packets = tuple(BasePacket(n, n, n == 0, bytes(100)) for n in range(200))
    body = ClassicalBody(BaseStream(Codec.AV1, 96, 80, 8, 9, b"", packets))
    assert len(pack_body(body)) < 200 * (100 + 3) + 80
