"""What a measurement was taken with: the machine and the versions of what ran on it."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import imageio_ffmpeg

from ..runtime.cores import available_cores

_PACKAGES = ("edgecodec", "av", "imageio-ffmpeg", "numpy", "onnxruntime", "onnx", "torch")


def hardware() -> str:
    """Processor, cores that this process may use, and memory, in one line."""
    cores = available_cores()
    parts = [_processor(), f"{cores} logical core{'s' if cores != 1 else ''}"]
    memory = _memory_gib()
    if memory:
        parts.append(f"{memory:.0f} GiB")
    return ", ".join(parts)


def versions() -> dict[str, str]:
    """Version of Python, of each package that is installed, and of imageio-ffmpeg's ffmpeg."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found["ffmpeg"] = ffmpeg_version()
    return found


def ffmpeg_version() -> str:
    """Version of imageio-ffmpeg's ffmpeg, "not found" where it does not run."""
    try:
        command = [str(imageio_ffmpeg.get_ffmpeg_exe()), "-version"]
        words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return words[2]
    except (OSError, RuntimeError, subprocess.CalledProcessError, IndexError):
        return "not found"


def _processor() -> str:
    """The processor's own name where the system tells it, else the architecture."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in {"model name", "Model"}:
                return " ".join(value.split())
    return platform.processor() or platform.machine() or "unknown processor"


def _memory_gib() -> float:
    """Physical memory, 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return 0.0
