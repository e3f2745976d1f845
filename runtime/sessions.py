"""Networks ready to run, on an execution provider that was asked for and is really there."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cpu import may_saturate
from .errors import BitstreamError, ModelError, ProviderError
from .models import (
    ModelEntry,
    ModelFolder,
    find_model,
    packaged_models,
    packaged_tiers,
    read_models,
)
from .template import read_template, titled
from .title import TitleWeights

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
# How many networks with title weights are kept: scenes that follow each other mostly share one.
_MAX_TITLED = 4


class Network:
    """One loaded network. `run` may be called from one thread at a time.

    `kept` is what the session needs to stay alive beside it.
    """

    def __init__(self, entry: ModelEntry, session: Any, kept: Sequence[Any] = ()) -> None:
        self.entry = entry
        self._session = session
        self._kept = kept
        self._outputs = [port.name for port in entry.outputs]

    def run(self, inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Outputs, in the manifest's order, for uint8 `inputs` by port name."""
        try:
            outputs: list[NDArray[np.uint8]] = self._session.run(self._outputs, dict(inputs))
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            shapes = {name: value.shape for name, value in inputs.items()}
            raise ModelError(f"{self.entry.file}: does not run on {shapes}: {error}") from error
        return outputs


class NetworkPool:
    """Loads each network that a stream names once, and keeps it; of those with title weights the
    few that were used last.

    `provider` is "auto", "cpu", "cuda", "tensorrt" or "openvino". "auto" is the CPU: the only one
    whose pixels are those that the encoder saw. `threads` 0 is one for each core. `models` is a
    model folder to search before the installed ones.

    Raises ProviderError if the provider is unknown or this build of ONNX Runtime lacks it, and
    ModelError for a folder that is none.
    """

    def __init__(
        self, provider: str = "auto", threads: int = 0, models: Path | None = None
    ) -> None:
        self.provider = _resolve(provider)
        self.threads = threads or os.cpu_count() or 1
        self._models = models
        self._folders: Sequence[ModelFolder] | None = None if models is None else self._search()
        self._networks: dict[str, Network] = {}
        self._titled: OrderedDict[tuple[str, str], Network] = OrderedDict()
        self._lock = Lock()

    def network(self, model_id: str, title: TitleWeights | None = None) -> Network:
        """The network of that id, loaded, with the integers of `title` if there is one.

        Where a folder has the network without a template, it is the network as it is. Raises
        ModelError, ProviderError, and BitstreamError if the title is not for this network.
        """
        if title is not None and title.template != model_id:
            raise BitstreamError(
                f"title weights of network {title.template} are to change network {model_id}"
            )
        with self._lock:
            if title is not None and self._find(model_id).template is not None:
                return self._load_titled(self._find(model_id), title)
            if model_id not in self._networks:
                self._networks[model_id] = self._load(self._find(model_id), {})
            return self._networks[model_id]

    def _load_titled(self, entry: ModelEntry, title: TitleWeights) -> Network:
        key = entry.model_id, title.digest
        if key not in self._titled:
            self._titled[key] = self._load(entry, titled(read_template(entry), title))
        self._titled.move_to_end(key)
        while len(self._titled) > _MAX_TITLED:
            self._titled.popitem(last=False)
        return self._titled[key]

    def _find(self, model_id: str) -> ModelEntry:
        if self._folders is None:
            self._folders = self._search()
        return find_model(model_id, self._folders)

    def _search(self) -> list[ModelFolder]:
        folders = [packaged_models(tier) for tier in packaged_tiers()]
        return [read_models(path) for path in ([self._models] if self._models else []) + folders]

    def _load(self, entry: ModelEntry, integers: Mapping[str, NDArray[Any]]) -> Network:
        """The network with some of its initialisers replaced."""
        ort = _onnxruntime()
        options = ort.SessionOptions()
        # ONNX Runtime reads them where they are: they must live as long as the session.
        replaced = {name: ort.OrtValue.ortvalue_from_numpy(each) for name, each in integers.items()}
        for name, value in replaced.items():
            options.add_initializer(name, value)
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        if may_saturate():
            options.add_session_config_entry("session.x64quantprecision", "1")
        provider = PROVIDERS[self.provider]
        if self.provider != "cpu":
            # ONNX Runtime would otherwise run on the CPU and say nothing.
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        data = entry.read()
        try:
            session = ort.InferenceSession(data, options, providers=[provider])
        except Exception as error:  # as in Network.run
            if self.provider == "cpu":
                raise ModelError(f"{entry.file}: does not load: {error}") from error
            raise ProviderError(f"{provider} does not load {entry.file}: {error}") from error
        if provider not in session.get_providers():
            raise ProviderError(f"{provider} did not load: {_install_hint(self.provider)}")
        return Network(entry, session, tuple(replaced.values()))


def _resolve(provider: str) -> str:
    if provider == "auto":
        return "cpu"
    if provider not in PROVIDERS:
        known = ", ".join(("auto", *PROVIDERS))
        raise ProviderError(f"unknown provider {provider!r}: choose one of {known}")
    available = _onnxruntime().get_available_providers()
    if PROVIDERS[provider] not in available:
        raise ProviderError(
            f"this ONNX Runtime has no {PROVIDERS[provider]} (it has {', '.join(available)}): "
            f"{_install_hint(provider)}"
        )
    return provider


def _install_hint(provider: str) -> str:
    return f"install edgecodec[{provider}] in an environment of its own, then run edgecodec doctor"


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ProviderError(
            "ONNX Runtime is not installed: pip install 'edgecodec[cpu]' (or another provider)"
        ) from error
    return onnxruntime
