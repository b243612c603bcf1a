"""Both local APIs on one port at their real paths, with faults around them and state that survives a restart.

Puts the parts together, saves and serves. What the APIs do is in `shopify/` and `xero/`, what goes wrong between them
and a client in `faults.py`.
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
from shopify_xero_pipeline.sandbox.dated import Dated
from shopify_xero_pipeline.sandbox.faults import Faults
from shopify_xero_pipeline.sandbox.nodes import RecordKind, ShopSource
from shopify_xero_pipeline.sandbox.shopify.app import shopify_app
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline.sandbox.transport import ASGIApp, Receive, Scope, Send
from shopify_xero_pipeline.sandbox.xero.app import xero_app
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions

HOST = "127.0.0.1"
_KINDS: tuple[RecordKind, ...] = ("orders", "customers", "products")
_SAVE_EVERY = 0.5  # seconds between looks whether there is something to save


class StateFileError(ValueError):
    """The sandbox's state file cannot be used; the message names it and says what to do."""


class OffsetClock:
    """A clock that starts at any instant and runs on in real time.

    Args:
        start: What it shows now.
        machine: The clock whose pace it keeps.
    """

    def __init__(self, start: datetime, machine: Clock | None = None) -> None:
        self._machine = machine or SystemClock()
        self._offset: timedelta = start - self._machine.now()

    def now(self) -> datetime:
        """Return the shifted instant, in UTC."""
        return self._machine.now() + self._offset

    def elapsed(self) -> float:
        """Return what the machine's clock counts."""
        return self._machine.elapsed()

    def sleep(self, seconds: float) -> None:
        """Wait as the machine does."""
        self._machine.sleep(seconds)


class _State(msgspec.Struct):
    """The state file: when it was written, in the sandbox's time, and Xero's books."""

    saved_at: datetime
    xero: msgspec.Raw


