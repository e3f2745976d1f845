"""`encode`: a video in, the smallest stream that meets the target out."""

from __future__ import annotations

import io
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from ..runtime.auxiliary import AuxPacket, AuxStream
from ..runtime.chunks import Chunk, Codec, StrategyId
from ..runtime.container import Header, Limits, Writer
from ..runtime.errors import EdgecodecError, ProviderError, UnsupportedError
from ..runtime.models import packaged_models, packaged_tiers, read_models
from ..runtime.payloads import HybridBody, parse_body
from ..runtime.video import open as open_stream
from .choose import choose
from .media import SourceInfo, open_source, read_aux
from .plan import make_plan
from .quality import SequenceQuality
from .report import EncodeProgress, EncodeReport, SceneReport, TrialReport
from .scene import scenes_of
from .strategies import Candidate
from .targets import BitrateTarget, PsnrTarget, QualityTarget, Target
from .workspace import Workspace

ProgressCallback = Callable[[EncodeProgress], None]
# How near a result must be for its target to count as met.
_RATE_TOLERANCE = 0.03
_PSNR_TOLERANCE_DB = 0.1
_OVERSHOOT = 1.02


@dataclass(frozen=True)
class EncodeOptions:
    """How to encode.

    `strategy` is "auto" or the one that every scene must use. `tier` names the networks that the
    player will need, `device` ("cpu" or "cuda") is where the encoder's own networks run.
    `codecs` are the standard codecs that may be used, in the order in which they are tried.
    `threads` 0 is one a core.
    """

    strategy: str = "auto"
    target: Target = QualityTarget(50.0)  # noqa: RUF009 (it is frozen)
    tier: str = "nano"
    device: str = "cpu"
    codecs: tuple[Codec, ...] = (Codec.AV1, Codec.H265, Codec.H264, Codec.VVC)
    threads: int = 0


@dataclass(frozen=True)
class _PlannedScene:
    start: int
    pts: tuple[int, ...]
    candidates: Sequence[Candidate]
    skipped: Sequence[str]


def encode(
    source: Path,
    output: Path,
    options: EncodeOptions | None = None,
    progress: ProgressCallback | None = None,
) -> EncodeReport:
    """Encode the video `source` into the stream `output`, which is replaced if it exists.

    Every scene is coded in several ways and decoded again by the player's own code; the choice is
    made over all scenes at once. `output` appears when it is complete. Finished scenes are kept
    in `OUTPUT.parts` until then, so that an encode that was cut off goes on where it stopped.

    Raises FileNotFoundError, BitstreamError (a damaged source), UnsupportedError (what this
    version cannot code, with what to do), ModelError (a network is missing), ProviderError (no
    such device).
    """
    options = options or EncodeOptions()
    report = progress or (lambda _: None)
    began = time.perf_counter()
    if output.exists() and source.exists() and output.samefile(source):
        raise UnsupportedError(f"{output} is the source itself: choose another name")
    if output.is_dir():
        raise UnsupportedError(f"{output} is a folder: name a file in it")
    _check_device(options.device)
    with open_source(source) as video:
        info = video.info
        aux_streams, aux_packets = read_aux(source)
        plan = make_plan(
            options.strategy,
            options.codecs,
            options.tier,
            options.device,
            options.threads,
            info.format,
        )
        workspace = Workspace(output, _key(source, options))
        expected = max(1, info.frame_count or 1)
        planned: list[_PlannedScene] = []
        done = 0
        for scene in scenes_of(video):
            report(EncodeProgress("trials", min(1.0, done / expected), f"scene {scene.index + 1}"))
            kept = workspace.load(scene.index)
            if kept is None:
                kept = plan.candidates(scene, options.target)
                workspace.save(scene.index, *kept)
            else:
                plan.remember(kept[0])
            planned.append(_PlannedScene(scene.start, scene.pts, *kept))
            done += len(scene.frames)
    duration_s = _duration_s(planned, info)
    every = [each.candidates for each in planned]
    header = _header(info, planned, options.tier, aux_streams, list(chain(*every)))
    other_bits = _other_bits(header, planned, aux_packets)
    chosen = choose(every, _with_slack(options.target), duration_s, other_bits)
    header = _header(info, planned, options.tier, aux_streams, chosen)
    report(EncodeProgress("writing", 1.0))
    partial = output.with_name(output.name + ".partial")
    try:
        with partial.open("wb") as file:
            _write(file, header, planned, chosen, aux_packets)
        measured = _measure(source, partial, options.threads, expected, report)
        size = partial.stat().st_size
        os.replace(partial, output)
    finally:
        partial.unlink(missing_ok=True)
    workspace.remove()
    aux_bytes = sum(len(packet.data) for packet in aux_packets)
    rate = 8 * (size - aux_bytes) / duration_s
    return EncodeReport(
        file=str(output),
        bytes=size,
        frames=measured.frames,
        duration_s=duration_s,
        bitrate_mbps=rate / 1e6,
        other_streams_mbps=8 * aux_bytes / duration_s / 1e6,
        psnr=measured.psnr.weighted,
        ssim=measured.ssim.all,
        encode_fps=measured.frames / (time.perf_counter() - began),
        target_met=_met(options.target, rate, measured.psnr.weighted),
        scenes=_scene_reports(planned, chosen, info),
    )


