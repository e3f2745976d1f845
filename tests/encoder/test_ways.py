"""Which ways there are to code a video, and what leaves some of them out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from edgecodec.encoder import Effort, latent_kinds
from edgecodec.encoder import ways as ways_module
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.strategies import LatentTrial, ProceduralTrial, StandardTrial
from edgecodec.encoder.ways import STRATEGIES, Ways, check_device, ways
from edgecodec.runtime.chunks import Codec, StrategyId
from edgecodec.runtime.errors import ModelError, ProviderError, UnsupportedError
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.models import ModelFolder, packaged_models, read_models
from edgecodec.runtime.prior import packaged_priors
from edgecodec.runtime.upsample import Upsampling

from .prior_samples import continued_priors

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
    sizes: Sequence[str] = ("full", "half"),
    adaptation: Adaptation = Adaptation.NONE,
) -> Ways:
    return ways(strategies, codecs, effort, tier, "cpu", picture, sizes, adaptation)


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
        assert only == LatentTrial(STRATEGIES[strategy], "nano", "cpu", adapt=Adaptation.NONE)
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


def model_id(network: str, tier: str = "nano") -> str:
    return read_models(packaged_models(tier)).network(network).model_id


@pytest.mark.parametrize("tier", ["nano", "edge"])
def test_each_size_is_mended_by_a_network_of_its_own(tier: str) -> None:
    for each in standard(make("hybrid_semantic", picture=LARGE, tier=tier)):
        whole = each.upsampling is Upsampling.NONE
        assert each.enhancer == model_id("enhancer" if whole else "generator_up", tier)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (("full",), {Upsampling.NONE}),
        (("half",), {Upsampling.EIGHT_TAP}),
        (("half", "full"), {Upsampling.NONE, Upsampling.EIGHT_TAP}),
    ],
)
def test_only_the_sizes_that_are_allowed_are_tried(
    sizes: tuple[str, ...], expected: set[Upsampling]
) -> None:
    made = make(picture=LARGE, sizes=sizes)
    assert {each.upsampling for each in standard(made)} == expected
    assert made.wanted == frozenset(StrategyId)


def test_sizes_that_leave_nothing_are_refused_with_the_reason() -> None:
    with pytest.raises(UnsupportedError, match=r"^classical: only sides of 128 or more"):
        make("classical", sizes=("half",))
    with pytest.raises(UnsupportedError, match="unknown size 'third': choose one of full, half"):
        make(sizes=("third",))
    assert names(make(sizes=("half",))) == ["procedural", *LATENT]


@pytest.mark.parametrize("adaptation", Adaptation)
def test_filters_and_codes_are_searched_where_they_are_wanted_and_codes_where_a_network_runs(
    adaptation: Adaptation,
) -> None:
    filters = adaptation is not Adaptation.NONE
    codes = adaptation in (Adaptation.CODE, Adaptation.TITLE)
    for each in standard(make(picture=LARGE, adaptation=adaptation)):
        assert (each.adapt.filters, each.adapt.codes) == (filters, codes)
        assert each.title is None
    for each in standard(make("classical", picture=LARGE, adaptation=adaptation)):
        assert (each.adapt.filters, each.adapt.codes) == (filters, False)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch):
    """`without(*names)`: from then on no tier has these networks."""

    def drop(*dropped: str) -> None:
        def fewer(folder: Path) -> ModelFolder:
            models = read_models(folder)
            kept = tuple(each for each in models.networks if each.name not in dropped)
            return replace(models, networks=kept)

        for module in (ways_module, latent_kinds):
            monkeypatch.setattr(module, "read_models", fewer)

    return drop


@pytest.mark.parametrize(
    ("missing", "mended"),
    [("enhancer", Upsampling.EIGHT_TAP), ("generator_up", Upsampling.NONE)],
)
def test_a_size_without_its_network_stays_classical(
    without, missing: str, mended: Upsampling
) -> None:
    without(missing)
    both = make("classical", "hybrid_semantic", picture=LARGE)
    assert {each.upsampling for each in standard(both)} == set(Upsampling)
    assert {each.upsampling for each in standard(both) if each.enhancer} == {mended}
    (note,) = both.notes
    assert note.startswith("hybrid_semantic: ")
    assert f"no network {missing}" in note
    only = make("hybrid_semantic", picture=LARGE)
    assert {each.upsampling for each in standard(only)} == {mended}


def test_without_either_network_there_is_no_mending(without) -> None:
    without("enhancer", "generator_up")
    made = make(picture=LARGE)
    assert StrategyId.HYBRID_SEMANTIC not in made.wanted
    assert len(made.notes) == 2
    with pytest.raises(ModelError, match="no network enhancer"):
        make("classical", "hybrid_semantic", picture=LARGE)


def test_a_tier_that_mends_and_has_no_latents(without) -> None:
    without("iframe_decoder", "generator_p", "generator_b")
    made = make()
    assert {*made.wanted} == {
        StrategyId.CLASSICAL,
        StrategyId.HYBRID_SEMANTIC,
        StrategyId.PROCEDURAL,
    }
    (note,) = made.notes
    assert note.startswith("semantic_latent, i_frame_interpolation: ")
    with pytest.raises(ModelError, match="iframe_decoder"):
        make("semantic_latent")


@pytest.mark.parametrize(
    ("missing", "strategy", "other"),
    [("generator_p", *LATENT), ("generator_b", *reversed(LATENT))],
)
def test_a_strategy_in_latents_needs_the_networks_of_its_frames(
    without, missing: str, strategy: str, other: str
) -> None:
    without(missing)
    made = make()
    assert STRATEGIES[strategy] not in made.wanted
    assert STRATEGIES[other] in made.wanted
    (note,) = made.notes
    assert note.startswith(f"{strategy}: ")
    assert missing in note
    with pytest.raises(ModelError, match=missing):
        make(strategy)
    assert names(make(other)) == [other]


@pytest.mark.parametrize(
    ("missing", "left"),
    [
        ("analysis_i", []),
        ("analysis_p", ["i_frame_interpolation"]),
        ("analysis_b", ["semantic_latent"]),
    ],
)
def test_a_strategy_in_latents_needs_its_frames_analysis_networks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str, left: list[str]
) -> None:
    known = latent_kinds.weights_path

    def path(name: str, tier: str) -> Path:
        return tmp_path / "none" if name == missing else known(name, tier)

    monkeypatch.setattr(latent_kinds, "weights_path", path)
    assert [name for name in names(make()) if name in LATENT] == left
    for name in sorted({*LATENT} - {*left}):
        with pytest.raises(ModelError, match="no analysis networks of tier nano"):
            make(name)


def test_continued_frames_need_no_generator(without, monkeypatch: pytest.MonkeyPatch) -> None:
    without("generator_p", "generator_b")
    monkeypatch.setattr(latent_kinds, "tier_priors", lambda tier: continued_priors())
    made = make()
    assert [name for name in names(made) if name in LATENT] == ["semantic_latent"]
    (note,) = made.notes
    assert note.startswith("i_frame_interpolation: ")
    assert names(make("semantic_latent")) == ["semantic_latent"]
    with pytest.raises(ModelError, match="generator_b"):
        make("semantic_latent", "i_frame_interpolation")


def test_a_damaged_prior_leaves_out_the_latents(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "nano-c.npz").write_bytes(b"no prior")
    monkeypatch.setattr(latent_kinds, "tier_priors", lambda tier: packaged_priors(tmp_path))
    made = make()
    assert not made.wanted & {STRATEGIES[name] for name in LATENT}
    (note,) = made.notes
    assert "nano-c.npz" in note
    with pytest.raises(ModelError, match=r"nano-c\.npz"):
        make("semantic_latent")


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


def test_ten_bits_leave_out_the_latents() -> None:
    made = make(picture=DEEP)
    assert made.wanted == {
        StrategyId.CLASSICAL,
        StrategyId.HYBRID_SEMANTIC,
        StrategyId.PROCEDURAL,
    }
    assert {each.enhancer for each in standard(made)} == {model_id("enhancer")}
    assert not [each for each in made.trials if isinstance(each, LatentTrial)]
    (note,) = made.notes
    assert note.startswith("semantic_latent, i_frame_interpolation: ")
    assert "the source has 10" in note
    named = make("classical", "semantic_latent", picture=DEEP)
    assert named.wanted == {StrategyId.CLASSICAL}
    assert named.notes[0].startswith("semantic_latent: ")


def test_ten_bits_in_latents_alone_are_refused_with_what_to_do() -> None:
    with pytest.raises(UnsupportedError, match="networks take 8 bits") as raised:
        make(*LATENT, picture=DEEP)
    assert str(raised.value).startswith(", ".join(LATENT))
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
    monkeypatch.setattr(latent_kinds, "weights_path", lambda name, tier: tmp_path / name)
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
        make(codecs=(), tier="huge")


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


def test_a_network_that_another_tier_has_is_looked_for_there() -> None:
    with pytest.raises(ModelError, match=r"no network generator_b; .*; --tier nano has one"):
        make("i_frame_interpolation", tier="edge")
