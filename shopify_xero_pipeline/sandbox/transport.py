"""A transport that connects a synchronous `httpx.Client` with an ASGI app in the same process, without a socket.

This module only translates between httpx and ASGI; responses come from the app, faults from `faults.py`. Each call has
its own event loop, so nothing needs to be started, shared or closed.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

import httpx

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

IN_PROCESS = "sandbox.in_process"
"""Key in `scope["extensions"]` that permits an app to raise httpx's errors instead of closing a connection."""


class InProcessTransport(httpx.BaseTransport):
    """An httpx transport that runs an ASGI app; a `httpx.TransportError` of the app reaches the client unchanged.

    It works from several threads at once, and from a thread with a running event loop.

    Args:
        app: the ASGI app; it receives no lifespan events.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request to the app and return its complete response.

        Raises:
            httpx.TransportError: a fault of the app simulates a broken connection.
            httpx.RemoteProtocolError: the app ended without a complete response.
        """
        exchange = _Exchange(request, request.read())
        run(lambda: exchange.run(self._app))
        return exchange.response()


class _Exchange:
    """One request and the parts of its response."""

    def __init__(self, request: httpx.Request, body: bytes) -> None:
        self._request = request
        self._unread = [body]
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._complete = False

    async def run(self, app: ASGIApp) -> None:
        await app(self._scope(), self._receive, self._send)

    def response(self) -> httpx.Response:
        if self._status is None or not self._complete:
            raise httpx.RemoteProtocolError("the app closed the connection before the response was complete")
        return httpx.Response(
            self._status, headers=self._headers, stream=httpx.ByteStream(b"".join(self._parts)), request=self._request
        )

    def _scope(self) -> Scope:
        url = self._request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), text) for name, text in self._request.headers.raw],
            "server": (url.host, url.port),
            "client": ("127.0.0.1", 123),
            "extensions": {IN_PROCESS: {}},
        }

    async def _receive(self) -> Message:
        if self._unread:
            return {"type": "http.request", "body": self._unread.pop(), "more_body": False}
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self._parts.append(message.get("body", b""))
            self._complete = not message.get("more_body", False)


def run(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to its end, in a thread of its own if this thread already runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(job())
        return
    failures: list[BaseException] = []

    def run_in_thread() -> None:
        try:
            asyncio.run(job())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run_in_thread)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
