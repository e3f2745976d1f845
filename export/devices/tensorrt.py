"""NVIDIA GPUs, with TensorRT's own builder.

TensorRT for RTX (`tensorrt_rtx`) builds engines for a GPU's compute capability on a machine without
any GPU; plain TensorRT (`tensorrt`) builds for the GPU that is present. Both have the same
interface, so one script serves either. Running an engine needs the GPU.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ...runtime.errors import ExportError, ProviderError, UnsupportedError
from .artefact import Artefact, describe_file, move_into
from .process import run_script
from .shapes import GraphSize, measure_graph

TENSORRT_PROVIDER = "TensorrtExecutionProvider"

_SCRIPT = Path(__file__).with_name("tensorrt_process.py")
_TIMEOUT_SECONDS = 600.0
# How TensorRT for RTX calls a convolution in its list of an engine's layers.
_CONVOLUTION = "correlation "


@dataclass(frozen=True)
class Library:
    """An installed TensorRT: the `module` to import, its `name` in messages, its `version`.

    `ahead_of_time`: it builds for GPUs that are not there.
    """

    module: str
    name: str
    version: str
    ahead_of_time: bool

    @property
    def tool(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"


def find_tensorrt() -> Library:
    """TensorRT for RTX where it is installed, else TensorRT; `ProviderError` where neither is."""
    for module, name, ahead in (
        ("tensorrt_rtx", "TensorRT for RTX", True),
        ("tensorrt", "TensorRT", False),
    ):
        if find_spec(module) is None:
            continue
        try:
            return Library(module, name, version(module), ahead)
        except PackageNotFoundError:
            return Library(module, name, "of unknown version", ahead)
    raise ProviderError(
        "TensorRT is not installed: pip install 'edgecodec[tensorrt-rtx]', whose builder needs no"
        " GPU, or 'edgecodec[tensorrt]' beside a GPU"
    )


def default_capabilities() -> tuple[str, ...]:
    """Compute capabilities to build for where none is named: Ampere, Ada, Blackwell.

    Turing, 75, has to be named: TensorRT for RTX computes INT8 convolutions in float there.
    """
    return ("80", "86", "89", "120")


def known_capabilities() -> tuple[str, ...]:
    """What TensorRT for RTX builds for: its `ComputeCapability`, as of version 1.7."""
    return ("75", "80", "86", "89", "120", "121")


def choose_capability(text: str, library: Library) -> str:
    """`text` as `parse_capability` reads it; `UnsupportedError` too where `library` builds ahead of
    time and not for that, told before anything is built."""
    capability = parse_capability(text)
    if library.ahead_of_time and capability not in known_capabilities():
        raise UnsupportedError(
            f"{library.name} does not build for compute capability {text.strip()}: known are"
            f" {', '.join(known_capabilities())}"
        )
    return capability


def present_capability() -> str | None:
    """Compute capability of the first CUDA device, such as "86"; None where torch finds none."""
    if not torch.cuda.is_available():
        return None
    major, minor = torch.cuda.get_device_capability(0)
    return f"{major}{minor}"


def parse_capability(text: str) -> str:
    """`86`, `8.6`, `sm86` or `sm_86` as "86"; `UnsupportedError` for anything else."""
    found = re.fullmatch(r"(?:sm_?)?(\d{1,2})\.?(\d)", text.strip().lower())
    if found is None:
        raise UnsupportedError(
            f"{text!r} is no compute capability: write 86, 8.6 or sm86"
            f" (usual ones: {', '.join(default_capabilities())})"
        )
    return found[1] + found[2]


def build_engines(
    model: Path,
    network: str,
    capabilities: Sequence[str],
    folder: Path,
    timeout_seconds: float = _TIMEOUT_SECONDS,
) -> tuple[Artefact, ...]:
    """`model` (a graph of fixed shape) as one engine `<network>.sm<capability>.engine` in `folder`
    for each of `capabilities`, or for the GPU that is present where none is named.

    A network that TensorRT refuses is an `Artefact` that is not `compiled` and has TensorRT's own
    words. INT8 convolutions that an engine computes in float are told in `message` and stand apart
    in `nodes`. Raises `ProviderError` where no TensorRT is installed, `UnsupportedError` for what
    is no capability or where none is named and there is no GPU, `ExportError` for a file that is no
    graph of fixed shape.
    """
    library = find_tensorrt()
    wanted = [parse_capability(text) for text in capabilities] or [_require_present()]
    graph = measure_graph(model)
    folder.mkdir(parents=True, exist_ok=True)
    builds = (
        _Build(library, model.resolve(), network, capability, graph, timeout_seconds)
        for capability in wanted
    )
    return tuple(build.run(folder) for build in builds)


@dataclass(frozen=True)
class _Build:
    library: Library
    model: Path
    network: str
    capability: str
    graph: GraphSize
    timeout_seconds: float

    def run(self, folder: Path) -> Artefact:
        with TemporaryDirectory(prefix=".tensorrt-", dir=folder) as name:
            engine = Path(name).resolve() / f"{self.network}.{self._device}.engine"
            artefact = self._build(engine)
            if not artefact.compiled:
                return artefact
            digest, size = describe_file(engine)
            move_into(folder, (engine,))
            return replace(artefact, file=engine.name, sha256=digest, bytes=size)

    @property
    def _device(self) -> str:
        return f"sm{self.capability}"

    def _build(self, engine: Path) -> Artefact:
        artefact = Artefact(
            self.network,
            self._device,
            None,
            None,
            None,
            0.0,
            False,
            {},
            (),
            None,
            "",
            self.library.tool,
        )
        ahead = self.library.ahead_of_time
        if not ahead and self.capability != present_capability():
            message = (
                f"{self.library.name} builds for the GPU that is present, and that is none of"
                f" {self._device}: install tensorrt_rtx"
            )
            return replace(artefact, message=message)
        request = {
            "library": self.library.module,
            "model": str(self.model),
            "capability": f"SM{self.capability}" if ahead else None,
            "engine": engine.name,
        }
        try:
            answer = run_script(_SCRIPT, request, engine.parent, self.timeout_seconds)
        except ExportError as error:
            return replace(artefact, message=f"TensorRT's builder: {error}")
        artefact = replace(artefact, seconds=answer["seconds"], message=answer["error"])
        if answer["error"]:
            return replace(artefact, unsupported=tuple(answer["refused"]))
        return replace(
            artefact, compiled=True, kernels=answer["layers"], **self._nodes(answer["layers"])
        )

    def _nodes(self, layers: Mapping[str, int]) -> dict[str, Any]:
        """The graph's nodes, all taken since the parser takes a whole graph or none of it, apart
        from INT8 convolutions that the engine computes in float."""
        nodes, asked = self.graph.nodes, self.graph.int8_convolutions
        # Libraries that do not write a list of this form leave it open.
        listed = any(kind.startswith(_CONVOLUTION) for kind in layers)
        fallen = max(0, asked - layers.get(f"{_CONVOLUTION}Int8", 0)) if listed else 0
        if not fallen:
            return {"nodes": {TENSORRT_PROVIDER: nodes}}
        return {
            "nodes": {
                TENSORRT_PROVIDER: nodes - fallen,
                f"{TENSORRT_PROVIDER} in float": fallen,
            },
            "message": f"{fallen} of {asked} INT8 convolutions run in float on {self._device}",
        }


def _require_present() -> str:
    capability = present_capability()
    if capability is None:
        raise UnsupportedError(
            "there is no GPU to build an engine for: name compute capabilities, such as"
            f" {', '.join(default_capabilities())}"
        )
    return capability
