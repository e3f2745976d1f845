"""How many scenes the encoder's own choice gives to each strategy, at given bitrates.

    python -m edgecodec.evaluation.latent_share --data CLIPS --tier edge --rates 0.1 0.3 1

Every clip is encoded by `encoder.encode` with all strategies at effort fast, and the scenes of the
finished streams are counted. Latents are not tried on every scene: the tables say on how many they
were, and the lists below why not on the others.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from ..encoder.api import EncodeOptions, encode
from ..encoder.effort import Effort
from ..encoder.latent_kinds import missing_networks
from ..encoder.report import EncodeReport
from ..encoder.script import run_script
from ..encoder.targets import BitrateTarget
from ..encoder.ways import STRATEGIES
from ..runtime.errors import EdgecodecError
from .atomic import write_text
from .evaluate import distinct_names, find_clips
from .latent_video_clips import Cut, write_part
from .latent_video_codecs import LATENT_STRATEGIES
from .steps import Steps
from .tables import Table

_LATENTS = tuple(each.name.lower() for each in LATENT_STRATEGIES)


@dataclass(frozen=True)
class Share:
    """One clip at one bitrate, in Mb/s: what was asked for and what came out, PSNR in dB.

    `scenes` and `frames` are by strategy. `tried` counts the scenes on which latents were coded as
    a whole, `reasons` those on which they were not, or not to the end, by why.
    """

    clip: str
    asked_mbps: float
    mbps: float
    psnr: float
    scenes: dict[str, int]
    frames: dict[str, int]
    tried: int
    reasons: dict[str, int]


def share(clip: str, asked_mbps: float, report: EncodeReport) -> Share:
    """What an encode's report says about its scenes."""
    scenes: Counter[str] = Counter()
    frames: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for scene in report.scenes:
        scenes[scene.strategy] += 1
        frames[scene.strategy] += scene.frames
        reasons.update(each for each in scene.skipped if each.partition(":")[0] in _LATENTS)
    return Share(
        clip=clip,
        asked_mbps=asked_mbps,
        mbps=round(report.bitrate_mbps, 4),
        psnr=round(report.psnr, 3),
        scenes=dict(scenes),
        frames=dict(frames),
        tried=sum(any(t.strategy in _LATENTS for t in scene.trials) for scene in report.scenes),
        reasons=dict(reasons),
    )


def table(shares: Sequence[Share]) -> Table:
    """A row for each clip and one for their sum: scenes by strategy."""
    rows = [
        (
            each.clip,
            *(str(each.scenes.get(name, 0)) for name in STRATEGIES),
            str(sum(each.scenes.values())),
            str(each.tried),
            f"{each.mbps:.3f}",
            f"{each.psnr:.2f}",
        )
        for each in shares
    ]
    sums = [sum(each.scenes.get(name, 0) for each in shares) for name in STRATEGIES]
    tried = sum(each.tried for each in shares)
    total = ("all", *map(str, sums), str(sum(sums)), str(tried), "", "")
    headings = ("clip", *STRATEGIES, "scenes", "latents tried", "Mb/s", "PSNR")
    return Table("scenes by strategy", headings, (*rows, total))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each bitrate as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="clips, and folders")
    parser.add_argument("--tier", default="edge")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.1, 0.3, 1.0], help="in Mb/s")
    parser.add_argument("--frames", type=int, default=0, help="of each clip; 0: to its end")
    parser.add_argument("--start", type=int, default=0, help="the first frame that counts")
    parser.add_argument("--short-side", type=int, default=0, help="at most; 0: as it is")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="a folder that keeps trials from run to run")
    parser.add_argument("--json", type=Path, help="where the counts are written")
    asked = parser.parse_args(arguments)
    if min(asked.frames, asked.start, asked.short_side) < 0 or min(asked.rates) <= 0:
        parser.error("frames, the start and the side are 0 or more, rates above 0")
    console = Console(stderr=True)
    for strategy in LATENT_STRATEGIES:
        if reason := missing_networks(strategy, asked.tier):
            _say(console, f"{strategy.name.lower()}: not tried: {reason}")
    paths = find_clips(asked.data)
    shares: list[Share] = []
    with Steps(console, len(paths) * len(asked.rates)) as steps:
        for path, name in zip(paths, distinct_names(paths), strict=True):
            try:
                shares += _of_clip(path, name, asked, steps)
            except (EdgecodecError, OSError) as error:
                _say(console, f"left out: {error}")
    for rate in asked.rates:
        at_rate = [each for each in shares if each.asked_mbps == rate]
        sys.stdout.write(f"\n{rate:g} Mb/s, tier {asked.tier}:\n\n{table(at_rate).to_markdown()}")
        reasons = sum((Counter(each.reasons) for each in at_rate), Counter())
        sys.stdout.write("\n")
        sys.stdout.writelines(f"- {each} ({_scenes(n)})\n" for each, n in reasons.most_common())
    if asked.json:
        result = {"tier": asked.tier, "shares": [asdict(each) for each in shares]}
        write_text(asked.json, json.dumps(result, indent=1) + "\n")
    if not shares:
        parser.exit(3)


def _of_clip(path: Path, name: str, asked: argparse.Namespace, steps: Steps) -> list[Share]:
    """A clip at every rate; all trials are kept until the last."""
    shares = []
    with TemporaryDirectory() as folder:
        options = EncodeOptions(
            effort=Effort.FAST,
            tier=asked.tier,
            threads=asked.threads,
            frames=asked.frames or None,
            cache=asked.cache or Path(folder) / "trials",
        )
        source = path
        if asked.start or asked.short_side:
            source = Path(folder) / "part.y4m"
            write_part(path, Cut(asked.frames, asked.start, asked.short_side), source)
        for rate in asked.rates:
            with steps.step(f"{name}, {rate:g} Mb/s") as tell:
                target = BitrateTarget(1e6 * rate)
                report = encode(source, Path(folder) / "out.ecv", replace(options, target=target))
                shares.append(share(name, rate, report))
                tell(", ".join(f"{count} {each}" for each, count in shares[-1].scenes.items()))
    return shares


def _scenes(count: int) -> str:
    return f"{count} scene{'s' if count != 1 else ''}"


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    run_script(main)
