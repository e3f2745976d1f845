from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from edgecodec.profiles import (
    Decoding,
    DeviceProfile,
    FrameSize,
    Video,
    count_models,
    load_device,
    parse_size,
    playable,
    predictor,
)
from edgecodec.runtime.chunks import Codec, StrategyId
from edgecodec.runtime.errors import DeviceError
from edgecodec.runtime.models import packaged_models

EVERY_CODEC, EVERY_STRATEGY = tuple(Codec), tuple(StrategyId)
WITHOUT_NETWORKS = {StrategyId.CLASSICAL, StrategyId.PROCEDURAL}


def video(size: str, fps: float = 30.0, bit_depth: int = 8) -> Video:
    return Video(parse_size(size), fps, bit_depth)


@pytest.fixture
def networks() -> Path:
    return packaged_models("nano")


@pytest.fixture
def edge() -> Path:
    return packaged_models("edge")


def test_codecs_that_the_profile_does_not_name_are_left_out() -> None:
    device = load_device("snapdragon-40tops")
    fit = playable(device, video("1080p"), (Codec.VVC, Codec.H265, Codec.AV1), EVERY_STRATEGY, None)
    assert fit.codecs == (Codec.H265, Codec.AV1)
    assert fit.strategies == EVERY_STRATEGY
    (note,) = fit.notes
    assert "snapdragon-40tops does not decode vvc" in note


def test_what_plays_leaves_no_note(networks: Path) -> None:
    device = load_device("snapdragon-40tops")
    fit = playable(device, video("1080p"), (Codec.AV1,), EVERY_STRATEGY, networks)
    assert (fit.codecs, fit.strategies, fit.notes) == ((Codec.AV1,), EVERY_STRATEGY, ())


@pytest.mark.parametrize(
    ("size", "fps", "taken"),
    [
        ("1920x1080", 60, True),
        ("1080x1920", 60, True),
        ("1280x720", 130, True),
        ("1280x720", 140, False),
        ("1920x1080", 61, False),
        ("3840x2160", 1, False),
    ],
)
def test_a_decoder_takes_as_many_samples_as_its_source_states(
    size: str, fps: float, taken: bool
) -> None:
    decoding = Decoding(("av1",), FrameSize(1920, 1080), 60.0, "x")
    assert decoding.takes(parse_size(size), fps) is taken
    assert replace(decoding, size=None, fps=None).takes(parse_size(size), fps)


def test_software_takes_over_what_hardware_does_not() -> None:
    device = replace(
        load_device("host"),
        hardware_decode=Decoding(("av1", "h264"), FrameSize(1280, 720), 30.0, "x"),
        software_decode=Decoding(("h264", "vvc"), None, None, "x"),
    )

    def codecs(size: str) -> tuple[Codec, ...]:
        return playable(device, video(size), EVERY_CODEC, EVERY_STRATEGY, None).codecs

    assert codecs("720p") == (Codec.AV1, Codec.H264, Codec.VVC)
    assert codecs("1080p") == (Codec.H264, Codec.VVC)


def test_hardware_has_no_h264_of_ten_bits() -> None:
    deep = video("1080p", bit_depth=10)
    phone = playable(load_device("snapdragon-8gen3"), deep, EVERY_CODEC, EVERY_STRATEGY, None)
    assert set(phone.codecs) == {Codec.AV1, Codec.H265}
    here = playable(load_device("host"), deep, EVERY_CODEC, EVERY_STRATEGY, None)
    assert here.codecs == EVERY_CODEC


def keeps_up(device: DeviceProfile, models: Path, size: str) -> dict[StrategyId, float]:
    """Up to how many frames a second each strategy's networks are predicted to run."""
    predict = predictor(device)
    fps = {
        network.entry.name: 1000 / predict(network.cost).interval.mid
        for network in count_models(models, parse_size(size)).networks
    }
    return {
        StrategyId.HYBRID_SEMANTIC: min(fps["enhancer"], fps["generator_up"]),
        StrategyId.SEMANTIC_LATENT: min(fps["iframe_decoder"], fps["generator_p"]),
        StrategyId.I_FRAME_INTERPOLATION: min(fps["iframe_decoder"], fps["generator_b"]),
    }


def test_strategies_whose_networks_do_not_keep_up_are_left_out(networks: Path) -> None:
    device = replace(load_device("qcs6490"), hardware_decode=Decoding(("h265",), None, None, "x"))
    limits = keeps_up(device, networks, "4k")
    for fps in (0.9 * min(limits.values()), *(1.01 * each for each in limits.values())):
        fit = playable(device, video("4k", fps), (Codec.H265,), EVERY_STRATEGY, networks)
        fast = {strategy for strategy, limit in limits.items() if limit >= fps}
        assert set(fit.strategies) == WITHOUT_NETWORKS | fast
        assert len(fit.notes) == len(limits) - len(fast)
        assert all("is predicted to run" in note and "frames/s" in note for note in fit.notes)


def test_strategies_without_networks_are_never_judged(networks: Path) -> None:
    asked = (StrategyId.CLASSICAL,)
    for name in ("qcs6490", "host"):
        fit = playable(load_device(name), video("4k", 60), (Codec.H265,), asked, networks)
        assert (fit.strategies, fit.notes) == (asked, ())


def test_a_measured_device_says_that_networks_were_not_judged(networks: Path) -> None:
    fit = playable(load_device("host"), video("4k"), EVERY_CODEC, EVERY_STRATEGY, networks)
    assert (fit.codecs, fit.strategies) == (EVERY_CODEC, EVERY_STRATEGY)
    (note,) = fit.notes
    assert "edgecodec profile --device host --size 3840x2160" in note


def test_a_profile_that_does_not_tell_its_decoders_is_refused() -> None:
    device = replace(load_device("qcs6490"), hardware_decode=None)
    with pytest.raises(DeviceError, match="does not say what it decodes"):
        playable(device, video("720p"), EVERY_CODEC, EVERY_STRATEGY, None)


def test_a_tier_may_lack_networks(edge: Path) -> None:
    """Edge has no generators: latents are judged by the decoder that draws all their frames."""
    device = load_device("qcs6490")
    fit = playable(device, video("4k", 30), (Codec.H265,), EVERY_STRATEGY, edge)
    networked = {
        StrategyId.HYBRID_SEMANTIC,
        StrategyId.SEMANTIC_LATENT,
        StrategyId.I_FRAME_INTERPOLATION,
    }
    assert set(fit.strategies) == set(EVERY_STRATEGY) - networked
    assert len(fit.notes) == 3
    assert sum("(iframe_decoder)" in note for note in fit.notes) == 2
    assert sum("hybrid_semantic" in note for note in fit.notes) == 1


def test_video_of_ten_bits_is_judged_by_what_mends_a_base(networks: Path) -> None:
    device = load_device("qcs6490")
    deep = video("4k", 60, bit_depth=10)
    fit = playable(device, deep, (Codec.H265,), EVERY_STRATEGY, networks)
    assert StrategyId.HYBRID_SEMANTIC not in fit.strategies
    assert len(fit.notes) == 1
