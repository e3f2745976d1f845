"""What filters and networks do to flicker: along the areas that stand still, base against enhanced
frames.

    python benchmarks/flicker.py [CLIP_OR_FOLDER...] [--codecs av1,vvc] [--tier edge] [--json]
        [--network enhancer] [--adapt none]

Each scene is coded by each codec at one quantiser and decoded by the runtime, once as the codec
left it and once as `hybrid_semantic`, switched per frame as the encoder does, with filters and
codes where `--adapt` has them; with `--network none` with filters alone. A row has the RMS change
of the error from frame to frame along static areas (see `edgecodec.evaluation.flicker`), in grey
levels, for luma and chroma, and the change of the enhancement itself: enhanced less base frames.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.media import open_source
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import scenes_of
from edgecodec.encoder.strategies import StandardTrial
from edgecodec.evaluation.candidates import played
from edgecodec.evaluation.environment import hardware
from edgecodec.evaluation.evaluate import find_clips
from edgecodec.evaluation.flicker import Flicker, FlickerMeter
from edgecodec.evaluation.networks import BASES, SIZES
from edgecodec.evaluation.report import number
from edgecodec.evaluation.tables import Table
from edgecodec.runtime.container import Codec
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.upsample import Upsampling
from rich.console import Console

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "media" / "bbb_720p.mp4"


@dataclass(frozen=True)
class Row:
    """Flicker in grey levels of 8 bits, None where no area is static; `static_share` is that of the
    blocks that are, 0 to 1."""

    clip: str
    codec: str
    quantiser: float
    frames: int
    static_share: float
    base_luma: float | None
    enhanced_luma: float | None
    change_luma: float | None
    base_chroma: float | None
    enhanced_chroma: float | None
    change_chroma: float | None


def measure(clip: Path, trial: StandardTrial, setting: float, frames: int | None) -> Row:
    """A clip's scenes, coded one by one and put together."""
    resources = Resources()
    base, enhanced, change = Flicker(), Flicker(), Flicker()
    count = 0
    with open_source(clip) as video:
        for scene in scenes_of(video, frames):
            made = trial.encode(scene, setting, resources)
            depth = scene.format.bit_depth
            meters = [FlickerMeter(depth) for _ in range(3)]
            versions = (played(each, scene, resources) for each in (made[0], made[-1]))
            for source, plain, mended in zip(scene.frames, *versions, strict=True):
                meters[0].add(source, plain, source)
                meters[1].add(source, mended, source)
                meters[2].add(source, mended, plain)
            base += meters[0].flicker
            enhanced += meters[1].flicker
            change += meters[2].flicker
            count += len(scene.frames)
    return Row(
        clip.name,
        trial.codec.name.lower(),
        setting,
        count,
        base.static_share,
        *(base.luma, enhanced.luma, change.luma),
        *(base.chroma, enhanced.chroma, change.chroma),
    )


def trials(
    codecs: Sequence[Codec], network: str, tier: str, adapt: Adaptation
) -> Iterator[StandardTrial]:
    """A way to code scenes with that network, or none, for each codec."""
    size, model = Upsampling.NONE, ""
    if network != "none":
        size, model = SIZES[network], read_models(packaged_models(tier)).network(network).model_id
    for codec in codecs:
        yield StandardTrial(codec, *BASES[codec], size, model, adapt)


def table(rows: Sequence[Row]) -> Table:
    """The rows for readers."""
    headings = (
        *("clip", "codec", "quantiser", "static", "luma: base", "enhanced", "its change"),
        *("chroma: base", "enhanced", "its change"),
    )
    cells = tuple(
        (
            *(row.clip, row.codec, f"{row.quantiser:g}", f"{100 * row.static_share:.0f} %"),
            *(number(v, 3) for v in (row.base_luma, row.enhanced_luma, row.change_luma)),
            *(number(v, 3) for v in (row.base_chroma, row.enhanced_chroma, row.change_chroma)),
        )
        for row in rows
    )
    title = "Change from frame to frame along static areas, RMS in grey levels"
    return Table(title, headings, cells, words=2)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clips", nargs="*", type=Path, default=[EXAMPLE])
    parser.add_argument("--codecs", default="av1,h265,h264,vvc")
    parser.add_argument("--quantiser", type=float, help="of every codec; default: its usual one")
    parser.add_argument("--network", choices=("none", *sorted(SIZES)), default="enhancer")
    parser.add_argument("--tier", default="nano")
    parser.add_argument("--adapt", choices=("none", "filter", "code"), default="none")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    codecs = [Codec[name.upper()] for name in asked.codecs.split(",")]
    rows = []
    for clip in find_clips(asked.clips):
        for trial in trials(codecs, asked.network, asked.tier, Adaptation(asked.adapt)):
            setting = trial.usual_setting if asked.quantiser is None else asked.quantiser
            rows.append(measure(clip, trial, setting, asked.frames))
            print(rows[-1], file=sys.stderr)
    if asked.json:
        about = {"network": asked.network, "tier": asked.tier, "adapt": asked.adapt}
        found = {"hardware": hardware(), **about, "rows": [asdict(row) for row in rows]}
        print(json.dumps(found, indent=2))
    else:
        Console(width=160).print(table(rows).to_rich())
        print(hardware())


if __name__ == "__main__":
    main()
