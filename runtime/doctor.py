"""What playing on this machine has to work with, and how to mend what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path

from .errors import ModelError
from .models import packaged_models, packaged_tiers, read_models
from .sessions import PROVIDERS

_LOW_DISK_BYTES = 1 << 30
_PROBE_SECONDS = 120
# FFmpeg's own "av1" decoder needs hardware; libdav1d decodes anywhere.
_DECODERS = {"AV1": "libdav1d", "H.265": "hevc", "H.264": "h264", "VVC": "vvc"}
_REINSTALL = "pip install --force-reinstall edgecodec, or `make` again in a checkout"
_PROVIDER_MENDS = {
    "cpu": "pip install --force-reinstall 'edgecodec[cpu]'",
    "cuda": "needs an NVIDIA driver and pip install 'edgecodec[cuda]'; cpu works without",
    "tensorrt": "needs an NVIDIA driver and pip install 'edgecodec[tensorrt]'; cpu works without",
    "openvino": "pip install --force-reinstall onnxruntime-openvino; cpu works without",
    "qnn": "pip install --force-reinstall 'edgecodec[qnn]'; cpu works without",
}


class Status(Enum):
    """How a check ended; `WARN`: something works less well, or one option is not there."""

    OK = "ok"
    WARN = "warn"
    MISSING = "missing"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    `area` is `decode` or `encode`, `mend` what to do where `status` is not `OK`, and `required`
    says that nothing decodes without it.
    """

    area: str
    name: str
    status: Status
    detail: str
    mend: str = ""
    required: bool = False


def checks(folder: Path) -> Iterator[Check]:
    """Every check of the decoding half, as each is done; `folder` is where output would go."""
    yield from _codecs()
    yield from _providers()
    yield from _models()
    yield _disk(folder)


def _codecs() -> Iterator[Check]:
    import av

    for name, decoder in _DECODERS.items():
        label = f"{name} decoder"
        try:
            av.CodecContext.create(decoder, "r").open()
        except (ValueError, av.FFmpegError) as error:
            yield Check(
                "decode",
                label,
                Status.MISSING,
                f"{decoder} in PyAV {av.__version__}: {error}",
                "pip install --force-reinstall --only-binary av 'av>=18,<19'",
                required=True,
            )
        else:
            detail = f"{decoder} in PyAV {av.__version__}"
            yield Check("decode", label, Status.OK, detail, required=True)


def _providers() -> Iterator[Check]:
    if find_spec("onnxruntime") is None:
        mend = "pip install 'edgecodec[cpu]', or [cuda], [tensorrt], [qnn]: one of them"
        detail = "not installed"
        yield Check("decode", "ONNX Runtime", Status.MISSING, detail, mend, required=True)
        return
    import onnxruntime

    yield Check("decode", "ONNX Runtime", Status.OK, onnxruntime.__version__, required=True)
    available = onnxruntime.get_available_providers()
    for name, provider in PROVIDERS.items():
        if provider in available:
            yield _provider(name, provider)
    if shutil.which("nvidia-smi") and PROVIDERS["cuda"] not in available:
        yield Check(
            "decode",
            "provider cuda",
            Status.WARN,
            "an NVIDIA driver is here, but this ONNX Runtime cannot use it",
            "in an environment of its own: pip install 'edgecodec[cuda]'",
        )


def _provider(name: str, provider: str) -> Check:
    """Whether `provider` really loads.

    A process of its own tries it: a provider's native libraries may print, hang or crash.
    """
    label, required, mend = f"provider {name}", name == "cpu", _PROVIDER_MENDS[name]
    command = [sys.executable, "-m", f"{__package__}.provider_probe", provider]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        detail = f"did not load within {_PROBE_SECONDS} s"
        return Check("decode", label, Status.MISSING, detail, mend, required)
    if done.returncode == 0:
        return Check("decode", label, Status.OK, f"{provider} loads and runs", required=required)
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    detail = f"{provider} is installed but does not load: {lines[-1]}"
    return Check("decode", label, Status.MISSING, detail, mend, required)


def _models() -> Iterator[Check]:
    tiers = packaged_tiers()
    if not tiers:
        detail = "no networks are installed"
        yield Check("decode", "networks", Status.MISSING, detail, _REINSTALL, required=True)
    for tier in tiers:
        name = f"networks, {tier}"
        try:
            networks = read_models(packaged_models(tier)).networks
            for network in networks:
                network.read()
                if network.template is not None:
                    network.template.read()
        except ModelError as error:
            yield Check("decode", name, Status.MISSING, str(error), _REINSTALL, required=True)
        else:
            detail = ", ".join(network.name for network in networks)
            yield Check("decode", name, Status.OK, detail, required=True)


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free in {folder}"
    if free < _LOW_DISK_BYTES:
        return Check("decode", "disk", Status.WARN, detail, "free some: an encode needs about 1 GB")
    return Check("decode", "disk", Status.OK, detail)
