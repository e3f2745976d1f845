"""What this processor's INT8 kernels do with large sums."""

from __future__ import annotations

import platform
from pathlib import Path

_X64 = ("x86_64", "amd64")
_VNNI = ("avx512_vnni", "avx_vnni")


def may_saturate(machine: str | None = None, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether ONNX Runtime's kernels may clip sums of uint8 by int8 products to 16 bits here.

    They do on x64 processors without VNNI, which then compute other pixels than every other
    device; the exact kernels take several times as long where VNNI is. Where it cannot be told,
    the answer is yes.
    """
    if (machine or platform.machine()).lower() not in _X64:
        return False
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return not any(flag in flags for flag in _VNNI)
