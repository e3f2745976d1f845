"""A job that asks a worker how it is, or to get into trouble: for `doctor` and for tests."""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ...runtime.errors import UnsupportedError
from ..records.checking import Fields
from .base import JobContext

_PACKAGES = ("edgecodec", "celery", "av", "torch", "onnxruntime")
_LONGEST_WAIT_S = 24 * 3600.0
_STEP_S = 0.05
_TROUBLES = ("none", "fail", "refuse", "die", "exit", "linger", "deaf")


def run(payload: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
    """The worker's name, versions and clock.

    The payload may ask it to wait (`wait_s`), to write a file of `write_bytes`, to put one of
    `put_bytes` into the media store, and for trouble afterwards (`trouble`): "fail" as any error
    does, "refuse" as bad input does, "die" by SIGKILL, "exit" without a word, "linger" as one
    that never ends, "deaf" as one that does not listen to SIGTERM either. With `while_there`, a
    file, there is trouble only as long as it is there. `say` is printed, `echo` comes back. Raises
    UnsupportedError for anything else.
    """
    asked = Fields({**_USUAL, **payload}, "probe")
    wait_s, trouble = asked.number("wait_s"), asked.text("trouble", _TROUBLES)
    write_bytes, put_bytes = asked.integer("write_bytes"), asked.integer("put_bytes")
    while_there, say = asked.text("while_there"), asked.text("say")
    echo = asked.anything("echo")
    asked.end()
    if say:
        print(say, flush=True)
    _wait(min(wait_s, _LONGEST_WAIT_S), context)
    artefacts = []
    if write_bytes:
        (context.folder / "written").write_bytes(bytes(write_bytes))
    if put_bytes:
        path = context.folder / "put"
        path.write_bytes(bytes(put_bytes))
        artefacts.append(context.media.put(path, f"probes/{context.worker}").name)
    if not while_there or Path(while_there).exists():
        _get_into(trouble)
    return {
        "worker": context.worker,
        "versions": versions(),
        "time": time.time(),
        "gpu": context.gpu,
        "echo": echo,
        "artefacts": artefacts,
        "log": None,
    }


def versions() -> dict[str, str]:
    """What a job runs with here, by package."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


_USUAL: dict[str, Any] = {
    "wait_s": 0.0,
    "trouble": "none",
    "write_bytes": 0,
    "put_bytes": 0,
    "while_there": "",
    "say": "",
    "echo": None,
}


def _wait(seconds: float, context: JobContext) -> None:
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        context.tell(passed / seconds, "waiting")
        time.sleep(min(_STEP_S, seconds - passed))


def _get_into(trouble: str) -> None:
    if trouble == "fail":
        raise RuntimeError("the probe was asked to fail")
    if trouble == "refuse":
        raise UnsupportedError("the probe was asked to refuse")
    if trouble == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if trouble == "exit":
        os._exit(0)
    if trouble == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if trouble in ("linger", "deaf"):
        time.sleep(_LONGEST_WAIT_S)
