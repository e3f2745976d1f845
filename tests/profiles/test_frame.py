from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from edgecodec.profiles import FrameSize, FrameTime, Interval, Stage, Verdict, entropy, load_device
from edgecodec.profiles.device import Decoding, DeviceProfile, Figure
from edgecodec.profiles.entropy import entropy_interval, entropy_rate
from edgecodec.profiles.frame import base_stage, sustained_interval
from edgecodec.runtime.models import ModelEntry, packaged_models, read_models
from edgecodec.runtime.prior import Prior

from ..runtime.motion_samples import NANO_MOVED, cosine_tables, moving_priors
from ..runtime.prior_samples import Design, nano_priors, prior_arrays

HD = FrameSize(1920, 1080)


@pytest.fixture
def phone() -> DeviceProfile:
    return load_device("snapdragon-8gen3")


def network(name: str) -> ModelEntry:
    return next(n for n in read_models(packaged_models("nano")).networks if n.name == name)


def stage(low: float, mid: float, high: float, name: str = "network") -> Stage:
    return Stage(name, "x", Interval(low, mid, high, "b", 0.8), "")


def test_the_slowest_stage_decides_the_rate_and_all_of_them_the_delay() -> None:
    frame = FrameTime((stage(1, 9, 10, "entropy decoding"), stage(2, 4, 20)))
    assert frame.bottleneck.name == "entropy decoding"
    assert (frame.interval.low, frame.interval.mid, frame.interval.high) == (2, 9, 20)
    assert frame.delay_ms == 13


@pytest.mark.parametrize(
    ("fps", "verdict"),
    [(50, Verdict.PASS), (60, Verdict.LIKELY), (110, Verdict.UNLIKELY), (600, Verdict.FAIL)],
)
def test_verdicts(fps: float, verdict: Verdict) -> None:
    assert FrameTime((stage(2, 10, 20),)).verdict(fps) is verdict
    assert verdict.passes == (fps <= 100)


def test_what_cannot_be_decoded_fails_however_fast_the_network() -> None:
    missing = Stage("base decoding", "video decoder", None, "nothing", impossible=True)
    frame = FrameTime((missing, stage(1, 2, 3)))
    assert frame.bottleneck is missing
    assert frame.verdict(1) is Verdict.FAIL


def test_a_base_takes_its_share_of_the_decoder(phone: DeviceProfile) -> None:
    device = replace(
        phone, hardware_decode=Decoding(("av1",), FrameSize(3840, 2160), 60.0, "sheet")
    )
    full = base_stage(network("enhancer"), HD, 30, device)
    half = base_stage(network("generator_up"), HD, 30, device)
    assert full is not None
    assert half is not None
    assert full.ms is not None
    assert half.ms is not None
    assert full.ms.mid == pytest.approx(1000 / 240)
    assert half.ms.mid == pytest.approx(full.ms.mid / 4)
    assert base_stage(network("generator_b"), HD, 30, device) is None


def test_a_base_beyond_the_decoder_is_impossible(phone: DeviceProfile) -> None:
    device = replace(
        phone, hardware_decode=Decoding(("av1",), FrameSize(1920, 1080), 30.0, "sheet")
    )
    too_many = base_stage(network("enhancer"), HD, 60, device)
    assert too_many is not None
    assert too_many.impossible
    assert "1920x1080 at 60 frames/s" in too_many.note
    half = base_stage(network("generator_up"), HD, 60, device)
    assert half is not None
    assert not half.impossible


def test_a_decoder_of_unknown_speed_has_no_time(phone: DeviceProfile) -> None:
    known = base_stage(network("enhancer"), HD, 30, phone)
    assert known is not None
    assert known.ms is None
    assert "1920x1080" in known.note
    by_cpu = base_stage(network("enhancer"), HD, 30, load_device("host"))
    assert by_cpu is not None
    assert by_cpu.runs_on == "CPU"


@pytest.fixture
def without_priors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entropy, "packaged_priors", dict)


@pytest.mark.usefixtures("without_priors")
def test_latents_take_the_cpu_by_their_symbols(phone: DeviceProfile) -> None:
    device = replace(phone, entropy_msymbols=Figure(10.0, "timed"))
    interval = entropy_interval(network("iframe_decoder"), FrameSize(1280, 720), device)
    assert interval is not None
    assert interval.high == pytest.approx(64 * 80 * 45 / 1e7 * 1e3)
    assert interval.low < interval.mid < interval.high
    assert "timed" in interval.basis
    assert entropy_interval(network("enhancer"), HD, device) is None
    assumed = entropy_interval(network("iframe_decoder"), HD, phone)
    assert assumed is not None
    assert "assumed" in assumed.basis


