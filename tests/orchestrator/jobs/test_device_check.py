from __future__ import annotations

from dataclasses import replace

import pytest
from edgecodec.orchestrator.jobs.device_check import check_device, known_device
from edgecodec.orchestrator.jobs.stream_work import Layer, StreamWork
from edgecodec.profiles import FrameSize, count_models, device_names, profile_models
from edgecodec.runtime.container import Codec
from edgecodec.runtime.errors import ModelError, UnsupportedError
from edgecodec.runtime.models import packaged_models

SIZE = FrameSize(1280, 720)
PHONE = "snapdragon-40tops"
BASE = Layer(Codec.AV1, 10, SIZE, 30.0)
CLASSICAL = StreamWork("nano", SIZE, 30.0, 10, {}, frozenset({BASE}))


def test_what_the_device_decodes_alone_passes() -> None:
    check = check_device(CLASSICAL, known_device(PHONE))
    assert (check.verdict, check.tops_per_frame, check.device_ms) == ("pass", 0.0, None)


@pytest.mark.parametrize(
    "layer",
    [
        Layer(Codec.VVC, 10, SIZE, 30.0),  # no phone decodes it
        Layer(Codec.H264, 10, SIZE, 30.0),  # in hardware it has 8 bits
    ],
)
def test_a_layer_that_the_device_does_not_decode_fails(layer: Layer) -> None:
    work = replace(CLASSICAL, layers=frozenset({BASE, layer}))
    check = check_device(work, known_device(PHONE))
    assert check.verdict == "fail"
    assert layer.codec.name.lower() in check.why
    assert check_device(work, known_device("host")).verdict == "pass"


def test_operations_are_the_mean_over_all_frames() -> None:
    costs = {
        each.entry.name: each.cost.macs
        for each in count_models(packaged_models("nano"), SIZE).networks
    }
    work = replace(CLASSICAL, network_frames={"enhancer": 4, "generator_up": 1})
    check = check_device(work, known_device(PHONE))
    operations = 2 * (4 * costs["enhancer"] + costs["generator_up"]) / 10
    assert check.tops_per_frame == pytest.approx(operations / 1e12)


def test_the_slowest_of_the_networks_decides_as_in_a_profile() -> None:
    device = known_device("qcs6490")
    profile = profile_models(packaged_models("nano"), device, SIZE, 30.0)
    frames = {network.name: network.frame for network in profile.networks}
    used = {"iframe_decoder": 1, "generator_p": 9}
    work = replace(CLASSICAL, network_frames=used, layers=frozenset())
    check = check_device(work, device)
    slowest = max((frames[name] for name in used), key=lambda frame: frame.interval.mid)
    interval = slowest.interval
    assert check.device_ms == pytest.approx((interval.low, interval.mid, interval.high))
    assert check.verdict == slowest.verdict(30.0).value


def test_a_rate_that_no_device_keeps_fails() -> None:
    work = replace(CLASSICAL, fps=1e5, network_frames={"generator_p": 10}, layers=frozenset())
    assert check_device(work, known_device(PHONE)).verdict == "fail"


def test_what_the_profile_does_not_tell_is_unknown() -> None:
    device = replace(known_device(PHONE), hardware_decode=None, software_decode=None)
    check = check_device(replace(CLASSICAL, network_frames={"enhancer": 10}), device)
    assert (check.verdict, check.device_ms) == ("unknown", None)
    assert check.tops_per_frame > 0
    assert "hardware_decode" in check.why


def test_a_network_that_is_not_here_is_named() -> None:
    work = replace(CLASSICAL, network_frames={"time_machine": 1})
    with pytest.raises(ModelError, match="time_machine"):
        check_device(work, known_device(PHONE))
    with pytest.raises(ModelError, match="huge"):
        check_device(replace(work, tier="huge"), known_device(PHONE))


def test_an_unknown_device_names_those_that_there_are() -> None:
    with pytest.raises(UnsupportedError) as error:
        known_device("abacus")
    assert all(name in str(error.value) for name in device_names())
