"""What travels between designers, workers and reports: experiments and their results."""

from .experiment import Clip, Experiment
from .result import Artefact, ClipResult, Result
from .settings import EncodeSettings, TargetSpec

__all__ = [
    "Artefact",
    "Clip",
    "ClipResult",
    "EncodeSettings",
    "Experiment",
    "Result",
    "TargetSpec",
]
