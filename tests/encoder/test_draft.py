"""The stream before its scenes are chosen: what it is known to need, and what is written."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from edgecodec.encoder.classify import SceneClass
from edgecodec.encoder.draft import Draft, until
from edgecodec.encoder.explore import Explored
from edgecodec.encoder.media import SourceInfo
from edgecodec.encoder.strategies import Candidate, chunk_bits
from edgecodec.runtime.auxiliary import AuxPacket, AuxStream
from edgecodec.runtime.chunks import Codec, StrategyId
from edgecodec.runtime.container import Reader
from edgecodec.runtime.frames import ColorInfo, PictureFormat
from edgecodec.runtime.models import packaged_models, read_models

CLOCK = Fraction(1, 30)
AUDIO_CLOCK = Fraction(1, 1000)
SOUND = AuxStream(0, "opus", "audio", AUDIO_CLOCK, sample_rate=48000, channels=2, layout="stereo")
TEXT = AuxStream(1, "subrip", "subtitle", AUDIO_CLOCK)


def info(tmp_path: Path) -> SourceInfo:
    return SourceInfo(
        tmp_path / "any.mkv",
        PictureFormat(96, 64),
        CLOCK,
        Fraction(30),
        ColorInfo(1, 1, 1),
        90,
        Fraction(4, 3),
        None,
        None,
    )


def scene(
    index: int, sizes: Sequence[int], strategy: StrategyId, start_pts: int = 7, frames: int = 30
) -> Explored:
    """A scene whose candidates' bodies have those sizes."""
    start = index * frames
    pts = tuple(start_pts + start + n for n in range(frames))
    made = tuple(
        Candidate(
            strategy,
            Codec.AV1,
            "any",
            float(size),
            chunk_bits(index, start, pts, strategy, size),
            (30.0,) * frames,
            bytes(size),
        )
        for size in sizes
    )
    return Explored(index, start, pts, SceneClass.SLOW, made, (), ())


def packets(stream: AuxStream, *times: int) -> list[AuxPacket]:
    """One packet at each time, and the time in its data."""
    return [AuxPacket(stream.index, at, at, 20, True, f"packet at {at:5}".encode()) for at in times]


def draft(
    tmp_path: Path,
    scenes: Sequence[Explored],
    aux: Sequence[AuxPacket] = (),
) -> Draft:
    return Draft(info(tmp_path), scenes, "nano", (SOUND, TEXT) if aux else (), aux)


def written(made: Draft, chosen: Sequence[Candidate]) -> bytes:
    file = io.BytesIO()
    made.write(file, chosen)
    return file.getvalue()


@pytest.mark.parametrize("strategy", [StrategyId.CLASSICAL, StrategyId.HYBRID_SEMANTIC])
@pytest.mark.parametrize("with_aux", [0, 1], ids=["video", "sound and text"])
def test_what_the_rest_needs_is_known_before_the_choice(
    tmp_path: Path, strategy: StrategyId, with_aux: int
) -> None:
    """Never less than it takes, whatever is chosen, and no more than a few bytes too much."""
    scenes = [scene(number, (0, 100, 20_000, 300_000), strategy) for number in range(3)]
    aux = packets(SOUND, *range(0, 3000, 20)) + packets(TEXT, 100, 2500)
    made = draft(tmp_path, scenes, aux * with_aux)
    reserved = made.other_bits()
    for entry in range(4):
        chosen = [each.candidates[entry] for each in scenes]
        file = written(made, chosen)
        needed = 8 * (len(file) - made.aux_bytes) - sum(each.bits for each in chosen)
        assert needed <= reserved <= needed + 8 * 16 * len(scenes)
        assert [8 * each.size for each in Reader(io.BytesIO(file)).index] == [
            each.bits for each in chosen
        ]


def test_networks_are_named_where_a_chosen_scene_needs_them(tmp_path: Path) -> None:
    plain, mended = StrategyId.CLASSICAL, StrategyId.HYBRID_SEMANTIC
    candidates = [scene(0, (10,), strategy).candidates[0] for strategy in (plain, mended)]
    one = scene(0, (10,), plain)
    both = Explored(0, 0, one.pts, one.scene_class, tuple(candidates), (), ())
    made = draft(tmp_path, [both])
    installed = tuple(each.model_id for each in read_models(packaged_models("nano")).networks)
    for chosen, ids, tier in zip(candidates, ((), installed), ("", "nano"), strict=True):
        header = Reader(io.BytesIO(written(made, [chosen]))).header
        assert (header.model_ids, header.tier) == (ids, tier)
        file = written(made, [chosen])
        assert 8 * len(file) - chosen.bits <= made.other_bits()


def test_the_header_says_what_the_source_is(tmp_path: Path) -> None:
    made = draft(tmp_path, [scene(n, (10,), StrategyId.CLASSICAL) for n in range(2)])
    header = Reader(io.BytesIO(written(made, [s.candidates[0] for s in made.scenes]))).header
    source = info(tmp_path)
    for name in ("format", "time_base", "frame_rate", "color", "rotation", "sample_aspect"):
        assert getattr(header, name) == getattr(source, name)
    assert header.frame_count == made.frames == 60
    assert made.duration_s == pytest.approx(2.0)
    assert header.writer.startswith("edgecodec ")


def test_packets_of_a_chunks_time_come_before_it_and_all_are_kept(tmp_path: Path) -> None:
    """A player that streams has the sound by the time that it shows the picture."""
    scenes = [scene(n, (5000,), StrategyId.CLASSICAL, start_pts=0) for n in range(2)]
    aux = packets(SOUND, 0, 900, 1100, 1900, 2500) + packets(TEXT, 950)
    made = draft(tmp_path, scenes, aux)
    file = written(made, [each.candidates[0] for each in scenes])
    reader = Reader(io.BytesIO(file))
    kept = list(reader.aux_packets())
    assert [each.pts for each in kept] == [0, 900, 950, 1100, 1900, 2500]
    assert made.aux_bytes == sum(len(each.data) for each in aux)
    places = [file.index(each.data) for each in kept]
    first, second = reader.index
    before = [(place > first.offset) + (place > second.offset) for place in places]
    # The first scene ends at 0.967 s, the second one at 1.967 s.
    assert before == [0, 0, 0, 1, 1, 2]


def test_packets_until_a_time_are_those_that_start_before_it() -> None:
    aux = packets(SOUND, 0, 480, 500, 520) + packets(TEXT, 499, 501)
    kept = until(Fraction(1, 2), (SOUND, TEXT), aux)
    assert [each.pts for each in kept] == [0, 480, 499]
