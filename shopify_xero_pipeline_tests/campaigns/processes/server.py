"""The sandbox's Xero in its own process on a real port: random faults, persistent connections, counted calls.

The faults themselves are the sandbox's; this module contains their frequency, the observed use of limits, and the
routes by which a round ends the faults and reads the books.
"""

import random
import socket
from collections import Counter, deque
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind, Faults
from shopify_xero_pipeline.sandbox.transport import ASGIApp, Receive, Scope, Send
from shopify_xero_pipeline.sandbox.xero.app import XeroSandbox, xero_app
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline_tests.campaigns.processes.scaled import ScaledClock, end_with_parent

FAULTS: Sequence[tuple[FaultKind, float]] = (
    (FaultKind.DROP_AFTER, 0.02),
    (FaultKind.DROP_BEFORE, 0.01),
    (FaultKind.SERVER_ERROR_AFTER_COMMIT, 0.01),
    (FaultKind.SERVER_ERROR, 0.005),
    (FaultKind.OFFLINE, 0.02),
    (FaultKind.SLOW, 0.005),
    (FaultKind.HTML, 0.01),
    (FaultKind.TRUNCATED, 0.01),
    (FaultKind.SHUFFLED, 0.05),
)
"""The probability of each fault for a call."""

CALLS_A_MINUTE = 8
"""Few, so that workers with a fast clock reach the limit; each response has the remaining calls."""

CALLS_A_DAY = 1_000_000
LONGER_THAN_ANY_PAUSE = 3_600  # real seconds


class Watched:
    """Xero's app with faults, and the observed calls."""

    def __init__(self, clock: ScaledClock, seed: int) -> None:
        options = XeroOptions(minute_limit=CALLS_A_MINUTE, day_limit=CALLS_A_DAY, shuffle_responses=True)
        app = xero_app(XeroBooks(), clock, options=options)
        self.xero: XeroSandbox = app.state.xero
        self.faults = Faults()
        self.calm = False
        self.fired: Counter[str] = Counter()
        self.arrived: set[str] = set()
        self.refused = self.in_flight = self.most_in_flight = self.most_in_a_minute = self.calls = 0
        self._recent: deque[float] = deque()
        self._clock = clock
        self._rng = random.Random(seed)
        self._faulty = self.faults.wrap(app)
        self._control = _control(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "/api.xro/" not in scope["path"]:
            await (self._faulty if "/_round" not in scope.get("path", "") else self._control)(scope, receive, send)
            return
        self._arrives(scope)
        try:
            await self._faulty(scope, receive, self._noting(send))
        finally:
            self.in_flight -= 1

    def _arrives(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        self.arrived.add(headers.get(b"idempotency-key", b"").decode())
        self.calls += 1
        self.in_flight += 1
        now = self._clock.elapsed()
        self._recent.append(now)
        while self._recent[0] <= now - 60:
            self._recent.popleft()
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.most_in_a_minute = max(self.most_in_a_minute, len(self._recent))
        self._maybe_spoil()

    def _maybe_spoil(self) -> None:
        """Add a fault for the next call, which is almost always this one."""
        drawn = 1.0 if self.calm else self._rng.random()
        for kind, share in FAULTS:
            drawn -= share
            if drawn < 0:
                self.fired[kind.value] += 1
                self.faults.add(Fault(kind=kind, path="/api.xro/", seed=self.calls))
                return

    def _noting(self, send: Send) -> Send:
        async def note(message: Any) -> None:
            self.refused += message.get("status") == 429
            await send(message)

        return note

    def end_faults(self) -> None:
        """End the faults for good."""
        self.calm = True
        self.faults.clear()

    def figures(self) -> dict[str, Any]:
        """Return the figures so far."""
        return {
            "calls": self.calls,
            "replayed": self.xero.idempotency.replays,
            "refused_429": self.refused,
            "most_in_flight": self.most_in_flight,
            "most_in_a_minute": self.most_in_a_minute,
            "faults": dict(sorted(self.fired.items())),
        }


def _control(watched: Watched) -> Starlette:
    async def books(_request: Request) -> Response:
        return Response(watched.xero.books.to_json(), media_type="application/json")

    async def figures(_request: Request) -> Response:
        return JSONResponse(watched.figures())

    async def calm(_request: Request) -> Response:
        watched.end_faults()
        return JSONResponse({})

    async def arrived(request: Request) -> Response:
        return JSONResponse(request.query_params["key"] in watched.arrived)

    routes = [("books", books), ("figures", figures), ("calm", calm), ("arrived", arrived)]
    return Starlette(routes=[Route(f"/_round/{name}", answer, methods=["GET", "POST"]) for name, answer in routes])


def serve(clock: ScaledClock, seed: int, ready: Connection) -> None:
    """Serve one organisation until the process ends.

    Args:
        clock: the clock of the round.
        seed: the seed of the faults.
        ready: the pipe that receives the address.
    """
    end_with_parent()
    app: ASGIApp = Watched(clock, seed)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    ready.send(f"http://127.0.0.1:{listener.getsockname()[1]}")
    config = uvicorn.Config(
        app,
        log_level="critical",
        lifespan="off",
        interface="asgi3",
        date_header=False,  # the app's Date has the time of the round; uvicorn's would run 100 times as slowly
        timeout_keep_alive=LONGER_THAN_ANY_PAUSE,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listener])
