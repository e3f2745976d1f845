"""One real clip through the whole of edgecodec, by the commands that a user would type.

    python examples/demo.py [--clip examples/media/bbb_720p.mp4] [--out demo] [--bitrate 0.5M]

Encodes the clip, exports the decoder's networks to INT8, profiles them for a device, decodes the
stream, measures the decoded frames, forces each strategy in turn, encodes the same frames with
x265 and SVT-AV1 at the nearest rate, and writes OUT/report.html and OUT/results.json. Progress
and a table go to stderr.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from edgecodec.encoder.media import open_source
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.vmaf import VmafMeter
from edgecodec.evaluation.anchors import (
    SVTAV1_PRESET_6,
    X265_MEDIUM,
    Anchor,
    decode_anchor,
    measure_anchor,
    search_bitrate,
)
from edgecodec.evaluation.clips import Clip, load_clip
from edgecodec.evaluation.command_json import (
    choice_text,
    device_profile,
    network_rows,
    scene_rows,
)
from edgecodec.evaluation.command_line import CommandFailed, CommandLine
from edgecodec.evaluation.environment import hardware, versions
from edgecodec.evaluation.report import number, write_report
from edgecodec.evaluation.report_data import (
    Curve,
    CurvePoint,
    DeviceProfile,
    FrameComparison,
    ReportData,
    SystemKind,
    SystemRow,
)
from edgecodec.evaluation.report_images import compare_frame
from edgecodec.evaluation.results import write_results
from edgecodec.evaluation.rows import anchor_row, curve_point, measure_stream
from edgecodec.evaluation.steps import Steps
from edgecodec.runtime.errors import EdgecodecError
from edgecodec.runtime.frames import Planes
from rich.console import Console
from rich.table import Table

BBB = Path(__file__).resolve().parent / "media" / "bbb_720p.mp4"
ATTRIBUTION = "Big Buck Bunny, © Blender Foundation, CC-BY 3.0"
STRATEGIES = ("classical", "hybrid_semantic", "semantic_latent", "i_frame_interpolation")
ANCHORS = (X265_MEDIUM, SVTAV1_PRESET_6)
OURS = "edgecodec auto"

ENCODE_NAMES = ("bitrate_mbps", "psnr", "ssim", "scenes", "encode_fps")
PROFILE_NAMES = ("networks", "tops_per_frame", "predicted_ms", "measured_ms", "fps", "passes")


@dataclass(frozen=True)
class Options:
    """What the command line asked for; `seconds` is when no more curve points are begun."""

    clip: Path
    out: Path
    bitrate: str
    size: str
    device: str
    curve: tuple[str, ...]
    anchor_encodes: int
    seconds: float


@dataclass
class Run:
    """The tools of a run, and what it has found so far."""

    options: Options
    edgecodec: CommandLine
    steps: Steps
    systems: list[SystemRow] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    shown: dict[str, list[Planes]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    base_codecs: str = ""

    def encode(self, stream: Path, *choices: str) -> dict[str, Any]:
        stream.parent.mkdir(parents=True, exist_ok=True)
        clip = self.options.clip
        return self.edgecodec.run_json(
            "encode",
            clip,
            "-o",
            stream,
            "--effort",
            "fast",
            *choices,
            "--force",
            needs=ENCODE_NAMES,
        )

    def show(self, name: str, frames: Sequence[Planes]) -> None:
        """Keep the frames that the report shows side by side."""
        self.shown[name] = [frames[index] for index in shown_frames(len(frames))]


def main(arguments: Sequence[str] | None = None, edgecodec: CommandLine | None = None) -> int:
    options = parse(arguments)
    console = Console(stderr=True)
    if not console.is_terminal:
        # A log has room: nothing needs to wrap.
        console = Console(stderr=True, width=140)
    try:
        return run_demo(options, edgecodec or CommandLine(), console)
    except (EdgecodecError, OSError) as error:
        console.print(f"error: {error}", markup=False, highlight=False, style="red")
        return 1
    except KeyboardInterrupt:
        console.print("interrupted")
        return 130


def parse(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="demo.py", description="One real clip through the whole of edgecodec."
    )
    parser.add_argument("--clip", type=Path, default=as_typed(BBB), help="video to use")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder to write")
    parser.add_argument("--bitrate", default="0.5M", help="what encode aims at")
    parser.add_argument("--size", default="720p", help="frame size of the exported networks")
    parser.add_argument("--device", default="snapdragon-40tops", help="device to profile for")
    parser.add_argument(
        "--curve",
        default="0.25M,1M",
        help="further bitrates for the rate-distortion picture, tried only while time is left",
    )
    parser.add_argument(
        "--anchor-encodes", type=int, default=3, help="trial encodes of each standard codec"
    )
    parser.add_argument(
        "--seconds", type=float, default=240.0, help="when to begin no more points of the curve"
    )
    parsed = vars(parser.parse_args(arguments))
    curve = tuple(rate.strip() for rate in parsed.pop("curve").split(",") if rate.strip())
    return Options(curve=curve, **parsed)


def as_typed(path: Path) -> Path:
    """A path as it would be typed here: relative where it lies below the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def run_demo(options: Options, edgecodec: CommandLine, console: Console) -> int:
    """All steps in order; returns the exit code."""
    options.out.mkdir(parents=True, exist_ok=True)
    stem = options.clip.stem.partition("_")[0]
    stream = options.out / f"{stem}.ecv"
    models = options.out / "models"
    total = 8 + 2 * len(ANCHORS) + len(STRATEGIES) + len(options.curve)
    with Steps(console, total) as steps:
        run = Run(options, edgecodec, steps)
        with steps.step("encode: auto") as say:
            encoded = run.encode(stream, "--bitrate", options.bitrate)
            run.base_codecs = base_codecs(encoded)
            say(f"{encoded['bitrate_mbps']:.3f} Mb/s, {encoded['psnr']:.2f} dB")
        with steps.step("export: INT8") as say:
            shape = ("--size", options.size, "--target", "cpu")
            exported = edgecodec.run_json(
                "export", "--int8", *shape, "-o", models, needs=["networks"]
            )
            say(", ".join(network["name"] for network in exported["networks"]))
        with steps.step(f"profile: {options.device}") as say:
            report = edgecodec.run_json(
                "profile", "--device", options.device, "--models", models, needs=PROFILE_NAMES
            )
            profile = device_profile(options.device, report)
            say(latency_text(profile))
        for ending in ("mp4", "y4m"):
            with steps.step(f"decode: {stem}.{ending}"):
                edgecodec.run("decode", stream, "-o", options.out / f"{stem}.{ending}")

        with steps.step("read the source") as say:
            clip = load_clip(options.clip)
            run.show("source", clip.frames)
            say(summary_text(clip))
        with VmafMeter(clip.frames, clip.format, full_range=clip.color.full_range) as vmaf:
            with steps.step("measure: auto") as say:
                ours = measure_ours(run, stream, encoded, clip, vmaf)
                say(row_text(ours))
            for anchor in ANCHORS:
                compare_with_anchor(run, anchor, ours.bitrate_mbps, clip, vmaf)
            for strategy in STRATEGIES:
                force_strategy(run, strategy, clip, vmaf)
        add_curve(run, ours, clip)
        with steps.step("write the report"):
            data = ReportData(
                title=f"edgecodec on {clip.name}",
                summary=summary_text(clip),
                facts=facts(run),
                commands=tuple(edgecodec.history),
                systems=tuple(run.systems),
                curves=tuple(run.curves),
                scenes=scene_rows(encoded),
                networks=network_rows(exported, models),
                device=profile,
                comparisons=comparisons(run, clip),
                notes=(*run.failures, *run.notes),
            )
            write_report(options.out / "report.html", data)
            write_results(options.out / "results.json", data, steps.seconds)
    console.print(result_table(run.systems))
    for note in data.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    path = options.out / "report.html"
    console.print(f"{path} ({steps.elapsed:.0f} s)", highlight=False, soft_wrap=True)
    return 1 if run.failures else 0


