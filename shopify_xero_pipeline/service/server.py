"""The server: sockets, signals, and connections that do not get on.

uvicorn waits for a request's headers, and for a reader of its answers, as long as it takes. It bounds neither headers
nor the number of connections. This does. What a request means is not known here.
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
BACKLOG = 2_048


class _Guarded(H11Protocol):
    """uvicorn's protocol with an end to patience."""

    limits = Limits()
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Give a reader until the deadline to take of what waits for it; until then nothing more is answered."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.limits.unread, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_waiting_for_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._rest()
        self._stop_waiting_for_reader()

    def _watch(self) -> None:
        """Give a request until the deadline for its headers, whether they have begun to come or not."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._rest()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.limits.headers, self.transport.abort)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_waiting_for_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def serve(app: ASGIApp, host: str, port: int, limits: Limits, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first.

    Args:
        app: what is served.
        host: an address of this machine.
        port: a port of it; 0 takes a free one.
        limits: of connections and headers.
        ready: called with the address once the port is taken.

    Raises:
        SettingsError: the port cannot be taken.
    """
    with _bound(host, port) as taken:
        ready(_address(taken))
        # uvicorn raises the signal again when it has ended; the process shall end well, and not by the signal.
        before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            _server(app, limits).run(sockets=[taken])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def serving(app: ASGIApp, limits: Limits) -> Iterator[str]:
    """Serve from a thread of its own, on a free port of this machine, for as long as the block runs."""
    with _bound("127.0.0.1", 0) as taken:
        server = _server(app, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            yield _address(taken)
        finally:
            server.should_exit = True
            thread.join()


def _server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=type("Guarded", (_Guarded,), {"limits": limits}),
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


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"Port {port} of {host} cannot be taken ({error.strerror}): set SERVE_PORT, or --host and --port, to one "
            "that is free."
        ) from None


def _address(taken: socket.socket) -> str:
    host, port = taken.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
