"""Trained weights to a float graph: `onnx`, `simplify`."""

from __future__ import annotations

import json

import onnx

from ..decoder.networks import NetworkSpec
from .cache import Product
from .check import require_close, run_real, run_torch
from .graph import to_bytes, to_onnx
from .job import NetworkJob
from .simplify import simplify
from .stages import NOTE, Products, Stage
from .weights import load_network

MODEL = "model.onnx"
FACTS = "facts.json"

_PACKAGE = __package__ or ""


def float_stages(job: NetworkJob) -> tuple[Stage, ...]:
    """Stages whose last, `simplify`, has the float graph as `MODEL`; `onnx` has `FACTS` too, an
    object with the number of `parameters`."""
    return (
        Stage(
            name="onnx",
            needs=(),
            settings=job.identity,
            tools=("torch", "onnx", "onnxscript", "onnxruntime", "numpy"),
            modules=tuple(f"{_PACKAGE}.{name}" for name in ("graph", "check", "weights")),
            make=lambda made: _to_onnx(job),
        ),
        Stage(
            name="simplify",
            needs=("onnx",),
            settings={**job.identity, "run": job.options.simplify},
            tools=("onnx", "onnxsim", "onnxruntime"),
            modules=(f"{_PACKAGE}.simplify",),
            make=lambda made: _simplified(job, made),
        ),
    )


def load_model(product: Product) -> onnx.ModelProto:
    """The graph that a stage made."""
    return onnx.load_from_string(product.files[MODEL])


def _to_onnx(job: NetworkJob) -> Product:
    network: NetworkSpec = job.network
    trained = load_network(network.name, network.tier, job.options.weights)
    graph = to_onnx(trained.module, network, job.options.size)
    for probe in job.probes:
        expected = run_torch(trained.module, network, probe)
        stage = f"torch to ONNX, {probe.name}"
        require_close(stage, network, expected, run_real(graph, network, probe))
    facts = {"parameters": sum(p.numel() for p in trained.module.parameters())}
    return Product({MODEL: to_bytes(graph), FACTS: json.dumps(facts).encode()})


def _simplified(job: NetworkJob, made: Products) -> Product:
    if not job.options.simplify:
        return Product({MODEL: made["onnx"].files[MODEL], NOTE: b"left out"})
    simplified = simplify(load_model(made["onnx"]), job.network, job.probes)
    return Product({MODEL: to_bytes(simplified.model), NOTE: simplified.note.encode()})
