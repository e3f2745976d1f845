"""Vendors' compilers in processes of their own: a crash or a hang there becomes a message here."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...runtime.errors import ExportError

_LINES_OF_STDERR = 12


def run_script(
    script: Path, request: Mapping[str, Any], folder: Path, timeout_seconds: float
) -> Any:
    """What `script` wrote to `answer.json` in `folder`, having been given `request.json` there.

    The script runs in `folder`, in this interpreter, without its own folder on the import path (it
    holds modules called like the vendors'). Raises `ExportError` where it ends in any other way
    than with an answer, with the end of what it printed.
    """
    (folder / "request.json").write_text(json.dumps(request), "utf-8")
    answer = folder / "answer.json"
    command = [sys.executable, "-P", str(script), "request.json", answer.name]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExportError(f"did not end within {timeout_seconds:g} s and was stopped") from None
    if done.returncode == 0 and answer.is_file():
        return json.loads(answer.read_text("utf-8"))
    raise ExportError(f"{ending(done.returncode)}: {_last_lines(done.stderr)}")


def ending(code: int) -> str:
    """What an exit code says of how a process ended; below zero it is a signal's number."""
    if code >= 0:
        return f"the process ended with {code}"
    try:
        return f"the process was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"the process was killed by signal {-code}"


def _last_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-_LINES_OF_STDERR:]) or "it printed nothing"
