"""What a trial's result depends on beside the scene, the trial and its setting."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_OURS = Path(__file__).parent
# The code that encodes and that decodes again, and the networks. (Found beside this package: the
# folders are siblings, in a checkout and where it is installed.)
_SOURCES = (
    "strategies",
    "codecs",
    "programs",
    "weights",
    "../runtime",
    "../runtime/motions",
    "../runtime/priors",
    "../runtime/scenes",
)
_MODULES = (
    "analysis.py",
    "analysis_weights.py",
    "between_coding.py",
    "cell_costs.py",
    "code_crops.py",
    "code_search.py",
    "curves.py",
    "device_network.py",
    "detail_coding.py",
    "detail_quality.py",
    "downscale.py",
    "filter_search.py",
    "filter_statistics.py",
    "latent_filter.py",
    "latent_kinds.py",
    "latent_rate.py",
    "latent_refinement.py",
    "latent_symbols.py",
    "masking.py",
    "motion_search.py",
    "moved_coding.py",
    "priors.py",
    "quality.py",
    "reference.py",
    "scale_choice.py",
    "scene_detail.py",
    "scoring.py",
    "stillness.py",
    "symbol_choice.py",
    "title_network.py",
    "title_samples.py",
    "title_tuning.py",
    "training/fake_quant.py",
    "training/iframe.py",
    "training/latent.py",
    "training/rate.py",
    "vector_choice.py",
    "vmaf.py",
    "whole_picture.py",
    "../decoder/networks.py",
)
_CODECS = ("av", "imageio-ffmpeg", "onnxruntime")


@cache
def fingerprint() -> str:
    """A hash of the code, networks and libraries that trials run on."""
    digest = hashlib.sha256()
    for package in _CODECS:
        try:
            digest.update(f"{package} {version(package)}\n".encode())
        except PackageNotFoundError:
            digest.update(f"no {package}\n".encode())
    files = [_OURS / name for name in _MODULES]
    for folder in _SOURCES:
        files += sorted((_OURS / folder).glob("*.*"))
    for path in files:
        if path.suffix in (".py", ".safetensors", ".npy", ".npz"):
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    for path in sorted((_OURS / "../runtime/networks").glob("*/manifest.json")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
