"""Streams written by the first version of the format decode to the same for ever.

`version_1.ecv` was made by `sample_stream(2024)`, its description by `describe`; neither is made
anew when the code changes, only when a new format version adds a file of its own. The other
streams, which really play, are those of `golden_streams`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from . import golden_streams
from .ecv_samples import describe

GOLDEN = Path(__file__).parent / "golden"


def test_the_golden_stream_decodes_to_the_same_symbols() -> None:
    wanted = json.loads((GOLDEN / "version_1.json").read_text(encoding="utf-8"))
    found = describe((GOLDEN / "version_1.ecv").read_bytes())
    assert found == wanted
    assert found["damage"] == 0


@pytest.mark.parametrize("name", ["strategies_1", "codecs_1", "filters_1"])
def test_golden_streams_decode_to_the_same_symbols_and_samples(name: str) -> None:
    """Of every strategy, of every standard codec and with filters: MD5 by frame."""
    wanted = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    found = golden_streams.describe((GOLDEN / f"{name}.ecv").read_bytes())
    assert found == wanted
    assert len(set(wanted["frames"])) > 10
