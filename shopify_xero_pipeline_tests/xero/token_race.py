"""Real processes that share one sign-in, on a clock that runs faster, with a sign-in service that may kill them.

Access tokens last 2 minutes here and are renewed after one; a spent refresh token is good for 30 minutes more, as ever.
The service looks who asks. It kills some of those who renew: before it executes, while it does, or before they hear.
"""

import asyncio
import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpcore  # noqa: F401 - httpx and SQLAlchemy load these late, and every process would do so again
import httpx
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite  # noqa: F401
from starlette.responses import Response

from shopify_xero_pipeline.sandbox.transport import ASGIApp, Message, Receive, Scope, Send
from shopify_xero_pipeline.sandbox.xero import sessions
from shopify_xero_pipeline.sandbox.xero.app import XeroSandbox, xero_app
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.state.database import open_database
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.tokens import TokenSet, TokenStore, new_key
from shopify_xero_pipeline.xero.auth import TokenEndpoint, XeroCredentials
from shopify_xero_pipeline.xero.oauth_token import RefreshingToken
from shopify_xero_pipeline_tests.campaigns.processes.scaled import ScaledClock, machine_seconds
from shopify_xero_pipeline_tests.sandbox.xero.server import serving

SCALE = 200
LIFE = timedelta(minutes=2)
PROCESSES = 8
PATIENCE = 10
PAUSE = 4
LONGEST = 60
WHO = b"x-process"


@dataclass
class Figures:
    """What a race came to. `spent` counts refresh tokens that were used once more, `lapsed` calls answered 401."""

    calls: int = 0
    lapsed: int = 0
    renewals: int = 0
    spent: int = 0
    refused: int = 0
    kills: int = 0
    failures: list[str] = field(default_factory=list)
    kept: TokenSet | None = None
    minutes: float = 0


@dataclass(frozen=True)
class Course:
    """What every process is given."""

    url: str
    key: str
    address: str
    clock: ScaledClock
    folder: Path

    @property
    def end(self) -> Path:
        """Where this file is, the race is over."""
        return self.folder / "end"

    def tokens(self) -> TokenStore:
        return TokenStore(open_database(self.url), "xero", self.key, self.clock)


def work(course: Course) -> None:
    """Call Xero until the race is over; what goes wrong is written into a file."""
    http = httpx.Client(headers={WHO.decode(): str(os.getpid())}, timeout=30, trust_env=False, verify=False)
    identity = TokenEndpoint(XeroCredentials("sandbox", "sandbox"), http, course.address, course.clock, random.Random())
    token = RefreshingToken(identity, course.tokens(), course.clock)
    try:
        while not course.end.exists():
            _call(http, token, course.address)
            course.clock.sleep(PAUSE)
    except BaseException as problem:
        (course.folder / str(os.getpid())).write_text(repr(problem))


def _call(http: httpx.Client, token: RefreshingToken, address: str) -> None:
    for _ in range(PATIENCE):
        signature = token.headers()
        answer = http.get(f"{address}/connections", headers=signature)
        if answer.status_code == 200:
            token.mark_verified()
            return
        token.renew(signature)
    raise AssertionError(f"no usable token in {PATIENCE} attempts: {answer.status_code}")


class Service:
    """The sandbox's Xero behind someone who counts, and kills a share of those who renew."""

    def __init__(self, clock: ScaledClock, seed: int, share: float) -> None:
        app = xero_app(XeroBooks(), clock)
        self._app: ASGIApp = app
        self.xero: XeroSandbox = app.state.xero
        self.figures = Figures()
        self.living: dict[int, BaseProcess] = {}
        self._rng = random.Random(seed)
        self._share = share
        self._used: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Kept()
        if scope["path"] != "/connect/token":
            await self._app(scope, receive, answer)
            self.figures.calls += answer.status == 200
            self.figures.lapsed += answer.status == 401
            await answer.give(send)
            return
        body = (await receive())["body"]
        moment = self._rng.choice(("before", "during", "after")) if self._rng.random() < self._share else ""
        await self._kill(scope, moment == "before")
        if moment == "before":  # nobody hears it, and nothing was executed
            await Response(status_code=503)(scope, receive, send)
            return
        self._count(dict(httpx.QueryParams(body.decode())))
        working = asyncio.create_task(self._kill(scope, moment == "during"))
        await self._app(scope, _read_again(body), answer)
        await working
        await asyncio.sleep(0.01)
        await self._kill(scope, moment == "after")
        self.figures.renewals += answer.status == 200
        self.figures.refused += answer.status != 200
        await answer.give(send)

    def _count(self, form: dict[str, str]) -> None:
        self.figures.spent += form["refresh_token"] in self._used
        self._used.add(form["refresh_token"])

    async def _kill(self, scope: Scope, really: bool) -> None:
        process = self.living.pop(int(dict(scope["headers"])[WHO]), None) if really else None
        if process is not None:
            os.kill(int(process.pid or 0), signal.SIGKILL)
            self.figures.kills += 1
            await asyncio.sleep(0.01)


class _Kept:
    """An answer that is held back."""

    def __init__(self) -> None:
        self.status = 0
        self._messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self._messages.append(message)

    async def give(self, send: Send) -> None:
        for message in self._messages:
            await send(message)


def _read_again(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


@contextmanager
def short_lives() -> Iterator[None]:
    usual = sessions.ACCESS_LIFE
    sessions.ACCESS_LIFE = LIFE
    try:
        yield
    finally:
        sessions.ACCESS_LIFE = usual


def race(url: str, folder: Path, *, renewals: int, share: float = 0.0, seed: int = 1) -> Figures:
    """Let processes call Xero until so many renewals were answered; those who are killed are replaced."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "pytest", __name__])
    warming = context.Process(target=_nothing)  # with it comes the server that the others are forked from
    warming.start()
    warming.join()
    clock = ScaledClock(SCALE)
    with closing(StateStore(url, clock)), short_lives():
        service = Service(clock, seed, share)
        with serving(service) as address:
            began = clock.now()
            course = Course(url, new_key(), address, clock, folder)
            _sign_in(course, service)
            until = machine_seconds() + LONGEST
            while service.figures.renewals < renewals and machine_seconds() < until:
                for _ in range(PROCESSES - len(service.living)):
                    process = context.Process(target=work, args=(course,))
                    process.start()
                    service.living[int(process.pid or 0)] = process
                clock.sleep(0.02 * SCALE)
            course.end.touch()
            for left in list(service.living.values()):
                left.join()
        figures, tokens = service.figures, course.tokens()
        figures.minutes = (clock.now() - began) / timedelta(minutes=1)
        figures.failures = [path.read_text() for path in folder.iterdir() if path.name.isdigit()]
        figures.kept = tokens.load()
        tokens._database.engine.dispose()
    return figures


def _nothing() -> None:
    """Be there."""


def _sign_in(course: Course, service: Service) -> None:
    """Keep a sign-in that is due, so that the race begins with a renewal."""
    tokens = course.tokens()
    now = course.clock.now()
    tokens.put("lapsed", service.xero.sessions.grant_refresh_token(), now - LIFE, now)
    tokens._database.engine.dispose()
