"""The most memory that this process took, in MB: of the player's packages, and of a stream played.

    python benchmarks/player_memory.py [STREAM.ecv [THREADS]]

Linux only.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edgecodec import runtime


def main() -> None:
    if sys.argv[1:]:
        threads = int(sys.argv[2]) if sys.argv[2:] else 0
        with runtime.open(sys.argv[1], threads=threads) as video:
            for _ in video:
                pass
    # Not `getrusage`: its maximum counts what the process was a copy of when it started.
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    print(round(int(kilobytes) * 1024 / 1e6, 1))


if __name__ == "__main__":
    main()