def _check_device(device: str) -> None:
    if device not in ("cpu", "cuda"):
        raise ProviderError(f"unknown device {device!r}: choose cpu or cuda")
    if device == "cuda":
        try:
            import torch
        except ImportError as error:
            raise ProviderError("cuda needs torch: pip install 'edgecodec[encoder]'") from error
        if not torch.cuda.is_available():
            raise ProviderError("no CUDA device: see edgecodec doctor, or use --device cpu")


def _key(source: Path, options: EncodeOptions) -> str:
    """What the kept scenes of an encode depend on."""
    status = source.stat()
    file = (str(source.resolve()), status.st_size, status.st_mtime_ns)
    networks = _model_ids(options.tier) if options.tier in packaged_tiers() else ()
    return repr((file, options, _writer(), networks))


def _model_ids(tier: str) -> tuple[str, ...]:
    return tuple(entry.model_id for entry in read_models(packaged_models(tier)).networks)


def _writer() -> str:
    return f"edgecodec {version('edgecodec')}"


def _duration_s(planned: Sequence[_PlannedScene], info: SourceInfo) -> float:
    """From the first frame to the end of the last, which lasts as long as the average."""
    first, last = planned[0].pts[0], planned[-1].pts[-1]
    return float((last - first) * info.time_base + 1 / info.frame_rate)


def _header(
    info: SourceInfo,
    planned: Sequence[_PlannedScene],
    tier: str,
    aux_streams: tuple[AuxStream, ...],
    candidates: Sequence[Candidate],
) -> Header:
    neural = any(each.strategy is not StrategyId.CLASSICAL for each in candidates)
    return Header(
        format=info.format,
        time_base=info.time_base,
        frame_rate=info.frame_rate,
        color=info.color,
        rotation=info.rotation,
        sample_aspect=info.sample_aspect,
        tier=tier if neural else "",
        model_ids=_model_ids(tier) if neural else (),
        aux_streams=aux_streams,
        frame_count=sum(len(scene.pts) for scene in planned),
        writer=_writer(),
    )


class _Tally(io.BytesIO):
    """A file that only counts what is written."""

    size = 0

    def write(self, data: Any, /) -> int:
        written = memoryview(data).nbytes
        self.size += written
        return written


