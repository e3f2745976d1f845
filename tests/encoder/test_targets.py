"""What an encode may aim at."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from edgecodec.encoder import BitrateTarget, PsnrTarget, QualityTarget, Target


@pytest.mark.parametrize(
    ("target", "value", "message"),
    [
        (BitrateTarget, 0, "bitrate of 0"),
        (BitrateTarget, -5, "bitrate of -5"),
        (BitrateTarget, float("nan"), "not positive"),
        (PsnrTarget, 0, "PSNR of 0"),
        (PsnrTarget, float("nan"), "not positive"),
        (QualityTarget, -0.1, "outside of 0 to 100"),
        (QualityTarget, 100.1, "outside of 0 to 100"),
        (QualityTarget, float("nan"), "outside of 0 to 100"),
    ],
)
def test_what_cannot_be_aimed_at_is_refused(
    target: Callable[[float], Target], value: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        target(value)


def test_the_ends_of_the_quality_scale_are_allowed() -> None:
    assert [QualityTarget(value).quality for value in (0, 100)] == [0, 100]
