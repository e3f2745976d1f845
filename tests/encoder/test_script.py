"""Modules that are run end with a line and a code, not with a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from edgecodec.encoder.script import run_script
from edgecodec.runtime.errors import ModelError, ProviderError


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ModelError("run.pt: no checkpoint"), 3, "error: run.pt: no checkpoint"),
        (FileNotFoundError(2, "No such file", "clips"), 3, "clips"),
        (ProviderError("no CUDA device"), 5, "error: no CUDA device"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_was_foreseen_is_told_in_a_line(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run_script(failing)
    assert ended.value.code == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not printed.out


def test_faults_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_script(lambda: print(1 // 0))


def test_a_training_without_its_files_says_which(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgecodec.encoder.training.gather"]
    command += [str(tmp_path)] * 3 + [str(tmp_path / "run.pt")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 3
    assert "iframe_decoder-edge.safetensors" in ended.stderr
    assert "Traceback" not in ended.stderr
