"""Which ranges, which granularity and whether with bias correction: the best by measured PSNR."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import onnx

from ...decoder.networks import NetworkSpec
from ..quantization import Preset, Recipe
from .bias import bias_corrections
from .ranges import DEFAULT_PERCENTILE, RangeMethod, ranges
from .segments import Sample
from .statistics import Statistics, collect

Measure = Callable[[Recipe], float]
"""PSNR in dB of the network that a recipe gives, on real pictures: as its uint8 graph computes."""

TIE_DB = 0.001
"""Recipes whose PSNR differs by no more are equally good; the simpler one is taken."""


@dataclass(frozen=True)
class Candidate:
    """One way to calibrate a network, and the PSNR in dB that it gave."""

    method: RangeMethod
    per_channel: bool
    bias_correction: bool
    psnr_db: float


@dataclass(frozen=True)
class CalibrationReport:
    """All ways that were tried, the simplest first, on how many samples, and the one taken."""

    network: str
    samples: int
    percentile: float
    candidates: tuple[Candidate, ...]
    chosen: Candidate

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def choose_recipe(
    model: onnx.ModelProto,
    spec: NetworkSpec,
    preset: Preset,
    samples: Iterable[Sample],
    measure: Measure,
    *,
    statistics: Statistics | None = None,
    methods: Sequence[RangeMethod] = tuple(RangeMethod),
    percentile: float = DEFAULT_PERCENTILE,
    progress: Callable[[Candidate], None] | None = None,
) -> tuple[Recipe, CalibrationReport]:
    """The recipe with the highest measured PSNR of all `methods`, per channel and per tensor, with
    and without bias correction; of those within `TIE_DB` of it the simplest.

    Simplest is: no bias correction, a scale per channel, the first of `methods`. `statistics`: what
    `collect` found for the same `samples`, if it was asked already. `progress` is told of each
    candidate as it is measured.
    """
    found = statistics or collect(model, spec, samples)
    tried: list[tuple[Recipe, Candidate]] = []
    for corrected, per_channel, method in product((False, True), (True, False), methods):
        recipe = Recipe(
            replace(preset, per_channel=per_channel),
            ranges(found, method, percentile=percentile, activations=preset.activations),
        )
        if corrected:
            shifts = bias_corrections(model, spec, recipe, found)
            recipe = replace(recipe, bias_corrections=shifts)
        candidate = Candidate(method, per_channel, corrected, measure(recipe))
        tried.append((recipe, candidate))
        if progress:
            progress(candidate)
    best = max(candidate.psnr_db for _, candidate in tried)
    recipe, chosen = next(pair for pair in tried if pair[1].psnr_db >= best - TIE_DB)
    candidates = tuple(candidate for _, candidate in tried)
    return recipe, CalibrationReport(spec.name, found.samples, percentile, candidates, chosen)
