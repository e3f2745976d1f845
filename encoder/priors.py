"""Which priors code the frames of a tier, and by which tables they move."""

from __future__ import annotations

from collections.abc import Mapping

from ..runtime.errors import ModelError
from ..runtime.motion_tables import MotionTables, packaged_motion
from ..runtime.moved_frames import suits_motion
from ..runtime.payloads import FrameKind
from ..runtime.prior import KIND_LETTERS, Prior, packaged_priors
from .targets import Metric

HELD_LETTER = "h"
DETAIL_LETTER = "d"
I_LETTERS = {Metric.PSNR: KIND_LETTERS[FrameKind.I], Metric.SSIM: "s"}
"""Of I-frames' priors, by the measure that their analysis network was trained by."""
Priors = Mapping[FrameKind, Prior]
"""By the kind of frames that each codes; kinds without one have explicit scales."""


def tier_priors(tier: str, tune: Metric = Metric.PSNR) -> Priors:
    """The installed priors of a tier, for latents that are optimised for `tune`. ModelError if one
    of any tier is damaged."""
    named = packaged_priors()
    names = {kind: f"{tier}-{KIND_LETTERS[kind]}" for kind in FrameKind}
    names[FrameKind.I] = f"{tier}-{I_LETTERS[tune]}"
    return {kind: named[name] for kind, name in names.items() if name in named}


def tier_motion(tier: str, priors: Priors) -> MotionTables | None:
    """The installed tables by which a tier's C and B frames move; None if they do not, but are
    coded by the symbols of the frame before. ModelError if a prior of theirs needs tables that are
    not there."""
    prior = priors.get(FrameKind.C)
    if prior is None or prior.shape.is_gated:
        return None
    tables = packaged_motion().get(tier)
    for kind in (FrameKind.C, FrameKind.B):
        prior = priors.get(kind)
        if prior is not None and (tables is None or not suits_motion(prior, tables)):
            raise ModelError(
                f"prior {prior.prior_id} of tier {tier}'s {kind.name} frames needs motion tables "
                f"of {prior.channels} channels: fit them with edgecodec.encoder.training.motion"
            )
    return tables


def held_prior(tier: str) -> Prior | None:
    """The installed prior that continues frames by the symbols of the frame before, for a tier
    whose frames otherwise move; None if there is none."""
    return packaged_priors().get(f"{tier}-{HELD_LETTER}")


def detail_prior(tier: str) -> Prior | None:
    """The installed prior that codes what a tier's I-frame decoder does not draw; None if there is
    none."""
    return packaged_priors().get(f"{tier}-{DETAIL_LETTER}")


def coded_detail(tier: str, tune: Metric) -> Prior | None:
    """The same where latents are optimised for `tune`: detail is chosen by squared errors, so there
    is none for other measures."""
    return detail_prior(tier) if tune is Metric.PSNR else None
