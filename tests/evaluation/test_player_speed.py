"""The benchmark of the player's speed, on a stream of a few small frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from edgecodec.runtime import PictureFormat
from edgecodec.runtime.container import Codec, StrategyId
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.payloads import HybridBody
from edgecodec.runtime.scene_code import identity_code
from edgecodec.runtime.sessions import NetworkPool

from ..runtime.streams import Scene, classical, code_base, hybrid, stream_of
from .scripts import ROOT, load_script

SMALL = PictureFormat(96, 64)
ENHANCER = read_models(packaged_models("nano")).network("enhancer")
Draw = Callable[..., tuple[Planes, ...]]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return load_script("benchmarks/player_speed.py")


def test_every_stage_and_every_player_is_measured(
    script: ModuleType, draw_planes: Draw, tmp_path: Path
) -> None:
    path = tmp_path / "hybrid.ecv"
    base = code_base(draw_planes(SMALL, 4), SMALL, Codec.AV1)
    body = HybridBody(base, ENHANCER.model_id, (True,) * 4)
    path.write_bytes(stream_of([Scene(body, 4, StrategyId.HYBRID_SEMANTIC)], SMALL))
    stream = script.SpeedStream(path, "720p", "hybrid_semantic", "all")
    measured = script.measure(stream, threads=1, wanted=2, most=3)
    assert (measured["frames"], measured["mended"]) == (4, 4)
    assert set(measured["fps"]) == {"player", "libdav1d", "fp32"}
    assert set(measured["player_over"]) == {"libdav1d", "fp32"}
    stages = {"base", "packing", "network", "unpacking and adding", "player, all in all"}
    assert stages <= set(measured["cpu_ms"])
    for spread in (*measured["fps"].values(), *measured["player_over"].values()):
        assert 0 < spread["lowest"] <= spread["median"] <= spread["highest"]
    assert 1 <= measured["turns"] <= 3
    assert measured["peak_mb"] > 20


def test_classical_streams_have_no_networks_to_measure(
    script: ModuleType, draw_planes: Draw, tmp_path: Path
) -> None:
    path = tmp_path / "classical.ecv"
    path.write_bytes(stream_of([classical(draw_planes(SMALL, 3), SMALL, Codec.AV1)], SMALL))
    measured = script.measure(script.SpeedStream(path, "720p", "classical", "none"), 1, 1, 1)
    assert (measured["frames"], measured["mended"]) == (3, 0)
    assert set(measured["fps"]) == {"player", "libdav1d"}
    assert "network" not in measured["cpu_ms"]


def test_every_frame_of_a_stream_can_be_flagged(
    script: ModuleType, draw_planes: Draw, tmp_path: Path
) -> None:
    chosen, every = tmp_path / "chosen.ecv", tmp_path / "every.ecv"
    scene = hybrid(draw_planes(SMALL, 3), SMALL, (False, True, False))
    chosen.write_bytes(stream_of([scene, scene], SMALL))
    script.make_streams.__globals__["mend_every_frame"](chosen, every)
    bodies = [each.body for each in script.scenes(every)]
    assert [body.enhanced for body in bodies] == [(True,) * 3] * 2
    assert script.play(every, 1) == script.play(chosen, 1) == 6
    assert not every.with_suffix(".partial").exists()


def test_networks_in_fp32_give_what_those_in_int8_do_but_for_rounding(script: ModuleType) -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (3, 1, 24, 9, 11), np.uint8)
    feeds = dict(zip(("prev", "cur", "next"), noise, strict=True))
    feeds["condition"] = np.full((1, 2, 9, 11), 255, np.uint8)
    feeds |= identity_code(64).ports()
    (int8,) = NetworkPool(threads=1).network(ENHANCER.model_id).run(feeds)
    (fp32,) = script.FloatPool(1).network(ENHANCER.model_id).run(feeds)
    assert fp32.dtype == np.uint8
    assert fp32.shape == int8.shape
    apart = np.abs(fp32.astype(int) - int8.astype(int))
    assert 0 < apart.mean() < 0.2 * int8.std()
