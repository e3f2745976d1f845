"""`--for-device`: what a device plays of the codecs and strategies that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ..profiles import Playable
    from ..runtime.chunks import Codec, StrategyId

_OPTION = "'--for-device'"


def fit_to_device(
    name: str, source: Path, codecs: Sequence[Codec], strategies: Sequence[StrategyId], tier: str
) -> Playable:
    """What device `name` plays of the video `source`; a usage error where that is nothing."""
    from ..encoder.media import open_source
    from ..profiles import FrameSize, Video, load_device, playable
    from ..runtime.models import packaged_models, packaged_tiers

    device = load_device(name)
    with open_source(source) as opened:
        picture, rate = opened.info.format, opened.info.frame_rate
    video = Video(FrameSize(picture.width, picture.height), float(rate), picture.bit_depth)
    models = packaged_models(tier) if tier in packaged_tiers() else None
    fit = playable(device, video, codecs, strategies, models)
    if not fit.codecs:
        decoders = (device.hardware_decode, device.software_decode)
        able = "; ".join(str(decoder) for decoder in decoders if decoder)
        asked = ", ".join(codec.name.lower() for codec in codecs)
        raise typer.BadParameter(
            f"{device.name} decodes {able}: none of {asked} for {video}", param_hint=_OPTION
        )
    if not fit.strategies:
        raise typer.BadParameter("; ".join(fit.notes), param_hint=_OPTION)
    return fit
