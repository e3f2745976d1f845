"""The heavy half: from a video to the smallest stream that meets a target."""

from .api import EncodeOptions, encode
from .report import EncodeProgress, EncodeReport, SceneReport, TrialReport
from .targets import BitrateTarget, PsnrTarget, QualityTarget, Target

__all__ = [
    "BitrateTarget",
    "EncodeOptions",
    "EncodeProgress",
    "EncodeReport",
    "PsnrTarget",
    "QualityTarget",
    "SceneReport",
    "Target",
    "TrialReport",
    "encode",
]
