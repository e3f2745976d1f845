"""Which priors code the frames of a tier."""

from __future__ import annotations

from collections.abc import Mapping

from ..runtime.payloads import FrameKind
from ..runtime.prior import KIND_LETTERS, Prior, packaged_priors

Priors = Mapping[FrameKind, Prior]
"""By the kind of frames that each codes; kinds without one have explicit scales."""


def tier_priors(tier: str) -> Priors:
    """The installed priors of a tier. ModelError if one of any tier is damaged."""
    named = packaged_priors()
    names = {kind: f"{tier}-{KIND_LETTERS[kind]}" for kind in FrameKind}
    return {kind: named[name] for kind, name in names.items() if name in named}
