"""Drawn screens: the same for a seed, with letters on flat ground."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from edgecodec.encoder.training import draw_pages
from PIL import Image


def test_pages_depend_on_their_seed_alone() -> None:
    pages = [draw_pages.draw_page(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    first, again, other = (np.asarray(page) for page in pages)
    assert first.shape == (960, 1280, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_pages_are_flat_with_sharp_edges() -> None:
    for seed in range(4):
        grey = np.asarray(draw_pages.draw_page(np.random.default_rng(seed)).convert("L"), np.int16)
        steps = np.abs(np.diff(grey, axis=1))
        assert (steps == 0).mean() > 0.5
        assert (steps > 40).mean() > 0.002


def test_the_command_writes_stills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "pages"
    monkeypatch.setattr(sys, "argv", ["draw_pages", "--out", str(out), "--count", "2"])
    draw_pages.main()
    assert [path.name for path in sorted(out.iterdir())] == ["page0000.png", "page0001.png"]
    with Image.open(out / "page0001.png") as page:
        assert page.size == (1280, 960)
