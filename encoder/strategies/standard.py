"""`classical` and `hybrid_semantic`: one standard-codec encode serves both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import product

from ...runtime.base import decode_base
from ...runtime.chunks import Codec, StrategyId
from ...runtime.container import Limits
from ...runtime.frames import Planes
from ...runtime.payloads import ALL_PLANES, BaseStream, ClassicalBody, HybridBody
from ...runtime.scene_code import SceneCode
from ...runtime.scene_filter import SceneFilter
from ...runtime.scenes import deep_base, enhance, filtered_frames, full_size, residuals
from ...runtime.upsample import Upsampling
from ..adaptation import Adaptation, TitleFile
from ..code_crops import CropSampler
from ..codecs import BaseSettings, encoder_for
from ..downscale import downscale, half_size
from ..filter_search import search_filter
from ..filter_statistics import (
    PlaneStatistics,
    chosen_frames,
    gather,
)
from ..fingerprint import fingerprint
from ..quality import PlanePsnr, psnr
from ..resources import Resources
from ..scene import Scene
from ._base import Candidate, candidate, frame_psnr

# Settings of about the same slope of quality over bits, and how far the setting goes for half the
# bits: where searches start that measure for themselves.
_USUAL = {Codec.AV1: 45.0, Codec.H265: 30.0, Codec.H264: 33.0, Codec.VVC: 29.0}
_OCTAVE = {Codec.AV1: 10.0, Codec.H265: 6.0, Codec.H264: 6.0, Codec.VVC: 5.5}
# Choices of Y, U and V: all of them first.
_PLANES = tuple((y, u, v) for y, u, v in product((True, False), repeat=3) if y or u or v)
# A base of a quarter of the samples needs so many octaves more of its own for the same bits.
_HALF_OCTAVES = 1.0


@dataclass(frozen=True)
class StandardTrial:
    """A scene in one standard codec, and the same with a network where it helps.

    `bit_depth` is that of the coded layer, at least the video's. `preset` is the encoder's own
    name of a speed. With `upsampling` the layer has half the width and half the height. `enhancer`
    is the model id of the network that mends a layer of that size, "" for `classical` candidates
    only; it runs with the weights of `title` where there are some. Filters and codes are searched
    for the scene at every setting, where `adapt` has them.
    """

    codec: Codec
    bit_depth: int
    preset: str | None = None
    upsampling: Upsampling = Upsampling.NONE
    enhancer: str = ""
    adapt: Adaptation = Adaptation.NONE
    title: TitleFile | None = None

    @property
    def name(self) -> str:
        """See `Trial.name`."""
        half = "" if self.upsampling is Upsampling.NONE else " half"
        own = "" if self.title is None else " title"
        return f"{self.codec.name.lower()} {self.bit_depth}-bit{half}{own}"

    @property
    def settings(self) -> tuple[float, float]:
        """See `Trial.settings`."""
        return encoder_for(self.codec).quantizer_range

    @property
    def usual_setting(self) -> float:
        """See `Trial.usual_setting`."""
        usual = _USUAL[self.codec]
        if self.upsampling is Upsampling.NONE:
            return usual
        return usual - _HALF_OCTAVES * self.settings_per_octave

    @property
    def settings_per_octave(self) -> float:
        """See `Trial.settings_per_octave`."""
        return _OCTAVE[self.codec]

    def encode(self, scene: Scene, setting: float, resources: Resources) -> tuple[Candidate, ...]:
        """The `classical` candidate, and that with a filter where one pays; with an enhancer the
        `hybrid_semantic` one, and that with a code if it is better."""
        base = self._base(scene, setting, resources)
        layer = _Layer(scene, base, self.upsampling, resources.threads)
        simple = ClassicalBody(base, self.upsampling)
        if not (self.enhancer or self.adapt.filters):
            return (self._made(scene, setting, simple, frame_psnr(scene, layer.shown())),)
        plain = layer.plain()
        made = [self._made(scene, setting, simple, _weighted(plain))]
        if self.adapt.filters:
            made += self._filtered(layer, setting, plain, made[0].bits)
        if self.enhancer:
            made += self._mended(layer, setting, plain, made[0].bits, resources)
        return tuple(made)

    def _filtered(
        self, layer: _Layer, setting: float, plain: Sequence[PlanePsnr], bits: int
    ) -> list[Candidate]:
        """The `classical` candidate with a filter; none if there is none that is worth its bits."""
        own = search_filter(layer.statistics(plain), bits)
        if own is None:
            return []
        body = ClassicalBody(layer.stream, self.upsampling, own)
        return [self._made(layer.scene, setting, body, _weighted(layer.filtered(own)))]

    def _mended(
        self,
        layer: _Layer,
        setting: float,
        plain: Sequence[PlanePsnr],
        bits: int,
        resources: Resources,
    ) -> list[Candidate]:
        """The `hybrid_semantic` candidates."""
        scene = layer.scene
        mender = _Mender(layer, self.enhancer, self.title, resources)
        own, without = self._fitted(mender, plain, bits)
        sampler: CropSampler | None = None
        frames = layer.deep()
        if self.adapt.codes:
            device = resources.device_network(self.enhancer, self.title)
            sampler = CropSampler(scene, layer.stream, self.upsampling, halo=len(device.body))
            frames = sampler.watch(frames)
        tried = mender.tried(frames, own)
        made = [self._made(scene, setting, *mender.where_better(tried, without, own))]
        if sampler is not None:
            # torch takes seconds to load, and where no code is searched nothing needs it.
            from ..code_search import search_code

            code = search_code(device, sampler.crops, plain, made[0].bits)
            if code is not None:
                # The other was fitted to what the network adds without the code.
                own, without = self._fitted(mender, plain, bits, code)
                tried = mender.tried(layer.deep(), own, code)
                body, scores = mender.where_better(tried, without, own, code)
                coded = self._made(scene, setting, body, scores)
                made += [coded] if coded.psnr > made[0].psnr else []
        return made

    def _fitted(
        self,
        mender: _Mender,
        plain: Sequence[PlanePsnr],
        bits: int,
        code: SceneCode | None = None,
    ) -> tuple[SceneFilter | None, Sequence[PlanePsnr]]:
        """The filter for what the network adds with that code, and what frames score with it
        alone; None, and what they score as they are, where there is none."""
        if not self.adapt.filters:
            return None, plain
        layer = mender.layer
        own = search_filter(layer.statistics(plain, mender.residuals(code)), bits)
        return own, plain if own is None else layer.filtered(own)

    def _base(self, scene: Scene, setting: float, resources: Resources) -> BaseStream:
        """The coded layer, from the store where trials of the same codec and setting share it."""

        def encoded() -> BaseStream:
            return self._encoded(scene, setting, resources.threads)

        if resources.bases is None or not scene.digest:
            return encoded()
        made_of = (self.codec, self.bit_depth, self.preset, self.upsampling, setting)
        key = repr((scene.digest, made_of, fingerprint()))
        return resources.bases.get(key, len(scene.frames), encoded)

    def _encoded(self, scene: Scene, setting: float, threads: int) -> BaseStream:
        frames, picture = scene.frames, scene.format
        if self.upsampling is not Upsampling.NONE:
            picture = half_size(scene.format)
            frames = tuple(downscale(planes, scene.format) for planes in scene.frames)
        settings = BaseSettings(
            crf=setting,
            format=picture,
            frame_rate=scene.frame_rate,
            color=scene.color,
            bit_depth=self.bit_depth,
            preset=self.preset,
            threads=threads,
        )
        return encoder_for(self.codec).encode(frames, settings)

    def _made(
        self,
        scene: Scene,
        setting: float,
        body: ClassicalBody | HybridBody,
        frame_psnr: Sequence[float],
    ) -> Candidate:
        hybrid = isinstance(body, HybridBody)
        strategy = StrategyId.HYBRID_SEMANTIC if hybrid else StrategyId.CLASSICAL
        return candidate(scene, strategy, self.codec, self.name, setting, body, frame_psnr)


@dataclass(frozen=True)
class _Layer:
    """A scene's coded layer."""

    scene: Scene
    stream: BaseStream
    upsampling: Upsampling
    threads: int

    def shown(self) -> Iterator[Planes]:
        """The frames as `classical` shows them."""
        return decode_base(
            self.stream,
            self.scene.format,
            frames=len(self.scene.frames),
            threads=self.threads,
            max_pixels=Limits().max_pixels,
            upsampling=self.upsampling,
        )

    def deep(self) -> Iterator[Planes]:
        """The frames as they are coded."""
        return deep_base(
            self.stream,
            self.scene.format,
            self.upsampling,
            frames=len(self.scene.frames),
            threads=self.threads,
            max_pixels=Limits().max_pixels,
        )

    def plain(self) -> list[PlanePsnr]:
        """What each frame scores as it is."""
        return self.scores(self.shown())

    def filtered(self, own: SceneFilter) -> list[PlanePsnr]:
        """What each frame scores with a filter."""
        frames = filtered_frames(
            self.deep(),
            own,
            self.scene.format,
            self._full_size,
            count=len(self.scene.frames),
            threads=self.threads,
        )
        return self.scores(frames)

    def _full_size(self, planes: Planes) -> Planes:
        return full_size(planes, self.stream, self.upsampling, self.scene.format)

    def scores(self, frames: Iterator[Planes]) -> list[PlanePsnr]:
        """What frames score against the scene's."""
        depth = self.scene.format.bit_depth
        pairs = zip(self.scene.frames, frames, strict=True)
        return [psnr(source, planes, depth) for source, planes in pairs]

    def statistics(
        self, plain: Sequence[PlanePsnr], residuals: Mapping[int, Planes] | None = None
    ) -> tuple[PlaneStatistics, ...]:
        """What a filter is fitted to, that of frames to which a network adds `residuals`."""
        depth = self.scene.format.bit_depth
        return gather(self.scene.frames, self.deep(), plain, depth, self._full_size, residuals)


