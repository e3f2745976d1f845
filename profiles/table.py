"""Reports as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .device import DeviceProfile
from .report import ProfileReport
from .words import HEADINGS, network_cells, verdict

if TYPE_CHECKING:
    from rich.console import Console


def print_report(report: ProfileReport, console: Console) -> None:
    """A profile: one line for each network, then the verdict and how it is known."""
    from rich.table import Table

    console.print(
        f"{report.device.title}, {report.size} at {report.target_fps:g} fps"
        f" ({1000 / report.target_fps:.1f} ms a frame), tier {report.tier}",
        markup=False,
    )
    console.print("1 MAC = 2 operations; for any one frame exactly one network runs.", markup=False)
    table = Table()
    first, *others, last = HEADINGS
    table.add_column(first)
    for title in others:
        # The alternatives in brackets go on a line of their own.
        table.add_column(title.replace(" (", "\n("), justify="right")
    table.add_column(last)
    for network in report.networks:
        table.add_row(*network_cells(network))
    console.print(table)
    for line in verdict(report):
        console.print(line, markup=False, highlight=False)


def print_devices(devices: Sequence[DeviceProfile], console: Console) -> None:
    """The device profiles, one line each."""
    from rich.table import Table

    table = Table()
    for title in ("device", "what it is", "basis"):
        table.add_column(title)
    table.add_column("label TOPS", justify="right")
    table.add_column("label means")
    for title in ("dense INT8", "DRAM GB/s", "dispatch us"):
        table.add_column(title, justify="right")
    table.add_column("decodes")
    for device in devices:
        figures = (device.dense_int8_tops, device.dram_gbps, device.dispatch_us)
        table.add_row(
            device.name,
            device.title,
            device.basis.value,
            f"{device.label.tops:g}" if device.label else "-",
            device.label.meaning if device.label else "-",
            *(f"{figure.value:g}" if figure else "-" for figure in figures),
            _decoders(device),
        )
    console.print(table)


def _decoders(device: DeviceProfile) -> str:
    kinds = {"": device.hardware_decode, "by software: ": device.software_decode}
    return "; ".join(f"{kind}{each}" for kind, each in kinds.items() if each) or "-"