class Sandbox:
    """A local Shopify and a local Xero, ready to be called.

    Attributes:
        asgi: The app that serves both, and the control routes under `/_sandbox/`.
        clock: The sandbox's time.
        source: The shop's records.
        books: Xero's organisation, as it is now.
        faults: What goes wrong; rules may be added at any time.
        unsaved: Whether something was written to Xero since the last save.
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
        self._faulty = Dated(self.faults.wrap(self._apis), clock)
        self._control = _control(self)
        self.asgi: ASGIApp = self._route

    def save(self) -> None:
        """Write the state to the file, whole or not at all; without a file there is nothing to do."""
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
        """Return what the sandbox holds: its time, counts of the shop's records, faults fired."""
        now = self.clock.now()
        counts: dict[str, int] = {kind: len(self.source.versions(kind, now)) for kind in _KINDS}
        return {"now": now.isoformat(), **counts, "faults_fired": self.faults.fired}

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/_sandbox"):
            await self._control(scope, receive, send)
        else:
            await self._faulty(scope, receive, send)

    async def _apis(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/admin/"):
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
    """Put a sandbox together.

    Args:
        clock: Its time.
        source: The shop's records.
        xero_books: Xero's organisation on the first start; by default the empty Demo Company (NZ).
        shopify_options: How the shop is set up.
        xero_options: How Xero is set up.
        state_file: Where Xero's books survive a restart; if it exists, they are read from it.

    Raises:
        StateFileError: the file is there and cannot be read.
    """
    kept = _saved(state_file)
    if kept is not None and state_file is not None:
        xero_books = _books(kept, state_file)
    books = xero_books or XeroBooks()
    shopify = shopify_app(source, clock, options=shopify_options)
    xero = xero_app(books, clock, options=xero_options or XeroOptions())
    return Sandbox(clock, source, books, (shopify, xero), state_file)


def last_saved(state_file: Path) -> datetime | None:
    """Return the sandbox time at which a state file was written, so that a clock can go on from there.

    Raises:
        StateFileError: the file is there and cannot be read.
    """
    kept = _saved(state_file)
    return None if kept is None else kept.saved_at


def serve(sandbox: Sandbox, port: int, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve a sandbox on this machine alone until the process is told to stop; state is saved after writes and on exit.

    Args:
        sandbox: What to serve.
        port: A port of 127.0.0.1; 0 takes a free one.
        ready: Called with the address once the port is taken.

    Raises:
        OSError: the port is taken by someone else.
    """
    with _bound(port) as taken:
        if ready is not None:
            ready(_address(taken))
        server = _Server(sandbox)
        signal.signal(signal.SIGHUP, server.handle_exit)  # sent when the terminal is closed; uvicorn knows two others,
        for number in (signal.SIGTERM, signal.SIGINT):  # which it raises again when it has ended; the process ends well
            signal.signal(number, lambda *_: None)
        server.run(sockets=[taken])


@contextlib.contextmanager
def serving(sandbox: Sandbox, port: int = 0) -> Iterator[str]:
    """Serve a sandbox from a thread of its own for as long as the block runs; gives the address.

    Raises:
        OSError: the port is taken by someone else.
    """
    with _bound(port) as taken:
        server = _Server(sandbox)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        try:
            yield _address(taken)
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """A server that saves the sandbox's state soon after each write, and when it ends."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(
            uvicorn.Config(sandbox.asgi, log_level="critical", lifespan="off", interface="asgi3", date_header=False)
        )
        self._sandbox = sandbox

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        saving = asyncio.create_task(self._keep_saving())
        try:
            await super().serve(sockets)
        finally:
            saving.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Save once the last request is answered, and before uvicorn raises the signal again that ended it."""
        await super().shutdown(sockets)
        self._sandbox.save()

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_EVERY)
            if self._sandbox.unsaved:
                self._sandbox.save()


def _bound(port: int) -> socket.socket:
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((HOST, port))
        taken.listen()
    except OSError as error:
        taken.close()
        raise OSError(f"port {port} of {HOST} cannot be taken ({error.strerror}); choose another one") from error
    return taken


def _address(taken: socket.socket) -> str:
    return f"http://{HOST}:{taken.getsockname()[1]}"


def _saved(state_file: Path | None) -> _State | None:
    if state_file is None or not state_file.exists():
        return None
    try:
        return msgspec.json.decode(state_file.read_bytes(), type=_State)
    except (msgspec.MsgspecError, OSError) as error:
        raise StateFileError(_unusable(state_file, error)) from error


def _books(kept: _State, state_file: Path) -> XeroBooks:
    try:
        return XeroBooks.from_json(bytes(kept.xero).decode())
    except (ValueError, KeyError, TypeError) as error:
        raise StateFileError(_unusable(state_file, error)) from error


def _unusable(state_file: Path, error: Exception) -> str:
    return f"{state_file} is no state of the sandbox ({error}); delete it to start with empty books"


def _control(sandbox: Sandbox) -> Starlette:
    """Return the control routes: what the sandbox holds, its clock, its faults."""

    async def summary(_request: Request) -> Response:
        return JSONResponse(sandbox.summary())

    async def clock(request: Request) -> Response:
        if request.method == "POST":
            problem = _move(sandbox.clock, await request.body())
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


def _move(clock: Clock, body: bytes) -> str | None:
    """Move a clock that can be moved, by `{"to": instant}` or `{"seconds": n}`; returns what is wrong, if anything."""
    if not isinstance(clock, ManualClock):
        return "this sandbox's clock runs by itself; only one that stands still can be moved"
    try:
        asked = json.loads(body)
        if "to" in asked:
            clock.move_to(datetime.fromisoformat(asked["to"]))
        else:
            clock.sleep(float(asked["seconds"]))
    except (ValueError, TypeError, KeyError) as error:
        return f'expected {{"to": an instant with its zone}} or {{"seconds": a number}}: {error}'
    return None
