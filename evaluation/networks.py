"""What the shipped INT8 networks are worth on a folder of clips: the figures of their model cards.

    python -m edgecodec.evaluation.networks --data DIR [--tier edge] [--frames 17] > scores.json

What mends a standard codec's frames is measured over every base codec at three quantisers, plane by
plane, switched per frame as the encoder does and decoded as a player does: `enhancer` on bases of
full size, `generator_up` at low rates on bases of half the size, against plain upsampling. The
networks for latents are measured by rate and PSNR of real scenes at four qualities. A tier need not
have all of them. A new set of weights replaces an old one only if these figures are better.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.progress import track

from ..encoder.latent_kinds import missing_networks
from ..encoder.media import open_source
from ..encoder.quality import PlanePsnr, SequenceQuality
from ..encoder.resources import Resources
from ..encoder.scene import Scene
from ..encoder.script import run_script
from ..encoder.strategies import Candidate, LatentTrial, StandardTrial
from ..runtime.chunks import Codec, StrategyId
from ..runtime.container import Limits
from ..runtime.models import packaged_models, read_models
from ..runtime.payloads import HybridBody, parse_body
from ..runtime.upsample import Upsampling
from .candidates import played

BASES: Mapping[Codec, tuple[int, str]] = {
    Codec.AV1: (10, "4"),
    Codec.H265: (10, "medium"),
    Codec.H264: (8, "medium"),
    Codec.VVC: (10, "fast"),
}
"""What each base is coded with: bit depth and preset, as the encoder's fast effort has them."""

SIZES: Mapping[str, Upsampling] = {
    "enhancer": Upsampling.NONE,
    "generator_up": Upsampling.EIGHT_TAP,
}
"""How the bases of each network get their full size."""

# A high, a middle and a low rate of each encoder; at half the size, low rates only.
_QUANTISERS: Mapping[str, Mapping[Codec, tuple[int, ...]]] = {
    "enhancer": {
        Codec.AV1: (35, 45, 55),
        Codec.H265: (26, 32, 38),
        Codec.H264: (26, 32, 38),
        Codec.VVC: (30, 36, 42),
    },
    "generator_up": {
        Codec.AV1: (38, 46, 54),
        Codec.H265: (26, 31, 36),
        Codec.H264: (26, 31, 36),
        Codec.VVC: (28, 33, 38),
    },
}
_QUALITIES = (8, 24, 40, 56)
_LATENTS = (StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION)


@dataclass(frozen=True)
class MendedScore:
    """One clip, one network, one codec, one quantiser.

    `base_*` are means over frames of the base's PSNR in dB, with plain upsampling at half the size;
    `gain_*` is what the INT8 network adds, on the `enhanced_share` of frames that it is switched
    on for. Those without a plane are (6 Y + U + V) / 8.
    """

    clip: str
    network: str
    codec: str
    quantiser: int
    base_db: float
    base_y_db: float
    base_u_db: float
    base_v_db: float
    gain_db: float
    gain_y_db: float
    gain_u_db: float
    gain_v_db: float
    enhanced_share: float


@dataclass(frozen=True)
class LatentScore:
    """One clip in latents at one quality: bits per luma pixel of the whole chunk, and PSNR."""

    clip: str
    strategy: str
    quality: int
    bits_per_pixel: float
    psnr: float


def mended_scores(
    scene: Scene, clip: str, network: str, model_id: str, resources: Resources
) -> Iterator[MendedScore]:
    """A network on every base codec that can code the scene."""
    for codec, quantisers in _QUANTISERS[network].items():
        bit_depth, preset = BASES[codec]
        if bit_depth < scene.format.bit_depth:
            continue
        trial = StandardTrial(codec, bit_depth, preset, SIZES[network], model_id)
        for quantiser in quantisers:
            made = trial.encode(scene, quantiser, resources)
            base, after = (_psnr(each, scene, resources) for each in (made[0], made[-1]))
            yield MendedScore(
                clip=clip,
                network=network,
                codec=codec.name.lower(),
                quantiser=quantiser,
                base_db=round(base.weighted, 4),
                base_y_db=round(base.y, 4),
                base_u_db=round(base.u, 4),
                base_v_db=round(base.v, 4),
                gain_db=round(after.weighted - base.weighted, 4),
                gain_y_db=round(after.y - base.y, 4),
                gain_u_db=round(after.u - base.u, 4),
                gain_v_db=round(after.v - base.v, 4),
                enhanced_share=round(_enhanced_share(made[-1], len(scene.frames)), 4),
            )


