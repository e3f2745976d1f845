"""A float graph to the INT8 graph that devices get, and what is lost on the way.

The stages `calibrate`, `round`, `sensitivity`, `quantize`, `uint8` and, at the end, `loss`.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import onnx

from ..decoder.networks import NetworkSpec
from ..runtime.errors import ExportError
from .cache import Product
from .calibration import RangeMethod
from .check import require_equal, require_like, run_bytes, run_real
from .float_stages import MODEL, load_model
from .graph import set_metadata, to_bytes
from .graph_id import integers_id
from .job import NetworkJob
from .loss import measure_agreement, measure_loss
from .manifest import read_loss
from .quantization import Arithmetic, Preset, Recipe, preset, quantize, uint8_boundary
from .quantization.lint import lint_tensorrt
from .recipe_json import recipe_bytes, recipe_from_bytes
from .recipes import calibrate, promote
from .records import NetworkLoss
from .rounded import Rounding, can_round, round_weights
from .stages import NOTE, Products, Stage

RECIPE = "recipe.json"
REPORT = "report.json"
LOSS = "loss.json"
ROUNDING = "rounding.txt"

_MODEL_ID = "edgecodec.model_id"
_PACKAGE = __package__ or ""
_TOOLS = ("onnx", "onnxruntime", "numpy", "torch")


def int8_stages(job: NetworkJob) -> tuple[Stage, ...]:
    """Stages that follow `float_stages`. `calibrate`, `round` and `sensitivity` have a `RECIPE`,
    and all but `round` may have a `REPORT`; `round` has `ROUNDING` and, as `MODEL`, the float graph
    to quantise; `quantize` and `uint8` have a `MODEL`, the last one finished."""
    chosen = preset(job.options.target, job.arithmetic)
    recipes, quantization = (f"{_PACKAGE}.{name}" for name in ("recipes", "quantization"))
    checked = (quantization, f"{_PACKAGE}.check", f"{_PACKAGE}.graph")
    method, bound = job.options.ranges, job.options.max_drop_db
    uses_samples = method is not RangeMethod.ARCHITECTURE
    both = (job.calibration, job.validation)
    samples = [each.digest for each in both] if uses_samples else []
    measured = can_round(chosen) and bound is not None
    rounded_on = [each.digest for each in both] if measured else []
    settings = {**job.identity, "preset": asdict(chosen)}
    return (
        Stage(
            name="calibrate",
            needs=("simplify",),
            settings={**settings, "method": method and method.value, "samples": samples},
            tools=_TOOLS,
            modules=(recipes,),
            make=lambda made: _calibrated(job, chosen, made),
        ),
        Stage(
            name="round",
            needs=("simplify", "calibrate"),
            settings={
                **settings,
                "samples": rounded_on,
                "max_drop_db": bound if measured else None,
            },
            tools=_TOOLS,
            modules=(f"{_PACKAGE}.rounded",),
            make=lambda made: _rounded(job, made),
        ),
        Stage(
            name="sensitivity",
            needs=("simplify", "round"),
            settings={**settings, "samples": job.validation.digest, "max_drop_db": bound},
            tools=_TOOLS,
            modules=(recipes,),
            make=lambda made: _promoted(job, made),
        ),
        Stage(
            name="quantize",
            needs=("simplify", "round", "sensitivity"),
            settings=settings,
            tools=_TOOLS,
            modules=checked,
            make=lambda made: _quantized(job, made),
        ),
        Stage(
            name="uint8",
            needs=("quantize", "round", "sensitivity"),
            settings={**settings, "metadata": job.metadata},
            tools=_TOOLS,
            modules=checked,
            make=lambda made: _with_uint8_boundary(job, made),
        ),
    )


def loss_stage(job: NetworkJob) -> Stage:
    """What the finished graph loses against the float one, as `LOSS`."""
    return Stage(
        name="loss",
        needs=("simplify", "uint8"),
        settings={**job.identity, "samples": job.validation.digest},
        tools=(*_TOOLS, "pytorch-msssim"),
        modules=(f"{_PACKAGE}.loss",),
        make=lambda made: _loss(job, made),
    )


def stage_recipe(product: Product) -> Recipe:
    """The recipe that a stage made."""
    return recipe_from_bytes(product.files[RECIPE])


def stage_rounding(product: Product) -> Rounding:
    """How the stage `round` rounded."""
    return Rounding(product.files[ROUNDING].decode())


def stage_model_id(product: Product) -> str:
    """What streams name the finished graph by that `uint8` made."""
    (named,) = (p.value for p in load_model(product).metadata_props if p.key == _MODEL_ID)
    return str(named)


def stage_loss(product: Product) -> NetworkLoss:
    """The loss that `loss_stage` measured."""
    return read_loss(json.loads(product.files[LOSS]))


def _calibrated(job: NetworkJob, chosen: Preset, made: Products) -> Product:
    uses_samples = job.options.ranges is not RangeMethod.ARCHITECTURE
    recipe, report = calibrate(
        load_model(made["simplify"]),
        job.network,
        chosen,
        job.options.ranges,
        job.calibration.samples if uses_samples else (),
        job.validation.samples if uses_samples else (),
    )
    if report is None:
        return Product({RECIPE: recipe_bytes(recipe)})
    best = report.chosen
    note = ", ".join(
        (
            f"{best.method.value} ranges",
            "per channel" if best.per_channel else "per tensor",
            *(["bias correction"] if best.bias_correction else []),
            f"{best.psnr_db:.3f} dB",
        )
    )
    return Product(
        {RECIPE: recipe_bytes(recipe), REPORT: _json(report.to_dict()), NOTE: note.encode()}
    )


def _rounded(job: NetworkJob, made: Products) -> Product:
    done = round_weights(
        load_model(made["simplify"]),
        job.network,
        stage_recipe(made["calibrate"]),
        job.validation,
        job.calibration,
        job.options.max_drop_db,
    )
    files = {
        MODEL: to_bytes(done.model),
        RECIPE: recipe_bytes(done.recipe),
        ROUNDING: done.rounding.encode(),
    }
    return Product(files | ({NOTE: done.note.encode()} if done.note else {}))


def _promoted(job: NetworkJob, made: Products) -> Product:
    recipe = stage_recipe(made["round"])
    samples = job.validation.samples
    if not samples:
        note = b"not measured: there are no real samples for this network"
        return Product({RECIPE: recipe_bytes(recipe), NOTE: note})
    bound = job.options.max_drop_db
    model = load_model(made["simplify"])
    done = promote(model, job.network, recipe, samples, math.inf if bound is None else bound)
    files = {RECIPE: recipe_bytes(done.recipe), REPORT: _json(done.report.to_dict())}
    return Product(files | ({NOTE: done.note.encode()} if done.note else {}))


def _quantized(job: NetworkJob, made: Products) -> Product:
    network = job.network
    floats = load_model(made["simplify"])
    qdq = quantize(load_model(made["round"]), network, stage_recipe(made["sensitivity"]))
    for probe in job.probes:
        before, after = run_real(floats, network, probe), run_real(qdq, network, probe)
        require_like(f"quantise, {probe.name}", network, before, after)
    return Product({MODEL: to_bytes(qdq)})


def _with_uint8_boundary(job: NetworkJob, made: Products) -> Product:
    network: NetworkSpec = job.network
    qdq = load_model(made["quantize"])
    recipe = stage_recipe(made["sensitivity"])
    int8 = uint8_boundary(qdq, network, recipe)
    for probe in job.probes:
        before, after = run_real(qdq, network, probe), run_bytes(int8, network, probe)
        require_equal(f"uint8 boundary, {probe.name}", network, before, after)
    # A promoted layer is meant to run in float.
    if job.target.name == "tensorrt" and not recipe.precision:
        _require_sound_for_tensorrt(network.name, int8)
    metadata = dict(job.metadata)
    if _data_decided(job, recipe, stage_rounding(made["round"])):
        metadata["model_id"] = integers_id(metadata["model_id"], int8)
    finished = set_metadata(int8, metadata)
    onnx.checker.check_model(finished, full_check=True)
    return Product({MODEL: to_bytes(finished)})


def _data_decided(job: NetworkJob, recipe: Recipe, rounding: Rounding) -> bool:
    """Whether the integers of an exact graph follow from more than its weights."""
    if job.arithmetic is not Arithmetic.EXACT:
        return False
    plain = Recipe(preset(job.options.target, Arithmetic.EXACT))
    return recipe != plain or rounding is not Rounding.NEAREST


def _require_sound_for_tensorrt(name: str, model: onnx.ModelProto) -> None:
    if problems := lint_tensorrt(model):
        raise ExportError(f"TensorRT would refuse {name}: {'; '.join(problems)}")


def _loss(job: NetworkJob, made: Products) -> Product:
    floats, int8 = (made[name].files[MODEL] for name in ("simplify", "uint8"))
    if samples := job.validation.samples:
        return Product({LOSS: _json(asdict(measure_loss(floats, int8, samples)))})
    loss = measure_agreement(floats, int8, job.probes)
    note = b"measured on synthetic inputs only: there are no real samples for this network"
    return Product({LOSS: _json(asdict(loss)), NOTE: note})


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
