"""One loaded network: bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cpu_graph import is_picture, with_channels_last, with_whole_groups, without_scene_code
from .errors import EdgecodecError, ModelError
from .models import ModelEntry
from .onnx_graph import OnnxGraph, write_graph
from .scene_code import BIAS_IDENTITY, GAIN_IDENTITY

FRAMES_AT_ONCE = 4
"""How many frames are mended at a time, however many threads there are: each takes memory, 37 MB at
1080p. Beyond that, threads share a frame."""

_IDENTITY = {"gain": GAIN_IDENTITY, "bias": BIAS_IDENTITY}


class Network:
    """A network on its provider.

    `channels_last` says whether it reads inputs faster whose memory has all channels of a place
    together; values are the same.
    """

    channels_last = False

    def __init__(self, entry: ModelEntry, session: Any) -> None:
        self.entry = entry
        self._session = session
        self._outputs = [port.name for port in entry.outputs]
        self._lock = Lock()

    def run(self, inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Outputs, in the manifest's order, for uint8 `inputs` by port name.

        It may be called from several threads, which may have to wait for each other. Raises
        ModelError if the inputs do not fit, and ProviderError if a provider that compiles for one
        size refuses the network.
        """
        try:
            return self._run(inputs)
        except EdgecodecError:
            raise
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            shapes = {name: value.shape for name, value in inputs.items()}
            raise ModelError(f"{self.entry.file}: does not run on {shapes}: {error}") from error

    def _run(self, inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        whole = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        with self._lock:
            outputs: list[NDArray[np.uint8]] = self._session.run(self._outputs, whole)
        return outputs


class Mender(Network):
    """A network that mends frames, on the CPU, with graphs for its kernels: the outputs are those
    of the graph as it was exported.

    No frame needs another's output, so several threads run it at a time, each on a core of its
    own: to share one frame among cores costs more.
    """

    channels_last = True

    def __init__(
        self, entry: ModelEntry, graph: OnnxGraph, open_session: Callable[[bytes], Any]
    ) -> None:
        """`graph` has the inputs `gain` and `bias`; `open_session` gives sessions for an ONNX file.
        Raises what that raises."""
        super().__init__(entry, None)
        self._open_session = open_session
        plain = without_scene_code(graph)
        self._coded = _CpuGraph(graph)
        self._plain = None if plain is None else _CpuGraph(plain)
        # The other one, if it is ever needed, is opened then.
        (self._plain or self._coded).open(open_session)

    def _run(self, inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        graph = self._coded
        if self._plain is not None and all(
            np.all(inputs[name] == level) for name, level in _IDENTITY.items()
        ):
            graph = self._plain
            inputs = {name: value for name, value in inputs.items() if name not in _IDENTITY}
        with self._lock:
            session = graph.open(self._open_session)
        return graph.run(session, inputs, self._outputs)


class _CpuGraph:
    """A graph with its pictures channels last, and a session for it."""

    def __init__(self, graph: OnnxGraph) -> None:
        self._model = write_graph(with_channels_last(with_whole_groups(graph)))
        ports = (*graph.inputs, *graph.outputs)
        self._pictures = frozenset(port.name for port in ports if is_picture(port))
        self._session: Any = None

    def open(self, open_session: Callable[[bytes], Any]) -> Any:
        if self._session is None:
            self._session = open_session(self._model)
        return self._session

    def run(
        self, session: Any, inputs: Mapping[str, NDArray[np.uint8]], outputs: list[str]
    ) -> list[NDArray[np.uint8]]:
        """As `Network.run`, for a `session` of this graph."""
        given = {
            name: np.ascontiguousarray(
                value.transpose(0, 2, 3, 1) if name in self._pictures else value
            )
            for name, value in inputs.items()
        }
        made: list[NDArray[np.uint8]] = session.run(outputs, given)
        return [
            value.transpose(0, 3, 1, 2) if name in self._pictures else value
            for name, value in zip(outputs, made, strict=True)
        ]
