"""ONNX Runtime sessions on the provider that was asked for, or an error that says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .cpu import may_saturate
from .errors import ModelError, ProviderError
from .qnn import QNN_PROVIDER, SizedSession, add_qnn, require_qnn

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "qnn": QNN_PROVIDER,
}
_INSTALLS = {"openvino": "onnxruntime-openvino"}


class Optimization(StrEnum):
    """How far ONNX Runtime rewrites a graph before it runs it.

    Up to BASIC an INT8 graph computes in float between its integers; from EXTENDED on it runs as
    integer kernels, with ALL in the CPU's own layout too.
    """

    OFF = "off"
    BASIC = "basic"
    EXTENDED = "extended"
    ALL = "all"


_LEVELS = {
    Optimization.OFF: "ORT_DISABLE_ALL",
    Optimization.BASIC: "ORT_ENABLE_BASIC",
    Optimization.EXTENDED: "ORT_ENABLE_EXTENDED",
    Optimization.ALL: "ORT_ENABLE_ALL",
}


@dataclass(frozen=True)
class SessionSettings:
    """What a session is made with.

    `provider` is a key of `PROVIDERS`, `threads` how many one node may use. `soc_model` is
    Qualcomm's number of the chip that "qnn" compiles for, None for the one that is here.
    """

    provider: str
    threads: int
    optimization: Optimization = Optimization.ALL
    soc_model: int | None = None


def resolve_provider(provider: str) -> str:
    """A key of `PROVIDERS` for that or "auto", which is the CPU.

    Raises ProviderError if it is unknown, or this ONNX Runtime lacks it.
    """
    if provider == "auto":
        return "cpu"
    if provider not in PROVIDERS:
        known = ", ".join(("auto", *PROVIDERS))
        raise ProviderError(f"unknown provider {provider!r}: choose one of {known}")
    ort = load_onnxruntime()
    if provider == "qnn":
        require_qnn(ort)
        return provider
    available = ort.get_available_providers()
    if PROVIDERS[provider] not in available:
        raise ProviderError(
            f"this ONNX Runtime has no {PROVIDERS[provider]} (it has {', '.join(available)}): "
            f"{_install_hint(provider)}"
        )
    return provider


def open_session(model: bytes, name: str, settings: SessionSettings) -> Any:
    """A session for the ONNX file `model`; `name` is what errors call it.

    Raises ModelError where the CPU does not load it, and ProviderError where another provider does
    not, or would leave a node to the CPU. What "qnn" says of a graph comes with its first inputs.
    """
    if settings.provider != "qnn":
        return _session(model, name, settings, {})
    reader = _session(model, name, SessionSettings("cpu", 1, Optimization.OFF), {})
    dimensions = {port.name: tuple(port.shape) for port in reader.get_inputs()}
    return SizedSession(lambda sizes: _session(model, name, settings, sizes), dimensions)


def load_onnxruntime() -> Any:
    """The module. Raises ProviderError if it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ProviderError(
            "ONNX Runtime is not installed: pip install 'edgecodec[cpu]' (or another provider)"
        ) from error
    return onnxruntime


def _session(model: bytes, name: str, settings: SessionSettings, sizes: Mapping[str, int]) -> Any:
    ort = load_onnxruntime()
    provider = PROVIDERS[settings.provider]
    options = _options(ort, settings, sizes)
    try:
        if settings.provider == "qnn":
            add_qnn(options, ort, settings.soc_model)
            session = ort.InferenceSession(model, options)
        else:
            # Without `enable_fallback=0` ONNX Runtime prints the reason and takes the CPU.
            session = ort.InferenceSession(model, options, providers=[provider], enable_fallback=0)
    except ProviderError:
        raise
    except Exception as error:  # ONNX Runtime's errors share no base but Exception
        if settings.provider == "cpu":
            raise ModelError(f"{name}: does not load: {error}") from error
        raise ProviderError(f"{provider} does not load {name}: {error}") from error
    if provider not in session.get_providers():
        raise ProviderError(f"{provider} did not load: {_install_hint(settings.provider)}")
    return session


def _options(ort: Any, settings: SessionSettings, sizes: Mapping[str, int]) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.log_severity_level = 3
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = getattr(levels, _LEVELS[settings.optimization])
    for dimension, size in sizes.items():
        options.add_free_dimension_override_by_name(dimension, size)
    if may_saturate():
        options.add_session_config_entry("session.x64quantprecision", "1")
    if settings.provider != "cpu":
        # ONNX Runtime would otherwise run on the CPU and say nothing.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return options


def _install_hint(provider: str) -> str:
    package = _INSTALLS.get(provider, f"edgecodec[{provider}]")
    return f"install {package} in an environment of its own, then run edgecodec doctor"
