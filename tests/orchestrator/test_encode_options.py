from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.encoder import EncodeOptions
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.effort import Effort, Search
from edgecodec.encoder.targets import (
    BitrateTarget,
    Metric,
    MetricTarget,
    QualityTarget,
    Target,
)
from edgecodec.orchestrator.encode_options import encode_options
from edgecodec.orchestrator.records import EncodeSettings, TargetSpec
from edgecodec.runtime.container import Codec


def test_usual_settings_are_the_encoders_own() -> None:
    usual = EncodeSettings(TargetSpec("quality", 50.0))
    assert encode_options(usual, jobs=1) == EncodeOptions()


def test_every_setting_arrives(tmp_path: Path) -> None:
    settings = EncodeSettings(
        TargetSpec("bitrate", 8e5),
        strategies=("hybrid_semantic", "classical"),
        codecs=("vvc", "h264", "h265"),
        sizes=("half",),
        tier="edge",
        effort="high",
        search="exhaustive",
        adapt="title",
        title_steps=70,
    )
    made = encode_options(
        settings, frames=9, device="cuda", jobs=3, threads=2, cache=tmp_path / "trials"
    )
    assert made == EncodeOptions(
        strategies=("classical", "hybrid_semantic"),
        target=BitrateTarget(8e5),
        effort=Effort.HIGH,
        search=Search.EXHAUSTIVE,
        tier="edge",
        device="cuda",
        codecs=(Codec.H265, Codec.H264, Codec.VVC),
        threads=2,
        jobs=3,
        frames=9,
        cache=tmp_path / "trials",
        adapt=Adaptation.TITLE,
        sizes=("half",),
        title_steps=70,
    )


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        (TargetSpec("quality", 0.0), QualityTarget(0.0)),
        (TargetSpec("bitrate", 1e6), BitrateTarget(1e6)),
        (TargetSpec("psnr", 41.5), MetricTarget(Metric.PSNR, 41.5)),
        (TargetSpec("ssim", 0.98), MetricTarget(Metric.SSIM, 0.98)),
        (TargetSpec("vmaf", 93.0), MetricTarget(Metric.VMAF, 93.0)),
    ],
)
def test_every_kind_of_target_has_its_own(spec: TargetSpec, target: Target) -> None:
    assert encode_options(EncodeSettings(spec)).target == target
