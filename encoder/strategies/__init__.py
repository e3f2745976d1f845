"""The ways to code a scene, each behind the `Trial` interface."""

from ._base import SETTING_STEP, Candidate, StoredBytes, Trial, candidate, chunk_bits, frame_psnr
from .latent_trial import LatentTrial
from .procedural import ProceduralTrial
from .standard import StandardTrial

__all__ = [
    "SETTING_STEP",
    "Candidate",
    "LatentTrial",
    "ProceduralTrial",
    "StandardTrial",
    "StoredBytes",
    "Trial",
    "candidate",
    "chunk_bits",
    "frame_psnr",
]
