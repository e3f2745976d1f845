"""What is told of a stream without decoding it: what its networks are adapted by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from edgecodec.runtime.container import StrategyId
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.payloads import ClassicalBody, HybridBody
from edgecodec.runtime.summary import TitleSummary, summarise
from edgecodec.runtime.title import pack_title

from .ecv_samples import MODEL, sample_base, sample_stream, sample_titles
from .filter_samples import fixed_filter
from .streams import Scene, stream_of


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


def test_scenes_with_filters_are_told(tmp_path: Path) -> None:
    path = tmp_path / "filters.ecv"
    base = sample_base(np.random.default_rng(0), 3)
    classical, mended = ClassicalBody(base), HybridBody(base, MODEL, (True, False, True))
    scenes = [
        Scene(body, 3, strategy)
        for plain, strategy in (
            (classical, StrategyId.CLASSICAL),
            (mended, StrategyId.HYBRID_SEMANTIC),
        )
        for body in (plain, replace(plain, filter=fixed_filter()))
    ]
    path.write_bytes(stream_of(scenes, PictureFormat(96, 79)))
    summary = summarise(path)
    assert [scene.has_filter for scene in summary.scenes] == [False, True, False, True]
    assert not any(scene.has_code or scene.problem for scene in summary.scenes)


def test_title_weights_that_are_damaged_are_not_told(tmp_path: Path) -> None:
    path = tmp_path / "sample.ecv"
    data = bytearray(sample_stream())
    data[data.index(b"NETW") + 40] ^= 1
    path.write_bytes(data)
    summary = summarise(path)
    assert [title.number for title in summary.titles] == [1]
    assert len(summary.damage) == 1
