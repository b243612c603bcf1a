"""The HTTP server: sockets, signals, and limits on slow connections.

uvicorn sets no time limit on a request's headers or on a client that does not read its response, and limits neither the
size of headers nor the number of connections. This module adds these limits; it does not interpret requests.
"""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from shopify_xero_pipeline.service.body_reader import Limits
from shopify_xero_pipeline.settings import SettingsError

SHUTDOWN_GRACE_SECONDS = 10
BACKLOG = 2_048  # connections that the kernel queues


class _TimeoutProtocol(H11Protocol):
    """uvicorn's protocol with time limits."""

    limits = Limits()
    _header_deadline: asyncio.TimerHandle | None = None
    _read_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._watch_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_headers()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_headers()

    def pause_writing(self) -> None:
        """Close the connection unless the client reads before the deadline; until then no response is written."""
        super().pause_writing()
        self._read_deadline = self.loop.call_later(self.limits.unread, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_read_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._cancel_header_deadline()
        self._cancel_read_deadline()

    def _watch_headers(self) -> None:
        """Close the connection unless the headers of a request arrive before the deadline."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel_header_deadline()
        elif self._header_deadline is None:
            self._header_deadline = self.loop.call_later(self.limits.headers, self.transport.abort)

    def _cancel_header_deadline(self) -> None:
        if self._header_deadline is not None:
            self._header_deadline.cancel()
            self._header_deadline = None

    def _cancel_read_deadline(self) -> None:
        if self._read_deadline is not None:
            self._read_deadline.cancel()
            self._read_deadline = None


def serve(app: ASGIApp, host: str, port: int, limits: Limits, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests in progress are answered first.

    Args:
        app: the ASGI app to serve.
        host: the address to listen on.
        port: the port to listen on; 0 selects a free one.
        limits: limits on connections and headers.
        ready: called with the URL once the port is open.

    Raises:
        SettingsError: the port cannot be opened.
    """
    with _listen(host, port) as listener:
        ready(_url(listener))
        # uvicorn raises the signal again after its shutdown. With handlers that ignore it, the process exits with 0.
        handlers = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            _server(app, limits).run(sockets=[listener])
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


@contextmanager
def serving(app: ASGIApp, limits: Limits) -> Iterator[str]:
    """Serve in a thread on a free local port while the block runs; yield the URL."""
    with _listen("127.0.0.1", 0) as listener:
        server = _server(app, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield _url(listener)
        finally:
            server.should_exit = True
            thread.join()


def _server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=type("LimitedProtocol", (_TimeoutProtocol,), {"limits": limits}),
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            h11_max_incomplete_event_size=limits.header_bytes,
            timeout_graceful_shutdown=SHUTDOWN_GRACE_SECONDS,
        )
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"Port {port} of {host} cannot be opened ({error.strerror}): set SERVE_PORT, or --host and --port, to a "
            "free one."
        ) from None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
