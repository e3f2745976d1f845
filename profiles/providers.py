"""Which execution providers measure here, which do not, and why not."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..runtime.errors import ProviderError
from ..runtime.providers import PROVIDERS, resolve_provider
from .count import Shape
from .measure_apart import measure_apart
from .timing import Measurement, MeasureOptions

Progress = Callable[[float, str], None]

# Named in this order. The first one's times stand in the tables.
ALL = ("cpu", "cuda", "tensorrt", "openvino", "qnn")
_NPU = "qnn"
_NOT_ASKED = "a simulator, whose time is no speed: name it to run it"
_TENSORRT = (
    " (the TensorRT provider of onnxruntime-gpu needs libnvinfer.so.10: pip install"
    " 'edgecodec[tensorrt]' brings it, `pip install tensorrt` brings 11)"
)


@dataclass(frozen=True)
class TimedNetwork:
    """A graph to time: its file, and shapes of its inputs."""

    name: str
    file: Path
    input_shapes: Mapping[str, Shape]


@dataclass(frozen=True)
class Measured:
    """What was measured: of each network by its name, in the order of providers.

    `missing` says for each provider that did not load, or did not run a network, why not.
    """

    networks: Mapping[str, tuple[Measurement, ...]]
    missing: Mapping[str, str]


def is_simulated(provider: str) -> bool:
    """Whether `provider` only simulates its chip on this machine: QNN does on x86."""
    return provider == _NPU and platform.machine().lower() in {"x86_64", "amd64"}


def chosen_providers(names: Sequence[str]) -> tuple[str, ...]:
    """Keys of `PROVIDERS`: `auto` stands for all that are no simulator, `all` for all.

    Raises `ProviderError` for an unknown name.
    """
    known = {"auto": tuple(name for name in ALL if not is_simulated(name)), "all": ALL}
    for name in names:
        if name not in PROVIDERS and name not in known:
            raise ProviderError(f"unknown provider {name!r}: known are {', '.join((*known, *ALL))}")
    return tuple(dict.fromkeys(each for name in names for each in known.get(name, (name,))))


def measure_networks(
    networks: Sequence[TimedNetwork],
    names: Sequence[str],
    options: MeasureOptions,
    progress: Progress | None = None,
) -> Measured:
    """Time every network on every provider of `names` (`auto` and `all` are allowed).

    A provider that is named itself must run everything, else `ProviderError` is raised; of `auto`
    and `all` those that cannot are noted in `missing`. `progress` hears the share done and what is
    being done.
    """
    found: dict[str, list[Measurement]] = {network.name: [] for network in networks}
    missing = {}
    providers = chosen_providers(names)
    for order, provider in enumerate(providers):
        try:
            resolve_provider(provider)
            for index, network in enumerate(networks):
                if progress:
                    share = (order + index / len(networks)) / len(providers)
                    progress(share, f"{network.name} on {provider}")
                found[network.name].append(_measure(network, provider, options))
        except ProviderError as error:
            if provider in names:
                raise
            missing[provider] = _reason(provider, error)
    if _NPU not in providers and is_simulated(_NPU):
        missing[_NPU] = _NOT_ASKED
    return Measured({name: tuple(items) for name, items in found.items()}, missing)


def _measure(network: TimedNetwork, provider: str, options: MeasureOptions) -> Measurement:
    asked = replace(options, provider=provider, simulated=is_simulated(provider))
    return measure_apart(network.file, network.input_shapes, asked)


def _reason(provider: str, error: ProviderError) -> str:
    hint = _TENSORRT if provider == "tensorrt" and "did not load" in str(error) else ""
    return f"{error}{hint}"