def base_codecs(encoded: Mapping[str, Any]) -> str:
    """The standard codecs that `auto` chose, as --codecs takes them; AV1 where it chose none."""
    chosen = {scene["codec"] for scene in encoded["scenes"] if scene["codec"]}
    return ",".join(sorted(chosen)) or "av1"


def measure_ours(
    run: Run, stream: Path, encoded: Mapping[str, Any], clip: Clip, vmaf: VmafMeter
) -> SystemRow:
    """Measure the main stream, and hold what the commands said and wrote against it."""
    row, frames = measure_stream(
        stream,
        OURS,
        SystemKind.EDGECODEC,
        choice_text(encoded),
        clip,
        vmaf,
        encoded["encode_fps"],
    )
    run.systems.append(row)
    run.show(OURS, frames)
    if abs(encoded["psnr"] - row.psnr) > 0.01 or abs(encoded["ssim"] - row.ssim) > 1e-3:
        run.failures.append(
            f"encode reported PSNR {encoded['psnr']:.3f} dB and SSIM {encoded['ssim']:.4f}, but "
            f"the decoded stream has {row.psnr:.3f} dB and {row.ssim:.4f}"
        )
    y4m = stream.with_suffix(".y4m")
    difference = first_difference(y4m, frames)
    if difference is not None:
        run.failures.append(f"{y4m}: frame {difference} is not the one that the runtime decodes")
    return row


