"""What designers may choose among: a finite set of settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeAlias

from ...runtime.errors import UnsupportedError
from ..records import EncodeSettings, TargetSpec
from ..records.checking import Fields

Point: TypeAlias = Mapping[str, float | str]
"""Settings as a designer's library or a language model writes them: `target` is a number, all else
a text (see `Space.choices`)."""

_JOIN = "+"
_ALL, _BY_EFFORT = "auto", "by effort"
_LATENTS = {"semantic_latent", "i_frame_interpolation"}
_NETWORKLESS = {"classical", "procedural"}
_FILTERED = {"classical", "hybrid_semantic"} | _LATENTS
_UNITS = {
    "quality": "a constant quality, 0 worst to 100 best",
    "bitrate": "bits a second",
    "psnr": "dB, mean over the frames",
    "ssim": "mean over the frames",
    "vmaf": "mean over the frames",
}
_ABOUT = {
    "strategies": "ways that a scene may be coded in; the encoder takes the best of them",
    "codecs": "standard codecs that may be used; more take longer, and are never worse",
    "sizes": "of a standard codec's layer: half size helps at low rates",
    "tier": "size of the networks that the player runs",
    "effort": "presets of the codecs: slower ones need fewer bits",
    "adapt": "how far networks are fitted to the video",
    "title_steps": "steps of the search for weights of the video's own, with adapt title",
}


@dataclass(frozen=True)
class Space:
    """The values that each setting may have, the usual one first; whatever is not said here is
    as `EncodeSettings` has it.

    `kind` is that of all targets, whose values rise in `targets`; `start` is the one to begin
    with. An empty tuple among `strategies` stands for all, None among `adapts` and `title_steps`
    for what the effort affords. Raises UnsupportedError for what `edgecodec encode` does not take.
    """

    kind: str
    targets: tuple[float, ...]
    start: float
    strategies: tuple[tuple[str, ...], ...] = ((),)
    codecs: tuple[tuple[str, ...], ...] = (("av1", "h264", "h265", "vvc"),)
    sizes: tuple[tuple[str, ...], ...] = (("full", "half"),)
    tiers: tuple[str, ...] = ("nano",)
    efforts: tuple[str, ...] = ("normal",)
    adapts: tuple[str | None, ...] = (None,)
    title_steps: tuple[int | None, ...] = (None,)

    def __post_init__(self) -> None:
        if not self.targets or list(self.targets) != sorted(set(self.targets)):
            raise UnsupportedError("space: the targets must rise, and there must be one")
        if self.start not in self.targets:
            raise UnsupportedError(f"space: the start {self.start:g} is none of the targets")
        for name, values in self.choices().items():
            if not values or len(set(values)) != len(values):
                raise UnsupportedError(f"space: {name} needs values, each only once")
        # Settings check what they are made of: each value is tried once.
        for target in self.targets:
            TargetSpec(self.kind, target)
        for name, values in self.choices().items():
            for value in values:
                self.settings(self._usual() | {name: value})

    def choices(self) -> dict[str, tuple[str, ...]]:
        """The texts that each field of a point but `target` may be, the usual one first."""
        return {
            "strategies": tuple(_JOIN.join(sorted(each)) or _ALL for each in self.strategies),
            "codecs": tuple(_JOIN.join(sorted(each)) for each in self.codecs),
            "sizes": tuple(_JOIN.join(sorted(each)) for each in self.sizes),
            "tier": self.tiers,
            "effort": self.efforts,
            "adapt": tuple(each or _BY_EFFORT for each in self.adapts),
            "title_steps": tuple(
                _BY_EFFORT if each is None else str(each) for each in self.title_steps
            ),
        }

    def settings(self, point: Point, where: str = "settings") -> EncodeSettings:
        """The settings of a point; its target is moved to the nearest of `targets`.

        Where a choice makes no difference (networks without a strategy that uses them), it is the
        usual one, so that equal encodes are equal settings. Raises UnsupportedError that names
        the field and what it may be.
        """
        fields = Fields(point, where)
        target = fields.number("target")
        low, high = self.targets[0], self.targets[-1]
        if not low <= target <= high:
            raise UnsupportedError(
                f"{where}: target is {target:g}, but must be {low:g} to {high:g}"
            )
        chosen = {
            name: values[allowed.index(fields.text(name, allowed))]
            for (name, allowed), values in zip(
                self.choices().items(), self._values().values(), strict=True
            )
        }
        fields.end()
        nearest = min(self.targets, key=lambda each: abs(each - target))
        return self.canonical(EncodeSettings(TargetSpec(self.kind, nearest), **chosen))

    def point(self, settings: EncodeSettings) -> dict[str, float | str]:
        """The point of settings, with the target as it is. Raises UnsupportedError where they are
        not of this space."""
        if settings.target.kind != self.kind:
            raise UnsupportedError(
                f"settings with a target {settings.target.kind} are not of a space of {self.kind}"
            )
        settings = self.canonical(settings)
        point: dict[str, float | str] = {"target": settings.target.value}
        for (name, allowed), values in zip(
            self.choices().items(), self._values().values(), strict=True
        ):
            value = getattr(settings, name)
            ordered = [tuple(sorted(each)) if isinstance(each, tuple) else each for each in values]
            if value not in ordered:
                raise UnsupportedError(f"settings: {name} {value!r} is not of this space")
            point[name] = allowed[ordered.index(value)]
        self.settings(point)
        return point

    def canonical(self, settings: EncodeSettings) -> EncodeSettings:
        """Settings of the same encode, with the usual value where the value makes no
        difference."""
        wanted = set(settings.strategies)
        if wanted and wanted <= _NETWORKLESS:
            settings = replace(settings, tier=self.tiers[0])
        if wanted and wanted <= _LATENTS:
            codecs, sizes = self.codecs[0], self.sizes[0]
            settings = replace(settings, codecs=codecs, sizes=sizes, effort=self.efforts[0])
        afforded = "filter" if settings.effort == "fast" else "title"
        if wanted and not wanted & _FILTERED:
            settings = replace(settings, adapt=self.adapts[0])
        elif wanted and "hybrid_semantic" not in wanted:
            # Filters are all that there is to fit, and whatever fits anything has them.
            if (settings.adapt or afforded) != "none":
                fitted = next((each for each in self.adapts if each != "none"), "filter")
                settings = replace(settings, adapt=fitted, title_steps=self.title_steps[0])
        elif settings.adapt is None and afforded in self.adapts:
            settings = replace(settings, adapt=afforded)
        if (settings.adapt or afforded) != "title":
            settings = replace(settings, title_steps=self.title_steps[0])
        return settings

    def holds(self, settings: EncodeSettings) -> bool:
        """Whether `settings` gives these very settings for some point."""
        try:
            return self.settings(self.point(settings)) == settings
        except UnsupportedError:
            return False

    def size(self) -> int:
        """How many different settings there are."""
        return len(self.targets) * len(self.at_start())

    def at_start(self) -> list[EncodeSettings]:
        """All settings with the target `start`, each once, the usual ones first."""
        choices = self.choices()
        points = (
            self._usual() | dict(zip(choices, values, strict=True))
            for values in product(*choices.values())
        )
        return list(dict.fromkeys(self.settings(each) for each in points))

    def nearest(self, settings: EncodeSettings) -> Iterator[EncodeSettings]:
        """The same with every other target, the nearest first."""
        value = settings.target.value
        for target in sorted(self.targets, key=lambda each: abs(each - value)):
            yield settings.with_target(TargetSpec(self.kind, target))

    def first_points(self) -> list[EncodeSettings]:
        """Where to begin: the usual settings, then each with another choice of codecs, then with
        other strategies, all at `start`."""
        points: list[dict[str, float | str]] = [self._usual()]
        for name in ("codecs", "strategies"):
            points += [self._usual() | {name: value} for value in self.choices()[name]]
        return list(dict.fromkeys(self.settings(point) for point in points))

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of a point. Ranges are in words: language models' APIs take no bounds of
        numbers."""
        low, high = self.targets[0], self.targets[-1]
        properties: dict[str, Any] = {
            "target": {
                "type": "number",
                "description": f"{self.kind} to aim at ({_UNITS[self.kind]}),"
                f" from {low:g} to {high:g}",
            }
        }
        for name, values in self.choices().items():
            about = {"type": "string", "enum": list(values), "description": _ABOUT[name]}
            properties[name] = about
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def _usual(self) -> dict[str, float | str]:
        usual: dict[str, float | str] = {"target": self.start}
        return usual | {name: values[0] for name, values in self.choices().items()}

    def _values(self) -> dict[str, tuple[Any, ...]]:
        """The values behind `choices`, in the same order."""
        return {
            "strategies": self.strategies,
            "codecs": self.codecs,
            "sizes": self.sizes,
            "tier": self.tiers,
            "effort": self.efforts,
            "adapt": self.adapts,
            "title_steps": self.title_steps,
        }
