"""What each way to calibrate a network gives, and which of its layers INT8 hurts.

    python benchmarks/calibration.py [--calibration FILE...] [--clip FILE...] [--tier nano,edge]
        [--network NAME...] [--arithmetic fast,exact] [--json]

Networks are calibrated on the --calibration clips and measured on the --clip clips, both the demo
clip by default (other frames of it). PSNR (6 Y + U + V) / 8 in dB against the source, of the uint8
graph as the CPU computes it, on parts of 416x240 of four frames of each clip and quality: first in
every way to calibrate (c: a scale for each channel, t: for each tensor; b: with bias correction),
then, in fast arithmetic and without calibration, with only one layer in INT8.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecodec.decoder.networks import spec
from edgecodec.encoder.samples import latent_samples
from edgecodec.evaluation.tables import Table
from edgecodec.export import CALIBRATION_SKIP, LossSample, base_samples, demo_clips
from edgecodec.export.calibration import CalibrationReport, RangeMethod, choose_recipe
from edgecodec.export.graph import to_bytes, to_onnx
from edgecodec.export.loss import float_psnr
from edgecodec.export.quantization import Arithmetic, Recipe, preset
from edgecodec.export.recipes import recipe_measure
from edgecodec.export.sample_sets import quick_samples
from edgecodec.export.sensitivity import SensitivityReport, analyse
from edgecodec.export.weights import choose_networks, load_network


@dataclass(frozen=True)
class Result:
    """One network: PSNR in dB of the float graph, of every recipe, and of its layers."""

    network: str
    tier: str
    float_psnr_db: float
    calibrations: dict[Arithmetic, CalibrationReport]
    sensitivity: SensitivityReport


def main() -> None:
    arguments = _arguments()
    results = []
    for tier in arguments.tier.split(","):
        for name in choose_networks(tuple(arguments.network), tier, None):
            print(f"{name} ({tier})", flush=True)
            arithmetics = [Arithmetic(each) for each in arguments.arithmetic.split(",")]
            results.append(measure(name, tier, arithmetics, arguments.calibration, arguments.clip))
            show(results[-1])
    if arguments.json:
        print(json.dumps([_described(result) for result in results], indent=1))


def measure(
    name: str,
    tier: str,
    arithmetics: Sequence[Arithmetic],
    calibration: Sequence[Path],
    clips: Sequence[Path],
) -> Result:
    """Every recipe of one network."""
    network = spec(name, tier)
    model = to_onnx(load_network(name, tier, None).module, network, None)
    inputs = [s.inputs for s in _samples(name, tier, calibration or demo_clips(), CALIBRATION_SKIP)]
    samples = quick_samples(_samples(name, tier, clips or demo_clips(), 0), network)
    asked = recipe_measure(model, network, samples)
    reference = float_psnr(to_bytes(model), network, samples)
    calibrations = {
        each: choose_recipe(model, network, preset("cpu", each), inputs, asked)[1]
        for each in arithmetics
    }
    layers = analyse(model, network, Recipe(preset("cpu")), asked, reference, 0.0)
    return Result(name, tier, reference, calibrations, layers)


def show(result: Result) -> None:
    """Two tables of one network, in Markdown."""
    methods = tuple(method.value for method in RangeMethod)
    rows: dict[str, dict[str, str]] = {}
    for arithmetic, report in result.calibrations.items():
        for each in report.candidates:
            row = f"{arithmetic.value} {'c' if each.per_channel else 't'}"
            row += "b" if each.bias_correction else ""
            mark = " *" if each == report.chosen else ""
            rows.setdefault(row, {})[each.method.value] = f"{each.psnr_db:.4f}{mark}"
    cells = tuple((row, *(found[method] for method in methods)) for row, found in rows.items())
    print(f"in float: {result.float_psnr_db:.4f} dB; * is chosen\n")
    print(Table("recipes", ("", *methods), cells).to_markdown())
    layers = tuple(
        (layer.layer, f"{layer.drop_db:.4f}", f"{layer.macs_share:.3f}")
        for layer in result.sensitivity.ranking
    )
    headings = ("only layer in INT8", "drop dB", "share of MACs")
    print(Table("layers", headings, layers).to_markdown(), flush=True)


def _samples(name: str, tier: str, clips: Sequence[Path], skip: int) -> Sequence[LossSample]:
    if bases := base_samples(name, clips, skip=skip):
        return bases
    return latent_samples(clips, tier, skip=skip)[name]


def _described(result: Result) -> dict[str, Any]:
    return {
        "network": result.network,
        "tier": result.tier,
        "float_psnr_db": result.float_psnr_db,
        "calibrations": {a.value: r.to_dict() for a, r in result.calibrations.items()},
        "sensitivity": result.sensitivity.to_dict(),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--calibration", type=Path, nargs="+", default=[])
    parser.add_argument("--clip", type=Path, nargs="+", default=[])
    parser.add_argument("--tier", default="nano,edge")
    parser.add_argument("--network", nargs="+", default=[])
    parser.add_argument("--arithmetic", default="fast,exact")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
