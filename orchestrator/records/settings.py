"""How to encode, in plain values: what a designer chooses and a preset holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...runtime.chunks import Codec, StrategyId
from ...runtime.errors import UnsupportedError
from .checking import Fields

TARGETS = ("quality", "bitrate", "psnr", "ssim", "vmaf")
STRATEGIES = tuple(each.name.lower() for each in StrategyId)
CODECS = tuple(each.name.lower() for each in Codec)
SIZES = ("full", "half")
TIERS = ("nano", "edge", "max")
EFFORTS = ("fast", "normal", "high")
SEARCHES = ("pruned", "exhaustive")
ADAPTATIONS = ("none", "filter", "code", "title")
# Above 0 (a quality of 0 is one, too) and at most.
_MOST = {"quality": 100.0, "bitrate": 1e12, "psnr": 100.0, "ssim": 1.0, "vmaf": 100.0}


@dataclass(frozen=True)
class TargetSpec:
    """What an encode aims at: a quality of 0 to 100, a bitrate in bits a second, a PSNR in dB, an
    SSIM below 1 or a VMAF. Raises UnsupportedError for what cannot be aimed at."""

    kind: str
    value: float

    def __post_init__(self) -> None:
        if self.kind not in TARGETS:
            raise UnsupportedError(f"target {self.kind!r}: choose one of {', '.join(TARGETS)}")
        low_enough = self.value < 1 if self.kind == "ssim" else self.value <= _MOST[self.kind]
        high_enough = self.value >= 0 if self.kind == "quality" else self.value > 0
        if not (low_enough and high_enough):
            least = "0 to" if self.kind == "quality" else "above 0, up to"
            raise UnsupportedError(
                f"target {self.kind} {self.value:g}: it must be {least} {_MOST[self.kind]:g}"
            )
        # One way to write each number (not 40 and 40.0, nor -0.0), for hashes of records.
        object.__setattr__(self, "value", float(self.value) + 0.0)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {"kind": self.kind, "value": self.value}


@dataclass(frozen=True)
class EncodeSettings:
    """The options of `edgecodec encode` by their names there.

    No `strategies` stands for all that a video can have. `adapt` and `title_steps` are None for
    what the effort affords. Sets are kept sorted: equal choices are equal settings. Raises
    UnsupportedError for values that `edgecodec encode` does not take.
    """

    target: TargetSpec
    strategies: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ("av1", "h264", "h265", "vvc")
    sizes: tuple[str, ...] = ("full", "half")
    tier: str = "nano"
    effort: str = "normal"
    search: str = "pruned"
    adapt: str | None = None
    title_steps: int | None = None

    def __post_init__(self) -> None:
        for name in ("strategies", "codecs", "sizes"):
            object.__setattr__(self, name, tuple(sorted(getattr(self, name))))
        read = Fields(self.to_dict(), "settings")
        _read(read)
        if not self.codecs or not self.sizes:
            raise UnsupportedError("settings: at least one codec and one size are needed")

    def with_target(self, target: TargetSpec) -> EncodeSettings:
        """The same with another aim."""
        return replace(self, target=target)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "target": self.target.to_dict(),
            "strategies": list(self.strategies),
            "codecs": list(self.codecs),
            "sizes": list(self.sizes),
            "tier": self.tier,
            "effort": self.effort,
            "search": self.search,
            "adapt": self.adapt,
            "title_steps": self.title_steps,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], where: str = "settings") -> EncodeSettings:
        """What `to_dict` gave; fields with a usual value may be missing. Raises UnsupportedError
        that names the field."""
        usual = cls(TargetSpec("quality", 50.0)).to_dict()
        if isinstance(value, Mapping) and "target" in value:
            value = usual | dict(value)
        return cls(**_read(Fields(value, where), where))


def _read(fields: Fields, where: str = "settings") -> dict[str, Any]:
    target = Fields(fields.anything("target"), f"{where}: target")
    read = {
        "target": TargetSpec(target.text("kind", TARGETS), target.number("value")),
        "strategies": fields.texts("strategies", STRATEGIES),
        "codecs": fields.texts("codecs", CODECS),
        "sizes": fields.texts("sizes", SIZES),
        "tier": fields.text("tier", TIERS),
        "effort": fields.text("effort", EFFORTS),
        "search": fields.text("search", SEARCHES),
        "adapt": fields.optional_text("adapt", ADAPTATIONS),
        "title_steps": fields.optional_integer("title_steps", 1),
    }
    target.end()
    fields.end()
    return read
