"""What the overlay says, in lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from edgecodec.runtime import Damage, StreamInfo

from .playback import Playback
from .source import Shot, Source


def statistics(playback: Playback, sound: str) -> list[str]:
    """About the film, the picture on screen and how playing goes; `sound` is said as it is."""
    source = playback.decoder.source
    if source is None:
        return []
    lines = [_format(source.video.info), *_scene(source, playback.shown), _speed(playback)]
    return [*lines, f"networks on {source.video.info.provider}, sound: {sound}"]


def troubles(playback: Playback) -> list[str]:
    """Errors and damage, also while the statistics are hidden."""
    source = playback.decoder.source
    damages = () if source is None else source.video.damage
    problems = playback.decoder.problems[-3:]
    return [*(f"error: {problem}" for problem in problems), *_damage(damages)]


def waiting(playback: Playback) -> str:
    """What stands where there is no picture."""
    if playback.shown is not None or playback.decoder.at_end:
        return ""
    return "opening" if playback.decoder.source is None else "decoding"


def clock_text(seconds: float) -> str:
    """Minutes, seconds and milliseconds."""
    minutes, rest = divmod(abs(seconds), 60)
    return f"{'-' if seconds < 0 else ''}{int(minutes):02}:{rest:06.3f}"


def _format(info: StreamInfo) -> str:
    picture = info.format
    return (
        f"{picture.width}x{picture.height}, {picture.bit_depth} bit, "
        f"{float(info.frame_rate):.4g} fps, tier {info.tier or 'none'}"
    )


def _scene(source: Source, shot: Shot | None) -> list[str]:
    if shot is None:
        return []
    frame = f"frame {shot.number} at {clock_text(shot.time)}"
    if shot.scene is None or source.reader is None:
        return [frame]
    scene = shot.scene
    codec = f" over {scene.codec.name}" if scene.codec is not None else ""
    enhanced = "enhanced" if scene.is_enhanced(shot.number) else "not enhanced"
    return [
        f"{frame}, {enhanced}",
        f"scene {scene.number + 1} of {scene.scenes}: {scene.strategy.name.lower()}{codec}",
        f"{_rate(scene.bits_per_second)} here, {_rate(source.reader.bits_per_second)} on average",
    ]


def _speed(playback: Playback) -> str:
    mean = playback.decoder.decode_time.mean
    source = playback.decoder.source
    both = " with the original" if source is not None and source.original is not None else ""
    decode = "" if mean is None else f", decode {1000 * mean:.1f} ms a frame{both}"
    waits = f", {playback.waits} waits" if playback.waits else ""
    return (
        f"{playback.frame_rate.value:.1f} fps shown, {playback.dropped} dropped{waits}{decode}, "
        f"{playback.decoder.ready} ready"
    )


def _rate(bits_per_second: float) -> str:
    return f"{bits_per_second / 1000:.0f} kbit/s"


def _damage(damages: Sequence[Damage]) -> list[str]:
    if not damages:
        return []
    last = damages[-1]
    lost = "no picture lost"
    if last.start is not None:
        end = "the end" if last.end is None else clock_text(last.end)
        lost = f"pictures lost from {clock_text(last.start)} to {end}"
    return [f"damage number {len(damages)}: {lost}", last.what]