def first_difference(path: Path, frames: Sequence[Planes]) -> int | None:
    """Index of the first frame of a file that is not the given one, None where all are."""
    with open_source(path) as video:
        written = (frame.planes for frame in video.frames())
        for index, (ours, theirs) in enumerate(zip_longest(frames, written)):
            if ours is None or theirs is None or not all(map(np.array_equal, ours, theirs)):
                return index
    return None


def compare_with_anchor(
    run: Run, anchor: Anchor, bitrate_mbps: float, clip: Clip, vmaf: VmafMeter
) -> None:
    """Find a standard codec's encode nearest to our rate, and measure it and those around it."""
    with run.steps.step(f"encode: {anchor.name}") as say:
        search = search_bitrate(anchor, clip, bitrate_mbps, run.options.anchor_encodes)
        tried = ", ".join(str(encode.crf) for encode in search.encodes)
        say(f"crf {tried}; nearest {search.nearest.bitrate_mbps:.3f} Mb/s")
    with run.steps.step(f"measure: {anchor.name}") as say:
        points = []
        for encode in search.encodes:
            is_nearest = encode is search.nearest
            row = anchor_row(measure_anchor(encode, clip, vmaf if is_nearest else None))
            points.append(curve_point(row))
            if is_nearest:
                run.systems.append(row)
                say(row_text(row))
        run.curves.append(Curve(anchor.name, SystemKind.ANCHOR, tuple(points)))
        if anchor is X265_MEDIUM:
            run.show(anchor.name, tuple(decode_anchor(search.nearest, clip)))


def force_strategy(run: Run, strategy: str, clip: Clip, vmaf: VmafMeter) -> None:
    """Encode every scene with one strategy at the same bitrate, and measure it."""
    with run.steps.step(f"force: {strategy}") as say:
        stream = run.options.out / "strategies" / f"{strategy}.ecv"
        try:
            choices = ("--strategy", strategy, "--codecs", run.base_codecs)
            report = run.encode(stream, *choices, "--bitrate", run.options.bitrate)
            row, _ = measure_stream(
                stream,
                strategy,
                SystemKind.FORCED,
                choice_text(report),
                clip,
                vmaf,
                report["encode_fps"],
            )
        except EdgecodecError as error:
            run.failures.append(f"{strategy}: {error}")
            say("failed")
            return
        run.systems.append(row)
        say(row_text(row))


