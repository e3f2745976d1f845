"""What a job gets to work with, and where the code of its kind is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import UnsupportedError

if TYPE_CHECKING:
    from ..media import MediaStore
    from ..media.cache import MediaCache

# Kinds by their modules here: a kind is data from outside, and never the name of what is imported.
_MODULES = {"experiment": "experiment", "probe": "probe", "trial": "trial"}


@dataclass(frozen=True)
class JobContext:
    """What a job has beside its payload, in a process of its own.

    `folder` is empty and goes when the job ends. `gpu` is the number of the GPU that the worker
    was given (the only one that this process sees, so CUDA's device 0), None for none. `tell`
    takes the share that is done, 0 to 1, and what is being done; call it as often as it changes.
    """

    folder: Path
    media: MediaStore
    cache: MediaCache
    gpu: int | None
    worker: str
    tell: Callable[[float, str], None]


Handler = Callable[[Mapping[str, Any], JobContext], Mapping[str, Any]]
"""Does a job: its payload in, its result out, both of JSON types.

It raises UnsupportedError, BitstreamError, ModelError or FileNotFoundError for what no other
worker could do either; whatever else it raises is tried again. Results with a field `log` that is
None get the log's artefact there.
"""


def handler(kind: str) -> Handler:
    """What does jobs of this kind: `run` of its module. Raises UnsupportedError for a kind that
    this version does not know."""
    if kind not in _MODULES:
        raise UnsupportedError(
            f"a job of kind {kind!r:.80}: this version knows {', '.join(_MODULES)};"
            " install the version of edgecodec that sent it"
        )
    run: Handler = import_module(f".{_MODULES[kind]}", __package__).run
    return run
