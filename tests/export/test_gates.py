"""Bounds that a finished export must keep."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from edgecodec.export import Gates, Manifest, Placement, device_bytes, gate_failures
from edgecodec.export.devices.artefact import Artefact


def gated(manifest: Manifest, gates: Gates, **changes: object) -> Manifest:
    """`manifest` with its first network changed, and no other."""
    network = replace(manifest.networks[0], **changes)  # type: ignore[arg-type]
    return replace(manifest, gates=gates, networks=(network,))


def artefact(device: str, size: int) -> Artefact:
    return Artefact("net", device, "f", "0", size, 0.0, True, {}, (), None, "", "tool")


@pytest.mark.parametrize(
    ("bound", "drop", "passes"),
    [
        (0.05, 0.05, True),
        (0.05, 0.0501, False),
        (0.05, -1.0, True),
        (0.05, math.nan, False),
        (0.05, None, False),
        (None, 9.0, True),
        (None, None, True),
    ],
)
def test_a_loss_may_be_as_large_as_the_bound(
    exported: tuple[Path, Manifest], bound: float | None, drop: float | None, passes: bool
) -> None:
    manifest = gated(exported[1], Gates(max_drop_db=bound), drop_db=drop)
    failures = gate_failures(manifest)
    assert (failures == ()) == passes
    if drop is None and not passes:
        assert "synthetic inputs only" in failures[0]


def test_a_float_export_loses_nothing(exported: tuple[Path, Manifest]) -> None:
    manifest = gated(exported[1], Gates(max_drop_db=0.0), drop_db=None)
    assert gate_failures(replace(manifest, precision="fp32")) == ()


@pytest.mark.parametrize(("percent", "passes"), [(100.0, True), (99.9, False)])
def test_every_node_may_be_required_on_the_provider(
    exported: tuple[Path, Manifest], percent: float, passes: bool
) -> None:
    placement = Placement("CPUExecutionProvider", {"CPUExecutionProvider": 9}, percent, {})
    manifest = gated(exported[1], Gates(placement_percent=100), placement=placement)
    assert (gate_failures(manifest) == ()) == passes


def test_a_provider_that_is_not_here_does_not_pass_for_the_cpu(
    exported: tuple[Path, Manifest],
) -> None:
    manifest = replace(gated(exported[1], Gates(placement_percent=1)), target="openvino")
    (failure,) = gate_failures(manifest)
    assert "OpenVINOExecutionProvider is not installed" in failure


def test_the_size_is_that_of_the_device_that_needs_most(exported: tuple[Path, Manifest]) -> None:
    manifest = exported[1]
    assert device_bytes(manifest) == sum(network.bytes or 0 for network in manifest.networks) > 0
    made = (artefact("8gen3", 4_000_000), artefact("x-elite", 3_000_000))
    compiled = replace(
        manifest,
        networks=tuple(replace(network, artefacts=made) for network in manifest.networks[:2]),
    )
    assert device_bytes(compiled) == 8_000_000
    assert gate_failures(replace(compiled, gates=Gates(max_bytes=8_000_000))) == ()
    (failure,) = gate_failures(replace(compiled, gates=Gates(max_bytes=7_999_999)))
    assert "needs 8.000 MB" in failure