def latent_scores(
    scene: Scene, clip: str, tier: str, resources: Resources
) -> Iterator[LatentScore]:
    """The tier's strategies in latents at four qualities."""
    pixels = scene.format.width * scene.format.height * len(scene.frames)
    for strategy in _latent_strategies(tier):
        for quality in _QUALITIES:
            trial = LatentTrial(strategy, tier, "cpu")
            (made,) = trial.encode(scene, trial.finest_quality - quality, resources)
            name = strategy.name.lower()
            yield LatentScore(
                clip, name, quality, round(made.bits / pixels, 5), round(made.psnr, 4)
            )


def summary(
    mended: Sequence[MendedScore], latent: Sequence[LatentScore]
) -> dict[str, dict[str, float]]:
    """Means: gain in dB by network, plane and codec, and PSNR and rate by strategy and quality."""
    result: dict[str, dict[str, float]] = {}
    for network in dict.fromkeys(score.network for score in mended):
        for plane in ("", "_y", "_u", "_v"):
            gain = f"gain{plane}_db"
            of_codec: dict[str, list[float]] = {}
            for score in mended:
                if score.network == network:
                    of_codec.setdefault(score.codec, []).append(getattr(score, gain))
            result[f"{network}_{gain}"] = {
                codec: _mean(gains) for codec, gains in sorted(of_codec.items())
            }
    for key in sorted({(score.strategy, score.quality) for score in latent}):
        of_key = [score for score in latent if (score.strategy, score.quality) == key]
        result.setdefault(f"{key[0]}_psnr", {})[str(key[1])] = _mean(s.psnr for s in of_key)
        result.setdefault(f"{key[0]}_bits_per_pixel", {})[str(key[1])] = _mean(
            s.bits_per_pixel for s in of_key
        )
    return result


def first_scene(path: Path, frames: int) -> Scene:
    """The first frames of a clip."""
    with open_source(path) as video:
        info = video.info
        read = list(islice(video.frames(), frames))
    planes = tuple(frame.planes for frame in read)
    pts = tuple(frame.pts for frame in read)
    return Scene(0, 0, planes, pts, info.format, info.frame_rate, info.color)


def _psnr(made: Candidate, scene: Scene, resources: Resources) -> PlanePsnr:
    quality = SequenceQuality(scene.format.bit_depth)
    for source, planes in zip(scene.frames, played(made, scene, resources), strict=True):
        quality.add(source, planes)
    return quality.psnr


def _enhanced_share(made: Candidate, frames: int) -> float:
    body = parse_body(made.strategy, made.read_body(), frames, Limits())
    return fmean(body.enhanced) if isinstance(body, HybridBody) else 0.0


def _mean(values: Iterable[float]) -> float:
    return round(fmean(values), 4)


def _latent_strategies(tier: str) -> list[StrategyId]:
    return [each for each in _LATENTS if not missing_networks(each, tier)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the scores of all clips in a folder as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--tier", default="nano")
    parser.add_argument("--only", choices=(*SIZES, "latent"))
    parser.add_argument("--threads", type=int, default=0)
    asked = parser.parse_args(arguments)
    models = {
        entry.name: entry.model_id for entry in read_models(packaged_models(asked.tier)).networks
    }
    menders = [name for name in SIZES if asked.only in (None, name) and name in models]
    latents = asked.only in (None, "latent") and bool(_latent_strategies(asked.tier))
    if not menders and not latents:
        parser.error(f"tier {asked.tier} has no such networks, only {', '.join(models)}")
    resources = Resources(asked.threads)
    mended: list[MendedScore] = []
    latent: list[LatentScore] = []
    clips = sorted(p for p in asked.data.iterdir() if p.suffix in (".mp4", ".webm", ".mkv"))
    for path in track(clips, console=Console(stderr=True)):
        scene = first_scene(path, asked.frames)
        for name in menders:
            mended += mended_scores(scene, path.stem, name, models[name], resources)
        if latents and scene.format.bit_depth == 8:
            latent += latent_scores(scene, path.stem, asked.tier, resources)
        elif latents:
            print(f"{path.name}: not 8 bit, no latents", file=sys.stderr)
    scores = {
        "tier": asked.tier,
        "frames": asked.frames,
        "models": {name: models[name] for name in menders},
        "mean": summary(mended, latent),
        "mended": [asdict(score) for score in mended],
        "latent": [asdict(score) for score in latent],
    }
    json.dump(scores, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    run_script(main)
