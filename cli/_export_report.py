"""What `edgecodec export` and `edgecodec info` print of exported networks.

They print from a manifest's JSON, as a player has it that is installed without the export.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._output import print_json, stdout_console

if TYPE_CHECKING:
    from ..export import PlannedNetwork


def print_plan(directory: Path, plan: Sequence[PlannedNetwork], *, as_json: bool) -> None:
    """Files, shapes and stages; stages whose results are there already are in brackets."""
    if as_json:
        print_json({"directory": str(directory.resolve()), "networks": plan})
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("network", "file", "inputs", "outputs", "stages (in brackets: cached)")
    for network in plan:
        stages = [f"({s})" if s in network.cached else s for s in network.stages]
        table.add_row(
            network.name,
            str(directory / network.file),
            "\n".join(f"{port.name} {_shape(port.shape)}" for port in network.inputs),
            "\n".join(f"{port.name} {_shape(port.shape)}" for port in network.outputs),
            escape(", ".join(stages)),
        )
    stdout_console().print(table)


def print_report(manifest: Mapping[str, Any], directory: Path) -> None:
    """What a folder of networks holds and what was measured on it, as tables."""
    from rich.table import Table

    networks = manifest["networks"]
    clips = ", ".join(manifest["measured_on"]["clips"]) or "nothing"
    exact = " (exact)" if manifest.get("arithmetic") == "exact" else ""
    size = manifest["size"]
    print(
        f"{directory.resolve()}: {manifest['precision']}{exact} for {manifest['target']}, tier"
        f" {manifest['tier']}, {'{width}x{height}'.format(**size) if size else 'any size'},"
        f" loss on {clips}"
    )
    table = Table("network", "model", "parameters", "bytes", "FP32 dB", "INT8 dB", "drop dB")
    for heading in ("MS-SSIM FP32, INT8", "arithmetic", "not INT8", "placement"):
        table.add_column(heading)
    for network in networks:
        placement = network["placement"]
        table.add_row(
            network["name"],
            network["model_id"],
            f"{network['parameters']:,}",
            f"{network['bytes']:,}" if network.get("bytes") else "-",
            _number(network["psnr_fp32"], 2),
            _number(network["psnr_int8"], 2),
            _number(network["drop_db"], 4),
            _similarity(network["clips"]),
            _arithmetic(network),
            ", ".join((network.get("recipe") or {}).get("precision", ())) or "-",
            f"{placement['percent']:.0f} % {placement['provider']}",
        )
    stdout_console().print(table)
    for network in networks:
        if note := network.get("notes", {}).get("arithmetic"):
            print(f"{network['name']}: {note}")
    _print_artefacts([a for network in networks for a in network.get("artefacts", ())])


def print_origins(manifest: Mapping[str, Any]) -> None:
    """What the networks were made with and measured on."""
    print("made with " + ", ".join(f"{tool} {v}" for tool, v in manifest["tools"].items()))
    for use, files in (
        ("loss", manifest["measured_on"].get("files", ())),
        ("calibration", manifest.get("calibrated_on", ())),
    ):
        for file in files:
            print(f"{use} on {file['name']}, SHA-256 {file['sha256']}")
    for network in manifest["networks"]:
        for placement in network.get("placements", ()):
            kernels = ", ".join(f"{count} {op}" for op, count in placement["kernels"].items())
            print(f"{network['name']} on {placement['provider']}: {kernels}")
        for stage, note in network.get("notes", {}).items():
            if stage == "arithmetic":  # the report has it
                continue
            print(f"{network['name']}: {stage}: {note}")


def _print_artefacts(artefacts: Sequence[Mapping[str, Any]]) -> None:
    from rich.table import Table

    if not artefacts:
        return
    table = Table("network", "device", "file", "bytes", "seconds", "differs from the CPU", "tool")
    table.add_column("remark")
    for artefact in artefacts:
        table.add_row(
            artefact["network"],
            artefact["device"],
            artefact["file"],
            f"{artefact['bytes'] or 0:,}",
            f"{artefact['seconds']:.1f}",
            _difference(artefact["difference"]),
            artefact["tool"],
            artefact.get("message") or "-",
        )
    stdout_console().print(table)


def _difference(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return "not run"
    if not difference["largest"]:
        return "nowhere"
    return f"{100 * difference['share']:.2f} %, at most {difference['largest']}"


def _arithmetic(network: Mapping[str, Any]) -> str:
    known = network.get("arithmetic") or "-"
    rounding = network.get("rounding") or "nearest"
    return known if rounding == "nearest" else f"{known}, rounded {rounding}"


def _similarity(clips: Sequence[Mapping[str, Any]]) -> str:
    known = [c for c in clips if c.get("ms_ssim_fp32") is not None]
    if not known:
        return "-"
    means = (sum(c[f"ms_ssim_{kind}"] for c in known) / len(known) for kind in ("fp32", "int8"))
    return ", ".join(f"{mean:.4f}" for mean in means)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _shape(shape: Sequence[int | None]) -> str:
    return "x".join("?" if side is None else str(side) for side in shape)
