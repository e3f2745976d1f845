"""Which trials a scene goes through, and when one is given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..runtime.chunks import Codec, StrategyId
from ..runtime.errors import ModelError, ProviderError, UnsupportedError
from ..runtime.frames import PictureFormat
from ..runtime.models import packaged_models, read_models
from ..runtime.sessions import Network, NetworkPool
from .choose import trade
from .codecs import encoder_for
from .scene import Scene
from .search import Aim, BitsAim, PsnrAim, ShareAim, search
from .strategies import Candidate, StandardTrial, Trial
from .targets import BitrateTarget, PsnrTarget, Target

# A way of coding that is this far behind at its first try does not catch up at its second.
_HOPELESS_DB = 1.0
_PROBE_FRAMES = 9
_STRATEGIES = {
    "classical": StrategyId.CLASSICAL,
    "hybrid_semantic": StrategyId.HYBRID_SEMANTIC,
    "semantic_latent": StrategyId.SEMANTIC_LATENT,
    "i_frame_interpolation": StrategyId.I_FRAME_INTERPOLATION,
}
_LATENT = (StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION)


@dataclass
class Plan:
    """The trials of an encode, cheap and promising ones first, and where the last scene ended.

    `standard` are followed to the aim unless they fall behind; `latent` are first tried on the
    head of a scene. `notes` say what was left out of the whole encode, and why.
    """

    wanted: frozenset[StrategyId]
    standard: tuple[Trial, ...]
    latent: tuple[Trial, ...]
    notes: tuple[str, ...] = ()
    last_settings: dict[str, int] = field(default_factory=dict)

    def candidates(self, scene: Scene, target: Target) -> tuple[list[Candidate], list[str]]:
        """All that was encoded of a scene, and what was given up on the way."""
        aim = _aim(target, scene)
        made: list[Candidate] = []
        skipped = list(self.notes)
        for trial in self.standard:
            made += self._followed(trial, scene, aim, made, skipped)
        for trial in self.latent:
            if not made or self._worth_it(trial, scene, made, skipped):
                made += self._followed(trial, scene, aim, made, skipped)
        return [each for each in made if each.strategy in self.wanted], skipped

    def remember(self, made: Sequence[Candidate]) -> None:
        """Go on from a scene of an earlier run as if these candidates had been made in this one."""
        for each in made:
            self.last_settings[each.trial_name] = each.setting

    def _followed(
        self,
        trial: Trial,
        scene: Scene,
        aim: Aim,
        rivals: Sequence[Candidate],
        skipped: list[str],
    ) -> list[Candidate]:
        best = max(map(trade, rivals), default=None)

        def worth_going_on(latest: Sequence[Candidate]) -> bool:
            behind = 0.0 if best is None else best - max(map(trade, latest))
            if behind > _HOPELESS_DB:
                skipped.append(f"{trial.name}: {behind:.1f} dB behind at its first try")
            return behind <= _HOPELESS_DB

        begin = self.last_settings.get(trial.name, self._like(rivals, trial))
        made = search(trial, scene, aim, begin, worth_going_on)
        if made:
            self.last_settings[trial.name] = made[-1].setting
        return made

    def _like(self, rivals: Sequence[Candidate], trial: Trial) -> int | None:
        """The setting at which `trial` should need as many bits as the last of `rivals`."""
        for other in self.standard:
            if rivals and other.name == rivals[-1].trial_name:
                octaves = (rivals[-1].setting - other.usual_setting) / other.settings_per_octave
                return round(trial.usual_setting + octaves * trial.settings_per_octave)
        return None

    def _worth_it(
        self, trial: Trial, scene: Scene, rivals: Sequence[Candidate], skipped: list[str]
    ) -> bool:
        """Whether a costly trial holds its own on the scene's head against the best so far."""
        best = max(rivals, key=trade)
        every = (*self.standard, *self.latent)
        rival = next(each for each in every if each.name == best.trial_name)
        head = scene.head(_PROBE_FRAMES)
        reference = max(rival.encode(head, best.setting), key=trade)
        probes = search(trial, head, BitsAim(reference.bits), self.last_settings.get(trial.name))
        behind = trade(reference) - max(map(trade, probes))
        if behind > _HOPELESS_DB:
            count = len(head.frames)
            skipped.append(f"{trial.name}: {behind:.1f} dB behind on its first {count} frames")
        return behind <= _HOPELESS_DB


def make_plan(
    strategy: str,
    codecs: Sequence[Codec],
    tier: str,
    device: str,
    threads: int,
    picture: PictureFormat,
) -> Plan:
    """The plan for an encode.

    Raises UnsupportedError for an unknown strategy or one that cannot code `picture`, ModelError
    if it needs networks that are not there, ProviderError if `device` is not there.
    """
    if strategy != "auto" and strategy not in _STRATEGIES:
        known = ", ".join(("auto", *_STRATEGIES))
        raise UnsupportedError(f"unknown strategy {strategy!r}: choose one of {known}")
    automatic = strategy == "auto"
    wanted = frozenset(_STRATEGIES.values() if automatic else [_STRATEGIES[strategy]])
    notes: list[str] = []
    neural = wanted - {StrategyId.CLASSICAL}
    if neural and picture.bit_depth != 8:
        problem = f"networks take 8 bits a sample, the source has {picture.bit_depth}"
        if not automatic:
            raise UnsupportedError(f"{strategy}: {problem}; choose --strategy classical")
        wanted, neural = wanted - neural, frozenset()
        notes.append(f"all but classical: {problem}")
    pool = NetworkPool("auto", threads)
    enhancer: Network | None = None
    latent: tuple[Trial, ...] = ()
    try:
        if StrategyId.HYBRID_SEMANTIC in neural:
            enhancer = pool.network(read_models(packaged_models(tier)).network("enhancer").model_id)
        if neural & frozenset(_LATENT):
            latent = _latent_trials(tier, device, pool, [s for s in _LATENT if s in wanted])
    except ModelError as error:
        if not automatic:
            raise
        notes.append(str(error))
    standard: tuple[Trial, ...] = ()
    if wanted & {StrategyId.CLASSICAL, StrategyId.HYBRID_SEMANTIC}:
        standard = tuple(StandardTrial(encoder_for(codec), enhancer, threads) for codec in codecs)
    if not standard and not latent:
        raise UnsupportedError(f"{strategy}: no standard codec is allowed, and it needs one")
    return Plan(wanted, standard, latent, tuple(notes))


def _latent_trials(
    tier: str, device: str, pool: NetworkPool, strategies: Sequence[StrategyId]
) -> tuple[Trial, ...]:
    """torch is loaded only where it is needed."""
    try:
        import torch

        from .strategies.latent import LatentCoder, LatentTrial
    except ImportError as error:
        raise ModelError(
            f"latents need torch: pip install 'edgecodec[encoder]' ({error})"
        ) from error
    if device == "cuda" and not torch.cuda.is_available():
        raise ProviderError("no CUDA device: see edgecodec doctor, or use --device cpu")
    if threads := pool.threads:
        torch.set_num_threads(threads)
    coder = LatentCoder(tier, device, pool)
    return tuple(LatentTrial(coder, strategy) for strategy in strategies)


def _aim(target: Target, scene: Scene) -> Aim:
    if isinstance(target, BitrateTarget):
        return BitsAim(target.bits_per_second * scene.duration_s)
    if isinstance(target, PsnrTarget):
        return PsnrAim(target.db)
    return ShareAim(target.quality / 100)
