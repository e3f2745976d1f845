"""A stream written by the first version of the format decodes to the same symbols for ever.

It was made by `sample_stream(2024)`, its description by `describe`; neither is made anew when the
code changes, only when a new format version adds a file of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

from .ecv_samples import describe

GOLDEN = Path(__file__).parent / "golden"


def test_the_golden_stream_decodes_to_the_same_symbols() -> None:
    wanted = json.loads((GOLDEN / "version_1.json").read_text(encoding="utf-8"))
    found = describe((GOLDEN / "version_1.ecv").read_bytes())
    assert found == wanted
    assert found["damage"] == 0
