from __future__ import annotations

import platform
import re
from pathlib import Path

import numpy as np
import pytest
from edgecodec.evaluation.environment import hardware, versions


def test_hardware_names_the_cores() -> None:
    assert re.search(r"\S.*, \d+ logical cores?", hardware())


def test_versions_are_those_that_run() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    assert found["ffmpeg"] != "not found"


def test_a_missing_ffmpeg_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    assert versions()["ffmpeg"] == "not found"
