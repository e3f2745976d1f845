"""Results without encoding: a model of how settings turn into figures, for designers to explore."""

from __future__ import annotations

from dataclasses import replace

from edgecodec.orchestrator.design import Trial
from edgecodec.orchestrator.records import ClipResult, EncodeSettings, Result, TargetSpec

# Octaves of bitrate at equal quality, against AV1.
_CODECS = {"av1": 0.0, "h264": 0.8, "h265": 0.4, "vvc": -0.15}
_EFFORTS = {"fast": 0.2, "normal": 0.0, "high": -0.08}
_TIERS = {"nano": 0.01, "edge": 0.05, "max": 0.1}

CLIP = ClipResult(
    clip="film.mp4",
    frames=30,
    duration_s=1.0,
    bytes=125_000,
    bitrate_mbps=1.0,
    psnr=40.0,
    ssim=0.97,
    ms_ssim=0.98,
    vmaf=None,
    encode_fps=1.0,
    decode_fps=60.0,
    strategies={"classical": 30},
    tops_per_frame=0.0,
    verdict="pass",
    device_ms=None,
)


def made_result(**figures: object) -> Result:
    """A result of one clip with these figures."""
    return Result("0" * 32, (replace(CLIP, **figures),), 10.0, "worker", {})  # type: ignore[arg-type]


def made_settings(value: float = 50.0, kind: str = "quality", **others: object) -> EncodeSettings:
    return EncodeSettings(TargetSpec(kind, value), **others)  # type: ignore[arg-type]


def encoded(settings: EncodeSettings) -> Trial:
    """What the model says of settings; their target is a quality or a PSNR."""
    value = settings.target.value
    psnr = 30 + 0.2 * value if settings.target.kind == "quality" else value - 0.02
    networks = settings.strategies != ("classical",)
    octaves = (psnr - 38) / 3 + _EFFORTS[settings.effort]
    octaves += min(_CODECS[each] for each in settings.codecs) - 0.1 * networks
    return Trial(
        settings,
        made_result(
            bitrate_mbps=2**octaves,
            psnr=psnr,
            tops_per_frame=_TIERS[settings.tier] if networks else 0.0,
        ),
    )
