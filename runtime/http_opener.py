"""urllib's way of opening a URL: redirects and proxies, but nothing beside HTTP and HTTPS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from http.client import HTTPConnection, HTTPMessage, HTTPResponse, HTTPSConnection
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

Connected = Callable[[socket.socket], None]


def opener(connected: Connected) -> OpenerDirector:
    """Opens http and https URLs; `connected` is called with the socket of every connection.

    Whoever has it can end a read that waits, which neither urllib nor its answers offer.
    """
    director = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        _Plain(connected),
        _Secure(connected),
        HTTPDefaultErrorHandler(),
        _Redirects(),
        HTTPErrorProcessor(),
    ):
        director.add_handler(handler)
    return director


class _Plain(HTTPHandler):
    def __init__(self, connected: Connected) -> None:
        super().__init__()
        self._connected = connected

    def http_open(self, req: Request) -> HTTPResponse:
        def connection(host: str, **options: Any) -> HTTPConnection:
            made = HTTPConnection(host, **options)
            return _watched(made, self._connected)

        return self.do_open(connection, req)


class _Secure(HTTPSHandler):
    def __init__(self, connected: Connected) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(context=self._tls)
        self._connected = connected

    def https_open(self, req: Request) -> HTTPResponse:
        def connection(host: str, **options: Any) -> HTTPConnection:
            made = HTTPSConnection(host, context=self._tls, **options)
            return _watched(made, self._connected)

        return self.do_open(connection, req)


class _Redirects(HTTPRedirectHandler):
    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        if req.type == "https" and not newurl.lower().startswith("https:"):
            what = f"redirected away from https, to {newurl}"
            raise HTTPError(req.full_url, code, what, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _watched(connection: HTTPConnection, connected: Connected) -> HTTPConnection:
    connect = connection.connect

    def watched() -> None:
        connect()
        connected(connection.sock)

    connection.connect = watched  # type: ignore[method-assign]
    return connection