def add_curve(run: Run, ours: SystemRow, clip: Clip) -> None:
    """Encodes at other rates for the picture, as long as another one fits into the time."""
    options, steps = run.options, run.steps
    points = [curve_point(ours)]
    longest = steps.seconds["force: hybrid_semantic"]
    for bitrate in options.curve:
        # Half as much again: a higher rate takes longer, and the result is measured too.
        if steps.elapsed + 1.5 * longest > options.seconds:
            run.notes.append(
                f"the curve has no point at {bitrate}: {steps.elapsed:.0f} s of the "
                f"{options.seconds:.0f} s that it may take were gone"
            )
            continue
        name = f"encode: auto at {bitrate}"
        with steps.step(name) as say:
            stream = options.out / "curve" / f"{bitrate}.ecv"
            try:
                report = run.encode(stream, "--bitrate", bitrate, "--codecs", run.base_codecs)
                row, _ = measure_stream(
                    stream, OURS, SystemKind.EDGECODEC, choice_text(report), clip
                )
            except CommandFailed as error:
                run.failures.append(f"auto at {bitrate}: {error}")
                say("failed")
                continue
            points.append(curve_point(row))
            say(row_text(row))
        longest = max(longest, steps.seconds[name])
    run.curves.append(Curve(OURS, SystemKind.EDGECODEC, ordered(points)))


def ordered(points: Sequence[CurvePoint]) -> tuple[CurvePoint, ...]:
    return tuple(sorted(points, key=lambda point: point.bitrate_mbps))


def shown_frames(count: int) -> tuple[int, int]:
    """The frames that are shown side by side: at a quarter and at three quarters."""
    return count // 4, 3 * count // 4


def comparisons(run: Run, clip: Clip) -> tuple[FrameComparison, ...]:
    """The shown frames of every system that kept them, each with its PSNR."""
    rows = {row.name: row for row in run.systems}
    compared = []
    for position, index in enumerate(shown_frames(len(clip.frames))):
        versions = {}
        for name, frames in run.shown.items():
            label, planes = name, frames[position]
            if name in rows:
                here = psnr(clip.frames[index], planes, clip.format.bit_depth).weighted
                label = f"{name}, {rows[name].bitrate_mbps:.3f} Mb/s: {here:.2f} dB here"
            versions[label] = planes
        seconds = float(index / clip.frame_rate)
        compared.append(compare_frame(versions, clip.format, clip.color, index, seconds))
    return tuple(compared)


def facts(run: Run) -> tuple[tuple[str, str], ...]:
    clip = run.options.clip
    return (
        ("clip", ATTRIBUTION if clip.resolve() == BBB else str(clip)),
        ("hardware", hardware()),
        ("versions", ", ".join(f"{name} {text}" for name, text in versions().items())),
        ("bytes", "edgecodec: the file without audio; standard codecs: their bare streams"),
        ("codecs", f"forced strategies and further rates use what auto chose: {run.base_codecs}"),
        ("keyframes", "edgecodec: every scene's first frame; standard codecs: their own choice"),
        ("time", f"{run.steps.elapsed:.0f} s until this report"),
    )


def summary_text(clip: Clip) -> str:
    form = clip.format
    return (
        f"{form.width}x{form.height}, {float(clip.frame_rate):g} frames/s, "
        f"{len(clip.frames)} frames ({clip.seconds:.2f} s), {form.bit_depth} bit 4:2:0"
    )


def row_text(row: SystemRow) -> str:
    text = f"{row.bitrate_mbps:.3f} Mb/s, {row.psnr:.2f} dB"
    return text if row.vmaf is None else f"{text}, VMAF {row.vmaf:.1f}"


def latency_text(profile: DeviceProfile) -> str:
    parts = []
    if profile.predicted:
        parts.append(f"{profile.predicted.low_ms:.1f} to {profile.predicted.high_ms:.1f} ms there")
    if profile.measured:
        parts.append(f"{profile.measured.p50_ms:.1f} ms here")
    return ", ".join(parts)


def result_table(systems: Sequence[SystemRow]) -> Table:
    table = Table(title="Measured on decoded frames")
    table.add_column("system")
    for heading in ("Mb/s", "PSNR dB", "SSIM", "VMAF", "VMAF-NEG", "enc fps", "dec fps"):
        table.add_column(heading, justify="right")
    for row in systems:
        table.add_row(
            row.name,
            number(row.bitrate_mbps, 3),
            number(row.psnr, 2),
            number(row.ssim, 4),
            number(row.vmaf, 2),
            number(row.vmaf_neg, 2),
            number(row.encode_fps, 1),
            number(row.decode_fps, 1),
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
