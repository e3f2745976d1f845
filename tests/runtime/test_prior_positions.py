"""The order of cells: each once, and none before what it is predicted from."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.runtime.prior_positions import CROSS, DIAGONAL, coding_steps
from hypothesis import given, settings
from hypothesis import strategies as st

from . import reference_prior

sides = st.integers(1, 70)


@settings(deadline=None, max_examples=80)
@given(sides, sides)
def test_each_cell_comes_once_and_after_its_neighbours(height: int, width: int) -> None:
    known = np.zeros(height * width + 1, bool)
    known[-1] = True
    for step in coding_steps(height, width):
        assert step.cells.size
        assert (np.diff(step.cells) > 0).all()
        assert not known[step.cells].any()
        assert known[step.neighbours].all()
        if step.is_root:
            assert (step.neighbours == height * width).all()
        else:
            assert (step.neighbours < height * width).any(axis=0).all()
        known[step.cells] = True
    assert known.all()


@settings(deadline=None, max_examples=40)
@given(sides, sides)
def test_steps_are_those_of_the_format_page(height: int, width: int) -> None:
    wanted = [each for each in reference_prior.steps(height, width) if each[2]]
    found = coding_steps(height, width)
    assert [(step.kind, step.level) for step in found] == [each[:2] for each in wanted]
    for step, (kind, level, cells) in zip(found, wanted, strict=True):
        assert step.cells.tolist() == [row * width + column for row, column in cells]
        for at, cell in enumerate(cells if level < 4 else ()):
            around = reference_prior.neighbours(kind, level, cell, (height, width))
            flat = [height * width if c is None else c[0] * width + c[1] for c in around]
            assert step.neighbours[:, at].tolist() == flat


def test_a_small_latent_in_full() -> None:
    roots, diagonal, cross = coding_steps(2, 2)
    assert [step.cells.tolist() for step in (roots, diagonal, cross)] == [[0], [3], [1, 2]]
    assert (diagonal.kind, cross.kind) == (DIAGONAL, CROSS)
    assert (roots.level, diagonal.level, cross.level) == (4, 0, 0)
    # Left and right of cell 1, mirrored; above and below, mirrored.
    assert cross.neighbours.T.tolist() == [[0, 0, 3, 3], [3, 3, 0, 0]]
    (_, row) = coding_steps(1, 2)
    assert row.neighbours.T.tolist() == [[0, 0, 2, 2]]


def test_most_cells_lie_in_the_last_steps() -> None:
    counts = [step.cells.size for step in coding_steps(68, 120)]
    assert sum(counts) == 8160
    assert counts[-2:] == [2040, 4080]


@pytest.mark.parametrize("array", ["cells", "neighbours"])
def test_steps_are_shared_and_so_cannot_be_changed(array: str) -> None:
    with pytest.raises(ValueError, match="read-only"):
        getattr(coding_steps(8, 8)[1], array)[..., 0] = 5
