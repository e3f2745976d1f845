"""What experiments have shown: the front, the best, progress, and which settings mattered."""

from .axes import Axis, all_axes, objective_axes
from .command import describe, encode_command
from .front import hypervolume, pareto
from .influence import Influence
from .outcome import Outcome, outcomes
from .progress import Step
from .summary import Analysis, analyse

__all__ = [
    "Analysis",
    "Axis",
    "Influence",
    "Outcome",
    "Step",
    "all_axes",
    "analyse",
    "describe",
    "encode_command",
    "hypervolume",
    "objective_axes",
    "outcomes",
    "pareto",
]
