"""Filters of scenes in latents: fitted to what the networks have drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..runtime.frames import PictureFormat, Planes
from ..runtime.scene_filter import SceneFilter
from ..runtime.scenes import filtered_frames, in_quarters
from .filter_search import search_filter
from .filter_statistics import gather
from .quality import psnr


def fit_filter(
    sources: Sequence[Planes], drawn: Sequence[Planes], picture: PictureFormat, bits: int
) -> SceneFilter | None:
    """The filter for frames of 8 bits that were drawn from so many `bits`, all in display order;
    None where none is worth its own."""
    scores = [psnr(*pair, picture.bit_depth) for pair in zip(sources, drawn, strict=True)]
    known = gather(sources, iter(drawn), scores, picture.bit_depth, in_quarters)
    return search_filter(known, bits)


def apply_filter(
    drawn: Sequence[Planes], own: SceneFilter, picture: PictureFormat
) -> Iterator[Planes]:
    """Those frames as players show them. One that was given may be replaced in `drawn`."""
    return filtered_frames(iter(drawn), own, picture, in_quarters, count=len(drawn))
