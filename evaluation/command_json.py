"""What the `edgecodec` commands print with --json, as rows of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .report_data import (
    DeviceProfile,
    MeasuredLatency,
    NetworkRow,
    PredictedLatency,
    SceneRow,
)


def choice_text(encoded: Mapping[str, Any]) -> str:
    """Which strategies and codecs the scenes of `encode --json` got."""
    chosen = Counter(
        " ".join(filter(None, (scene["strategy"], scene["codec"]))) for scene in encoded["scenes"]
    )
    return ", ".join(
        f"{count} scene{'s' if count > 1 else ''} {name}" for name, count in chosen.items()
    )


def scene_rows(encoded: Mapping[str, Any]) -> tuple[SceneRow, ...]:
    """The scenes of `encode --json`, with the frame that each begins at."""
    rows = []
    first = 0
    for scene in encoded["scenes"]:
        frames, bits = int(scene["frames"]), int(scene["bits"])
        rows.append(SceneRow(first, frames, scene["strategy"], scene["codec"] or "", bits))
        first += frames
    return tuple(rows)


def network_rows(exported: Mapping[str, Any], folder: Path) -> tuple[NetworkRow, ...]:
    """The networks of `export --json`; `folder` is where they were written."""
    rows = []
    for network in exported["networks"]:
        path = folder / network["file"]
        size = path.stat().st_size if path.exists() else None
        placement = network["placement"]
        text = f"{placement['percent']:.0f} % {placement['provider']}" if placement else "not known"
        rows.append(NetworkRow(network["name"], network["file"], network["drop_db"], size, text))
    return tuple(rows)


def device_profile(device: str, report: Mapping[str, Any]) -> DeviceProfile:
    """What `profile --json` printed for a device."""
    predicted, measured = report["predicted_ms"], report["measured_ms"]
    return DeviceProfile(
        device=device,
        networks=tuple(_network_profile(network) for network in report["networks"]),
        tops_per_frame=report["tops_per_frame"],
        predicted=PredictedLatency(
            predicted["low"], predicted["mid"], predicted["high"], predicted["basis"]
        ),
        measured=MeasuredLatency(
            measured["p50"], measured["p90"], measured["p99"], measured["provider"]
        )
        if measured
        else None,
        fps=report["fps"],
        passes=report["passes"],
    )


def _network_profile(network: Mapping[str, Any]) -> dict[str, str | int | float | bool | None]:
    """The plain values of a network's profile, and its two latencies in words."""
    row: dict[str, str | int | float | bool | None] = {
        name: value
        for name, value in network.items()
        if isinstance(value, (str, int, float)) and value != ""
    }
    predicted, measured = network.get("predicted_ms"), network.get("measured_ms")
    if predicted:
        row["predicted_ms"] = f"{predicted['low']:.2f} to {predicted['high']:.2f}"
    if measured:
        row["measured_p50_ms"] = f"{measured['p50']:.2f}"
    return row
