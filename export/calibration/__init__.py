"""What a network's inner tensors hold on real pictures, and the recipe that follows from it."""

from .bias import bias_corrections
from .choice import TIE_DB, CalibrationReport, Candidate, Measure, choose_recipe
from .ranges import DEFAULT_PERCENTILE, RangeMethod, ranges
from .segments import Sample
from .statistics import Statistics, collect, load_statistics, statistics_from_bytes

__all__ = [
    "DEFAULT_PERCENTILE",
    "TIE_DB",
    "CalibrationReport",
    "Candidate",
    "Measure",
    "RangeMethod",
    "Sample",
    "Statistics",
    "bias_corrections",
    "choose_recipe",
    "collect",
    "load_statistics",
    "ranges",
    "statistics_from_bytes",
]
