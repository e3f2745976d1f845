"""From what a caller names - a path, a URL, a file - to scenes."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from .container import Reader
from .feeds import Feed, FlowingFeed, IndexedFeed
from .fields import Limits

Source = str | Path | BinaryIO | io.RawIOBase


def open_feed(source: Source, limits: Limits, timeout: float, resources: ExitStack) -> Feed:
    """Scenes of a source. `resources` closes what is opened; a file of the caller stays open.

    Errors are those of the built-in `open`, of `http_file.HttpFile` and of `container.Reader`.
    """
    if is_url(source):
        # Imported here, or every start of a player would wait for it.
        from .http_file import HttpFile

        remote = HttpFile(str(source), timeout=timeout)
        resources.enter_context(remote)
        return _feed(remote, limits, remote.close, loads_ahead=True)
    if isinstance(source, str | Path):
        return _feed(resources.enter_context(_opened(Path(source))), limits, _nothing)
    return _feed(source, limits, _nothing)


def is_url(source: object) -> bool:
    """Whether this names something behind HTTP or HTTPS."""
    return isinstance(source, str) and source.lower().startswith(("http://", "https://"))


def _feed(
    source: BinaryIO | io.RawIOBase,
    limits: Limits,
    interrupt: Callable[[], None],
    *,
    loads_ahead: bool = False,
) -> Feed:
    file = cast(BinaryIO, source)
    if file.seekable():
        return IndexedFeed(Reader(file, limits), interrupt, loads_ahead=loads_ahead)
    # A buffered file would wait for as many bytes as are asked for.
    read = getattr(file, "read1", file.read)
    return FlowingFeed(read, limits, interrupt)


def _opened(path: Path) -> BinaryIO:
    file = path.open("rb", buffering=0)
    # Nobody could close a buffered pipe while a thread waits for its bytes.
    return cast(BinaryIO, io.BufferedReader(file) if file.seekable() else file)


def _nothing() -> None:
    return
