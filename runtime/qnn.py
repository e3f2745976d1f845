"""Qualcomm's execution provider: a plugin that the package `onnxruntime-qnn` brings.

On a Snapdragon it runs networks on the NPU (HTP); on x86-64 Linux it compiles them for any
Snapdragon and runs them in Qualcomm's simulator, which gives the NPU's integers and says nothing of
its speed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ProviderError

QNN_PROVIDER = "QNNExecutionProvider"
_INSTALL = "pip install 'edgecodec[qnn]' in an environment of its own"


def add_qnn(options: Any, onnxruntime: Any, soc_model: int | None) -> None:
    """Have a session run on Qualcomm's HTP, or in its simulator.

    `options` are its `SessionOptions`; `soc_model` is Qualcomm's number of the chip that the
    simulator plays, None for the one that is here. Raises ProviderError where the plugin does not
    load.
    """
    package = _package()
    devices = _devices(onnxruntime, package)
    chosen = {"backend_path": package.get_qnn_htp_path()}
    if soc_model is not None:
        chosen["soc_model"] = str(soc_model)
    options.add_provider_for_devices(devices, chosen)


def require_qnn(onnxruntime: Any) -> None:
    """Raises ProviderError, with the reason, where the plugin does not load."""
    _devices(onnxruntime, _package())


class SizedSession:
    """A session for a graph of any size on a provider that compiles it for one.

    It is made when inputs come, by `make` from the sizes of the graph's symbolic dimensions, and
    again when their shapes change. `dimensions` are the symbolic dimensions of each input by its
    name, whole numbers for those that are fixed.
    """

    def __init__(
        self,
        make: Callable[[Mapping[str, int]], Any],
        dimensions: Mapping[str, tuple[int | str, ...]],
    ) -> None:
        self._make = make
        self._dimensions = dimensions
        self._sizes: dict[str, int] | None = None
        self._session: Any = None

    def run(
        self, outputs: list[str], inputs: Mapping[str, NDArray[np.uint8]]
    ) -> list[NDArray[np.uint8]]:
        """As `onnxruntime.InferenceSession.run`."""
        sizes = {
            dimension: size
            for name, value in inputs.items()
            for dimension, size in zip(self._dimensions.get(name, ()), value.shape, strict=False)
            if isinstance(dimension, str)
        }
        if sizes != self._sizes:
            self._session, self._sizes = self._make(sizes), sizes
        made: list[NDArray[np.uint8]] = self._session.run(outputs, dict(inputs))
        return made


def _package() -> Any:
    try:
        import onnxruntime_qnn
    except ImportError as error:
        raise ProviderError(
            f"the package onnxruntime-qnn is not installed ({error}): {_INSTALL}"
        ) from error
    if not hasattr(onnxruntime_qnn, "get_library_path"):
        raise ProviderError(f"this onnxruntime-qnn is no plugin: {_INSTALL}")
    return onnxruntime_qnn


def _devices(onnxruntime: Any, package: Any) -> list[Any]:
    """The NPU if there is one, else what the simulator runs on."""
    if not hasattr(onnxruntime, "register_execution_provider_library"):
        raise ProviderError(
            f"ONNX Runtime {onnxruntime.__version__} takes no plugins, 1.24 does: {_INSTALL}"
        )
    if not _found(onnxruntime):
        try:
            library = package.get_library_path()
            onnxruntime.register_execution_provider_library(QNN_PROVIDER, library)
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            raise ProviderError(f"{QNN_PROVIDER} does not load: {error}") from error
    found = _found(onnxruntime)
    kinds = onnxruntime.OrtHardwareDeviceType
    for kind in (kinds.NPU, kinds.CPU):
        chosen = [each for each in found if each.device.type == kind]
        if chosen:
            return chosen
    raise ProviderError(f"{QNN_PROVIDER} loads, but offers no device here")


def _found(onnxruntime: Any) -> list[Any]:
    return [each for each in onnxruntime.get_ep_devices() if each.ep_name == QNN_PROVIDER]
