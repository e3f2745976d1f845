"""How the modules that are run as commands end: one line for what went wrong, and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from ..runtime.errors import EdgecodecError, ProviderError

BAD_INPUT, NO_PROVIDER, INTERRUPTED = 3, 5, 130


def run_script(main: Callable[[], None]) -> None:
    """Call `main`, as a process's last act.

    What edgecodec raises on purpose, and files that cannot be read or written, end the process with
    a line on stderr and exit code 3 (5 for a device that is not there); Ctrl-C with 130. All else
    is a fault of the program, and its traceback is wanted.
    """
    try:
        main()
    except EdgecodecError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(NO_PROVIDER if isinstance(error, ProviderError) else BAD_INPUT)
    except OSError as error:
        named = error.filename and error.strerror
        what = f"{error.filename}: {error.strerror}" if named else error
        print(f"error: {what}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
