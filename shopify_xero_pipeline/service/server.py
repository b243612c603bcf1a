"""The HTTP server: sockets, signals, and limits on slow connections.

uvicorn sets no time limit on a request's headers or on a client that does not read its response, and limits neither the
size of headers nor the number of connections. This module adds these limits; it does not interpret requests.
"""

import asyncio
import signal
import socket
from collections.abc import Callable

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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._deadlines = dict[str, asyncio.TimerHandle]()
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
        self._set_deadline("reading", self.limits.unread)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_deadline("reading")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._cancel_deadline("headers")
        self._cancel_deadline("reading")

    def _watch_headers(self) -> None:
        """Close the connection unless the headers of a request arrive before the deadline."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel_deadline("headers")
        elif "headers" not in self._deadlines:
            self._set_deadline("headers", self.limits.headers)

    def _set_deadline(self, name: str, seconds: float) -> None:
        self._deadlines[name] = self.loop.call_later(seconds, self.transport.abort)

    def _cancel_deadline(self, name: str) -> None:
        if name in self._deadlines:
            self._deadlines.pop(name).cancel()


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
            build_server(app, limits).run(sockets=[listener])
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def build_server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """Return a server with the limits."""
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
