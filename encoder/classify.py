"""The class of a scene: it says which ways of coding it are worth a trial first."""

from __future__ import annotations

from enum import Enum

from .features import SceneFeatures


class SceneClass(Enum):
    """What kind of picture a scene is."""

    TALKING_HEAD = "talking_head"
    """A face fills much of the picture."""
    SCREEN = "screen"
    """Text, slides and user interfaces, and whatever else stands nearly still."""
    SLOW = "slow"
    """Camera pictures with little motion."""
    FAST = "fast"
    """Camera pictures with much motion, or motion that prediction cannot follow."""
    ANIMATION = "animation"
    """Drawn or rendered pictures that move."""


# Set on clips of which docs/choice.md has the table.
_FROZEN, _STILL, _NEARLY_STILL = 0.97, 0.63, 0.93  # share of unchanged blocks
_DRAWN_PALETTE, _DRAWN_SHARP = 0.6, 0.15
_PAINTED_SATURATION = 8.0
_FACE = 0.08
_VIVID_SATURATION, _VIVID_HUES, _VIVID_FLAT = 21.0, 3.8, 0.02
_FAST_MOTION, _FAST_RESIDUAL = 0.15, 2.6


def classify(features: SceneFeatures) -> SceneClass:
    """The class of a scene, by rules: the first that holds."""
    if features.unchanged >= _FROZEN:
        return SceneClass.SCREEN
    if features.palette >= _DRAWN_PALETTE and features.sharp >= _DRAWN_SHARP:
        moving = features.saturation >= _PAINTED_SATURATION and not _is_still(features)
        return SceneClass.ANIMATION if moving or _is_vivid(features) else SceneClass.SCREEN
    if features.face >= _FACE:
        return SceneClass.TALKING_HEAD
    if _is_vivid(features):
        return SceneClass.ANIMATION
    if _is_still(features):
        return SceneClass.SCREEN
    return SceneClass.FAST if _is_fast(features) else SceneClass.SLOW


def _is_still(features: SceneFeatures) -> bool:
    return features.unchanged >= _STILL or features.nearly_unchanged >= _NEARLY_STILL


def _is_vivid(features: SceneFeatures) -> bool:
    """Rendered pictures have strong colours of several hues, and areas without any grain."""
    return (
        features.saturation >= _VIVID_SATURATION
        and features.hues >= _VIVID_HUES
        and features.flat >= _VIVID_FLAT
    )


def _is_fast(features: SceneFeatures) -> bool:
    motion = features.global_motion + features.local_motion
    return motion >= _FAST_MOTION or features.residual >= _FAST_RESIDUAL
