"""What can go wrong between a client and either API, switched on per call, as ASGI middleware around the sandbox.

A `Fault` names the calls it waits for and what happens to them; `Faults` holds them, wraps an app and says how often
each one fired. What goes wrong inside the books (a person voids an invoice, a lock date moves) is not here:
`xero/people.py`. Xero remembers a 500 under its Idempotency-Key (docs/contracts/xero.md §4), so its app carries out
those two kinds itself, and so it does the refusal of single records of a batch.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shopify_xero_pipeline.sandbox.transport import IN_PROCESS, ASGIApp, Message, Receive, Scope, Send, run

SERVER_ERROR_HINT = "sandbox.server_error"
"""Scope key, `before` or `after`: Xero's app answers 500 before or after it has committed, and remembers it."""

REFUSAL_HINT = "sandbox.refusal"
"""Scope key, a text and a message: Xero's app refuses every record that holds the text, with that message."""

ZERO_GUID = "00000000-0000-0000-0000-000000000000"


class FaultKind(StrEnum):
    """What happens to a call. Those marked * happen after the API has committed; `late` ones wait for `deliver`."""

    MINUTE_LIMIT = "minute_limit"
    DAY_LIMIT = "day_limit"
    CONCURRENT_LIMIT = "concurrent_limit"
    SERVER_ERROR = "server_error"
    SERVER_ERROR_AFTER_COMMIT = "server_error_after_commit"  # *
    UNREACHABLE = "unreachable"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"  # *
    OFFLINE = "offline"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    SLOW = "slow"  # *
    LATE = "late"
    HTML = "html"
    TRUNCATED = "truncated"  # *
    SHUFFLED = "shuffled"  # *
    NO_ID = "no_id"  # *
    REFUSED = "refused"
    ANSWER = "answer"
    ANSWER_AFTER_COMMIT = "answer_after_commit"  # *


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One rule: which calls, and what happens to them.

    Attributes:
        kind: what happens.
        method: only calls with this method; None for all.
        path: only calls whose path and query contain this text.
        body: only calls whose body contains this text (a GraphQL operation, an invoice number).
        times: how often it may fire; None for always.
        after: how many matching calls pass first.
        retry_after: seconds named by a minute or day limit; None sends no header. The other kinds never send one.
        status: status of `answer` and `answer_after_commit`.
        headers: headers of the same two kinds.
        answer: body of the same two kinds; of `refused`, what Xero says of each record that holds `body`.
        seed: of the shuffle; the result is never the order asked for if there are two or more elements.
        fired: how often it fired so far.
        seen: how many matching calls came so far.
    """

    kind: FaultKind
    method: str | None = None
    path: str = ""
    body: str = ""
    times: int | None = 1
    after: int = 0
    retry_after: int | None = 26
    status: int = 503
    headers: dict[str, str] = {}
    answer: str = ""
    seed: int = 0
    fired: int = 0
    seen: int = 0

    def meets(self, method: str, target: str, body: bytes) -> bool:
        """Tell whether a call is one of those this rule waits for."""
        return self.method in (None, method) and self.path in target and self.body.encode() in body

    def due(self) -> bool:
        """Count one matching call and tell whether the fault fires for it."""
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True


class Faults:
    """The rules switched on, in the order they were added; the first one due has the call."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._late: list[_Call] = []

    def add(self, fault: Fault) -> Fault:
        """Switch a fault on and return it, so that its `fired` can be read later."""
        self._rules.append(fault)
        return fault

    def add_json(self, rule: Mapping[str, Any]) -> Fault:
        """Switch a fault on from JSON.

        Raises:
            msgspec.ValidationError: the JSON is not a rule; the message names the field.
        """
        return self.add(msgspec.convert(rule, Fault))

    def clear(self) -> None:
        """Switch everything off and forget the counts."""
        self._rules.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """Return all rules with their counts, as `add_json` takes them."""
        return [msgspec.to_builtins(rule) for rule in self._rules]

    @property
    def fired(self) -> int:
        """How often any fault fired."""
        return sum(rule.fired for rule in self._rules)

    def deliver(self) -> int:
        """Carry out the calls held back as `late`, whose clients have long given up, and return how many there were."""
        late, self._late = self._late, []
        for call in late:
            run(call.arrives)
        return len(late)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return the app with these faults around it; rules added later count too."""

        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            body = await _whole_body(receive)
            if body is None:
                return
            fault = self._due(scope, body)
            call = _Call(app, scope, body, receive, send)
            if fault and fault.kind is FaultKind.LATE:
                self._late.append(call)
            await (call.passes() if fault is None else call.suffers(fault))

        return faulty

    def control(self) -> Starlette:
        """Return an app for the route `/`: GET lists the rules, POST adds one, DELETE clears them."""
        return Starlette(routes=[Route("/", self._control, methods=["GET", "POST", "DELETE"])])

    def _due(self, scope: Scope, body: bytes) -> Fault | None:
        target = scope["path"] + "?" + scope.get("query_string", b"").decode("latin-1")
        matching = (rule for rule in self._rules if rule.meets(scope["method"], target, body))
        return next((rule for rule in matching if rule.due()), None)

    async def _control(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.clear()
        if request.method == "POST":
            try:
                self.add_json(json.loads(await request.body()))
            except (msgspec.ValidationError, ValueError) as error:
                return JSONResponse({"error": f"not a fault rule: {error}"}, status_code=400)
        return JSONResponse(self.as_json())


@dataclass
class _Answer:
    """A whole answer held back."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", []))
        else:
            self.body += message.get("body", b"")

    async def give(self, send: Send) -> None:
        await self._start(send, len(self.body))
        await send({"type": "http.response.body", "body": self.body})

    async def break_off(self, send: Send) -> None:
        """Send half of what was announced and end; the server then cuts the connection."""
        await self._start(send, len(self.body) + 1)
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})

    async def _start(self, send: Send, length: int) -> None:
        rest = [(name, text) for name, text in self.headers if name.lower() != b"content-length"]
        headers = [*rest, (b"content-length", str(length).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})


