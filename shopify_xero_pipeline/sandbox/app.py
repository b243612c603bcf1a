"""Both local APIs on one port at their real paths, with injected faults and state that survives a restart.

This module only assembles, saves and serves. The APIs are in `shopify/` and `xero/`, the faults in `faults.py`.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from shopify_xero_pipeline.clock import Clock, ManualClock, SystemClock
from shopify_xero_pipeline.sandbox.date_header import DateHeader
from shopify_xero_pipeline.sandbox.faults import Faults
from shopify_xero_pipeline.sandbox.nodes import RecordKind, ShopSource
from shopify_xero_pipeline.sandbox.shopify.app import shopify_app
from shopify_xero_pipeline.sandbox.shopify.bulk_operations import FOLDER
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline.sandbox.transport import ASGIApp, Receive, Scope, Send
from shopify_xero_pipeline.sandbox.xero.app import xero_app
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions

HOST = "127.0.0.1"
_KINDS: tuple[RecordKind, ...] = ("orders", "customers", "products")
_SAVE_INTERVAL_SECONDS = 0.5  # between two checks for unsaved changes


class StateFileError(ValueError):
    """A state file that cannot be used; the message names it and the remedy."""


class OffsetClock:
    """A clock that starts at any instant and runs on in real time.

    Args:
        start: the instant it shows now, with its zone.
        machine: the clock whose pace it follows; the machine's by default.
    """

    def __init__(self, start: datetime, machine: Clock | None = None) -> None:
        self._machine = machine or SystemClock()
        self._offset: timedelta = start - self._machine.now()

    def now(self) -> datetime:
        """Return the shifted instant, in UTC."""
        return self._machine.now() + self._offset

    def elapsed(self) -> float:
        """Return the seconds that the machine's clock counts."""
        return self._machine.elapsed()

    def sleep(self, seconds: float) -> None:
        """Sleep on the machine's clock."""
        self._machine.sleep(seconds)


class _State(msgspec.Struct):
    """The content of the state file: Xero's books and the sandbox time of the save."""

    saved_at: datetime
    xero: msgspec.Raw


