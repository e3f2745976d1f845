"""Which ways there are to code a video, and what leaves some of them out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from edgecodec.encoder import Effort
from edgecodec.encoder import ways as ways_module
from edgecodec.encoder.strategies import LatentTrial, ProceduralTrial, StandardTrial
from edgecodec.encoder.ways import STRATEGIES, Ways, check_device, ways
from edgecodec.runtime.chunks import Codec, StrategyId
from edgecodec.runtime.errors import ModelError, ProviderError, UnsupportedError
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.upsample import Upsampling

SMALL = PictureFormat(96, 64)
LARGE = PictureFormat(1280, 720)
DEEP = PictureFormat(96, 64, 10)
FULL_DEPTHS = ["av1 10-bit", "av1 8-bit", "h265 10-bit", "h265 8-bit", "h264 8-bit", "vvc 10-bit"]
LATENT = ("semantic_latent", "i_frame_interpolation")


def make(
    *strategies: str,
    picture: PictureFormat = SMALL,
    codecs: Sequence[Codec] = (Codec.AV1, Codec.H265, Codec.H264, Codec.VVC),
    effort: Effort = Effort.FAST,
    tier: str = "nano",
) -> Ways:
    return ways(strategies, codecs, effort, tier, "cpu", picture)


def names(made: Ways) -> list[str]:
    return [each.name for each in made.trials]


def standard(made: Ways) -> list[StandardTrial]:
    return [each for each in made.trials if isinstance(each, StandardTrial)]


def test_every_strategy_gets_the_trials_it_needs() -> None:
    plain = make("classical")
    assert names(plain) == FULL_DEPTHS
    assert {each.enhancer for each in standard(plain)} == {""}
    mended = make("hybrid_semantic")
    assert names(mended) == FULL_DEPTHS
    enhancer = read_models(packaged_models("nano")).network("enhancer").model_id
    assert {each.enhancer for each in standard(mended)} == {enhancer}
    for strategy in LATENT:
        (only,) = make(strategy).trials
        assert only == LatentTrial(STRATEGIES[strategy], "nano", "cpu")
    (only,) = make("procedural").trials
    assert isinstance(only, ProceduralTrial)
    for strategy, number in STRATEGIES.items():
        assert make(strategy).wanted == {number}
        assert make(strategy).notes == ()


def test_none_named_means_all_and_several_are_one_encode_each() -> None:
    everything = make()
    assert everything.wanted == frozenset(StrategyId)
    assert names(everything) == [*FULL_DEPTHS, "procedural", *LATENT]
    assert make(*STRATEGIES) == everything
    both = make("hybrid_semantic", "classical")
    assert both.wanted == {StrategyId.CLASSICAL, StrategyId.HYBRID_SEMANTIC}
    assert names(both) == FULL_DEPTHS
    assert all(each.enhancer for each in standard(both))


@pytest.mark.parametrize("picture", [SMALL, LARGE, DEEP], ids=["small", "large", "deep"])
def test_no_two_trials_share_a_name(picture: PictureFormat) -> None:
    made = names(make(picture=picture))
    assert len(set(made)) == len(made)


def test_only_pictures_that_stay_large_enough_are_halved() -> None:
    def halved(width: int, height: int) -> set[str]:
        made = standard(make("classical", picture=PictureFormat(width, height)))
        return {each.name for each in made if each.upsampling is not Upsampling.NONE}

    assert halved(1280, 720) == {f"{name} half" for name in FULL_DEPTHS}
    assert len(halved(128, 128)) == 6
    assert halved(127, 720) == set()
    assert halved(720, 127) == set()


@pytest.mark.parametrize("codec", Codec)
def test_more_effort_is_another_preset_of_the_same_ways(codec: Codec) -> None:
    made = [make("classical", codecs=[codec], effort=effort) for effort in Effort]
    presets = [{each.preset for each in standard(each)} for each in made]
    assert len({names(each)[0] for each in made}) == 1
    assert all(len(each) == 1 for each in presets)
    assert len(set.union(*presets)) == 3


def test_stills_are_av1_where_it_is_allowed() -> None:
    for codecs, expected in (
        (tuple(Codec), Codec.AV1),
        ((Codec.H264, Codec.H265, Codec.VVC), Codec.VVC),
        ((Codec.H264,), Codec.H264),
    ):
        (only,) = make("procedural", codecs=codecs).trials
        assert isinstance(only, ProceduralTrial)
        assert only.codec is expected


@pytest.mark.parametrize("codec", Codec)
def test_video_of_ten_bits_is_coded_in_ten_bits_by_every_codec(codec: Codec) -> None:
    made = standard(make("classical", picture=DEEP, codecs=[codec]))
    assert [(each.codec, each.bit_depth) for each in made] == [(codec, 10)]


def test_ten_bits_leave_what_needs_no_network() -> None:
    made = make(picture=DEEP)
    assert made.wanted == {StrategyId.CLASSICAL, StrategyId.PROCEDURAL}
    assert {each.enhancer for each in standard(made)} == {""}
    assert not [each for each in made.trials if isinstance(each, LatentTrial)]
    (note,) = made.notes
    assert note.startswith("semantic_latent, i_frame_interpolation, hybrid_semantic: ")
    assert "the source has 10" in note
    named = make("classical", "semantic_latent", picture=DEEP)
    assert named.wanted == {StrategyId.CLASSICAL}
    assert named.notes[0].startswith("semantic_latent: ")


@pytest.mark.parametrize("strategies", [("hybrid_semantic",), LATENT], ids=["hybrid", "latents"])
def test_ten_bits_with_networks_alone_are_refused_with_what_to_do(
    strategies: tuple[str, ...],
) -> None:
    with pytest.raises(UnsupportedError, match="networks take 8 bits") as raised:
        make(*strategies, picture=DEEP)
    assert str(raised.value).startswith(", ".join(strategies))
    assert "--strategy classical" in str(raised.value)


def test_an_unknown_strategy_lists_the_known_ones() -> None:
    with pytest.raises(UnsupportedError, match="unknown strategy 'best'") as raised:
        make("classical", "best")
    assert all(name in str(raised.value) for name in ("auto", *STRATEGIES))


@pytest.mark.parametrize("strategy", ["hybrid_semantic", *LATENT])
def test_a_tier_without_networks_is_an_error_where_they_were_asked_for(strategy: str) -> None:
    with pytest.raises(ModelError, match="'huge'"):
        make("classical", strategy, tier="huge")


def test_a_tier_without_networks_leaves_auto_the_rest() -> None:
    made = make(tier="huge")
    assert names(made) == [*FULL_DEPTHS, "procedural"]
    assert made.wanted == {StrategyId.CLASSICAL, StrategyId.PROCEDURAL}
    assert any("'huge'" in note for note in made.notes)


def test_a_tier_whose_analysis_was_not_trained_has_no_latents(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ways_module, "weights_path", lambda name, tier: tmp_path / name)
    with pytest.raises(ModelError, match="no analysis networks of tier nano: train them first"):
        make("semantic_latent")
    assert standard(make("hybrid_semantic"))
    assert not [each for each in make().trials if isinstance(each, LatentTrial)]


@pytest.mark.parametrize("strategies", [("classical",), ("procedural",), ("hybrid_semantic",)])
def test_no_codec_at_all_is_refused_where_one_is_needed(strategies: tuple[str, ...]) -> None:
    with pytest.raises(UnsupportedError, match=f"^{strategies[0]}: no standard codec is allowed"):
        make(*strategies, codecs=())
    assert names(make(*strategies, *LATENT, codecs=())) == [*LATENT]


def test_auto_without_codecs_and_networks_is_refused_by_its_name() -> None:
    with pytest.raises(UnsupportedError, match=r"^auto: no standard codec is allowed"):
        make(codecs=(), picture=DEEP)


def test_a_device_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    check_device("cpu")
    with pytest.raises(ProviderError, match="unknown device 'tpu': choose cpu or cuda"):
        check_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ProviderError, match="no CUDA device"):
        check_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_device("cuda")


def test_knowing_the_ways_takes_no_torch() -> None:
    """It takes seconds to load, and most encodes need none of it."""
    script = (
        "import sys, edgecodec.encoder.ways as w\n"
        "from edgecodec.encoder import Effort\n"
        "from edgecodec.runtime.chunks import Codec\n"
        "from edgecodec.runtime.frames import PictureFormat\n"
        "w.ways((), tuple(Codec), Effort.FAST, 'nano', 'cpu', PictureFormat(96, 64))\n"
        "print('torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout.strip() == "False", told.stderr
