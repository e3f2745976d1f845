"""Vendors' code in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.export.devices.process import run_script
from edgecodec.runtime.errors import ExportError


def script(folder: Path, text: str) -> Path:
    path = folder / "script.py"
    path.write_text(text, "utf-8")
    return path


def test_what_a_script_answers_comes_back(tmp_path: Path) -> None:
    double = script(
        tmp_path,
        "import json, sys\n"
        "request = json.load(open(sys.argv[1]))\n"
        "json.dump(2 * request['number'], open(sys.argv[2], 'w'))\n",
    )
    assert run_script(double, {"number": 21}, tmp_path, 60) == 42


def test_a_crash_is_an_error_with_the_last_words(tmp_path: Path) -> None:
    crash = script(
        tmp_path,
        "import os, signal, sys\n"
        "print('about to fall', file=sys.stderr, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGSEGV)\n",
    )
    with pytest.raises(ExportError, match="killed by SIGSEGV: about to fall"):
        run_script(crash, {}, tmp_path, 60)


def test_an_exception_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"ended with 1.*ZeroDivisionError"):
        run_script(script(tmp_path, "1 / 0"), {}, tmp_path, 60)


def test_no_answer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="ended with 0: it printed nothing"):
        run_script(script(tmp_path, ""), {}, tmp_path, 60)


def test_a_hang_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"did not end within 0\.5 s"):
        run_script(script(tmp_path, "import time; time.sleep(600)"), {}, tmp_path, 0.5)


def test_modules_beside_the_script_do_not_hide_installed_ones(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('the wrong numpy')", "utf-8")
    writes = script(
        tmp_path, "import sys, numpy\nopen(sys.argv[2], 'w').write(str(numpy.int64(7)))\n"
    )
    assert run_script(writes, {}, tmp_path, 60) == 7
