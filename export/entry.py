"""From the stages' products to the files of a network and its entry in the manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from .cache import Product
from .device_stages import artefact_files, stage_artefact, stage_placements
from .float_stages import FACTS, MODEL, load_model
from .graph import set_metadata, to_bytes
from .int8_stages import REPORT, stage_loss, stage_model_id, stage_recipe, stage_rounding
from .job import NetworkJob
from .manifest import NetworkEntry
from .options import Precision
from .plan import job_ports
from .quantization import Arithmetic
from .recipe_json import recipe_to_dict
from .records import NetworkLoss, TemplateFile
from .stages import NOTE, Products
from .template import template_bytes, template_tensors

_DRIFT = "fast: other devices may round otherwise, and frames predicted from it may drift"


def network_entry(job: NetworkJob, made: Products, folder: Path) -> NetworkEntry:
    """Writes the network's files to `folder` and describes them.

    Raises `ExportError` where a network all of INT8 would not run so on the CPU.
    """
    floats = load_model(made["simplify"])
    if job.options.precision is Precision.FP32:
        float_data = _described(floats, job.metadata)
        return _entry(job, made, folder, float_data, NetworkLoss(None, None, 0.0, ()))
    data = made["uint8"].files[MODEL]
    entry = _entry(job, made, folder, data, stage_loss(made["loss"]))
    if job.options.keep_float:
        named = {**job.metadata, "model_id": entry.model_id}
        (folder / f"{job.network.name}.fp32.onnx").write_bytes(_described(floats, named))
    return entry


def _entry(
    job: NetworkJob, made: Products, folder: Path, data: bytes, loss: NetworkLoss
) -> NetworkEntry:
    name = job.network.name
    inputs, outputs = job_ports(job)
    file = folder / f"{name}.onnx"
    file.write_bytes(data)
    artefacts = [made[stage] for stage in made if stage.startswith("artefact ")]
    for product in artefacts:
        for part, content in artefact_files(product).items():
            (folder / part).write_bytes(content)
    described = tuple(stage_artefact(product) for product in artefacts)
    placements = stage_placements(made["placement"])
    on_devices = tuple(each.placement(job.target.provider) for each in described)
    quantized = job.options.precision is Precision.INT8
    recipe = recipe_to_dict(stage_recipe(made["sensitivity"])) if quantized else None
    promoted = bool(recipe and recipe["precision"])
    if quantized and not promoted:
        job.target.check_placement(name, placements[0])
    return NetworkEntry(
        name=name,
        file=file.name,
        sha256=hashlib.sha256(data).hexdigest(),
        model_id=stage_model_id(made["uint8"]) if quantized else job.metadata["model_id"],
        parameters=json.loads(made["onnx"].files[FACTS])["parameters"],
        inputs=inputs,
        outputs=outputs,
        drop_db=loss.drop_db,
        psnr_fp32=loss.psnr_fp32,
        psnr_int8=loss.psnr_int8,
        clips=loss.clips,
        placement=min(on_devices or placements[-1:], key=lambda placement: placement.percent),
        template=_template(job, data, folder) if quantized and not promoted else None,
        frames=loss.frames,
        bytes=len(data),
        placements=(*placements, *on_devices),
        artefacts=described,
        recipe=recipe,
        calibration=_report(made.get("calibrate")),
        sensitivity=_report(made.get("sensitivity")),
        notes=_notes(job, made),
        arithmetic=job.arithmetic.value if quantized else None,
        rounding=stage_rounding(made["round"]).value if quantized else None,
    )


def _notes(job: NetworkJob, made: Products) -> dict[str, str]:
    """What stages had to say, and what a player should know of the arithmetic."""
    notes = {name: p.files[NOTE].decode() for name, p in made.items() if NOTE in p.files}
    quantized = job.options.precision is Precision.INT8
    if quantized and job.feeds_later_frames and job.arithmetic is Arithmetic.FAST:
        notes["arithmetic"] = _DRIFT
    return notes


def _template(job: NetworkJob, data: bytes, folder: Path) -> TemplateFile | None:
    """The integers that a title may change; none where it may not: exact ones would not stay so."""
    fast = job.arithmetic is Arithmetic.FAST
    if not (job.network.adapts and job.target.takes_titles and fast):
        return None
    content = template_bytes(template_tensors(onnx.load_from_string(data)))
    file = folder / f"{job.network.name}.template.npz"
    file.write_bytes(content)
    return TemplateFile(file.name, hashlib.sha256(content).hexdigest())


def _described(model: onnx.ModelProto, metadata: dict[str, str]) -> bytes:
    described = set_metadata(model, metadata)
    onnx.checker.check_model(described, full_check=True)
    return to_bytes(described)


def _report(product: Product | None) -> Mapping[str, Any] | None:
    if product is None or REPORT not in product.files:
        return None
    report: dict[str, Any] = json.loads(product.files[REPORT])
    return report
