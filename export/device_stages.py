"""What a finished graph becomes for devices, `artefact`, and where its nodes run, `placement`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from .cache import Product
from .devices.artefact import Artefact, require_compiled
from .devices.qnn import compile_qnn, qnn_tool
from .devices.socs import Soc, find_soc
from .devices.tensorrt import (
    build_engines,
    choose_capability,
    default_capabilities,
    find_tensorrt,
)
from .float_stages import MODEL
from .inputs import fit_inputs
from .job import NetworkJob
from .manifest import read_artefact, read_placement
from .placement import measure_placement
from .records import Placement
from .sessions import open_session
from .stages import NOTE, Products, Stage
from .targets import CPU_PROVIDER

ARTEFACT = "artefact.json"
PLACEMENT = "placement.json"

_PACKAGE = __package__ or ""
# Phones and laptops from 2022 on, whose chips differ in more than their clock.
_USUAL_SOCS = ("8gen2", "8gen3", "8elite", "x-elite")
_DRIVER = Path("/proc/driver/nvidia/version")

Levels = dict[str, NDArray[np.uint8]]


def artefact_stages(job: NetworkJob) -> tuple[Stage, ...]:
    """A stage for each device that the job's target compiles for, none for others; each makes an
    `ARTEFACT` and the files that it names.

    Raises `ProviderError` where the compiler is not installed, `UnsupportedError` for a device that
    it does not know.
    """
    if job.target.name == "qnn":
        qnn_tool()
        socs = [find_soc(name) for name in job.options.socs or _USUAL_SOCS]
        return tuple(_qnn_stage(job, soc) for soc in dict.fromkeys(socs))
    if job.target.name == "tensorrt":
        library = find_tensorrt()
        usual = default_capabilities() if library.ahead_of_time else ()
        named = [choose_capability(text, library) for text in job.options.capabilities or usual]
        if not named:
            return (_tensorrt_stage(job, None),)
        return tuple(_tensorrt_stage(job, each) for each in dict.fromkeys(named))
    return ()


def placement_stage(job: NetworkJob, graph: str) -> Stage:
    """Where ONNX Runtime here puts the nodes of the graph that stage `graph` made."""
    available = [p for p in (CPU_PROVIDER, job.target.provider) if p in _providers()]
    providers = tuple(dict.fromkeys(available))
    return Stage(
        name="placement",
        needs=(graph,),
        settings={"providers": providers},
        tools=("onnx", "onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"),
        modules=(f"{_PACKAGE}.placement",),
        make=lambda made: _placed(job, made[graph], providers),
    )


def stage_artefact(product: Product) -> Artefact:
    """The artefact that a stage of `artefact_stages` made."""
    return read_artefact(json.loads(product.files[ARTEFACT]))


def artefact_files(product: Product) -> dict[str, bytes]:
    """The files that go into the export's folder, by name."""
    return {name: data for name, data in product.files.items() if name not in (ARTEFACT, NOTE)}


def stage_placements(product: Product) -> tuple[Placement, ...]:
    """What `placement_stage` measured, the CPU first."""
    return tuple(read_placement(entry) for entry in json.loads(product.files[PLACEMENT]))


def _qnn_stage(job: NetworkJob, soc: Soc) -> Stage:
    def compile_for(model: Path, folder: Path) -> Artefact:
        inputs, expected = _one_frame(job, model.read_bytes())
        return compile_qnn(model, job.network.name, soc, folder, inputs, expected)

    return Stage(
        name=f"artefact {soc.name}",
        needs=("uint8",),
        settings={"device": asdict(soc), "sample": job.validation.digest},
        tools=("onnxruntime", "onnxruntime-qnn"),
        modules=(f"{_PACKAGE}.devices.qnn", f"{_PACKAGE}.inputs"),
        make=lambda made: _compiled(job, compile_for, made),
    )


def _tensorrt_stage(job: NetworkJob, capability: str | None) -> Stage:
    named = () if capability is None else (capability,)

    def build(model: Path, folder: Path) -> Artefact:
        (artefact,) = build_engines(model, job.network.name, named, folder)
        return artefact

    # An engine for the GPU that is present is good for that one and its driver.
    driver = _DRIVER.read_text("utf-8") if _DRIVER.is_file() and not named else ""
    return Stage(
        name=f"artefact sm{capability}" if capability else "artefact gpu",
        needs=("uint8",),
        settings={"capability": capability, "driver": driver},
        tools=("tensorrt-rtx", "tensorrt"),
        modules=(f"{_PACKAGE}.devices.tensorrt",),
        make=lambda made: _compiled(job, build, made),
    )


def _compiled(job: NetworkJob, make: Callable[[Path, Path], Artefact], made: Products) -> Product:
    with TemporaryDirectory(prefix="edgecodec-artefact-") as name:
        model, folder = Path(name, f"{job.network.name}.onnx"), Path(name, "made")
        model.write_bytes(made["uint8"].files[MODEL])
        folder.mkdir()
        artefact = make(model, folder)
        require_compiled([artefact])
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return Product(files | {ARTEFACT: json.dumps(asdict(artefact)).encode()})


def _one_frame(job: NetworkJob, model: bytes) -> tuple[Levels, Levels]:
    """Inputs of the first real sample, else of a probe, and what the CPU makes of them."""
    samples = job.validation.samples
    session = open_session(model, job.network.name)
    inputs = fit_inputs(session, job.network, (samples[0] if samples else job.probes[0]).inputs)
    names = [port.name for port in job.network.outputs]
    return inputs, dict(zip(names, session.run(names, inputs), strict=True))


def _placed(job: NetworkJob, graph: Product, providers: Sequence[str]) -> Product:
    with TemporaryDirectory(prefix="edgecodec-placement-") as folder:
        file = Path(folder, f"{job.network.name}.onnx")
        file.write_bytes(graph.files[MODEL])
        placements = [measure_placement(file, provider) for provider in providers]
    return Product({PLACEMENT: json.dumps([asdict(each) for each in placements]).encode()})


def _providers() -> list[str]:
    available: list[str] = ort.get_available_providers()
    return available
