"""Whether a device plays a stream in time, and what its networks cost."""

from __future__ import annotations

from dataclasses import dataclass

from ...profiles.count import count_model
from ...profiles.counted import CountedModels, CountedNetwork
from ...profiles.device import DeviceProfile, device_names, load_device
from ...profiles.frame import Verdict
from ...profiles.input_shapes import input_shapes
from ...profiles.playable import Video, playable
from ...profiles.predictor import predictor
from ...profiles.providers import Measured
from ...profiles.report import ProfileReport, report_on
from ...runtime.errors import DeviceError, UnsupportedError
from ...runtime.models import packaged_models, read_models
from .stream_work import Layer, StreamWork

_UNKNOWN = "unknown"
_OPERATIONS_PER_MAC = 2


@dataclass(frozen=True)
class DeviceCheck:
    """See the fields of these names of `records.result.ClipResult`; `why` explains the verdict."""

    tops_per_frame: float
    verdict: str
    device_ms: tuple[float, float, float] | None
    why: str


def known_device(name: str) -> DeviceProfile:
    """A device that ships with edgecodec: an experiment does not reach for a worker's files.

    Raises UnsupportedError that names those there are.
    """
    if name not in device_names():
        raise UnsupportedError(f"device {name!r:.80}: choose one of {', '.join(device_names())}")
    return load_device(name)


def check_device(work: StreamWork, device: DeviceProfile) -> DeviceCheck:
    """Every network that the stream runs is predicted for the device at the stream's size; the
    slowest of the frames decides, its base decoded beside it. A layer that the device does not
    decode fails it.

    What no profile tells is not judged: upsampling without a network, and drawing procedural
    scenes. Raises ModelError where the tier's networks are not installed here.
    """
    networks = _counted(work)
    operations = sum(
        _OPERATIONS_PER_MAC * each.cost.macs * work.network_frames[each.entry.name]
        for each in networks
    )
    tops = operations / work.frames / 1e12
    try:
        refused = [layer for layer in _sorted(work) if not _decodes(device, layer)]
        report = _report(networks, work, device)
    except (DeviceError, UnsupportedError) as error:
        return DeviceCheck(tops, _UNKNOWN, None, str(error))
    interval = report.slowest.frame.interval if report else None
    ms = (interval.low, interval.mid, interval.high) if interval else None
    if refused:
        layer = refused[0]
        what = f"{layer.codec.name.lower()} in {layer.bit_depth} bits of {layer.size}"
        why = f"{device.name} does not decode {what} at {layer.fps:.5g} frames/s"
        return DeviceCheck(tops, Verdict.FAIL.value, ms, why)
    if report is None or interval is None:
        return DeviceCheck(tops, Verdict.PASS.value, None, f"{device.name} decodes it, no network")
    slowest = report.slowest
    why = (
        f"a frame of {slowest.name} takes {interval.mid:.1f} ms of {1000 / work.fps:.1f}"
        f" ({slowest.frame.bottleneck.name})"
    )
    return DeviceCheck(tops, report.verdict.value, ms, why)


def _counted(work: StreamWork) -> tuple[CountedNetwork, ...]:
    """The networks that the stream runs."""
    if not work.network_frames:
        return ()
    models = read_models(packaged_models(work.tier))
    counted = []
    for entry in map(models.network, sorted(work.network_frames)):
        shapes = input_shapes(entry, work.size)
        counted.append(CountedNetwork(entry, shapes, count_model(entry.file, shapes)))
    return tuple(counted)


def _report(
    networks: tuple[CountedNetwork, ...], work: StreamWork, device: DeviceProfile
) -> ProfileReport | None:
    if not networks:
        return None
    models = CountedModels(packaged_models(work.tier), work.tier, work.size, networks)
    return report_on(models, device, work.fps, predictor(device), Measured({}, {}))


def _sorted(work: StreamWork) -> list[Layer]:
    return sorted(work.layers, key=lambda layer: (layer.codec, layer.bit_depth, str(layer.size)))


def _decodes(device: DeviceProfile, layer: Layer) -> bool:
    video = Video(layer.size, layer.fps, layer.bit_depth)
    return bool(playable(device, video, (layer.codec,), (), None).codecs)