class _Call:
    """One request on its way to the app, and the answer on its way back."""

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._body = body
        self._receive = receive
        self._send = send

    async def passes(self) -> None:
        await self._app(self._scope, _replayed(self._body, self._receive), self._send)

    async def suffers(self, fault: Fault) -> None:
        kind = fault.kind
        if kind in (FaultKind.SERVER_ERROR, FaultKind.SERVER_ERROR_AFTER_COMMIT):
            await self._server_error(after_commit=kind is FaultKind.SERVER_ERROR_AFTER_COMMIT)
        elif kind is FaultKind.REFUSED:
            self._scope[REFUSAL_HINT] = (fault.body, fault.answer or "Refused by a fault of the sandbox.")
            await self.passes()
        elif kind in _LOST:
            await self._lose(kind)
        elif kind in _SPOILED:
            answer = await self._committed()
            answer.body = _SPOILED[kind](answer.body, fault)
            await answer.give(self._send)
        else:
            if kind is FaultKind.ANSWER_AFTER_COMMIT:
                await self._committed()
            await _replacement(fault).give(self._send)

    async def arrives(self) -> None:
        """Reach the app although nobody waits for the answer any more."""
        await self._committed()

    async def _committed(self) -> _Answer:
        answer = _Answer()
        await self._app(self._scope, _replayed(self._body, self._receive), answer.take)
        return answer

    async def _server_error(self, *, after_commit: bool) -> None:
        if "/api.xro/" in self._scope["path"]:
            self._scope[SERVER_ERROR_HINT] = "after" if after_commit else "before"
            await self.passes()
            return
        if after_commit:
            await self._committed()
        await _Answer(500, [(b"content-type", b"text/plain")], b"Internal Server Error").give(self._send)

    async def _lose(self, kind: FaultKind) -> None:
        committed = kind in (FaultKind.DROP_AFTER, FaultKind.SLOW)
        answer = await self._committed() if committed else _Answer(200)
        if IN_PROCESS in (self._scope.get("extensions") or {}):
            raise _LOST[kind](f"fault {kind.value}")
        if kind in (FaultKind.SLOW, FaultKind.LATE):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            return
        await answer.break_off(self._send)