class Sandbox:
    """A local Shopify and a local Xero, ready for calls.

    Attributes:
        asgi: the app that serves both APIs, and the control routes under `/_sandbox/`.
        clock: the sandbox's time.
        source: the shop's records.
        books: the current state of Xero's organisation.
        faults: the fault rules; rules may be added at any time.
        unsaved: whether a call has written to Xero since the last save.
    """

    def __init__(
        self,
        clock: Clock,
        source: ShopSource,
        books: XeroBooks,
        apis: tuple[ASGIApp, ASGIApp],
        state_file: Path | None,
    ) -> None:
        self.clock = clock
        self.source = source
        self.books = books
        self.faults = Faults()
        self.unsaved = False
        self._state_file = state_file
        self._shopify, self._xero = apis
        self._faulty = DateHeader(self.faults.wrap(self._apis), clock)
        self._control = _control_routes(self)
        self.asgi: ASGIApp = self._route

    def save(self) -> None:
        """Write the state to the file atomically; do nothing without a file."""
        self.unsaved = False
        if self._state_file is None:
            return
        xero = msgspec.Raw(self.books.to_json().encode())
        self._state_file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._state_file.with_name(self._state_file.name + ".new")
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(_State(self.clock.now(), xero)))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._state_file)

    def summary(self) -> dict[str, Any]:
        """Return the sandbox's time, the counts of the shop's records and the number of faults fired."""
        now = self.clock.now()
        counts: dict[str, int] = {kind: len(self.source.versions(kind, now)) for kind in _KINDS}
        return {"now": now.isoformat(), **counts, "faults_fired": self.faults.fired}

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/_sandbox"):
            await self._control(scope, receive, send)
        else:
            await self._faulty(scope, receive, send)

    async def _apis(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(("/admin/", FOLDER)):
            await self._shopify(scope, receive, send)
            return
        try:
            await self._xero(scope, receive, send)
        finally:
            self.unsaved = self.unsaved or scope.get("method") not in (None, "GET")


def build_sandbox(
    *,
    clock: Clock,
    source: ShopSource,
    xero_books: XeroBooks | None = None,
    shopify_options: ShopifyOptions | None = None,
    xero_options: XeroOptions | None = None,
    state_file: Path | None = None,
) -> Sandbox:
    """Assemble a sandbox.

    Args:
        clock: the sandbox's time.
        source: the shop's records.
        xero_books: Xero's organisation on the first start; by default the empty Demo Company (NZ).
        shopify_options: the options of the shop.
        xero_options: the options of Xero.
        state_file: the file in which Xero's books survive a restart; an existing file takes precedence over
            `xero_books`.

    Raises:
        StateFileError: the file exists and cannot be read.
    """
    state = _load_state(state_file)
    if state is not None and state_file is not None:
        xero_books = _load_books(state, state_file)
    books = xero_books or XeroBooks()
    shopify = shopify_app(source, clock, options=shopify_options)
    xero = xero_app(books, clock, options=xero_options or XeroOptions())
    return Sandbox(clock, source, books, (shopify, xero), state_file)


def last_saved(state_file: Path) -> datetime | None:
    """Return the sandbox time of a state file's last save, from which a clock can continue; None without a file.

    Raises:
        StateFileError: the file exists and cannot be read.
    """
    state = _load_state(state_file)
    return None if state is None else state.saved_at


def serve(sandbox: Sandbox, port: int, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve a sandbox on this machine only, until a signal ends the process; save after writes and on exit.

    Args:
        sandbox: the sandbox to serve.
        port: a port of 127.0.0.1; 0 takes a free one.
        ready: called with the address once the port is listener.

    Raises:
        OSError: the port is in use.
    """
    with _bind(port) as listener:
        if ready is not None:
            ready(_address(listener))
        server = _Server(sandbox)
        # The terminal sends SIGHUP when it closes. uvicorn handles SIGTERM and SIGINT itself and raises them again
        # after shutdown; ignoring them there lets the process exit with 0.
        signal.signal(signal.SIGHUP, server.handle_exit)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        server.run(sockets=[listener])


@contextlib.contextmanager
def serving(sandbox: Sandbox, port: int = 0) -> Iterator[str]:
    """Serve a sandbox from its own thread for the duration of the block; yield the address.

    Raises:
        OSError: the port is in use.
    """
    with _bind(port) as listener:
        server = _Server(sandbox)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield _address(listener)
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """A server that saves the sandbox's state within half a second of each write, and at its end."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(
            uvicorn.Config(sandbox.asgi, log_level="critical", lifespan="off", interface="asgi3", date_header=False)
        )
        self._sandbox = sandbox

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        saving = asyncio.create_task(self._save_periodically())
        try:
            await super().serve(sockets)
        finally:
            saving.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Save after the last response, and before uvicorn raises the signal that ended it again."""
        await super().shutdown(sockets)
        self._sandbox.save()

    async def _save_periodically(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_INTERVAL_SECONDS)
            if self._sandbox.unsaved:
                self._sandbox.save()


def _bind(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise OSError(f"port {port} of {HOST} cannot be bound ({error.strerror}); choose another one") from error
    return listener


def _address(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


def _load_state(state_file: Path | None) -> _State | None:
    if state_file is None or not state_file.exists():
        return None
    try:
        return msgspec.json.decode(state_file.read_bytes(), type=_State)
    except (msgspec.MsgspecError, OSError) as error:
        raise StateFileError(_unusable_file(state_file, error)) from error


def _load_books(state: _State, state_file: Path) -> XeroBooks:
    try:
        return XeroBooks.from_json(bytes(state.xero).decode())
    except (ValueError, KeyError, TypeError) as error:
        raise StateFileError(_unusable_file(state_file, error)) from error


def _unusable_file(state_file: Path, error: Exception) -> str:
    return f"{state_file} is not a state file of the sandbox ({error}); delete it to start with empty books"


def _control_routes(sandbox: Sandbox) -> Starlette:
    """Return the control routes for the summary, the clock, a save and the faults."""

    async def summary(_request: Request) -> Response:
        return JSONResponse(sandbox.summary())

    async def clock(request: Request) -> Response:
        if request.method == "POST":
            problem = _move_clock(sandbox.clock, await request.body())
            if problem is not None:
                return JSONResponse({"error": problem}, status_code=400)
        return JSONResponse({"now": sandbox.clock.now().isoformat()})

    async def save(_request: Request) -> Response:
        sandbox.save()
        return JSONResponse({"saved": True})

    return Starlette(
        routes=[
            Route("/_sandbox", summary),
            Route("/_sandbox/clock", clock, methods=["GET", "POST"]),
            Route("/_sandbox/save", save, methods=["POST"]),
            Mount("/_sandbox/faults", sandbox.faults.control()),
        ]
    )


def _move_clock(clock: Clock, body: bytes) -> str | None:
    """Move a manual clock by `{"to": instant}` or `{"seconds": n}`; return the problem, or None."""
    if not isinstance(clock, ManualClock):
        return "this sandbox's clock runs by itself; only a manual clock can be moved"
    try:
        target = json.loads(body)
        if "to" in target:
            clock.move_to(datetime.fromisoformat(target["to"]))
        else:
            clock.sleep(float(target["seconds"]))
    except (ValueError, TypeError, KeyError) as error:
        return f'expected {{"to": an instant with its zone}} or {{"seconds": a number}}: {error}'
    return None
