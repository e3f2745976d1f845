"""`python -m edgecodec.profiles.fitting DATA --parameters FOLDER --report FILE`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from .decoder_check import decoder_check
from .devices import DEVICES, prior
from .model import Model, Variant
from .parameters import device_file, titles, write_json
from .public_data import Latencies, read_latencies
from .report import report
from .solve import Prior, Solution
from .transfer import label_efficiency, transfer
from .validate import Validation, single_errors, validate

SHIPPED = Variant(channel_alignment=16)
_COMPARED = (Variant(1), Variant(32), Variant(16, normalisation=False))
# Its channel shuffles are compiled in a way that its listing does not show.
_EXCLUDED = frozenset({"shufflenet_v2"})
# A device's errors are carried over between those that have a profile.
_TRANSFERRED = 6


def main() -> None:
    """Fit all precisions, write the parameters and the report."""
    parser = argparse.ArgumentParser(prog="edgecodec.profiles.fitting", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with device_points.csv and the layers")
    parser.add_argument("--parameters", type=Path, required=True, help="folder to write JSON into")
    parser.add_argument("--report", type=Path, required=True, help="Markdown file to write")
    arguments = parser.parse_args()
    validations = fit_all(arguments.data)
    whole = validations["w8a8"]
    variants = {SHIPPED: whole.single} | {
        variant: single_errors(
            Model(whole.model.networks, variant), whole.latencies, _prior(whole.latencies)
        )
        for variant in _COMPARED
    }
    write(arguments.parameters, validations)
    labelled = label_efficiency(whole, titles(DEVICES, whole.latencies.devices))
    checked = decoder_check(arguments.data, validations["w8a16"])
    text = report(validations, variants, checked, labelled)
    part = arguments.report.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, arguments.report)


def fit_all(data: Path) -> dict[str, Validation]:
    """Fit w8a8 and float by themselves; w8a16, with few latencies, in the structure of w8a8."""
    whole = _fit(data, "w8a8", None)
    return {
        "w8a8": whole,
        "w8a16": _fit(data, "w8a16", whole.solution),
        "float": _fit(data, "float", None),
    }


def write(folder: Path, validations: Mapping[str, Validation]) -> None:
    """Write every device's parameters, and how far they can be carried."""
    folder.mkdir(parents=True, exist_ok=True)
    for device in DEVICES:
        write_json(folder / f"{device.file}.json", device_file(device, validations))
    whole = validations["w8a8"]
    devices = titles(DEVICES, whole.latencies.devices)[:_TRANSFERRED]
    write_json(folder / "transfer.json", transfer(whole, devices))


def _fit(data: Path, precision: str, known: Solution | None) -> Validation:
    columns = tuple(device.column for device in DEVICES)
    latencies = read_latencies(data, precision, columns, _EXCLUDED)
    model = Model(latencies.networks, SHIPPED)
    return validate(model, latencies, _prior(latencies, known))


def _prior(latencies: Latencies, known: Solution | None = None) -> Prior:
    return prior(titles(DEVICES, latencies.devices), latencies.precision, known)


if __name__ == "__main__":
    main()
