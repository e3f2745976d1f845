"""How much memory this process holds and held at most."""

from __future__ import annotations

import re
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_bytes() -> int | None:
    """Bytes of this process in memory now; None where the system does not tell (not Linux)."""
    return _field("VmRSS")


def peak_bytes() -> int | None:
    """The most bytes of this process that were in memory at once; None as above.

    Not `getrusage`: what it tells includes the parent's memory from before the child began.
    """
    return _field("VmHWM")


def _field(name: str) -> int | None:
    try:
        text = _STATUS.read_text()
    except OSError:
        return None
    match = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else None
