"""The smallest player: grey pictures in a terminal. `python examples/embed.py clip.ecv [columns]`.

Frames are shown by their time, the clock waits where decoding is late, damage costs its scene only.
"""

import sys
import time

import numpy as np
from edgecodec import runtime

SHADES = np.array(list(" .:-=+*#%@"))


def play(path: str, columns: int = 80) -> None:
    with runtime.open(path, on_damage="skip") as video:
        began = 0.0
        for frame in video:
            began = max(began, time.monotonic() - frame.time)
            time.sleep(max(began + frame.time - time.monotonic(), 0.0))
            luma = frame.planes[0]  # [height, width], uint8 or, in 10 bits, uint16
            step = max(luma.shape[1] // columns, 1)  # Twice that down: characters are high.
            shades = luma[:: 2 * step, ::step].astype(int) * len(SHADES) >> frame.format.bit_depth
            print("\x1b[H" + "\n".join("".join(row) for row in SHADES[shades]), flush=True)
        for damage in video.damage:
            print(f"lost {damage.start} s to {damage.end} s: {damage.what}", file=sys.stderr)


if __name__ == "__main__":
    play(sys.argv[1], *map(int, sys.argv[2:]))
