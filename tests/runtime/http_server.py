"""A real HTTP server in a thread, with the bad habits that a test asks for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Habits:
    """What the server does with `data`.

    `ranges` False sends the whole, whatever was asked for. `failures` are statuses that the next
    requests get. `cuts` are how many bytes of their bodies the next answers send before the
    connection breaks; a negative one breaks it before any answer. After `stall_after` bytes of a
    body it sends nothing more until `go_on` is set. `lies` stand in for headers of its answers, and
    `surplus` follows every body. `requests` and `sent` count.
    """

    data: bytes
    ranges: bool = True
    length: bool = True
    tag: str = '"one"'
    redirect: str | None = None
    failures: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    stall_after: int | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    stalls: threading.Event = field(default_factory=threading.Event)
    lies: dict[str, str] = field(default_factory=dict)
    surplus: bytes = b""
    requests: list[str | None] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0


@contextmanager
def serving(habits: Habits) -> Iterator[str]:
    """The URL of a server with those habits."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, habits)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/clip.ecv"
    finally:
        habits.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, habits: Habits) -> None:
    span = handler.headers.get("Range")
    habits.requests.append(span)
    habits.headers.append(dict(handler.headers))
    if habits.redirect is not None:
        target, habits.redirect = habits.redirect, None
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.end_headers()
        return
    if habits.failures:
        handler.send_error(habits.failures.pop(0))
        return
    cut = habits.cuts.pop(0) if habits.cuts else None
    if cut is not None and cut < 0:
        handler.close_connection = True
        return
    body = _head(handler, habits, span)
    stall = habits.stall_after
    stops = [each for each in (cut, stall) if each is not None]
    first = body[: min(stops, default=len(body))]
    _send(handler, habits, first)
    if cut is not None and cut <= len(first):
        return
    if stall is not None and len(first) < len(body):
        habits.stalls.set()
        habits.go_on.wait(60)
        _send(handler, habits, body[len(first) :])


def _head(handler: BaseHTTPRequestHandler, habits: Habits, span: str | None) -> bytes:
    body, total = habits.data, len(habits.data)
    if habits.ranges and span is not None:
        start, _, last = span.removeprefix("bytes=").partition("-")
        if int(start) >= total:
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{total}")
            handler.end_headers()
            return b""
        body = body[int(start) : int(last) + 1]
        handler.send_response(206)
        end = int(start) + len(body) - 1
        span = habits.lies.get("Content-Range", f"bytes {start}-{end}/{total}")
        handler.send_header("Content-Range", span)
    else:
        handler.send_response(200)
    handler.send_header("ETag", habits.tag)
    body += habits.surplus
    if habits.length:
        length = habits.lies.get("Content-Length", str(len(body)))
        handler.send_header("Content-Length", length)
    handler.end_headers()
    return body


def _send(handler: BaseHTTPRequestHandler, habits: Habits, data: bytes) -> None:
    try:
        handler.wfile.write(data)
        handler.wfile.flush()
    except OSError:
        return  # the client went away
    habits.sent += len(data)
