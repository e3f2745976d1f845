"""What a fuzzer runs: a plain function of bytes, and where it may begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..runtime.mutations import Mutation

Mutate = Callable[[np.random.Generator, bytes, Mutation], bytes]


def anywhere(random: np.random.Generator, data: bytes, mutate_value: Mutation) -> bytes:
    """The whole input is one value."""
    return mutate_value(random, data)


@dataclass(frozen=True)
class Harness:
    """`run` takes any bytes, of which it reads at most `most_bytes`, and says in a word what became
    of them. It lets every exception out that a caller of the code under test should not see, and
    AssertionError where that breaks another promise.

    `seeds` are inputs that get far, `mutate` keeps what is around a mutated value valid.
    """

    run: Callable[[bytes], str]
    seeds: Callable[[], Iterable[bytes]]
    most_bytes: int
    mutate: Mutate = anywhere
