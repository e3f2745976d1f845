"""Trials of scenes as JSON: what a worker is told to encode, taken apart strictly."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ...encoder.adaptation import Adaptation, TitleFile
from ...encoder.bench import Request, trial_key
from ...encoder.effort import Effort
from ...encoder.scene_place import ScenePlace
from ...encoder.store import trial_file
from ...encoder.strategies import LatentTrial, ProceduralTrial, StandardTrial, Trial
from ...encoder.targets import Metric
from ...runtime.chunks import Codec, StrategyId
from ...runtime.errors import UnsupportedError
from ...runtime.frames import ColorInfo, PictureFormat
from ...runtime.upsample import Upsampling
from ..records.checking import Fields

SCHEMA = 1
_TRIALS = "trials"
_TITLES = "titles"
_LATENTS = (StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION)
_PRESET = re.compile("[a-z0-9]{1,20}")
_HEX = frozenset("0123456789abcdef")
# The least that a frame can be, and the most that any codec here takes.
_LARGEST_SIDE = 16384


@dataclass(frozen=True)
class TrialJob:
    """One trial of one scene, for any machine that reaches the media store.

    `source` is the video's name there and `sha256` its content's. Title weights that the trial
    uses lie there too (see `title_name`): here their path is that name. `fingerprint` is that of
    the version that wants the trial, `version` what people call it.
    """

    source: str
    sha256: str
    place: ScenePlace
    request: Request
    metric: Metric
    fingerprint: str
    version: str

    @property
    def key(self) -> str:
        """What the trial is kept by, of this version."""
        return trial_key(self.place.digest, self.request, self.metric)

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "sha256": self.sha256,
            "scene": _place_to_dict(self.place),
            "request": {
                "trial": _trial_to_dict(self.request.trial),
                "setting": self.request.setting,
                "head": self.request.head,
            },
            "metric": self.metric.value,
            "fingerprint": self.fingerprint,
            "version": self.version,
        }

    @classmethod
    def from_dict(cls, value: object, where: str) -> TrialJob:
        """What `to_dict` gave. Raises UnsupportedError that names the field."""
        given = Fields(value, where)
        schema = given.integer("schema", 1)
        if schema > SCHEMA:
            raise UnsupportedError(
                f"{where}: a trial of schema {schema}, this version knows {SCHEMA}: install the "
                "version of edgecodec that sent it"
            )
        job = cls(
            given.text("source"),
            _digits(given.text("sha256"), 64, f"{where}: sha256"),
            _place(given.anything("scene"), f"{where}: scene"),
            _request(given.anything("request"), f"{where}: request"),
            Metric(given.text("metric", [each.value for each in Metric])),
            given.text("fingerprint"),
            given.text("version"),
        )
        given.end()
        return job


def title_of(request: Request) -> TitleFile | None:
    """The title weights that a request needs."""
    trial = request.trial
    return trial.title if isinstance(trial, StandardTrial) else None


def with_title_at(request: Request, path: Path) -> Request:
    """The same request with its title weights in that file."""
    trial = request.trial
    if not isinstance(trial, StandardTrial) or trial.title is None:
        return request
    return replace(request, trial=replace(trial, title=replace(trial.title, path=path)))


def title_name(digest: str) -> str:
    """Where title weights of that SHA-256 lie in a media store."""
    return f"{_TITLES}/{digest}.title"


def trial_name(key: str) -> str:
    """Where the trial of that key lies in a media store."""
    return f"{_TRIALS}/{trial_file(key)}"


def trial_id(key: str, remade: int = 0) -> str:
    """The id of the job that makes the trial of that key, for the first time or once more."""
    again = f"-{remade}" if remade else ""
    return f"trial-{hashlib.sha256(key.encode()).hexdigest()[:32]}{again}"


def own_version() -> str:
    """The version of this package, as people call it."""
    try:
        return version("edgecodec")
    except PackageNotFoundError:
        return "of a checkout"


def _trial_to_dict(trial: Trial) -> dict[str, Any]:
    if isinstance(trial, StandardTrial):
        title = trial.title
        return {
            "kind": "standard",
            "codec": trial.codec.name.lower(),
            "bit_depth": trial.bit_depth,
            "preset": trial.preset,
            "upsampling": trial.upsampling.name.lower(),
            "enhancer": trial.enhancer,
            "adapt": trial.adapt.value,
            "title": title and {"digest": title.digest, "number": title.number},
        }
    if isinstance(trial, LatentTrial):
        return {
            "kind": "latent",
            "strategy": trial.strategy.name.lower(),
            "tier": trial.tier,
            "device": trial.device,
            "effort": trial.effort.value,
            "tune": trial.tune.value,
            "adapt": trial.adapt.value,
        }
    if isinstance(trial, ProceduralTrial):
        return {
            "kind": "procedural",
            "codec": trial.codec.name.lower(),
            "preset": trial.preset,
        }
    raise UnsupportedError(f"{trial.name}: trials of this kind cannot be sent to workers")


def _request(value: object, where: str) -> Request:
    given = Fields(value, where)
    trial = _trial(given.anything("trial"), f"{where}: trial")
    setting, head = given.number("setting"), given.optional_integer("head", 1)
    given.end()
    lowest, highest = trial.settings
    if not lowest <= setting <= highest:
        raise UnsupportedError(
            f"{where}: setting is {setting}, but {trial.name} has {lowest:g} to {highest:g}"
        )
    return Request(trial, setting, head)


def _trial(value: object, where: str) -> Trial:
    given = Fields(value, where)
    kind = given.text("kind", ("standard", "latent", "procedural"))
    trial: Trial
    if kind == "standard":
        trial = StandardTrial(
            Codec[given.text("codec", _names(Codec)).upper()],
            given.integer("bit_depth", 8),
            _preset(given, where),
            Upsampling[given.text("upsampling", _names(Upsampling)).upper()],
            given.text("enhancer"),
            Adaptation(given.text("adapt", [each.value for each in Adaptation])),
            _title(given.anything("title"), f"{where}: title"),
        )
    elif kind == "latent":
        trial = LatentTrial(
            StrategyId[given.text("strategy", [each.name.lower() for each in _LATENTS]).upper()],
            given.text("tier"),
            given.text("device", ("cpu", "cuda")),
            Effort(given.text("effort", [each.value for each in Effort])),
            Metric(given.text("tune", [each.value for each in Metric])),
            Adaptation(given.text("adapt", [each.value for each in Adaptation])),
        )
    else:
        trial = ProceduralTrial(
            Codec[given.text("codec", _names(Codec)).upper()], _preset(given, where)
        )
    given.end()
    return trial


def _preset(given: Fields, where: str) -> str | None:
    """A name that codecs may know, which can be nothing but a name."""
    preset = given.optional_text("preset")
    if preset is not None and not _PRESET.fullmatch(preset):
        raise UnsupportedError(f"{where}: preset is {preset!r:.80}, but must be a plain name")
    return preset


def _title(value: object, where: str) -> TitleFile | None:
    if value is None:
        return None
    given = Fields(value, where)
    digest = _digits(given.text("digest"), 64, f"{where}: digest")
    title = TitleFile(Path(title_name(digest)), digest, given.integer("number"))
    given.end()
    return title


def _place_to_dict(place: ScenePlace) -> dict[str, Any]:
    return {
        "digest": place.digest,
        "index": place.index,
        "start": place.start,
        "pts": list(place.pts),
        "format": {each.name: getattr(place.format, each.name) for each in fields(PictureFormat)},
        "frame_rate": str(place.frame_rate),
        "color": {each.name: getattr(place.color, each.name) for each in fields(ColorInfo)},
    }


def _place(value: object, where: str) -> ScenePlace:
    given = Fields(value, where)
    place = ScenePlace(
        _digits(given.text("digest"), 40, f"{where}: digest"),
        given.integer("index"),
        given.integer("start"),
        _pts(given.items("pts"), f"{where}: pts"),
        _format(given.anything("format"), f"{where}: format"),
        _rate(given.text("frame_rate"), f"{where}: frame_rate"),
        _color(given.anything("color"), f"{where}: color"),
    )
    given.end()
    return place


def _format(value: object, where: str) -> PictureFormat:
    given = Fields(value, where)
    made = PictureFormat(
        given.integer("width", 1), given.integer("height", 1), given.integer("bit_depth", 8)
    )
    given.end()
    if max(made.width, made.height) > _LARGEST_SIDE or made.bit_depth not in (8, 10):
        raise UnsupportedError(f"{where}: {made} is no picture that this version codes")
    return made


def _color(value: object, where: str) -> ColorInfo:
    given = Fields(value, where)
    numbers = [given.integer(name) for name in ("primaries", "transfer", "matrix")]
    full_range = given.anything("full_range")
    given.end()
    if not isinstance(full_range, bool):
        raise UnsupportedError(
            f"{where}: full_range is {full_range!r:.80}, but must be true or false"
        )
    return ColorInfo(numbers[0], numbers[1], numbers[2], full_range)


def _rate(text: str, where: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise UnsupportedError(f"{where}: {text!r:.80} is no fraction above 0, like 30000/1001")
    return rate


def _pts(values: list[Any], where: str) -> tuple[int, ...]:
    whole = all(isinstance(each, int) and not isinstance(each, bool) for each in values)
    if not values or not whole or sorted(set(values)) != values:
        raise UnsupportedError(f"{where}: these are not rising whole numbers, at least one")
    return tuple(values)


def _digits(text: str, count: int, where: str) -> str:
    if len(text) != count or set(text) - _HEX:
        raise UnsupportedError(f"{where}: {text!r:.80} is not of {count} hexadecimal digits")
    return text


def _names(kind: type[Codec] | type[Upsampling]) -> list[str]:
    return [each.name.lower() for each in kind]
