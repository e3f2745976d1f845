from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from edgecodec.encoder.targets import (
    BitrateTarget,
    Metric,
    MetricTarget,
    QualityTarget,
    Scope,
    SizeTarget,
    Target,
)

NAN, INFINITE = float("nan"), float("inf")
PSNR, SSIM, VMAF = (partial(MetricTarget, metric) for metric in Metric)


@pytest.mark.parametrize(
    ("target", "value", "message"),
    [
        (BitrateTarget, 0, "bitrate of 0"),
        (BitrateTarget, -5, "bitrate of -5"),
        (BitrateTarget, NAN, "not positive"),
        (BitrateTarget, INFINITE, "finite"),
        (SizeTarget, 0, "size of 0 bytes"),
        (SizeTarget, -1, "not positive"),
        (QualityTarget, -0.1, "outside of 0 to 100"),
        (QualityTarget, 100.1, "outside of 0 to 100"),
        (QualityTarget, NAN, "outside of 0 to 100"),
        (PSNR, 0, "PSNR 0 dB"),
        (PSNR, 100.1, "at most 100"),
        (PSNR, NAN, "PSNR nan dB"),
        (SSIM, 0, "between 0 and 1"),
        (SSIM, 1, "between 0 and 1"),
        (SSIM, 98, "between 0 and 1"),
        (SSIM, NAN, "SSIM nan"),
        (VMAF, 0, "VMAF 0 is"),
        (VMAF, 100.5, "VMAF 100.5 is"),
        (VMAF, NAN, "VMAF nan is"),
    ],
)
def test_what_cannot_be_aimed_at_is_refused(
    target: Callable[[float], Target], value: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        target(value)


def test_the_ends_of_the_scales_are_allowed() -> None:
    assert [QualityTarget(value).quality for value in (0, 100)] == [0, 100]
    assert [PSNR(100).value, VMAF(100).value, SSIM(0.999).value] == [100, 100, 0.999]
    assert SizeTarget(1).bytes == 1


def test_a_metric_is_aimed_at_on_the_mean_unless_told_otherwise() -> None:
    assert PSNR(40).scope is Scope.MEAN
    assert MetricTarget(Metric.PSNR, 40, Scope.WORST) != PSNR(40)
