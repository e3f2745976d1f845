"""Qualities beyond those of latents. It is known without loading torch."""

from __future__ import annotations

from ..runtime.detail import QUALITIES

FIRST_QUALITY = 21
"""The quality of latents at whose price of a bit detail's coarsest step is right: a bit of it, at
`detail_coding.PRICE_OF_A_BIT` squared steps, costs as much there as one of latents. Both steps go
the same way from there, so detail of quality d belongs to a price of quality d + 21."""
FINEST_QUALITY = FIRST_QUALITY + QUALITIES - 1
"""The finest quality that is asked for: beyond 63 latents stay as they are, and detail goes on."""
