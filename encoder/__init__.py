"""The heavy half: from a video to the smallest stream that meets a target."""

from .api import EncodeOptions, encode
from .bench import Bench
from .effort import Effort, Search
from .report import EncodeProgress, EncodeReport, SceneReport, TrialReport
from .targets import (
    BitrateTarget,
    Metric,
    MetricTarget,
    QualityTarget,
    Scope,
    SizeTarget,
    Target,
)

__all__ = [
    "Bench",
    "BitrateTarget",
    "Effort",
    "EncodeOptions",
    "EncodeProgress",
    "EncodeReport",
    "Metric",
    "MetricTarget",
    "QualityTarget",
    "SceneReport",
    "Scope",
    "Search",
    "SizeTarget",
    "Target",
    "TrialReport",
    "encode",
]