@pytest.mark.parametrize("name", ["iframe_decoder", "generator_p", "generator_b"])
def test_a_priors_networks_take_time_beside_the_symbols(
    phone: DeviceProfile, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    device = replace(phone, entropy_msymbols=Figure(10.0, "timed"))
    fast_device = replace(phone, entropy_msymbols=Figure(20.0, "timed"))
    made, fast = (entropy_interval(network(name), HD, each) for each in (device, fast_device))
    monkeypatch.setattr(entropy, "packaged_priors", dict)
    without = entropy_interval(network(name), HD, device)
    assert made is not None
    assert fast is not None
    assert without is not None
    assert made.mid > without.high
    assert made.low < made.mid < made.high
    assert made.mid == pytest.approx(2 * fast.mid)
    assert "522,240 symbols of 3 of 3 groups" in made.basis


def test_the_last_of_many_groups_are_not_always_coded(
    phone: DeviceProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = replace(phone, entropy_msymbols=Figure(10.0, "timed"))
    design = Design(groups=(4, 12, 32, 80), means=(1, 1, 1, 0), whole=1, hidden=32)
    prior = Prior.from_arrays(prior_arrays(1, design))
    monkeypatch.setattr(entropy, "packaged_priors", lambda: {"nano-i": prior})
    made = entropy_interval(network("iframe_decoder"), HD, device)
    assert made is not None
    cells = 120 * 68
    assert made.low > 0.9 * 16 * cells / 10e3
    assert made.mid > 48 * cells / 10e3
    assert made.high > 1.3 * 128 * cells / 10e3
    assert made.low < made.mid / 2 < made.high / 4
    assert f"{48 * cells:,} symbols of 3 of 4 groups" in made.basis


def test_where_frames_lie_between_two_others_both_are_seen(
    phone: DeviceProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their prior is of the same size: what is more is the motion of another frame."""
    i, _, between, c = moving_priors()
    _, _, generated, _ = nano_priors()
    monkeypatch.setattr(
        entropy, "packaged_motion", lambda: {"nano": cosine_tables(NANO_MOVED.channels)}
    )
    found = []
    for b in (generated, between):
        priors = {"nano-i": i, "nano-c": c, "nano-b": b}
        monkeypatch.setattr(entropy, "packaged_priors", lambda priors=priors: priors)
        found.append(entropy_interval(network("iframe_decoder"), HD, phone))
    chain, hierarchy = found
    assert chain is not None
    assert hierarchy is not None
    assert chain.low < hierarchy.low
    assert 1.2 * chain.mid < hierarchy.mid < 2 * chain.mid
    # Frames that a generator draws are not between two by motion.
    monkeypatch.setattr(entropy, "packaged_motion", dict)
    alone = entropy_interval(network("iframe_decoder"), HD, phone)
    assert alone is not None
    assert alone.mid < chain.mid


def test_where_frames_are_continued_their_prior_counts(
    phone: DeviceProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    i, _, _, c = nano_priors()
    found = []
    for priors in ({"nano-i": i}, {"nano-i": i, "nano-c": c}):
        monkeypatch.setattr(entropy, "packaged_priors", lambda priors=priors: priors)
        found.append(entropy_interval(network("iframe_decoder"), HD, phone))
    alone, continued = found
    assert alone is not None
    assert continued is not None
    assert continued.mid > alone.mid


@pytest.mark.usefixtures("without_priors")
def test_only_this_machine_takes_this_machines_rate(phone: DeviceProfile) -> None:
    latents = network("generator_p")
    here = entropy_interval(latents, HD, load_device("host"), probed=1e9)
    there = entropy_interval(latents, HD, phone, probed=1e9)
    assert here is not None
    assert there is not None
    assert here.high == pytest.approx(64 * 120 * 68 / 1e9 * 1e3)
    assert there.high > here.high


def test_entropy_decoding_is_timed_here() -> None:
    assert 1e4 < entropy_rate() < 1e10


def test_sustained_stretches_and_says_that_it_is_assumed() -> None:
    interval = Interval(1, 2, 4, "fitted", 0.8)
    warm = sustained_interval(interval, 0.5)
    assert (warm.low, warm.mid, warm.high) == (2, 4, 8)
    assert "assumed" in warm.basis
    assert warm.coverage is None
    assert sustained_interval(interval, None) == interval


def test_models_of_edge_wait_for_a_base_unless_they_draw_latents() -> None:
    folder = read_models(packaged_models("edge"))
    host = load_device("host")
    waiting = {n.name for n in folder.networks if base_stage(n, HD, 30, host)}
    assert waiting == {"enhancer", "generator_up"}
    assert Path(folder.networks[0].file).exists()
