"""What a measured point depends on, as hashes: the clip's frames, and the code that ran."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from .clips import Clip

_PACKAGE = Path(__file__).parents[1]
# What encodes, decodes and rates: the packages that `encoder.encode` and the player consist of.
_FOLDERS = ("runtime", "decoder", "export", "encoder")
_NO_PART_OF_IT = "__pycache__"
_LIBRARIES = (
    *("av", "imageio-ffmpeg", "numpy", "onnxruntime", "onnxruntime-gpu", "constriction"),
    *("torch", "scenedetect-headless", "opencv-python-headless", "opencv-python"),
)


def clip_digest(clip: Clip) -> str:
    """SHA-256 of a clip's samples and of what else an encoder is told about them."""
    form = clip.format
    about = (form.width, form.height, form.bit_depth, str(clip.frame_rate), clip.color)
    digest = hashlib.sha256(repr(about).encode())
    for planes in clip.frames:
        for plane in planes:
            digest.update(np.ascontiguousarray(plane).data)
    return digest.hexdigest()


def code_digest(folders: Iterable[Path] | None = None) -> str:
    """SHA-256 of every source, model and table file of the packages that make and play streams.

    `folders` are other folders to read instead.
    """
    chosen = [_PACKAGE / name for name in _FOLDERS] if folders is None else folders
    digest = hashlib.sha256()
    for folder in chosen:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and _NO_PART_OF_IT not in path.parts:
                digest.update(f"{folder.name}/{path.relative_to(folder).as_posix()}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@cache
def library_versions() -> dict[str, str]:
    """Version of each library that a stream's bytes or its decoding may depend on."""
    found = {}
    for package in _LIBRARIES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
