"""Where the analysis networks' weights are, known without loading torch."""

from __future__ import annotations

from pathlib import Path

from .targets import Metric

_FOLDER = Path(__file__).parent / "weights"


def weights_name(name: str, tier: str, tune: Metric = Metric.PSNR) -> str:
    """The name of the file of an analysis network that was trained by the measure `tune`."""
    tuned = "" if tune is Metric.PSNR else f"-{tune.value}"
    return f"{name}-{tier}{tuned}.safetensors"


def weights_path(name: str, tier: str, tune: Metric = Metric.PSNR) -> Path:
    """Where the committed weights of an analysis network lie, whether or not they exist."""
    return _FOLDER / weights_name(name, tier, tune)


def tuned(tier: str, wanted: Metric) -> Metric:
    """The measure that latents of a tier can be optimised for: the one that is wanted if there is
    an analysis network for it, else PSNR. Players show the latents of all alike."""
    return wanted if weights_path("analysis_i", tier, wanted).is_file() else Metric.PSNR
