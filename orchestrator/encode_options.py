"""From settings in plain values to the encoder's own options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime.chunks import Codec
from .records.settings import EncodeSettings, TargetSpec

if TYPE_CHECKING:
    from ..encoder import EncodeOptions
    from ..encoder.targets import Target


def encode_options(
    settings: EncodeSettings,
    *,
    frames: int | None = None,
    device: str = "cpu",
    jobs: int = 0,
    threads: int = 0,
    cache: Path | None = None,
) -> EncodeOptions:
    """What `encoder.encode` takes for these settings.

    The keywords are `EncodeOptions`' fields of those names: how the work is done, which changes
    nothing in the stream but for `frames`, how many of the source are taken (None: all), and
    `device`, where the encoder's networks run ("cpu" or "cuda").
    """
    from ..encoder import Effort, EncodeOptions, Search
    from ..encoder.adaptation import Adaptation

    return EncodeOptions(
        strategies=settings.strategies,
        target=target_of(settings.target),
        effort=Effort(settings.effort),
        search=Search(settings.search),
        tier=settings.tier,
        device=device,
        codecs=in_usual_order(settings.codecs),
        threads=threads,
        jobs=jobs,
        frames=frames,
        cache=cache,
        adapt=None if settings.adapt is None else Adaptation(settings.adapt),
        sizes=settings.sizes,
        title_steps=settings.title_steps,
    )


def target_of(spec: TargetSpec) -> Target:
    """The encoder's target of that kind and value."""
    from ..encoder.targets import BitrateTarget, Metric, MetricTarget, QualityTarget

    match spec.kind:
        case "quality":
            return QualityTarget(spec.value)
        case "bitrate":
            return BitrateTarget(spec.value)
        case metric:
            return MetricTarget(Metric(metric), spec.value)


def in_usual_order(codecs: tuple[str, ...]) -> tuple[Codec, ...]:
    """Codecs by name as `edgecodec encode` lists them: where two come out equal the first is
    taken, so that the same choice has to stand in the same order everywhere."""
    return tuple(sorted(Codec[name.upper()] for name in codecs))
