"""Which sessions a stream is decoded on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...runtime.replay import Variant
from ...runtime.sessions import PROVIDERS, Optimization
from ..devices.socs import Soc, find_soc

REFERENCE = Variant("cpu", Optimization.ALL, 1)
"""What the encoder decodes on: the pixels that it saw."""

_THREADS = (1, 2, 4)
_DEFAULT_SOCS = ("8gen2", "8gen3", "8elite", "8elite-gen5")


@dataclass(frozen=True)
class CertifyOptions:
    """What to try.

    `providers`: empty for all of them. `interpreters`: Pythons of other environments, tried beside
    this one. `socs`: the chips that Qualcomm's simulator plays, empty for four generations of
    phones. `models`: a folder searched before the installed networks. `frames`: so many frames that
    a network makes of each strategy, 0 for all; `simulator_frames`: the same for the simulator.
    `timeout_seconds`: after that a session counts as failed.
    """

    providers: tuple[str, ...] = ()
    interpreters: tuple[Path, ...] = ()
    socs: tuple[Soc, ...] = ()
    models: Path | None = None
    frames: int = 0
    simulator_frames: int = 2
    timeout_seconds: float = 1800.0


@dataclass(frozen=True)
class Job:
    """Sessions that one process decodes on, one after the other, `frames` as in the options."""

    python: Path
    variants: tuple[Variant, ...]
    frames: int


def jobs(options: CertifyOptions) -> Iterator[Job]:
    """All of them but the reference."""
    own = Path(sys.executable)
    providers = options.providers or tuple(PROVIDERS)
    for python in (own, *options.interpreters):
        for provider in providers:
            if provider == "cpu":
                every = _on_cpu()
                variants = tuple(each for each in every if python != own or each != REFERENCE)
                yield Job(python, variants, options.frames)
            elif provider == "qnn":
                for soc in chosen_socs(options):
                    variant = Variant("qnn", soc_model=soc.soc_model)
                    yield Job(python, (variant,), _fewer(options))
            else:
                yield Job(python, (Variant(provider),), options.frames)


def chosen_socs(options: CertifyOptions) -> tuple[Soc, ...]:
    """The chips to simulate."""
    return options.socs or tuple(find_soc(name) for name in _DEFAULT_SOCS)


def _on_cpu() -> tuple[Variant, ...]:
    levels = reversed(Optimization)
    return tuple(Variant("cpu", level, threads) for level in levels for threads in _THREADS)


def _fewer(options: CertifyOptions) -> int:
    """The simulator is thousands of times slower than the chip."""
    counts = [each for each in (options.frames, options.simulator_frames) if each]
    return min(counts, default=0)
