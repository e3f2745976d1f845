"""From an exception to an exit code and a message: the one place that knows both."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TextIO

import typer

from ._output import print_json


class ExitCode(IntEnum):
    """What `edgecodec` tells the shell."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    BAD_INPUT = 3
    GATE_FAILED = 4
    PROVIDER_MISSING = 5
    INTERRUPTED = 130


# Which extra brings a module that the base installation lacks.
_EXTRAS = {
    "onnxruntime": "cpu",
    "onnx": "export",
    "onnxscript": "export",
    "onnxsim": "export",
    "torch": "encoder",
    "safetensors": "encoder",
    "imageio_ffmpeg": "encoder",
    "scenedetect": "encoder",
    "cv2": "encoder",
    "bjontegaard": "evaluation",
    "matplotlib": "evaluation",
    "celery": "orchestrator",
    "kombu": "orchestrator",
    "optuna": "orchestrator",
    "boto3": "orchestrator",
    "redis": "orchestrator",
    "httpx": "orchestrator",
    "tomli_w": "orchestrator",
}


def exit_code(error: BaseException) -> ExitCode:
    """The code that `edgecodec` exits with after `error`."""
    from ..runtime import errors

    bad_input = (
        errors.BitstreamError,
        errors.UnsupportedError,
        errors.ModelError,
        errors.ProfileFileError,
        FileNotFoundError,
        IsADirectoryError,
        PermissionError,
        # What a URL does that is served by nobody, or too slowly.
        ConnectionError,
        TimeoutError,
    )
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, typer.TyperException):
        return ExitCode.USAGE
    if isinstance(error, bad_input):
        return ExitCode.BAD_INPUT
    if isinstance(error, errors.GateError):
        return ExitCode.GATE_FAILED
    if isinstance(error, (errors.ProviderError, errors.DeviceError, errors.DispatchError)):
        return ExitCode.PROVIDER_MISSING
    return ExitCode.UNEXPECTED


def describe(error: BaseException) -> str:
    """What happened and, where it is known, what to do: one line, or two for a usage error."""
    from ..runtime.errors import EdgecodecError

    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        hint = f"\nTry `{context.command_path} --help`." if context else ""
        return error.format_message() + hint
    if isinstance(error, EdgecodecError):
        return str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and str(error):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        module = error.name.partition(".")[0]
        if module in _EXTRAS:
            extra = f"pip install 'edgecodec[{_EXTRAS[module]}]'"
            return f"this needs {module}, which is not installed: {extra}"
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{what} (unexpected; `edgecodec --debug …` or EDGECODEC_DEBUG=1 shows the traceback)"


def report(error: BaseException, *, as_json: bool, debug: bool) -> ExitCode:
    """Print `error` to stderr, with `as_json` an object to stdout too, and return its code."""
    if debug:
        traceback.print_exception(error)
    print(f"error: {describe(error)}", file=sys.stderr)
    if as_json:
        message = describe(error).splitlines()[0]
        print_json({"error": {"type": type(error).__name__, "message": message}})
    return exit_code(error)


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Within it an error in a stream's bytes says which file they are in."""
    from ..runtime.errors import BitstreamError, UnsupportedError

    try:
        yield
    except (BitstreamError, UnsupportedError) as error:
        raise type(error)(f"{path}: {error}") from error


@contextmanager
def warnings_on_stderr() -> Iterator[None]:
    """Within it edgecodec's own warnings are one line each on stderr, and others are not shown."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        print(f"warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=UserWarning, module=r"edgecodec\.")
        warnings.showwarning = show
        yield
