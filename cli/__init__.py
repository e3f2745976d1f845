"""The `edgecodec` command: one module for each verb, and no logic of its own."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line on `sys.argv` and exit the process with the code of what happened."""
    try:
        from .app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        message = f"error: the edgecodec command needs {error.name}: pip install 'edgecodec[cli]'"
        print(message, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    app()
