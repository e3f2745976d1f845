"""Networks ready to run, on an execution provider that was asked for and is really there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from numpy.typing import NDArray

from .cores import available_cores
from .errors import BitstreamError, ModelError
from .initializers import replace_initializers
from .models import (
    ModelEntry,
    ModelFolder,
    find_model,
    packaged_models,
    packaged_tiers,
    read_models,
)
from .network import FRAMES_AT_ONCE, Mender, Network
from .onnx_graph import parse_graph
from .providers import PROVIDERS, Optimization, SessionSettings, open_session, resolve_provider
from .template import read_template, titled
from .title import TitleWeights

__all__ = ["PROVIDERS", "Mender", "Network", "NetworkPool", "Optimization"]

# Optimised less, a graph computes in float, and in another order of the channels rounds otherwise.
_INTEGER_KERNELS = (Optimization.EXTENDED, Optimization.ALL)

# How many networks with title weights are kept: scenes that follow each other mostly share one.
_MAX_TITLED = 4


class NetworkPool:
    """Loads each network that a stream names once, and keeps it; of those with title weights the
    few that were used last.

    `provider` is "auto", "cpu", "cuda", "tensorrt", "openvino" or "qnn". "auto" is the CPU: the
    only one whose pixels are those that the encoder saw. `threads` 0 is one for each core. `models`
    is a model folder to search before the installed ones. `optimization` is what ONNX Runtime may
    make of a graph. `soc_model` is Qualcomm's number of the chip that "qnn" compiles for, None for
    the one that is here.

    Raises ProviderError if the provider is unknown or this build of ONNX Runtime lacks it, and
    ModelError for a folder that is none.
    """

    def __init__(
        self,
        provider: str = "auto",
        threads: int = 0,
        models: Path | None = None,
        *,
        optimization: Optimization = Optimization.ALL,
        soc_model: int | None = None,
    ) -> None:
        self.provider = resolve_provider(provider)
        self.threads = threads or available_cores()
        self._settings = SessionSettings(self.provider, self.threads, optimization, soc_model)
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
        data = entry.read()
        if integers:
            try:
                data = replace_initializers(data, integers)
            except ModelError as error:
                raise ModelError(f"{entry.file}: {error}") from error
        name, settings = str(entry.file), self._settings
        mends = any(port.name == "gain" for port in entry.inputs)
        if not mends or settings.provider != "cpu" or settings.optimization not in _INTEGER_KERNELS:
            return Network(entry, open_session(data, name, settings))
        each = replace(settings, threads=max(1, settings.threads // FRAMES_AT_ONCE))
        try:
            graph = parse_graph(data)
        except ModelError as error:
            raise ModelError(f"{name}: does not load: {error}") from error
        return Mender(entry, graph, lambda model: open_session(model, name, each))