@dataclass(frozen=True)
class _Mender:
    """A layer and the network that mends it."""

    layer: _Layer
    enhancer: str
    title: TitleFile | None
    resources: Resources

    def residuals(self, code: SceneCode | None = None) -> dict[int, Planes]:
        """What the network adds to the frames that filters are fitted to."""
        scene = self.layer.scene
        wanted = chosen_frames(len(scene.frames))
        return dict(
            residuals(
                self.layer.deep(),
                [number in wanted for number in range(len(scene.frames))],
                self.layer.stream,
                scene.format,
                self.resources.network(self.enhancer, self.title),
                upsampling=self.layer.upsampling,
                code=code,
            )
        )

    def tried(
        self, deep: Iterator[Planes], own: SceneFilter | None, code: SceneCode | None = None
    ) -> list[PlanePsnr]:
        """What each frame of the layer scores, all of them mended."""
        scene = self.layer.scene
        frames = enhance(
            deep,
            (True,) * len(scene.frames),
            self.layer.stream,
            scene.format,
            self.resources.network(self.enhancer, self.title),
            upsampling=self.layer.upsampling,
            code=code,
            filter=own,
            threads=self.layer.threads,
        )
        return self.layer.scores(frames)

    def where_better(
        self,
        tried: Sequence[PlanePsnr],
        without: Sequence[PlanePsnr],
        own: SceneFilter | None,
        code: SceneCode | None = None,
    ) -> tuple[HybridBody, list[float]]:
        """The scene with those planes and those frames mended that gain over what they score
        `without`, and what its frames score."""
        plain = _weighted(without)
        best = plain
        planes = ALL_PLANES
        for wanted in _PLANES:
            pairs = zip(tried, without, strict=True)
            mixed = [_mixed(mended, as_it_was, wanted) for mended, as_it_was in pairs]
            scores = [max(pair) for pair in zip(mixed, plain, strict=True)]
            # All of them unless fewer are better.
            if sum(scores) > sum(best):
                best, planes = scores, wanted
        body = HybridBody(
            self.layer.stream,
            self.enhancer,
            tuple(after > before for after, before in zip(best, plain, strict=True)),
            scene_code=code,
            upsampling=self.layer.upsampling,
            title=None if self.title is None else self.title.number,
            planes=planes,
            filter=own,
        )
        return body, best


def _weighted(scores: Sequence[PlanePsnr]) -> list[float]:
    return [each.weighted for each in scores]


def _mixed(mended: PlanePsnr, plain: PlanePsnr, planes: tuple[bool, bool, bool]) -> float:
    y, u, v = (
        after if wanted else before
        for after, before, wanted in zip(astuple(mended), astuple(plain), planes, strict=True)
    )
    return PlanePsnr(y, u, v).weighted
