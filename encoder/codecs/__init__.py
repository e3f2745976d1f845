"""The standard codecs that code base layers, all behind one interface."""

from __future__ import annotations

from ...runtime.container import Codec
from ._base import BaseEncoder, BaseSettings
from .svtav1 import SvtAv1
from .vvenc import VVenC
from .x264 import X264
from .x265 import X265

__all__ = ["BaseEncoder", "BaseSettings", "encoder_for", "encoders"]


def encoders() -> dict[Codec, BaseEncoder]:
    """One encoder for each standard codec."""
    every: tuple[BaseEncoder, ...] = (SvtAv1(), X265(), X264(), VVenC())
    return {encoder.codec: encoder for encoder in every}


def encoder_for(codec: Codec) -> BaseEncoder:
    """The encoder of one codec."""
    return encoders()[codec]
