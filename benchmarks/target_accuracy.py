"""How near encodes come to what was asked: bitrates, sizes, PSNR, SSIM, VMAF.

    python benchmarks/target_accuracy.py CLIP... [--frames 48] [--json]

Prints a row for each clip and target: asked, got, how far off, and how many trial encodes it took.
Codecs run at `--effort fast` unless told otherwise: accuracy is a matter of the search.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from edgecodec.encoder import (
    BitrateTarget,
    Effort,
    EncodeOptions,
    EncodeReport,
    Metric,
    MetricTarget,
    Scope,
    SizeTarget,
    Target,
    encode,
)
from edgecodec.evaluation.environment import hardware

TARGETS: dict[str, Target] = {
    "bitrate 0.3 Mb/s": BitrateTarget(0.3e6),
    "bitrate 1 Mb/s": BitrateTarget(1e6),
    "bitrate 3 Mb/s": BitrateTarget(3e6),
    "size 200 kB": SizeTarget(200_000),
    "PSNR 36 dB": MetricTarget(Metric.PSNR, 36.0),
    "PSNR 40 dB": MetricTarget(Metric.PSNR, 40.0),
    "PSNR 38 dB, every scene": MetricTarget(Metric.PSNR, 38.0, Scope.WORST),
    "SSIM 0.97": MetricTarget(Metric.SSIM, 0.97),
    "VMAF 85": MetricTarget(Metric.VMAF, 85.0),
}


@dataclass(frozen=True)
class Row:
    """`off` is relative for rates and sizes, else in the metric's units."""

    clip: str
    target: str
    asked: float
    got: float
    off: float
    met: bool | None
    trial_encodes: int
    note: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--effort", choices=[each.value for each in Effort], default="fast")
    parser.add_argument("--strategy", default="classical,procedural")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for clip in options.clips:
            for name, target in TARGETS.items():
                report = encode(
                    clip,
                    Path(folder) / "out.ecv",
                    EncodeOptions(
                        strategies=tuple(options.strategy.split(",")),
                        target=target,
                        effort=Effort(options.effort),
                        jobs=0,
                        frames=options.frames,
                        cache=options.cache,
                    ),
                )
                rows.append(_row(clip, name, target, report))
                if not options.json:
                    _print(rows[-1])
    if options.json:
        print(json.dumps({"hardware": hardware(), "rows": [asdict(row) for row in rows]}, indent=2))


def _row(clip: Path, name: str, target: Target, report: EncodeReport) -> Row:
    asked, got = _values(target, report)
    off = got - asked if isinstance(target, MetricTarget) else got / asked - 1
    return Row(
        clip.name, name, asked, got, off, report.target_met, report.trial_encodes, report.note
    )


def _values(target: Target, report: EncodeReport) -> tuple[float, float]:
    if isinstance(target, BitrateTarget):
        return target.bits_per_second, report.bitrate_mbps * 1e6
    if isinstance(target, SizeTarget):
        return float(target.bytes), float(report.bytes)
    assert isinstance(target, MetricTarget)
    if target.scope is Scope.WORST:
        return target.value, min(scene.psnr for scene in report.scenes)
    got = {Metric.PSNR: report.psnr, Metric.SSIM: report.ssim, Metric.VMAF: report.vmaf}
    return target.value, got[target.metric] or 0.0


def _print(row: Row) -> None:
    off = f"{100 * row.off:+.1f} %" if row.asked > 100 else f"{row.off:+.4f}"
    print(
        f"{row.clip:32} {row.target:26} asked {row.asked:<10.6g} got {row.got:<10.6g} {off:>9}"
        f"  met {row.met!s:5} {row.trial_encodes:3} trials  {row.note}",
        flush=True,
    )


if __name__ == "__main__":
    main()
