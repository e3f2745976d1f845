"""What an export will make, before any of it is made."""

from __future__ import annotations

from dataclasses import dataclass

from ..decoder.networks import PER_SCENE, NetworkSpec, PortSpec
from ..runtime.errors import UnsupportedError
from .job import NetworkJob, network_job
from .network_stages import network_stages, stage_names
from .options import ExportOptions, Precision
from .publish import check_replaceable
from .quantization import preset
from .records import Port
from .samples import SampleSource
from .sizes import Size, port_shape
from .stages import StageRunner
from .targets import find_target
from .weights import choose_networks


@dataclass(frozen=True)
class PlannedNetwork:
    """One network that an export would make: its file, ports and stages.

    `cached` are those of `stages` whose results there are already.
    """

    name: str
    file: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    stages: tuple[str, ...]
    cached: tuple[str, ...]


def plan_export(
    options: ExportOptions,
    samples: SampleSource | None = None,
    calibration: SampleSource | None = None,
) -> tuple[PlannedNetwork, ...]:
    """What `export_networks` would do; raises what it would raise before it starts to work."""
    planned = []
    for job in network_jobs(options, samples, calibration):
        stages = network_stages(job)
        cached = StageRunner(options.cache, options.remake_from).cached(stages)
        name, (inputs, outputs) = job.network.name, job_ports(job)
        names = tuple(stage.name for stage in stages)
        planned.append(PlannedNetwork(name, f"{name}.onnx", inputs, outputs, names, cached))
    return tuple(planned)


def network_jobs(
    options: ExportOptions, samples: SampleSource | None, calibration: SampleSource | None
) -> tuple[NetworkJob, ...]:
    """What is to be done for each network, once it is clear that it can be tried."""
    target = find_target(options.target)
    _check_devices(options)
    if options.precision is Precision.INT8:
        if options.arithmetic is not None:
            preset(options.target, options.arithmetic)
    elif target.compiled:
        raise UnsupportedError(f"target {target.name!r} computes in INT8: give --int8")
    if options.size is None and not target.dynamic_size:
        raise UnsupportedError(f"target {target.name!r} needs a fixed size: give --size")
    if options.remake_from not in (None, *stage_names()):
        known = ", ".join(stage_names())
        raise UnsupportedError(f"there is no stage {options.remake_from!r}: known are {known}")
    check_replaceable(options.directory)
    names = choose_networks(options.networks, options.tier, options.weights)
    return tuple(network_job(options, name, samples, calibration) for name in names)


def _check_devices(options: ExportOptions) -> None:
    """Refuse devices that another target than the one asked for compiles for."""
    for named, option, what, target in (
        (options.socs, "--soc", "Snapdragon chips", "qnn"),
        (options.capabilities, "--sm", "compute capabilities", "tensorrt"),
    ):
        if named and options.target != target:
            raise UnsupportedError(
                f"target {options.target!r} does not compile for {what} ({', '.join(named)}):"
                f" leave {option} out, or give --target {target}"
            )


def job_ports(job: NetworkJob) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs of the finished graph."""
    network: NetworkSpec = job.network
    size = job.options.size

    def describe(port: PortSpec) -> Port:
        shape: tuple[int | None, ...] = (1, port.channels, None, None)
        if size or port.stride == PER_SCENE:
            shape = port_shape(port, network, size or Size(1, 1))
        return Port(port.name, shape, port.stride, port.scale, port.zero_point)

    return tuple(map(describe, network.inputs)), tuple(map(describe, network.outputs))
