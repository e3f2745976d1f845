"""The installed `edgecodec` command, run as a user would, with what it prints as data."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..runtime.errors import EdgecodecError

_STDERR_TAIL_LINES = 15


class CommandFailed(EdgecodecError, RuntimeError):
    """A command ended with an error; the message holds the end of what it said."""


class CommandLine:
    """Runs `edgecodec` commands one at a time and remembers them.

    `executable` are the words that start it; None looks for the command that stands beside this
    Python, then on PATH. Raises `CommandFailed` where there is none.
    """

    def __init__(self, executable: Sequence[str | Path] | None = None) -> None:
        self._executable = [str(word) for word in executable or _find()]
        self.history: list[str] = []

    def run(self, *arguments: str | Path) -> str:
        """Run one command and return its stdout. Raises `CommandFailed`."""
        words = [str(argument) for argument in arguments]
        self.history.append(shlex.join(["edgecodec", *words]))
        result = subprocess.run(
            [*self._executable, *words], capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            said = "\n".join((result.stderr or result.stdout).splitlines()[-_STDERR_TAIL_LINES:])
            raise CommandFailed(f"{self.history[-1]}: exit code {result.returncode}\n{said}")
        return result.stdout

    def run_json(self, *arguments: str | Path, needs: Sequence[str] = ()) -> dict[str, Any]:
        """Run one command with --json and return the object that it printed.

        Raises `CommandFailed`, also where what it printed is no JSON object with the names that
        the caller `needs`.
        """
        output = self.run(*arguments, "--json")
        try:
            report = json.loads(output)
        except json.JSONDecodeError as error:
            raise CommandFailed(
                f"{self.history[-1]}: printed no JSON ({error}) but {output[:200]!r}"
            ) from error
        missing = [name for name in needs if not isinstance(report, dict) or name not in report]
        if missing or not isinstance(report, dict):
            raise CommandFailed(f"{self.history[-1]}: the JSON lacks {', '.join(missing)}")
        return report


def _find() -> list[str]:
    beside = Path(sys.executable).with_name("edgecodec")
    found = str(beside) if beside.exists() else shutil.which("edgecodec")
    if found is None:
        raise CommandFailed(
            "the edgecodec command is not installed: pip install -e '.[dev]' in a checkout"
        )
    return [found]
