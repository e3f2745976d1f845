"""Fitted roofline parameters and how well they predicted what they were not fitted to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..runtime.errors import DeviceError, ProfileFileError
from .fields import Fields

FOLDER = Path(__file__).parent / "parameters"
_FORMAT = 2
_TRANSFER_FORMAT = 1
# A grouped convolution with fewer input channels than this in a group counts as depthwise.
DEPTHWISE_BELOW = 8
_TRANSFER = "transfer"


@dataclass(frozen=True)
class FitError:
    """Errors on networks that the fit did not see.

    `median`: median of |predicted / measured - 1|. `p10`, `p90`: quantiles of predicted / measured.
    `within_1_5x`: share predicted within a factor of 1.5.
    """

    networks: int
    median: float
    p10: float
    p90: float
    within_1_5x: float


@dataclass(frozen=True)
class Reach:
    """How far a measurement may lie from a prediction.

    `low`, `high`: the two ends of measured / predicted that hold `coverage` of the networks, for a
    network as near to the calibration set as those are to each other; further away both widen with
    the distance over `radius` (`confidence`).
    """

    coverage: float
    low: float
    high: float
    radius: float


@dataclass(frozen=True)
class MeasuredNetwork:
    """A public network with a measured latency, and what the fit to all others made of it.

    `largest_layer`: elements that its largest layer reads and writes.
    """

    network: str
    input: str
    gmacs: float
    activation_elements_per_mac: float
    largest_layer: float
    predicted_over_measured: float


@dataclass(frozen=True)
class Structure:
    """How a layer's shape decides what it takes: the same for all devices of a fit.

    Channels are padded to `channel_alignment`. A layer of so many input channels reaches half of
    the peak, if only these held it back; so with `half_out_channels` and `half_positions` (output
    positions). Depthwise convolutions run `depthwise_slowdown` times slower. `boundary`: times that
    the graph's inputs and outputs travel through DRAM. `moving_ops`: overhead of a layer that does
    not multiply, over that of one that does. `on_chip_bytes`: what `spill` compares with.
    """

    channel_alignment: int
    on_chip_bytes: int
    half_in_channels: float
    half_out_channels: float
    half_positions: float
    depthwise_slowdown: float
    boundary: float
    moving_ops: float


@dataclass(frozen=True)
class RooflineParameters:
    """One device's roofline in one precision; the formula is in `roofline`.

    `dense_tops`: tera-operations per second that a wide, large convolution tends to. `vector_gbps`:
    GB/s of layers that do not multiply. `dram_gbps`: GB/s. `spill`: share of activation bytes that
    travel through DRAM where a layer's are far more than the structure's `on_chip_bytes`.
    `per_op_us`, `fixed_us`: microseconds for each layer that multiplies and for each call.
    `error`: each network left out in turn, `family_error`: all of its family with it.
    """

    dense_tops: float
    vector_gbps: float
    dram_gbps: float
    spill: float
    per_op_us: float
    fixed_us: float
    structure: Structure
    error: FitError
    family_error: FitError
    reach: Reach
    nearest: tuple[MeasuredNetwork, ...]


@dataclass(frozen=True)
class FittedDevice:
    """What was fitted to one device: parameters for each precision (`w8a8`, `w8a16`, `float`)."""

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

    Raises `DeviceError` where there is none, `ProfileFileError` where it is malformed.
    """
    file = Path(name) if name.endswith(".json") else FOLDER / f"{name}.json"
    known = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != _TRANSFER)
    if not file.is_file():
        raise DeviceError(f"there are no fitted parameters {name!r}: known are {', '.join(known)}")
    fields = _read(file, _FORMAT)
    title, source = fields.text("title"), fields.text("source")
    table = fields.table("precisions")
    precisions = {key: _parameters(table.table(key)) for key in table.keys_left()}
    fields.finish()
    return FittedDevice(title, source, precisions)


def load_transfer() -> Transfer:
    """The measured error of carrying one device's fit over to another."""
    fields = _read(FOLDER / f"{_TRANSFER}.json", _TRANSFER_FORMAT)
    ratios, efficiency = fields.table("predicted_over_measured"), fields.table("label_efficiency")
    return Transfer(
        fields.count("predictions"),
        ratios.positive("p10"),
        ratios.positive("p90"),
        efficiency.positive("low"),
        efficiency.positive("mid"),
        efficiency.positive("high"),
    )


def _read(file: Path, known: int) -> Fields:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProfileFileError(f"{file}: not readable JSON: {error}") from error
    fields = Fields(data, str(file), ProfileFileError)
    if fields.count("format") != known:
        raise fields.fail(f"only format {known} is known: fit again, or update edgecodec")
    return fields


def _parameters(fields: Fields) -> RooflineParameters:
    parameters = RooflineParameters(
        dense_tops=fields.positive("dense_tops"),
        vector_gbps=fields.positive("vector_gbps"),
        dram_gbps=fields.positive("dram_gbps"),
        spill=fields.positive("spill"),
        per_op_us=fields.positive("per_op_us"),
        fixed_us=fields.positive("fixed_us"),
        structure=_structure(fields.table("structure")),
        error=_error(fields.table("error")),
        family_error=_error(fields.table("family_error")),
        reach=_reach(fields.table("reach")),
        nearest=tuple(_measured(row) for row in fields.tables("networks")),
    )
    fields.finish()
    return parameters


def _structure(fields: Fields) -> Structure:
    structure = Structure(
        channel_alignment=fields.count("channel_alignment"),
        on_chip_bytes=fields.count("on_chip_bytes"),
        half_in_channels=fields.positive("half_in_channels"),
        half_out_channels=fields.positive("half_out_channels"),
        half_positions=fields.positive("half_positions"),
        depthwise_slowdown=fields.positive("depthwise_slowdown"),
        boundary=fields.positive("boundary"),
        moving_ops=fields.positive("moving_ops"),
    )
    fields.finish()
    return structure


def _error(fields: Fields) -> FitError:
    error = FitError(
        fields.count("networks"),
        fields.positive("median"),
        fields.positive("p10"),
        fields.positive("p90"),
        fields.share("within_1_5x"),
    )
    fields.finish()
    return error


def _reach(fields: Fields) -> Reach:
    reach = Reach(
        fields.share("coverage"),
        fields.positive("low"),
        fields.positive("high"),
        fields.positive("radius"),
    )
    if not reach.low <= 1 <= reach.high:
        raise fields.fail(f"`low` and `high` must lie around 1, not {reach.low} and {reach.high}")
    fields.finish()
    return reach


def _measured(fields: Fields) -> MeasuredNetwork:
    network = MeasuredNetwork(
        fields.text("network"),
        fields.text("input"),
        fields.positive("gmacs"),
        fields.positive("activation_elements_per_mac"),
        fields.positive("largest_layer"),
        fields.positive("predicted_over_measured"),
    )
    fields.finish()
    return network
