from __future__ import annotations

import math

import pytest
from edgecodec.encoder.vmaf import VmafMeter
from edgecodec.evaluation.anchors import (
    SVTAV1_PRESET_6,
    X264_MEDIUM,
    X265_MEDIUM,
    Anchor,
    AnchorEncode,
    decode_anchor,
    encode_anchor,
    measure_anchor,
    next_crf,
    search_bitrate,
)
from edgecodec.evaluation.clips import Clip


@pytest.fixture
def clip(small_clip: Clip) -> Clip:
    return small_clip


@pytest.mark.parametrize("anchor", [X264_MEDIUM, X265_MEDIUM, SVTAV1_PRESET_6])
def test_every_anchor_encodes_decodes_and_is_measured(clip: Clip, anchor: Anchor) -> None:
    encode = encode_anchor(anchor, clip, anchor.usual_crf)
    packets = encode.stream.packets
    assert encode.bytes == len(encode.stream.extradata) + sum(len(p.data) for p in packets)
    assert encode.bitrate_mbps == pytest.approx(encode.bytes * 8 / (12 / 25) / 1e6)
    assert packets[0].is_keyframe
    assert f"crf {anchor.usual_crf}, 8 bit, 1 keyframe" == encode.settings
    assert len(list(decode_anchor(encode, clip))) == 12
    with VmafMeter(clip.frames, clip.format) as meter:
        result = measure_anchor(encode, clip, meter)
    assert result.name == anchor.name
    assert 30 < result.quality.psnr.weighted < 50
    assert result.quality.vmaf is not None
    assert 40 < result.quality.vmaf.vmaf <= 100
    assert min(result.encode_fps, result.decode_fps) > 0


def test_anchors_keep_their_b_frames(clip: Clip) -> None:
    stream = encode_anchor(X264_MEDIUM, clip, 30).stream
    assert [packet.pts for packet in stream.packets] != sorted(p.pts for p in stream.packets)


@pytest.mark.parametrize("anchor", [X265_MEDIUM, SVTAV1_PRESET_6])
def test_the_search_finds_the_crf_nearest_to_a_known_rate(clip: Clip, anchor: Anchor) -> None:
    wanted = anchor.usual_crf - 7
    target = encode_anchor(anchor, clip, wanted).bitrate_mbps
    seen: list[AnchorEncode] = []
    search = search_bitrate(anchor, clip, target, max_encodes=4, on_encode=seen.append)
    assert search.nearest.bitrate_mbps == pytest.approx(target, rel=0.08)
    assert len(seen) == len(search.encodes) <= 4
    rates = [encode.bitrate_mbps for encode in search.encodes]
    assert rates == sorted(rates)
    ratios = {encode.crf: abs(math.log(encode.bitrate_mbps / target)) for encode in seen}
    assert search.nearest.crf == min(ratios, key=lambda crf: ratios[crf])


def test_a_rate_beyond_reach_ends_at_the_end_of_the_range(clip: Clip) -> None:
    search = search_bitrate(X264_MEDIUM, clip, 1e-6, max_encodes=4)
    assert search.nearest.crf == 51
    with pytest.raises(ValueError, match="above 0"):
        search_bitrate(X264_MEDIUM, clip, 0.0)


@pytest.mark.parametrize("crf_per_halving", [4.0, 6.0, 9.0])
@pytest.mark.parametrize("start", [5, 28, 50])
@pytest.mark.parametrize("target_crf", [1.4, 20.0, 26.49, 44.8, 50.7])
def test_four_tries_suffice_on_a_bent_curve(
    target_crf: float, start: int, crf_per_halving: float
) -> None:
    def log_rate(crf: float) -> float:
        return -crf / 6 - 0.002 * crf * crf

    target = log_rate(target_crf)
    distances: dict[int, float] = {}
    crf: int | None = start
    while crf is not None and crf not in distances and len(distances) < 4:
        distances[crf] = log_rate(crf) - target
        crf = next_crf(distances, crf_per_halving, (0, 51))
    best = min(distances, key=lambda tried: abs(distances[tried]))
    assert abs(best - target_crf) <= 1.0


def test_the_search_ends_between_neighbours_and_on_a_hit() -> None:
    assert next_crf({30: 0.1, 31: -0.05}, 6.0, (0, 51)) is None
    assert next_crf({30: 0.0}, 6.0, (0, 51)) is None
    # Proposals never repeat an end of the bracket.
    assert next_crf({30: 0.01, 33: -0.5}, 6.0, (0, 51)) == 31
    assert next_crf({30: 0.5, 33: -0.01}, 6.0, (0, 51)) == 32
    # A pair that tells nothing falls back to the usual slope.
    assert next_crf({30: 1.0, 31: 1.0}, 6.0, (0, 51)) == 36
    assert next_crf({45: 3.0}, 6.0, (0, 51)) == 51
