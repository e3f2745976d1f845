"""Scores of networks on a tiny scene, with real encodes by quick presets and real networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from edgecodec.encoder.quality import SequenceQuality
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.strategies import StandardTrial
from edgecodec.evaluation import networks as networks_module
from edgecodec.evaluation.candidates import played
from edgecodec.evaluation.networks import (
    SIZES,
    LatentScore,
    MendedScore,
    first_scene,
    main,
    mended_scores,
    summary,
)
from edgecodec.runtime.chunks import Codec
from edgecodec.runtime.models import packaged_models, read_models

from .scripts import load_script

QUICK = {Codec.H265: (10, "ultrafast"), Codec.H264: (8, "ultrafast")}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two codecs at one quantiser."""
    one = {Codec.H265: (36,), Codec.H264: (38,)}
    monkeypatch.setattr(networks_module, "BASES", QUICK)
    monkeypatch.setattr(networks_module, "_QUANTISERS", dict.fromkeys(SIZES, one))


def score(network: str, codec: str, gain: float) -> MendedScore:
    gains = (gain, gain + 1, gain + 2, gain + 3)
    return MendedScore("clip", network, codec, 30, 35.0, 34.0, 39.0, 38.0, *gains, 0.5)


@pytest.mark.parametrize("network", list(SIZES))
def test_gains_are_those_of_what_a_player_shows(
    network: str, small_file: Path, quick: None
) -> None:
    resources = Resources(threads=1)
    scene = first_scene(small_file, 4)
    assert len(scene.frames) == 4
    model = read_models(packaged_models("nano")).network(network).model_id
    scores = list(mended_scores(scene, "small", network, model, resources))
    assert [(each.codec, each.quantiser) for each in scores] == [("h265", 36), ("h264", 38)]
    for each in scores:
        codec = Codec[each.codec.upper()]
        trial = StandardTrial(codec, *QUICK[codec], SIZES[network], model)
        base, after = trial.encode(scene, each.quantiser, resources)
        quality = SequenceQuality()
        for source, planes in zip(scene.frames, played(after, scene, resources), strict=True):
            quality.add(source, planes)
        assert each.base_db == pytest.approx(base.psnr, abs=1e-4)
        assert each.gain_db == pytest.approx(after.psnr - base.psnr, abs=1e-4)
        assert each.base_u_db + each.gain_u_db == pytest.approx(quality.psnr.u, abs=2e-4)
        planes = 6 * each.gain_y_db + each.gain_u_db + each.gain_v_db
        assert each.gain_db == pytest.approx(planes / 8, abs=2e-4)
        assert each.gain_db >= 0
        assert 0 <= each.enhanced_share <= 1
        assert (each.gain_db > 0) == (each.enhanced_share > 0)


def test_means_are_by_network_plane_and_codec() -> None:
    mended = [
        score("enhancer", "av1", 0.1),
        score("enhancer", "av1", 0.3),
        score("generator_up", "av1", 0.5),
        score("enhancer", "vvc", 0.7),
    ]
    latent = [LatentScore("clip", "semantic_latent", 8, bits, 30.0) for bits in (0.01, 0.03)]
    means = summary(mended, latent)
    assert means["enhancer_gain_db"] == {"av1": 0.2, "vvc": 0.7}
    assert means["enhancer_gain_y_db"] == {"av1": 1.2, "vvc": 1.7}
    assert means["enhancer_gain_v_db"] == {"av1": 3.2, "vvc": 3.7}
    assert means["generator_up_gain_u_db"] == {"av1": 2.5}
    assert means["semantic_latent_bits_per_pixel"] == {"8": 0.02}


def test_a_tier_need_not_have_all_strategies_in_latents(
    small_file: Path, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(small_file.parent), "--frames", "2", "--threads", "1"]
    main([*data, "--tier", "edge"])
    found = json.loads(capsys.readouterr().out)
    assert found["tier"] == "edge"
    assert set(found["models"]) == set(SIZES)
    assert [each["network"] for each in found["mended"]] == [
        *("enhancer", "enhancer"),
        *("generator_up", "generator_up"),
    ]
    assert {each["strategy"] for each in found["latent"]} == {"semantic_latent"}


def test_flicker_is_printed_with_the_hardware(
    small_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_script("benchmarks/flicker.py")
    monkeypatch.setattr(script, "BASES", QUICK)
    asked = [str(small_file), "--codecs", "h265,h264", "--frames", "5", "--quantiser", "38"]
    script.main([*asked, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["hardware"]
    assert [each["codec"] for each in found["rows"]] == ["h265", "h264"]
    for row in found["rows"]:
        assert row["frames"] == 5
        assert 0 < row["static_share"] <= 1
        assert row["base_luma"] > 0
        assert row["enhanced_luma"] > 0
        # Nothing can differ by more than what was changed.
        assert abs(row["enhanced_luma"] - row["base_luma"]) <= row["change_luma"] + 1e-9
    script.main(asked)
    assert "h264" in capsys.readouterr().out
