"""Title weights: bytes and back, records of them, and what they do to a template's integers."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from edgecodec.runtime.container import Limits, Reader, Writer
from edgecodec.runtime.errors import BitstreamError, ModelError, UnsupportedError
from edgecodec.runtime.fields import pack_fields, pack_unsigned
from edgecodec.runtime.header import pack_header
from edgecodec.runtime.models import ModelEntry, TemplateFile
from edgecodec.runtime.records import HEAD, NETW, RecordFile, write_record
from edgecodec.runtime.scale_tables import load_scale_tables
from edgecodec.runtime.template import Template, TemplateTensor, read_template, titled
from edgecodec.runtime.title import (
    TensorDelta,
    TitleWeights,
    fit_table,
    pack_title,
    pack_title_record,
    parse_title,
    symbol_bits,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from .ecv_samples import MODEL, open_stream, sample_chunks, sample_header, sample_stream
from .ecv_samples import sample_titles as titles
from .mutations import RAW
from .streams import NANO


def int8(*values: int) -> NDArray[np.int8]:
    return np.array(values, np.int8)


def delta(symbols: NDArray[np.int8], step: int = 0, table: int | None = None) -> TensorDelta:
    return TensorDelta(step, fit_table(symbols) if table is None else table, symbols)


@st.composite
def deltas(draw: st.DrawFn) -> TensorDelta:
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([0.0, 0.1, 2.0, 300.0]))
    count = draw(st.integers(0, 400))
    symbols = np.rint(random.laplace(size=count) * spread).clip(-127, 127).astype(np.int8)
    best = fit_table(symbols)
    table = draw(st.just(best) | st.integers(1, 63))
    return TensorDelta(draw(st.integers(0, 24)), table, symbols)


title_weights = st.builds(
    TitleWeights,
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.lists(deltas(), max_size=6).map(tuple),
)


@settings(deadline=None, max_examples=80)
@given(title_weights)
def test_titles_round_trip(title: TitleWeights) -> None:
    parsed = parse_title(pack_title(title), Limits(), "title")
    assert parsed == title
    assert parsed.digest == title.digest


def test_titles_differ_where_their_integers_do() -> None:
    one = TitleWeights(MODEL, (delta(int8(1, 2)), delta(int8(3))))
    assert one == TitleWeights(MODEL, (delta(int8(1, 2)), delta(int8(3))))
    others = [
        TitleWeights("f" * 16, one.deltas),
        TitleWeights(MODEL, (delta(int8(1, 3)), delta(int8(3)))),
        TitleWeights(MODEL, (delta(int8(1, 2), step=1), delta(int8(3)))),
        TitleWeights(MODEL, (delta(int8(1)), delta(int8(2, 3)))),
    ]
    assert all(other != one for other in others)
    assert len({each.digest for each in (one, *others)}) == 5
    assert hash(one.deltas[0]) == hash(delta(int8(1, 2)))


def test_the_chosen_table_has_the_fewest_bits() -> None:
    random = np.random.default_rng(2)
    for spread in (0.3, 0.7, 5.0, 60.0):
        symbols = np.rint(random.laplace(size=3000) * spread).clip(-127, 127).astype(np.int8)
        costs = [symbol_bits(symbols, table) for table in range(1, 64)]
        assert fit_table(symbols) == 1 + int(np.argmin(costs))
    weights = load_scale_tables().weights
    expected = -np.log2((weights[9, [124, 127, 127]].astype(np.float64) + 1) / 2**24).sum()
    assert symbol_bits(int8(-3, 0, 0), 9) == pytest.approx(expected)
    assert (fit_table(int8(0, 0)), symbol_bits(int8(0, 0), 0)) == (0, 0.0)
    assert symbol_bits(int8(0, 1), 0) == float("inf")


def test_a_packed_title_is_as_small_as_its_bits_say() -> None:
    random = np.random.default_rng(4)
    symbols = np.rint(random.laplace(size=40_000) * 0.4).astype(np.int8)
    title = TitleWeights(MODEL, (delta(symbols), delta(np.zeros(5000, np.int8))))
    expected = symbol_bits(symbols, fit_table(symbols)) / 8
    assert expected <= len(pack_title(title)) <= expected * 1.001 + 40


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (TensorDelta(0, 3, int8(-128)), "-127 to 127"),
        (TensorDelta(0, 3, np.zeros((2, 2), np.int8)), "flat int8"),
        (TensorDelta(0, 3, np.zeros(2, np.int16)), "flat int8"),  # type: ignore[arg-type]
        (TensorDelta(25, 3, int8(1)), "step 25"),
        (TensorDelta(-1, 3, int8(1)), "step -1"),
        (TensorDelta(0, 64, int8(1)), "table 64"),
        (TensorDelta(0, 0, int8(1)), "table 0 codes nothing"),
    ],
)
def test_what_no_reader_would_take_is_not_written(wrong: TensorDelta, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack_title(TitleWeights(MODEL, (delta(int8(0)), wrong)))


def test_a_template_id_of_another_length_is_not_written() -> None:
    with pytest.raises(ValueError, match="model id 'ab'"):
        pack_title(TitleWeights("ab", ()))


PACKED = pack_title(TitleWeights(MODEL, (delta(int8(5, -3, 0)),)))
HEAD_BYTES = 8


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PACKED[:7], "8 bytes wanted"),
        (PACKED[:10], "a count of 1"),
        (PACKED[:HEAD_BYTES] + pack_unsigned(5000), "a count of 5000"),
        (PACKED[:10] + b"\x19\x01" + PACKED[12:], "step 25"),
        (PACKED[:10] + b"\x00\x40" + PACKED[12:], "table 64"),
        (PACKED[:-1], "a multiple of 4"),
        (PACKED[:12] + bytes([PACKED[12] ^ 1]) + PACKED[13:], "do not match their checksum"),
        (PACKED[:9] + pack_unsigned(1 << 40) + PACKED[10:], "is not below"),
    ],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(BitstreamError, match=message) as raised:
        parse_title(data, Limits(), "the title")
    assert "the title" in str(raised.value)


def test_symbols_are_bounded_over_all_tensors() -> None:
    title = TitleWeights(MODEL, (delta(int8(0, 0)), delta(int8(0, 0, 0))))
    assert parse_title(pack_title(title), Limits(max_title_symbols=5), "title") == title
    with pytest.raises(BitstreamError, match="3 is not below 3"):
        parse_title(pack_title(title), Limits(max_title_symbols=4), "title")


def test_mutated_titles_are_titles_or_refused() -> None:
    random = np.random.default_rng(5)
    limits = Limits(max_title_symbols=5000)
    outcomes = {"titles": 0, "refused": 0}
    packed = [pack_title(title) for title in titles()]
    for number in range(1400):
        try:
            data = RAW[number % len(RAW)](random, packed[number % 2])
            title = parse_title(data, limits, "title")
        except BitstreamError:
            outcomes["refused"] += 1
        else:
            assert parse_title(pack_title(title), limits, "title") == title
            outcomes["titles"] += 1
    assert outcomes["titles"] >= 20
    assert outcomes["refused"] >= 1000


# Records


def stream_with(*records: bytes, announced: int | None = None) -> bytes:
    """A stream of no scenes, with such `NETW` payloads."""
    file = io.BytesIO()
    count = len(records) if announced is None else announced
    write_record(file, HEAD, pack_header(sample_header(titles=count)))
    for payload in records:
        write_record(file, NETW, payload)
    return file.getvalue()


def test_a_stream_carries_its_titles_by_their_place() -> None:
    for count in range(3):
        file = io.BytesIO()
        Writer(file, sample_header(), titles()[:count]).finish()
        reader = open_stream(file.getvalue())
        assert dict(reader.titles) == dict(enumerate(titles()[:count]))
        assert reader.header == sample_header(titles=count)
        assert reader.damage == []


def test_titles_do_not_need_an_index() -> None:
    reader = open_stream(sample_stream()[:-20])
    assert dict(reader.titles) == dict(enumerate(titles()))
    assert len(reader.index) == 4


def title_records(data: bytes) -> list[tuple[int, int]]:
    places = RecordFile(io.BytesIO(data)).walk(0)
    return [(each.offset, each.size) for each in places if getattr(each, "kind", b"") == NETW]


@pytest.mark.parametrize("hit", [0, 1])
@pytest.mark.parametrize("at", [0, 5, 14, 30, -2])
def test_a_damaged_title_costs_only_itself(hit: int, at: int) -> None:
    data = sample_stream(5)
    offset, size = title_records(data)[hit]
    place = offset + at % size
    reader = open_stream(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
    assert dict(reader.titles) == {1 - hit: titles()[1 - hit]}
    assert [damage.offset for damage in reader.damage] == [offset]
    chunks = sample_chunks(np.random.default_rng(5))
    assert [reader.chunk(entry) for entry in reader.index] == chunks


def test_titles_that_are_gone_are_listed() -> None:
    data = sample_stream(5)
    (first, size), _ = title_records(data)
    for cut in (data[:first] + data[first + size :], stream_with(announced=2)):
        reader = open_stream(cut)
        assert len(reader.titles) <= 1
        assert "title weights are gone" in reader.damage[0].what


def test_a_title_of_a_later_version_costs_only_itself() -> None:
    later = pack_fields([(0x8000 | 1 << 10 | 1, b"")])
    good = pack_title_record(3, titles()[0])
    reader = open_stream(stream_with(later, good))
    assert dict(reader.titles) == {3: titles()[0]}
    assert "update edgecodec" in reader.damage[0].what


def test_a_number_that_comes_twice_is_damage_and_the_first_stays() -> None:
    one, other = titles()
    reader = open_stream(stream_with(pack_title_record(7, one), pack_title_record(7, other)))
    assert dict(reader.titles) == {7: one}
    assert "for a second time" in reader.damage[0].what


def test_titles_that_the_header_does_not_announce_are_not_read() -> None:
    reader = open_stream(stream_with(pack_title_record(0, titles()[0]), announced=0))
    assert reader.titles == {}


def test_limits_of_the_reader_hold() -> None:
    data = sample_stream()
    with pytest.raises(BitstreamError, match="2 title weights, over 1"):
        Reader(io.BytesIO(data), Limits(max_titles=1))
    small = Reader(io.BytesIO(data), Limits(max_title_bytes=10))
    assert small.titles == {}
    assert all("over the limit of 10" in damage.what for damage in small.damage)
    assert len(small.damage) == 2
    # 239 symbols each: they count together.
    few = Reader(io.BytesIO(data), Limits(max_title_symbols=2 * 239 - 1))
    assert list(few.titles) == [0]
    assert len(few.damage) == 1


def test_the_writer_keeps_to_the_limits() -> None:
    empty = TitleWeights(MODEL, ())
    with pytest.raises(UnsupportedError, match="65 title weights, over 64"):
        Writer(io.BytesIO(), sample_header(), [empty] * 65)
    large = TitleWeights(MODEL, (delta(np.zeros(9 << 20, np.int8)),))
    with pytest.raises(UnsupportedError, match="title weights of 18874368 symbols"):
        Writer(io.BytesIO(), sample_header(), [large] * 2)


def test_hostile_titles_share_what_may_be_decoded() -> None:
    """Each is whole and within the limits, but for its checksum."""
    title = TitleWeights(MODEL, (delta(np.zeros(1000, np.int8)),))
    broken = bytearray(pack_title(title))
    broken[-1] ^= 1
    record = pack_fields([(0x8001, b"\0"), (0x8002, bytes(broken))])
    data = stream_with(*[record] * 9, pack_title_record(1, title))
    reader = Reader(io.BytesIO(data), Limits(max_title_symbols=4000))
    assert reader.titles == {}
    found = [damage.what for damage in reader.damage]
    assert sum("do not match their checksum" in what for what in found) == 3
    assert sum("is not below" in what for what in found) == 7


# Templates

WEIGHT = np.arange(-127, 113, dtype=np.int8).reshape(4, 3, 4, 5)
BIAS = np.array([0, 1 << 30, -(1 << 30), 5], np.int32)
SCALES = np.ones(4, np.float32)
TEMPLATE = Template(
    (TemplateTensor("weight", WEIGHT, SCALES), TemplateTensor("bias", BIAS, SCALES))
)


def change(weight: NDArray[np.int8], bias: NDArray[np.int8], *steps: int) -> TitleWeights:
    first, second = steps or (0, 0)
    return TitleWeights(MODEL, (delta(weight, first), delta(bias, second)))


def test_deltas_of_zero_change_nothing() -> None:
    made = titled(TEMPLATE, change(np.zeros(240, np.int8), np.zeros(4, np.int8), 24, 24))
    assert list(made) == ["weight", "bias"]
    for values, original in zip(made.values(), (WEIGHT, BIAS), strict=True):
        assert values.dtype == original.dtype
        np.testing.assert_array_equal(values, original)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 24), st.integers(0, 22))
def test_integers_go_up_by_symbols_times_a_power_of_two(
    seed: int, weight_step: int, bias_step: int
) -> None:
    random = np.random.default_rng(seed)
    weight = random.integers(-127, 128, 240).astype(np.int8)
    bias = int8(int(random.integers(-127, 128)), -1, 1, int(random.integers(-127, 128)))
    made = titled(TEMPLATE, change(weight, bias, weight_step, bias_step))
    for place, value in enumerate(made["weight"].ravel().tolist()):
        wanted = int(WEIGHT.ravel()[place]) + int(weight[place]) * 2**weight_step
        assert value == max(-127, min(127, wanted))
    wanted_bias = [int(b) + int(s) * 2**bias_step for b, s in zip(BIAS, bias, strict=True)]
    assert made["bias"].tolist() == wanted_bias


@pytest.mark.parametrize("bias", [int8(0, 1, 0, 0), int8(0, 0, -1, 0), int8(127, 0, 0, 0)])
def test_biases_beyond_thirty_bits_are_refused(bias: NDArray[np.int8]) -> None:
    step = 24 if bias[0] else 0
    with pytest.raises(BitstreamError, match="take bias beyond"):
        titled(TEMPLATE, change(np.zeros(240, np.int8), bias, 0, step))


def test_deltas_of_another_shape_are_refused() -> None:
    with pytest.raises(BitstreamError, match="239 symbols for weight, which has 240 integers"):
        titled(TEMPLATE, change(np.zeros(239, np.int8), np.zeros(4, np.int8)))
    with pytest.raises(BitstreamError, match=r"of 1 tensors for network 0011.*which has 2"):
        titled(TEMPLATE, TitleWeights(MODEL, (delta(np.zeros(240, np.int8)),)))


def entry_with(folder: Path, arrays: dict[str, np.ndarray] | bytes) -> ModelEntry:
    path = folder / "enhancer.template.npz"
    if isinstance(arrays, bytes):
        path.write_bytes(arrays)
    else:
        np.savez(path, **arrays)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(NANO.network("enhancer"), template=TemplateFile(path, digest))


SOUND: dict[str, np.ndarray] = {
    "head.weight": WEIGHT,
    "head.weight.scale": SCALES,
    "head.bias": BIAS,
    "head.bias.scale": SCALES,
}


def test_a_template_is_read_in_its_order(tmp_path: Path) -> None:
    template = read_template(entry_with(tmp_path, SOUND))
    assert [tensor.name for tensor in template.tensors] == ["head.weight", "head.bias"]
    np.testing.assert_array_equal(template.tensors[0].values, WEIGHT)
    np.testing.assert_array_equal(template.tensors[1].scale, SCALES)


@pytest.mark.parametrize("name", ["enhancer", "generator_up"])
def test_the_installed_templates_are_the_integers_of_their_graphs(name: str) -> None:
    entry = NANO.network(name)
    stored = onnx.load(entry.file).graph.initializer
    graph = {each.name: onnx.numpy_helper.to_array(each) for each in stored}
    tensors = read_template(entry).tensors
    for tensor in tensors:
        np.testing.assert_array_equal(tensor.values, graph[tensor.name])
    assert [tensor.name for tensor in tensors][:2] == [
        "stem.weight_quantized",
        "stem.bias_quantized",
    ]
    weights = [tensor for tensor in tensors if tensor.values.dtype == np.int8]
    assert [tensor.values.shape[0] for tensor in weights] == [64, 64, 64, 24]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (b"not a zip file", "no template"),
        (b"", "no template"),
        ({"a": WEIGHT}, "no template"),
        ({"a": WEIGHT.astype(np.int16), "a.scale": SCALES}, "a is int16"),
        ({"a": WEIGHT.astype(np.int32), "a.scale": SCALES}, "a is int32"),
        ({"a": WEIGHT, "a.scale": SCALES[:3]}, r"scales float32 \(3,\)"),
        ({"a": WEIGHT, "a.scale": SCALES.astype(np.float64)}, "scales float64"),
        ({"a": WEIGHT[:0], "a.scale": SCALES[:0]}, r"a is int8 \(0, 3"),
        ({"a": np.full((1, 1, 1, 1), -128, np.int8), "a.scale": SCALES[:1]}, "-127 to 127"),
        ({"a": np.array(["x"], object), "a.scale": SCALES}, "no template"),
    ],
)
def test_a_file_that_is_no_template_is_named(
    tmp_path: Path, arrays: dict[str, np.ndarray] | bytes, message: str
) -> None:
    entry = entry_with(tmp_path, arrays)
    with pytest.raises(ModelError, match=message) as raised:
        read_template(entry)
    assert "enhancer.template.npz" in str(raised.value)


def test_a_template_that_is_not_the_described_one_is_refused(tmp_path: Path) -> None:
    entry = entry_with(tmp_path, SOUND)
    assert entry.template is not None
    entry.template.file.write_bytes(b"another")
    with pytest.raises(ModelError, match="not the file that manifest"):
        read_template(entry)
    entry.template.file.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        read_template(entry)


def test_a_network_without_a_template_says_so() -> None:
    with pytest.raises(ModelError, match="has no template"):
        read_template(NANO.network("iframe_decoder"))