def _other_bits(
    header: Header, planned: Sequence[_PlannedScene], aux_packets: Sequence[AuxPacket]
) -> int:
    """At most what the stream needs beside its chunks and what the other streams' packets hold."""
    largest = [max(scene.candidates, key=lambda each: each.bits) for scene in planned]
    tally = _Tally()
    _write(tally, header, planned, largest, aux_packets)
    aux_bytes = sum(len(packet.data) for packet in aux_packets)
    return 8 * (tally.size - aux_bytes) - sum(each.bits for each in largest)


def _write(
    file: BinaryIO,
    header: Header,
    planned: Sequence[_PlannedScene],
    chosen: Sequence[Candidate],
    aux_packets: Sequence[AuxPacket],
) -> None:
    """The chunks, each after the other streams' packets of its time."""
    writer = Writer(file, header)
    clocks = {stream.index: stream.time_base for stream in header.aux_streams}
    waiting = deque(sorted(aux_packets, key=lambda each: each.dts * clocks[each.stream]))
    for number, (scene, made) in enumerate(zip(planned, chosen, strict=True)):
        end = scene.pts[-1] * header.time_base
        due = []
        while waiting and waiting[0].dts * clocks[waiting[0].stream] <= end:
            due.append(waiting.popleft())
        if due:
            writer.write_aux(due)
        writer.write_chunk(Chunk(number, scene.start, made.strategy, scene.pts, made.body))
    if waiting:
        writer.write_aux(waiting)
    writer.finish()


def _measure(
    source: Path, stream: Path, threads: int, expected: int, report: ProgressCallback
) -> SequenceQuality:
    """The finished file, decoded as a player does, against the source."""
    with open_source(source) as video, open_stream(stream, threads=threads) as decoded:
        quality = SequenceQuality(video.info.format.bit_depth)
        for original, frame in zip(video.frames(), decoded, strict=True):
            if frame.pts != original.pts:
                raise EdgecodecError(
                    f"{stream}: frame {quality.frames} decodes with pts {frame.pts}, the source "
                    f"has {original.pts}; this is a bug, please report it"
                )
            quality.add(original.planes, frame.planes)
            report(EncodeProgress("measuring", min(1.0, quality.frames / expected)))
        return quality


def _with_slack(target: Target) -> Target:
    """A bitrate may be passed by 2 %: settings are whole numbers, some 6 % of the rate apart."""
    if isinstance(target, BitrateTarget):
        return BitrateTarget(_OVERSHOOT * target.bits_per_second)
    return target


def _met(target: Target, bits_per_second: float, psnr: float) -> bool | None:
    if isinstance(target, BitrateTarget):
        asked = target.bits_per_second
        return abs(bits_per_second - asked) <= _RATE_TOLERANCE * asked
    if isinstance(target, PsnrTarget):
        return abs(psnr - target.db) <= _PSNR_TOLERANCE_DB
    return None


def _scene_reports(
    planned: Sequence[_PlannedScene], chosen: Sequence[Candidate], info: SourceInfo
) -> tuple[SceneReport, ...]:
    first = planned[0].pts[0]
    reports = []
    for scene, made in zip(planned, chosen, strict=True):
        body = parse_body(made.strategy, made.body, len(scene.pts), Limits())
        reports.append(
            SceneReport(
                start=float((scene.pts[0] - first) * info.time_base),
                frames=len(scene.pts),
                strategy=_name(made.strategy),
                codec=made.codec.name.lower() if made.codec else None,
                bits=made.bits,
                psnr=made.psnr,
                setting=made.setting,
                enhanced_frames=sum(body.enhanced) if isinstance(body, HybridBody) else 0,
                trials=tuple(
                    TrialReport(
                        _name(each.strategy),
                        each.codec.name.lower() if each.codec else None,
                        each.setting,
                        each.bits,
                        each.psnr,
                    )
                    for each in scene.candidates
                ),
                skipped=tuple(scene.skipped),
            )
        )
    return tuple(reports)


def _name(strategy: StrategyId) -> str:
    return strategy.name.lower()
