"""Makes `runtime/tables/scale_tables.npy`, the integer tables of the entropy layer.

Usage: `python -m edgecodec.encoder.training.scale_tables OUT.npy`

Decimal arithmetic of 50 digits, so that every machine makes the same bytes. The file is part of
the stream format (docs/format.md): a change to it needs a new format version.
"""

from __future__ import annotations

import sys
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..script import run_script

TABLES = 64
MAX_SYMBOL = 127
SIGMA_FIRST = Decimal("0.08")
SIGMA_LAST = Decimal(48)
SYMBOLS = 2 * MAX_SYMBOL + 1
# The coder adds 1 to each weight, which makes probabilities of 2**-24.
TOTAL_WEIGHT = (1 << 24) - SYMBOLS


def laplace_weights(sigma: Decimal) -> list[int]:
    """Weights of symbols -127 to 127 for a zero-mean Laplace of standard deviation `sigma`.

    Its density, of scale b = sigma / sqrt(2), is integrated over unit intervals around integers,
    the tails added to the last ones. Each weight is at least 1; rounding goes to symbol 0.
    """
    ratio = 2 / (sigma * sigma)
    decay = -ratio.sqrt()
    beyond = [(decay * (Decimal(n) - Decimal("0.5"))).exp() / 2 for n in range(1, MAX_SYMBOL + 1)]
    shares = [here - after for here, after in zip(beyond, [*beyond[1:], Decimal(0)], strict=True)]
    side = [1 + int(share * (TOTAL_WEIGHT - SYMBOLS)) for share in shares]
    return [*reversed(side), TOTAL_WEIGHT - 2 * sum(side), *side]


def make_scale_tables() -> NDArray[np.uint32]:
    """All tables, [64, 255]: standard deviations from 0.08 to 48 in equal ratios."""
    with localcontext() as context:
        context.prec = 50
        step = (SIGMA_LAST / SIGMA_FIRST).ln() / (TABLES - 1)
        rows = [laplace_weights(SIGMA_FIRST * (step * k).exp()) for k in range(TABLES)]
    return np.array(rows, dtype="<u4")


def main() -> None:
    """Write the tables to the path given on the command line."""
    target = Path(sys.argv[1])
    temporary = target.with_name(target.name + ".part")
    with temporary.open("wb") as file:
        np.save(file, make_scale_tables(), allow_pickle=False)
    temporary.replace(target)


if __name__ == "__main__":
    run_script(main)
