"""Fitted roofline parameters and how well they predicted what they were not fitted to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..runtime.errors import DeviceError
from .fields import Fields

FOLDER = Path(__file__).parent / "parameters"
_FORMAT = 1
_TRANSFER = "transfer"


@dataclass(frozen=True)
class FitError:
    """Leave-one-network-out errors: each network predicted by a fit to all the others.

    `median`: median of |predicted / measured - 1|. `p10`, `p90`: quantiles of predicted / measured.
    `within_1_5x`: share predicted within a factor of 1.5.
    """

    networks: int
    median: float
    p10: float
    p90: float
    within_1_5x: float


@dataclass(frozen=True)
class MeasuredNetwork:
    """A public network with a measured latency, and what the fit to all others made of it."""

    network: str
    input: str
    gmacs: float
    activation_elements_per_mac: float
    predicted_over_measured: float


@dataclass(frozen=True)
class RooflineParameters:
    """One device's roofline in one precision; the formula is in `roofline`.

    `dense_tops`, `depthwise_tops`: tera-operations per second. `dram_gbps`: GB/s. `per_op_us`,
    `fixed_us`: microseconds for each counted layer and each call. `spill`: share of activation
    bytes that travel through DRAM once a layer's activations exceed `sram_bytes`.
    """

    dense_tops: float
    depthwise_tops: float
    dram_gbps: float
    per_op_us: float
    fixed_us: float
    spill: float
    channel_alignment: int
    sram_bytes: int
    error: FitError
    nearest: tuple[MeasuredNetwork, ...]


@dataclass(frozen=True)
class FittedDevice:
    """What was fitted to one device: parameters for each precision (`w8a8`, `float`)."""

    title: str
    source: str
    precisions: dict[str, RooflineParameters]


@dataclass(frozen=True)
class Transfer:
    """How far a fit misses when it is scaled to another device.

    `p10`, `p90`: quantiles of predicted / measured over `predictions` such cases. `efficiency_*`:
    fitted dense TOPS as a share of the label, over the devices whose label is known.
    """

    predictions: int
    p10: float
    p90: float
    efficiency_low: float
    efficiency_mid: float
    efficiency_high: float


def load_fitted(name: str) -> FittedDevice:
    """The shipped fit `name`, or the file `name` where that ends in `.json`.

    Raises `DeviceError` where it is missing or malformed.
    """
    file = Path(name) if name.endswith(".json") else FOLDER / f"{name}.json"
    known = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != _TRANSFER)
    if not file.is_file():
        raise DeviceError(f"there are no fitted parameters {name!r}: known are {', '.join(known)}")
    fields = _read(file)
    title, source = fields.text("title"), fields.text("source")
    alignment, sram_bytes = fields.count("channel_alignment"), fields.count("sram_bytes")
    table = fields.table("precisions")
    precisions = {
        key: _parameters(table.table(key), alignment, sram_bytes) for key in table.keys_left()
    }
    fields.finish()
    return FittedDevice(title, source, precisions)


def load_transfer() -> Transfer:
    """The measured error of carrying one device's fit over to another."""
    fields = _read(FOLDER / f"{_TRANSFER}.json")
    ratios, efficiency = fields.table("predicted_over_measured"), fields.table("label_efficiency")
    return Transfer(
        fields.count("predictions"),
        ratios.positive("p10"),
        ratios.positive("p90"),
        efficiency.positive("low"),
        efficiency.positive("mid"),
        efficiency.positive("high"),
    )


def _read(file: Path) -> Fields:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DeviceError(f"{file}: not readable JSON: {error}") from error
    fields = Fields(data, str(file), DeviceError)
    if fields.count("format") != _FORMAT:
        raise fields.fail(f"only format {_FORMAT} is known: update edgecodec")
    return fields


def _parameters(fields: Fields, alignment: int, sram_bytes: int) -> RooflineParameters:
    error = fields.table("error")
    parameters = RooflineParameters(
        dense_tops=fields.positive("dense_tops"),
        depthwise_tops=fields.positive("depthwise_tops"),
        dram_gbps=fields.positive("dram_gbps"),
        per_op_us=fields.positive("per_op_us"),
        fixed_us=fields.positive("fixed_us"),
        spill=fields.positive("spill"),
        channel_alignment=alignment,
        sram_bytes=sram_bytes,
        error=FitError(
            error.count("networks"),
            error.positive("median"),
            error.positive("p10"),
            error.positive("p90"),
            error.positive("within_1_5x"),
        ),
        nearest=tuple(_measured(row) for row in fields.tables("nearest")),
    )
    error.finish()
    fields.finish()
    return parameters


def _measured(fields: Fields) -> MeasuredNetwork:
    network = MeasuredNetwork(
        fields.text("network"),
        fields.text("input"),
        fields.positive("gmacs"),
        fields.positive("activation_elements_per_mac"),
        fields.positive("predicted_over_measured"),
    )
    fields.finish()
    return network
