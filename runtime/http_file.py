"""A file behind an HTTP(S) URL, read with range requests where the server has them."""

from __future__ import annotations

import errno
import io
import re
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from threading import RLock
from urllib.error import HTTPError, URLError
from urllib.request import Request

from .http_opener import opener

_BLOCK_BYTES = 64 << 10
_KEPT_BLOCKS = 64
_ATTEMPTS = 3
_FIRST_PAUSE_S = 0.1
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})$")
# What a server may answer that is worth asking again.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
# The last is urllib's for an address that is none, which a redirect may hold.
_FAILURES = (OSError, HTTPException, ValueError)


class HttpFile(io.RawIOBase):
    """A read-only file behind a URL.

    If the server knows ranges the file can seek: it reads blocks of 64 KiB or what is asked for,
    whichever is more, and keeps the last 4 MiB. If not, it is read once, front to back, and
    `seekable` is False. Redirects are followed, but never from https to anything else; proxies are
    those of the environment, as `urllib` takes them. `headers` go into every request.

    `timeout` is how many seconds to wait for a connection and for every next byte. A request that
    fails on its way is made up to three times, from the byte where it broke off; without ranges
    only before the first byte.

    Errors are those of the built-in files and name the URL: FileNotFoundError (404 and 410),
    PermissionError (401 and 403), TimeoutError, ConnectionError, and OSError for other answers and
    for a file that changes while it is read. `close` may be called from any thread: a read that
    waits ends with ValueError.
    """

    def __init__(
        self, url: str, *, timeout: float = 10.0, headers: Mapping[str, str] | None = None
    ) -> None:
        self._url = url
        self._timeout = timeout
        self._headers = {"User-Agent": "edgecodec", **(headers or {})}
        self._shut = False
        self._socket: socket.socket | None = None
        self._reading = RLock()
        self._opener = opener(self._connected)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._position = 0
        self._tag: str | None = None
        self._size = 0
        self._flow: HTTPResponse | None = None
        self._retried(self._open)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """Whether the server knows ranges."""
        return self._flow is None

    def tell(self) -> int:
        """Bytes from the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As in every file. Raises io.UnsupportedOperation without ranges."""
        if not self.seekable():
            raise io.UnsupportedOperation(f"{self._url}: the server knows no ranges")
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes, less where they have yet to come; b'' at the end."""
        self._check_open()
        if self._flow is not None:
            data = self._flowing(self._flow, 1 << 20 if size is None or size < 0 else size)
        else:
            left = max(0, self._size - self._position)
            data = self._ranged(left if size is None or size < 0 else min(size, left))
        self._position += len(data)
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """See `read`."""
        with memoryview(buffer).cast("B") as view:
            data = self.read(len(view))
            view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """See the class. Closing twice does nothing."""
        self._shut = True
        if self._socket is not None:
            with suppress(OSError):
                # The plain socket's: TLS would wait for the other side to agree.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        if self._flow is not None:
            with self._reading:
                self._flow.close()
        super().close()

    def _connected(self, connection: socket.socket) -> None:
        self._socket = connection
        self._check_open()

    def _check_open(self) -> None:
        if self._shut:
            raise ValueError(f"{self._url}: read of a closed file")

    def _open(self) -> None:
        try:
            response = self._request(f"bytes=0-{_BLOCK_BYTES - 1}")
        except HTTPError as error:
            if error.code == 416 and error.headers.get("Content-Range") == "bytes */0":
                return
            raise
        self._tag = response.headers.get("ETag")
        found = _RANGE.match(response.headers.get("Content-Range", ""))
        if response.status == 206 and found is not None:
            with response:
                self._size = int(found[3])
                self._check_range(response, 0)
                self._blocks[0] = _whole(response, min(_BLOCK_BYTES, self._size))
            return
        if response.status == 206:
            # A range of a size that the server does not know: then the whole, as it comes.
            response.close()
            response = self._request(None)
        self._size = response.length or 0
        self._flow = response

    def _request(self, span: str | None) -> HTTPResponse:
        self._check_open()
        headers = self._headers | ({} if span is None else {"Range": span})
        response = self._opener.open(Request(self._url, headers=headers), timeout=self._timeout)
        assert isinstance(response, HTTPResponse)
        return response

    def _flowing(self, flow: HTTPResponse, size: int) -> bytes:
        try:
            with self._reading:
                data = flow.read1(size)
        except _FAILURES as error:
            self._check_open()
            raise self._named(error) from error
        if not data and size:
            self._check_open()
        if not data and size and self._position < self._size:
            raise ConnectionResetError(
                errno.ECONNRESET, f"cut off at byte {self._position} of {self._size}", self._url
            )
        return data

    def _ranged(self, size: int) -> bytes:
        if not size:
            return b""
        end = self._position + size
        number, last = self._position // _BLOCK_BYTES, (end - 1) // _BLOCK_BYTES
        start = number * _BLOCK_BYTES
        parts: list[bytes] = []
        while number <= last:
            stop = number
            while stop <= last and stop not in self._blocks:
                stop += 1
            if stop == number:
                self._blocks.move_to_end(number)
                parts.append(self._blocks[number])
                number += 1
            else:
                parts.append(self._fetch(number, stop))
                number = stop
        return b"".join(parts)[self._position - start : end - start]

    def _fetch(self, number: int, stop: int) -> bytes:
        """Blocks `number` to `stop` - 1, of which the last ones are kept."""
        start, end = number * _BLOCK_BYTES, min(stop * _BLOCK_BYTES, self._size)
        data = bytearray()

        def read_on() -> None:
            at = start + len(data)
            with self._request(f"bytes={at}-{end - 1}") as response:
                self._check_range(response, at)
                while start + len(data) < end and (piece := response.read1(1 << 20)):
                    data.extend(piece)
            del data[end - start :]  # a server may send more than it was asked for
            if len(data) < end - start:
                raise ConnectionResetError(errno.ECONNRESET, "cut off")

        self._retried(read_on, lambda: len(data))
        for each in range(max(number, stop - _KEPT_BLOCKS), stop):
            at = each * _BLOCK_BYTES - start
            self._blocks[each] = bytes(data[at : at + _BLOCK_BYTES])
        while len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        return bytes(data)

    def _check_range(self, response: HTTPResponse, at: int) -> None:
        found = _RANGE.match(response.headers.get("Content-Range", ""))
        if response.status != 206 or found is None or int(found[1]) != at:
            raise OSError(errno.EIO, f"byte {at} was asked for, the server gave others", self._url)
        if int(found[3]) != self._size or response.headers.get("ETag") != self._tag:
            raise OSError(errno.ESTALE, "the file changed while it was read", self._url)

    def _retried(self, action: Callable[[], None], progress: Callable[[], int] = lambda: 0) -> None:
        """Do it up to three times without progress where it fails on its way."""
        failures, reached = 0, progress()
        while True:
            try:
                action()
            except _FAILURES as error:
                self._check_open()
                if progress() > reached:
                    failures, reached = 0, progress()
                failures += 1
                if failures == _ATTEMPTS or not _passes(error):
                    raise self._named(error) from error
                time.sleep(_FIRST_PAUSE_S * 4 ** (failures - 1))
            else:
                return

    def _named(self, error: Exception) -> OSError:
        """The error as the built-in files would raise it."""
        if isinstance(error, HTTPError):
            error.close()
            what = f"HTTP {error.code} {error.reason}"
            if error.code in (404, 410):
                return FileNotFoundError(errno.ENOENT, what, self._url)
            if error.code in (401, 403):
                return PermissionError(errno.EACCES, what, self._url)
            return OSError(errno.EIO, what, self._url)
        cause = _cause(error)
        if isinstance(cause, TimeoutError):
            what = f"nothing came for {self._timeout:g} s"
            return TimeoutError(errno.ETIMEDOUT, what, self._url)
        if isinstance(cause, OSError) and cause.filename == self._url:
            return cause
        what = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        return ConnectionError(errno.ECONNABORTED, what, self._url)


def _whole(response: HTTPResponse, size: int) -> bytes:
    data = response.read(size)
    if len(data) != size:
        raise ConnectionResetError(errno.ECONNRESET, f"cut off at byte {len(data)} of {size}")
    return data


def _cause(error: Exception) -> Exception:
    if isinstance(error, URLError) and isinstance(error.reason, Exception):
        return error.reason
    return error


def _passes(error: Exception) -> bool:
    """Whether it may be otherwise the next time."""
    if isinstance(error, HTTPError):
        return error.code in _PASSING
    return isinstance(_cause(error), (TimeoutError, ConnectionError, HTTPException))
