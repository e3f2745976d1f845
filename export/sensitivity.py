"""Which layers INT8 hurts, and the fewest that must have more bits until the loss is small enough.

A layer's sensitivity is what is lost with only that layer in INT8 and all others promoted. The
other way round, all but one in INT8, hides a bad layer behind another bad one: sparing either
alone gains little. What is decided in the end is always measured on the network that would ship:
INT8 but for the promoted layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import onnx

from ..decoder.networks import NetworkSpec
from .calibration import Measure
from .layer_cost import macs_per_pixel
from .quantization import LayerPrecision, Recipe


@dataclass(frozen=True)
class LayerSensitivity:
    """PSNR in dB with only this layer in INT8, what that loses against float, and the layer's
    share, 0 to 1, of the network's multiply-accumulates."""

    layer: str
    psnr_db: float
    drop_db: float
    macs_share: float


@dataclass(frozen=True)
class Promotion:
    """A network in INT8 but for the layers `promoted`, in the graph's order.

    `macs_share`: what part of the multiply-accumulates, 0 to 1, they are; what feeds a layer of 16
    bits computes in 16 bits too, and is not counted. `psnr_db` and `drop_db`, against float, as
    measured.
    """

    promoted: tuple[str, ...]
    macs_share: float
    psnr_db: float
    drop_db: float


@dataclass(frozen=True)
class SensitivityReport:
    """`ranking`: layers, the most sensitive first. `measured`: every promotion that was tried, in
    the order of trying. `pareto`: those of them that no other beats in share and PSNR, the cheapest
    first. `chosen`: the promotion to ship, which `holds` if it loses no more than `max_drop_db`.
    `promotion`: what promoted layers become.
    """

    network: str
    float_psnr_db: float
    max_drop_db: float
    promotion: LayerPrecision
    ranking: tuple[LayerSensitivity, ...]
    measured: tuple[Promotion, ...]
    pareto: tuple[Promotion, ...]
    chosen: Promotion
    holds: bool

    def applied(self, recipe: Recipe) -> Recipe:
        """`recipe` with the chosen layers promoted, all others as they were."""
        return replace(recipe, precision=_promoted(recipe, self.chosen.promoted, self.promotion))

    def to_dict(self) -> dict[str, Any]:
        """For JSON, which knows no infinity: a bound that is none is null."""
        bound = self.max_drop_db if math.isfinite(self.max_drop_db) else None
        return {**asdict(self), "max_drop_db": bound}


def analyse(
    model: onnx.ModelProto,
    spec: NetworkSpec,
    recipe: Recipe,
    measure: Measure,
    float_psnr_db: float,
    max_drop_db: float,
    promotion: LayerPrecision | None = None,
    progress: Callable[[str], None] | None = None,
) -> SensitivityReport:
    """Ranks the layers of `model`, then promotes from the top of the ranking until the loss holds,
    then takes back each promotion, the least sensitive first, that is not needed for that.

    `measure` gives a recipe's PSNR in dB; for L layers it is asked at most 3 L + 1 times.
    `promotion` is that of the preset if not given. Layers that `recipe` itself promotes stay so and
    are not ranked. Where even all layers together do not hold, the promotion with the highest PSNR
    is chosen. `progress` is told what is about to be measured. Exact arithmetic has INT8 layers
    only: `measure` raises `UnsupportedError` for its presets, so analyse the fast one.
    """
    target = promotion or recipe.preset.promotion
    costs = macs_per_pixel(model, spec)
    int8 = LayerPrecision.INT8
    layers = tuple(n for n in costs if recipe.precision.get(n, int8) is int8)
    trial = _Trial(recipe, layers, costs, measure, float_psnr_db, target, progress, {})
    ranking = sorted(map(trial.alone, layers), key=lambda each: each.drop_db, reverse=True)
    order = [each.layer for each in ranking]
    prefixes = [trial.promoted(order[:count]) for count in range(len(order) + 1)]
    enough = next((p for p in prefixes if p.drop_db <= max_drop_db), None)
    chosen = max(prefixes, key=lambda p: p.psnr_db)
    if enough is not None:
        chosen = trial.pruned(enough, order, max_drop_db)
    measured = tuple(trial.results.values())
    return SensitivityReport(
        spec.name,
        float_psnr_db,
        max_drop_db,
        target,
        tuple(ranking),
        measured,
        _pareto(measured),
        chosen,
        enough is not None,
    )


@dataclass(frozen=True)
class _Trial:
    """Measures promotions of one network, each once; `results` by the set of promoted layers."""

    recipe: Recipe
    layers: Sequence[str]
    costs: Mapping[str, float]
    measure: Measure
    float_psnr_db: float
    promotion: LayerPrecision
    progress: Callable[[str], None] | None
    results: dict[frozenset[str], Promotion]

    def alone(self, layer: str) -> LayerSensitivity:
        """Only `layer` in INT8."""
        self._tell(f"only {layer} in int8")
        others = [name for name in self.layers if name != layer]
        precision = _promoted(self.recipe, others, self.promotion)
        # By name, or it would have to give its neighbour 16 bits.
        precision = {**precision, layer: LayerPrecision.INT8}
        psnr = self.measure(replace(self.recipe, precision=precision))
        return LayerSensitivity(layer, psnr, self.float_psnr_db - psnr, self._share([layer]))

    def promoted(self, layers: Sequence[str]) -> Promotion:
        """All in INT8 but `layers`."""
        key = frozenset(layers)
        if key not in self.results:
            inside = tuple(name for name in self.layers if name in key)
            self._tell(f"{', '.join(inside) or 'no layer'} in {self.promotion.value}")
            psnr = self.measure(
                replace(self.recipe, precision=_promoted(self.recipe, inside, self.promotion))
            )
            drop = self.float_psnr_db - psnr
            self.results[key] = Promotion(inside, self._share(inside), psnr, drop)
        return self.results[key]

    def pruned(self, start: Promotion, order: Sequence[str], max_drop_db: float) -> Promotion:
        """`start`, which holds, without each layer that it holds without; the last of `order`
        are tried first."""
        kept = start
        for layer in reversed(order):
            if layer not in kept.promoted:
                continue
            fewer = self.promoted([name for name in kept.promoted if name != layer])
            if fewer.drop_db <= max_drop_db:
                kept = fewer
        return kept

    def _share(self, layers: Sequence[str]) -> float:
        return sum(self.costs[layer] for layer in layers) / sum(self.costs.values())

    def _tell(self, what: str) -> None:
        if self.progress:
            self.progress(what)


def _promoted(
    recipe: Recipe, layers: Sequence[str], precision: LayerPrecision
) -> Mapping[str, LayerPrecision]:
    return {**recipe.precision, **dict.fromkeys(layers, precision)}


def _pareto(measured: Sequence[Promotion]) -> tuple[Promotion, ...]:
    """Those that cost less than every other that is as good or better, the cheapest first."""
    front: list[Promotion] = []
    for each in sorted(measured, key=lambda p: (p.macs_share, -p.psnr_db, len(p.promoted))):
        if not front or each.psnr_db > front[-1].psnr_db:
            front.append(each)
    return tuple(front)