async def _whole_body(receive: Receive) -> bytes | None:
    """Return a request's body; None if its sender went away before all of it had come, which no API answers."""
    parts = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay


_LOST: dict[FaultKind, type[httpx.TransportError]] = {
    FaultKind.UNREACHABLE: httpx.ConnectError,
    FaultKind.DROP_BEFORE: httpx.ReadError,
    FaultKind.DROP_AFTER: httpx.ReadError,
    FaultKind.SLOW: httpx.ReadTimeout,
    FaultKind.LATE: httpx.ReadTimeout,
}


def _truncated(body: bytes, _fault: Fault) -> bytes:
    return body[: len(body) // 2]


def _shuffled(body: bytes, fault: Fault) -> bytes:
    """Put every list at the top of a JSON object in another order."""
    answer = _exact(body)
    for elements in answer.values() if isinstance(answer, dict) else ():
        if isinstance(elements, list) and len(elements) > 1:
            before = list(elements)
            random.Random(fault.seed).shuffle(elements)
            if elements == before:
                elements.append(elements.pop(0))
    return _written(answer)


def _without_ids(body: bytes, _fault: Fault) -> bytes:
    """Empty the id of every element: `<Kind>ID` becomes the zero GUID in the lists at the top of a JSON object."""
    answer = _exact(body)
    for name, elements in answer.items() if isinstance(answer, dict) else ():
        for element in elements if isinstance(elements, list) else ():
            own = name.removesuffix("s") + "ID"
            if own in element:
                element[own] = ZERO_GUID
    return _written(answer)


def _exact(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal)


def _written(answer: Any) -> bytes:
    return msgspec.json.Encoder(decimal_format="number").encode(answer)


_SPOILED: dict[FaultKind, Callable[[bytes, Fault], bytes]] = {
    FaultKind.TRUNCATED: _truncated,
    FaultKind.SHUFFLED: _shuffled,
    FaultKind.NO_ID: _without_ids,
}


def _replacement(fault: Fault) -> _Answer:
    """Return the answer that stands in for the API's own (docs/contracts/xero.md §2, §8)."""
    if fault.kind in _LIMITS:
        return _limit(_LIMITS[fault.kind], fault.retry_after)
    if fault.kind is FaultKind.TOKEN_EXPIRED:
        return _Answer(401, [_JSON], _EXPIRED)
    if fault.kind is FaultKind.OFFLINE:
        return _Answer(503, [_TEXT], b"The Xero API is temporarily unavailable")
    if fault.kind is FaultKind.HTML:
        return _Answer(200, [_HTML], b"<html><head><title>One moment</title></head><body>Please wait.</body></html>")
    headers = [(name.lower().encode(), text.encode()) for name, text in fault.headers.items()]
    return _Answer(fault.status, headers, fault.answer.encode())


def _limit(problem: str, retry_after: int | None) -> _Answer:
    """Return a 429: an empty body, and Retry-After for the minute and the day only."""
    headers = [(b"x-rate-limit-problem", problem.encode())]
    if problem != "concurrent" and retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    if problem in ("minute", "day"):
        headers.append((b"x-minlimit-remaining" if problem == "minute" else b"x-daylimit-remaining", b"0"))
    return _Answer(429, headers)


_LIMITS = {
    FaultKind.MINUTE_LIMIT: "minute",
    FaultKind.DAY_LIMIT: "day",
    FaultKind.CONCURRENT_LIMIT: "concurrent",
}
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain")
_HTML = (b"content-type", b"text/html; charset=utf-8")
_EXPIRED = json.dumps(
    {
        "Type": None,
        "Title": "Unauthorized",
        "Status": 401,
        "Detail": "TokenExpired: token expired at 09/21/2026 05:16:59",
        "Instance": "6f1b0b5e-8f1d-4b7e-9a55-0f6d7c1f2a10",
        "Extensions": {},
    }
).encode()
