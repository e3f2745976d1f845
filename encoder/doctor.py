"""What encoding on this machine has to work with, and how to mend what is missing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from importlib.util import find_spec

from ..runtime.doctor import Check, Status

_INSTALL = "pip install 'edgecodec[encoder]'"
_ENCODERS = {"AV1": "libsvtav1", "H.265": "libx265", "H.264": "libx264"}


def checks() -> Iterator[Check]:
    """Every check of the encoding half, as each is done."""
    yield from _torch()
    yield from _standard_encoders()
    yield from _ffmpeg()
    yield from _shot_detection()
    yield from _weights()


def _torch() -> Iterator[Check]:
    if find_spec("torch") is None:
        yield Check("encode", "torch", Status.MISSING, "not installed", _INSTALL)
        return
    import torch

    yield Check("encode", "torch", Status.OK, torch.__version__)
    if torch.cuda.is_available():
        yield Check("encode", "GPU", Status.OK, torch.cuda.get_device_name())
    else:
        yield Check(
            "encode",
            "GPU",
            Status.WARN,
            "torch sees no CUDA device: encoding and training run on the CPU, slowly",
            "none needed to play; else an NVIDIA driver and a CUDA build of torch",
        )


def _standard_encoders() -> Iterator[Check]:
    import av

    for name, encoder in _ENCODERS.items():
        if encoder in av.codecs_available:
            yield Check("encode", f"{name} encoder", Status.OK, f"{encoder} in PyAV")
        else:
            yield Check(
                "encode",
                f"{name} encoder",
                Status.MISSING,
                f"PyAV {av.__version__} was built without {encoder}",
                "pip install --force-reinstall --only-binary av 'av>=18,<19'",
            )


def _ffmpeg() -> Iterator[Check]:
    if find_spec("imageio_ffmpeg") is None:
        yield Check("encode", "ffmpeg", Status.MISSING, "imageio-ffmpeg is missing", _INSTALL)
        return
    import imageio_ffmpeg

    mend = "pip install -U imageio-ffmpeg, and unset IMAGEIO_FFMPEG_EXE"
    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        version = _run(program, "-version").split("\n", 1)[0]
        encoders, filters = _run(program, "-encoders"), _run(program, "-filters")
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        yield Check("encode", "ffmpeg", Status.MISSING, f"does not run: {error}", mend)
        return
    yield Check("encode", "ffmpeg", Status.OK, " ".join(version.split()[:3]))
    for part, use, listing in (
        ("libvvenc", "encodes VVC", encoders),
        ("libvmaf", "measures VMAF", filters),
    ):
        if part in listing:
            yield Check("encode", part, Status.OK, f"in ffmpeg: {use}")
        else:
            yield Check("encode", part, Status.WARN, f"not in {program}: nothing {use}", mend)


def _run(program: str, option: str) -> str:
    command = [program, "-hide_banner", option]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def _shot_detection() -> Iterator[Check]:
    if find_spec("scenedetect") and find_spec("cv2"):
        yield Check("encode", "shot detection", Status.OK, "PySceneDetect")
    else:
        yield Check("encode", "shot detection", Status.MISSING, "no PySceneDetect", _INSTALL)


def _weights() -> Iterator[Check]:
    if find_spec("torch") is None or find_spec("safetensors") is None:
        return
    from ..decoder import TIERS, network_names, weights_path

    for tier in TIERS:
        names = network_names()
        absent = [name for name in names if not weights_path(name, tier).is_file()]
        if not absent:
            detail = ", ".join(names)
            yield Check("encode", f"weights, {tier}", Status.OK, detail)
        else:
            yield Check(
                "encode",
                f"weights, {tier}",
                Status.WARN,
                f"not trained: {', '.join(absent)}",
                "git pull, or train them (see docs)",
            )
