"""Whether a target counts as met, and what is said if it does not."""

from __future__ import annotations

import re

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
from edgecodec.encoder.verdict import judge

from .fakes import made

CHOSEN = [made(1, 38.0, 38.0, 38.0), made(1, 42.0)]  # a mean of 39


@pytest.mark.parametrize(
    ("target", "met", "note"),
    [
        (QualityTarget(50), None, ""),
        (BitrateTarget(1.02e6), True, ""),
        (BitrateTarget(0.5e6), False, "0.5 Mb/s was asked; the smallest stream .* 1.000 Mb/s"),
        (BitrateTarget(2e6), False, "2 Mb/s was asked; the largest stream"),
        (SizeTarget(1000), True, ""),
        (SizeTarget(999), False, "999 bytes were asked; the smallest stream found has 1,000"),
        (SizeTarget(2000), True, "2,000 bytes were allowed"),
        (MetricTarget(Metric.PSNR, 39.05), True, ""),
        (MetricTarget(Metric.PSNR, 39.2), False, "PSNR 39.2 was asked; the mean .* is 39"),
        (MetricTarget(Metric.PSNR, 40.0, Scope.WORST), False, "a scene's mean is (38|42)"),
    ],
)
def test_a_verdict(target: Target, met: bool | None, note: str) -> None:
    verdict = judge(target, CHOSEN, 1e6, 1000)
    assert verdict.met is met
    if note:
        assert re.search(note, verdict.note)
    else:
        assert verdict.note == ""
