"""A server on a real socket before the sandbox's Xero, which posts requests and spoils the responses.

It contains what the sandbox's faults cannot do: responses too long, too slow or invalid, byte by byte.
"""

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from shopify_xero_pipeline.clock import SystemClock
from shopify_xero_pipeline.http.transport import BoundedTransport

MEGABYTE = 1_000_000
Spoil = Callable[[Callable[[bytes], Any]], None]
"""Writes a spoilt response; an OSError means that the client has disconnected."""


class Spoiler:
    """The rule for spoilt responses: the path, and the number of clients that disconnected before their end."""

    def __init__(self) -> None:
        self.path = ""
        self.spoil: Spoil | None = None
        self.spoilt = self.broken_off = 0

    def answers(self, method: str, path: str, write: Callable[[bytes], Any]) -> bool:
        """Write the spoilt response if the rule matches the call; return whether it does."""
        if self.spoil is None or method == "GET" or self.path not in path:
            return False
        self.spoilt += 1
        try:
            self.spoil(write)
        except OSError:
            self.broken_off += 1
        return True


@contextmanager
def spoiling(inner: httpx.BaseTransport) -> Iterator[tuple[Spoiler, httpx.BaseTransport]]:
    """Serve a transport on a port of this machine; yield the spoiler, and a transport to that port."""
    spoiler = Spoiler()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def carry(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            url = f"https://{self.headers['host']}{self.path}"
            request = httpx.Request(self.command, url, headers=dict(self.headers.items()), content=body)
            answer = inner.handle_request(request)
            if spoiler.answers(self.command, self.path, self.wfile.write):
                self.close_connection = True
                return
            self.send_response_only(answer.status_code)  # the answer has its own Date
            for name, text in answer.headers.multi_items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(answer.read())

        do_GET = do_PUT = do_POST = do_DELETE = carry  # noqa: N815 - names of the standard library

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    transport = _ToPort(server.server_port)
    try:
        yield spoiler, transport
    finally:
        transport.close()
        server.shutdown()
        thread.join()
        server.server_close()


class _ToPort(BoundedTransport):
    """The product's transport with every host replaced by a port of this machine."""

    def __init__(self, port: int) -> None:
        super().__init__(SystemClock())
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return super().handle_request(request)


def head(length: int, kind: str = "application/json", *more: str) -> bytes:
    """Return the head of a 200 response.

    Args:
        length: the Content-Length.
        kind: the Content-Type.
        *more: further header lines.
    """
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def gzipped(*parts: bytes) -> bytes:
    """Return the parts as one gzip stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(part) for part in parts), packer.flush()])
