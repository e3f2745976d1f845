"""Every harness by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from . import (
    codes,
    container,
    http,
    payloads,
    priors,
    procedural,
    range_coder,
    scenes,
    symbols,
)
from .harness import Harness

CORPUS = Path(__file__).parent / "corpus"
"""A folder of kept inputs for each harness."""

HARNESSES: Mapping[str, Harness] = {
    "container": container.HARNESS,
    "payloads": payloads.HARNESS,
    "range_coder": range_coder.HARNESS,
    "symbols": symbols.HARNESS,
    "priors": priors.HARNESS,
    "codes": codes.HARNESS,
    "procedural": procedural.HARNESS,
    "scenes": scenes.HARNESS,
    "http": http.HARNESS,
}
