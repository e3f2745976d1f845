"""Reports as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .compare import COMPARISON_HEADINGS, Comparison, comparison_cells
from .device import DeviceProfile
from .diff import DIFF_HEADINGS, Difference, difference_cells
from .report import ProfileReport
from .words import (
    HEADINGS,
    LAYER_HEADINGS,
    MEASURED_HEADINGS,
    advice_line,
    kernel_lines,
    layer_cells,
    measured_cells,
    missing_line,
    network_cells,
    verdict,
)

if TYPE_CHECKING:
    from rich.console import Console


def print_report(report: ProfileReport, console: Console) -> None:
    """A profile: one line for each network, the verdict and how it is known, and what to change."""

    def line(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    line(
        f"{report.device.title}, {report.size} at {report.target_fps:g} fps"
        f" ({1000 / report.target_fps:.1f} ms a frame), tier {report.tier}"
    )
    line("1 MAC = 2 operations; for any one frame exactly one network runs.")
    _print_table(HEADINGS, (network_cells(each) for each in report.networks), console)
    for text in verdict(report):
        line(text)
    slowest = max(report.networks, key=lambda network: network.predicted.mid)
    line(f"Costliest layers of {slowest.name}, as predicted:")
    costliest = (layer_cells(layer, slowest) for layer in slowest.costliest)
    _print_table(LAYER_HEADINGS, costliest, console, left={0, 1, 4})
    cool = ", cool" if report.sustained else ""
    line(f"What would change {slowest.name}, by the same prediction{cool}:")
    for advice in report.advice:
        line(f"  {advice_line(advice)}")
    if any(network.measurements for network in report.networks):
        line("Measured here:")
        rows = (
            measured_cells(network.name, each)
            for network in report.networks
            for each in network.measurements
        )
        _print_table(MEASURED_HEADINGS, rows, console, left={0, 1, 5})
    for text in kernel_lines(report):
        line(text)
    for provider, reason in report.missing.items():
        line(missing_line(provider, reason))


def print_comparison(comparison: Comparison, console: Console) -> None:
    """All devices, one line each."""
    console.print(
        f"Tier {comparison.tier}, {comparison.size} at {comparison.target_fps:g} fps"
        f" ({1000 / comparison.target_fps:.1f} ms a frame): the slowest network and frame",
        markup=False,
        highlight=False,
    )
    rows = (comparison_cells(row) for row in comparison.rows)
    _print_table(COMPARISON_HEADINGS, rows, console, left={0, 1, 3, 6, 7, 8})
    for name, reason in comparison.left_out.items():
        console.print(f"{name}: {reason}", markup=False, highlight=False)


def print_difference(difference: Difference, console: Console) -> None:
    """Two reports beside each other."""
    for text in difference.notes:
        console.print(text, markup=False, highlight=False)
    _print_table(DIFF_HEADINGS, (difference_cells(row) for row in difference.rows), console)


def print_devices(devices: Sequence[DeviceProfile], console: Console) -> None:
    """The device profiles, one line each."""
    headings = (
        *("device", "what it is", "basis", "label TOPS", "label means", "dense INT8"),
        *("DRAM GB/s", "dispatch us", "decodes"),
    )
    rows = (
        (
            device.name,
            device.title,
            device.basis.value,
            f"{device.label.tops:g}" if device.label else "-",
            device.label.meaning if device.label else "-",
            *(
                f"{figure.value:g}" if figure else "-"
                for figure in (device.dense_int8_tops, device.dram_gbps, device.dispatch_us)
            ),
            _decoders(device),
        )
        for device in devices
    )
    _print_table(headings, rows, console, left={0, 1, 2, 4, 8})


def _print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    console: Console,
    left: frozenset[int] | set[int] = frozenset({0}),
) -> None:
    from rich.table import Table

    table = Table()
    for index, title in enumerate(headings):
        # The alternatives in brackets go on a line of their own.
        table.add_column(
            title.replace(" (", "\n("),
            justify="left" if index in left else "right",
            no_wrap=not index,
        )
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)


def _decoders(device: DeviceProfile) -> str:
    kinds = {"": device.hardware_decode, "by software: ": device.software_decode}
    return "; ".join(f"{kind}{each}" for kind, each in kinds.items() if each) or "-"
