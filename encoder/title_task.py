"""What is to be tuned to a title, and how: plain values that travel to other processes."""

from __future__ import annotations

from dataclasses import dataclass

from .effort import Effort
from .title_samples import SampleFile

_STEPS = {Effort.FAST: 1500, Effort.NORMAL: 2000, Effort.HIGH: 3000}


@dataclass(frozen=True)
class TitleTuning:
    """How title weights are searched: `steps` of Adam on `batch` crops each, of `samples` crops of
    `crop` x `crop` luma samples in all, with a peak learning rate of `rate`."""

    steps: int = 3000
    batch: int = 16
    crop: int = 128
    samples: int = 10000
    rate: float = 3e-3
    seed: int = 1

    def __post_init__(self) -> None:
        least = min(self.steps, self.batch, self.crop // 8, self.samples)
        if least < 1 or self.rate <= 0:
            raise ValueError(f"{self}: at least one step, crop of 8 and sample, and a rate above 0")


@dataclass(frozen=True)
class TuningTask:
    """A network to be fitted to the samples.

    `network` ("enhancer", "generator_up") is the one of the installed `tier`. `price` is what a bit
    of the weights must save: a share of the base's distortion, the mean over all samples.
    `device` is torch's.
    """

    samples: SampleFile
    tier: str
    network: str
    price: float
    options: TitleTuning
    device: str = "cpu"


def usual_steps(effort: Effort) -> int:
    """Steps of a tuning where nobody says."""
    return _STEPS[effort]
