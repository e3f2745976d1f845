"""What is told of a stream without decoding it: what its networks are adapted by."""

from __future__ import annotations

from pathlib import Path

from edgecodec.runtime.container import StrategyId
from edgecodec.runtime.summary import TitleSummary, summarise
from edgecodec.runtime.title import pack_title

from .ecv_samples import MODEL, sample_stream, sample_titles


def test_title_weights_and_scene_codes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "sample.ecv"
    path.write_bytes(sample_stream())
    summary = summarise(path)
    assert summary.titles == tuple(
        TitleSummary(number, MODEL, len(pack_title(title)))
        for number, title in enumerate(sample_titles())
    )
    adapted = {scene.strategy: (scene.has_code, scene.title) for scene in summary.scenes}
    assert adapted.pop(StrategyId.HYBRID_SEMANTIC) == (True, 1)
    assert set(adapted.values()) == {(False, None)}


def test_title_weights_that_are_damaged_are_not_told(tmp_path: Path) -> None:
    path = tmp_path / "sample.ecv"
    data = bytearray(sample_stream())
    data[data.index(b"NETW") + 40] ^= 1
    path.write_bytes(data)
    summary = summarise(path)
    assert [title.number for title in summary.titles] == [1]
    assert len(summary.damage) == 1
