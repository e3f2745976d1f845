"""One network on its way through an export, and what its stages share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..decoder.networks import TIERS, NetworkSpec, spec
from ..decoder.trained import model_id
from ..runtime.errors import ModelError
from .check import Probe, make_probes
from .graph_id import graph_id
from .options import ExportOptions, Precision
from .quantization import Arithmetic
from .sample_sets import SampleSet
from .samples import SampleSource
from .sizes import Size
from .targets import Target, find_target
from .weights import weights_file

_FEATURE = "feature_out"
# Two sizes, neither a multiple of the other, for graphs that must run any.
_DYNAMIC_PROBE_SIZES = (Size(96, 64), Size(80, 112))


@dataclass(frozen=True)
class NetworkJob:
    """What one network is made of and for.

    `weights_id` names the trained weights. `validation`: what losses are measured on;
    `calibration`: what decides ranges.
    """

    options: ExportOptions
    network: NetworkSpec
    weights_id: str
    validation: SampleSet
    calibration: SampleSet

    @property
    def target(self) -> Target:
        """What it is made for."""
        return find_target(self.options.target)

    @property
    def feeds_later_frames(self) -> bool:
        """Whether frames are predicted from what the network gives."""
        gives_feature = any(port.name == _FEATURE for port in self.network.outputs)
        return gives_feature and TIERS[self.network.tier].recurrent

    @property
    def arithmetic(self) -> Arithmetic:
        """That of its integers: as asked, else exact where later frames depend on them."""
        if self.options.arithmetic is not None:
            return self.options.arithmetic
        exact = self.feeds_later_frames and self.target.has_exact
        return Arithmetic.EXACT if exact else Arithmetic.FAST

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What every stage is checked on."""
        sizes = (self.options.size,) if self.options.size else _DYNAMIC_PROBE_SIZES
        return make_probes(self.network, sizes)

    @property
    def identity(self) -> dict[str, object]:
        """What every stage's result depends on, as JSON types."""
        size = self.options.size
        return {
            "network": self.network.name,
            "tier": self.network.tier,
            "size": None if size is None else [size.width, size.height],
            "weights": self.weights_id,
        }

    @property
    def metadata(self) -> dict[str, str]:
        """What the finished file says of itself, unless data had a say in exact integers: its
        model id then names them, too."""
        int8 = self.options.precision is Precision.INT8
        arithmetic = self.arithmetic if int8 else Arithmetic.FAST
        return {
            "network": self.network.name,
            "tier": self.network.tier,
            "model_id": graph_id(self.weights_id, arithmetic),
        }


def network_job(
    options: ExportOptions,
    name: str,
    validation: SampleSource | None,
    calibration: SampleSource | None,
) -> NetworkJob:
    """The job of network `name`; `ModelError` where its weights cannot be read."""
    file = weights_file(name, options.tier, options.weights)
    return NetworkJob(
        options,
        spec(name, options.tier),
        _weights_id(file),
        SampleSet(name, validation),
        SampleSet(name, calibration or validation),
    )


def _weights_id(file: Path) -> str:
    try:
        return model_id(file.read_bytes())
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}") from error
