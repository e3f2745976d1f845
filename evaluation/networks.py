"""What the shipped INT8 networks are worth on a folder of clips: the figures of their model cards.

    python -m edgecodec.evaluation.networks --data DIR [--frames 17] > scores.json

The enhancer's gain is measured over every base codec at three quantisers, switched per frame as
the encoder does; the networks for latents by rate and PSNR of real scenes at four qualities. A new
set of weights replaces an old one only if these figures are better.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.progress import track

from ..encoder.media import open_source
from ..encoder.resources import Resources
from ..encoder.scene import Scene
from ..encoder.strategies import LatentTrial, StandardTrial
from ..encoder.strategies.latent_trial import FINEST_QUALITY
from ..runtime.chunks import Codec, StrategyId
from ..runtime.models import packaged_models, read_models

# A high, a middle and a low rate of each encoder.
_QUANTISERS = {
    Codec.AV1: (35, 45, 55),
    Codec.H265: (26, 32, 38),
    Codec.H264: (26, 32, 38),
    Codec.VVC: (30, 36, 42),
}
# What each base is coded with: bit depth, and preset where it is not the encoder's usual one.
_BASES: dict[Codec, tuple[int, str | None]] = {
    Codec.AV1: (10, "4"),
    Codec.H265: (8, None),
    Codec.H264: (8, None),
    Codec.VVC: (10, None),
}
_QUALITIES = (8, 24, 40, 56)


@dataclass(frozen=True)
class EnhancerScore:
    """One clip, one codec, one quantiser: mean PSNR (6 Y + U + V) / 8 in dB of the base, and what
    the INT8 enhancer adds on the `enhanced_share` of frames that it is switched on for."""

    clip: str
    codec: str
    quantiser: int
    base_psnr: float
    gain_db: float
    enhanced_share: float


@dataclass(frozen=True)
class LatentScore:
    """One clip in latents at one quality: bits per luma pixel of the whole chunk, and PSNR."""

    clip: str
    strategy: str
    quality: int
    bits_per_pixel: float
    psnr: float


def enhancer_scores(
    scene: Scene, clip: str, tier: str, resources: Resources
) -> list[EnhancerScore]:
    """The enhancer on every base codec."""
    model = read_models(packaged_models(tier)).network("enhancer").model_id
    scores = []
    for codec, quantisers in _QUANTISERS.items():
        trial = StandardTrial(codec, *_BASES[codec], enhancer=model)
        for quantiser in quantisers:
            plain, mended = trial.encode(scene, quantiser, resources)
            pairs = list(zip(plain.frame_psnr, mended.frame_psnr, strict=True))
            scores.append(
                EnhancerScore(
                    clip,
                    codec.name.lower(),
                    quantiser,
                    round(plain.psnr, 4),
                    round(mended.psnr - plain.psnr, 4),
                    round(fmean(better > worse for worse, better in pairs), 4),
                )
            )
    return scores


def latent_scores(
    scene: Scene, clip: str, tier: str, resources: Resources
) -> Iterator[LatentScore]:
    """Both strategies in latents at four qualities."""
    pixels = scene.format.width * scene.format.height * len(scene.frames)
    for strategy in (StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION):
        for quality in _QUALITIES:
            trial = LatentTrial(strategy, tier, "cpu")
            (made,) = trial.encode(scene, FINEST_QUALITY - quality, resources)
            name = strategy.name.lower()
            yield LatentScore(
                clip, name, quality, round(made.bits / pixels, 5), round(made.psnr, 4)
            )


def summary(
    enhanced: Sequence[EnhancerScore], latent: Sequence[LatentScore]
) -> dict[str, dict[str, float]]:
    """Means: gain in dB by codec, and PSNR and rate by strategy and quality."""
    result: dict[str, dict[str, float]] = {"enhancer_gain_db": {}}
    for codec in sorted({score.codec for score in enhanced}):
        gains = [score.gain_db for score in enhanced if score.codec == codec]
        result["enhancer_gain_db"][codec] = round(fmean(gains), 4)
    for key in sorted({(score.strategy, score.quality) for score in latent}):
        of_key = [score for score in latent if (score.strategy, score.quality) == key]
        result.setdefault(f"{key[0]}_psnr", {})[str(key[1])] = _mean(s.psnr for s in of_key)
        result.setdefault(f"{key[0]}_bits_per_pixel", {})[str(key[1])] = _mean(
            s.bits_per_pixel for s in of_key
        )
    return result


def _mean(values: Iterable[float]) -> float:
    return round(fmean(values), 4)


def _first_scene(path: Path, frames: int) -> Scene | None:
    """The first frames of a clip; None where they have more than 8 bits."""
    with open_source(path) as video:
        info = video.info
        if info.format.bit_depth != 8:
            return None
        read = list(islice(video.frames(), frames))
    planes = tuple(frame.planes for frame in read)
    pts = tuple(frame.pts for frame in read)
    return Scene(0, 0, planes, pts, info.format, info.frame_rate, info.color)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--tier", default="nano")
    parser.add_argument("--only", choices=("enhancer", "latent"))
    arguments = parser.parse_args()
    resources = Resources()
    enhanced: list[EnhancerScore] = []
    latent: list[LatentScore] = []
    clips = sorted(p for p in arguments.data.iterdir() if p.suffix in (".mp4", ".webm", ".mkv"))
    for path in track(clips, console=Console(stderr=True)):
        scene = _first_scene(path, arguments.frames)
        if scene is None:
            print(f"{path.name}: not 8 bit, left out", file=sys.stderr)
            continue
        if arguments.only != "latent":
            enhanced += enhancer_scores(scene, path.stem, arguments.tier, resources)
        if arguments.only != "enhancer":
            latent += latent_scores(scene, path.stem, arguments.tier, resources)
    scores = {
        "frames": arguments.frames,
        "mean": summary(enhanced, latent),
        "enhancer": [asdict(score) for score in enhanced],
        "latent": [asdict(score) for score in latent],
    }
    json.dump(scores, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
