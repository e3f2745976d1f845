"""All stages of one network, in order."""

from __future__ import annotations

from .device_stages import artefact_stages, placement_stage
from .float_stages import float_stages
from .int8_stages import int8_stages, loss_stage
from .job import NetworkJob
from .options import Precision
from .stages import Stage

_NAMES = (
    "onnx",
    "simplify",
    "calibrate",
    "round",
    "sensitivity",
    "quantize",
    "uint8",
    "artefact",
    "placement",
    "loss",
)


def stage_names() -> tuple[str, ...]:
    """Every stage that an export may have, in order: what `ExportOptions.remake_from` may be."""
    return _NAMES


def network_stages(job: NetworkJob) -> tuple[Stage, ...]:
    """What `job` takes; raises what `artefact_stages` raises."""
    if job.options.precision is Precision.FP32:
        return (*float_stages(job), placement_stage(job, "simplify"))
    return (
        *float_stages(job),
        *int8_stages(job),
        *artefact_stages(job),
        placement_stage(job, "uint8"),
        loss_stage(job),
    )
