"""The ways to code a scene, each behind the `Trial` interface."""

from ._base import Candidate, Trial, candidate, frame_psnr
from .standard import StandardTrial

__all__ = ["Candidate", "StandardTrial", "Trial", "candidate", "frame_psnr"]
