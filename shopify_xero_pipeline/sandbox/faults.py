"""Faults between a client and either API, injected per call by ASGI middleware around the sandbox.

A `Fault` selects calls and the fault that they meet. `Faults` stores the rules, wraps an app and counts the faults
fired. Events inside the books (a person voids an invoice, a lock date moves) are in `xero/human_edits.py`. Xero caches
a 500 under its Idempotency-Key (docs/contracts/xero.md §4), so its app executes these two kinds itself, as well as the
refusal of single records of a batch.
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
"""Scope key with `before` or `after`: Xero's app answers 500 before or after the commit, and caches it."""

REFUSAL_HINT = "sandbox.refusal"
"""Scope key with a text and a message: Xero's app refuses each record that contains the text, with that message."""

BULK_OUTCOME_HINT = "sandbox.bulk_outcome"
"""Scope key with a status: Shopify's app ends the bulk operation that the call creates in that state."""

ZERO_GUID = "00000000-0000-0000-0000-000000000000"


class FaultKind(StrEnum):
    """The kind of a fault. A kind marked * happens after the API has committed; `late` calls wait for `deliver`."""

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
    BULK_OUTCOME = "bulk_outcome"
    ANSWER = "answer"
    ANSWER_AFTER_COMMIT = "answer_after_commit"  # *


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A fault rule: the calls it applies to, and the fault.

    Attributes:
        kind: the kind of fault.
        method: only calls with this method; None for all.
        path: only calls whose path and query contain this text.
        body: only calls whose body contains this text (a GraphQL operation, an invoice number).
        times: how often it may fire; None for always.
        after: how many matching calls pass first.
        retry_after: seconds in the header of a minute or day limit; None sends no header. Other kinds never send one.
        status: HTTP status of `answer` and `answer_after_commit`.
        headers: headers of the same two kinds.
        answer: body of the same two kinds; for `refused`, Xero's message for each record that contains `body`; for
            `bulk_outcome` FAILED, CANCELED, EXPIRED, or RUNNING for a bulk operation that stalls.
        seed: seed of the shuffle; a list of two or more elements never keeps its order.
        fired: how often it has fired.
        seen: how many matching calls it has counted.
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
        """Return whether a call matches this rule.

        Args:
            method: the HTTP method of the call.
            target: its path and query.
            body: its body.
        """
        return self.method in (None, method) and self.path in target and self.body.encode() in body

    def due(self) -> bool:
        """Count one matching call and return whether the fault fires for it."""
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True


class Faults:
    """The active rules in the order they were added; the first rule that is due applies to a call."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._late: list[_Call] = []

    def add(self, fault: Fault) -> Fault:
        """Add a rule and return it, so that a caller can read its `fired` later."""
        self._rules.append(fault)
        return fault

    def add_json(self, rule: Mapping[str, Any]) -> Fault:
        """Add a rule from JSON and return it.

        Raises:
            msgspec.ValidationError: the JSON is not a rule; the message names the field.
        """
        return self.add(msgspec.convert(rule, Fault))

    def clear(self) -> None:
        """Remove all rules and their counts."""
        self._rules.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """Return all rules with their counts, in the form that `add_json` accepts."""
        return [msgspec.to_builtins(rule) for rule in self._rules]

    @property
    def fired(self) -> int:
        """How often all rules together have fired."""
        return sum(rule.fired for rule in self._rules)

    def deliver(self) -> int:
        """Execute the calls held back as `late`, whose clients have timed out, and return their number."""
        late, self._late = self._late, []
        for call in late:
            run(call.arrive)
        return len(late)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return the app with these faults around it; rules added later apply too."""

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
            await (call.forward() if fault is None else call.apply(fault))

        return faulty

    def control(self) -> Starlette:
        """Return an app for the route `/`, on which GET lists the rules, POST adds one and DELETE clears them."""
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
    """A complete response that is held back."""

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
        """Send half of the announced body and end, so that the server cuts the connection."""
        await self._start(send, len(self.body) + 1)
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})

    async def _start(self, send: Send, length: int) -> None:
        rest = [(name, text) for name, text in self.headers if name.lower() != b"content-length"]
        headers = [*rest, (b"content-length", str(length).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})


class _Call:
    """One request on its way to the app, and its response."""

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._body = body
        self._receive = receive
        self._send = send

    async def forward(self) -> None:
        await self._app(self._scope, _replay(self._body, self._receive), self._send)

    async def apply(self, fault: Fault) -> None:
        kind = fault.kind
        if kind in (FaultKind.SERVER_ERROR, FaultKind.SERVER_ERROR_AFTER_COMMIT):
            await self._server_error(after_commit=kind is FaultKind.SERVER_ERROR_AFTER_COMMIT)
        elif kind is FaultKind.REFUSED:
            self._scope[REFUSAL_HINT] = (fault.body, fault.answer or "Refused by a fault of the sandbox.")
            await self.forward()
        elif kind is FaultKind.BULK_OUTCOME:
            self._scope[BULK_OUTCOME_HINT] = fault.answer
            await self.forward()
        elif kind in _CONNECTION_ERRORS:
            await self._lose(kind)
        elif kind in _CORRUPTIONS:
            answer = await self._send_to_app()
            answer.body = _CORRUPTIONS[kind](answer.body, fault)
            await answer.give(self._send)
        else:
            if kind is FaultKind.ANSWER_AFTER_COMMIT:
                await self._send_to_app()
            await _replacement(fault).give(self._send)

    async def arrive(self) -> None:
        """Reach the app after the client has timed out."""
        await self._send_to_app()

    async def _send_to_app(self) -> _Answer:
        answer = _Answer()
        await self._app(self._scope, _replay(self._body, self._receive), answer.take)
        return answer

    async def _server_error(self, *, after_commit: bool) -> None:
        if "/api.xro/" in self._scope["path"]:
            self._scope[SERVER_ERROR_HINT] = "after" if after_commit else "before"
            await self.forward()
            return
        if after_commit:
            await self._send_to_app()
        await _Answer(500, [(b"content-type", b"text/plain")], b"Internal Server Error").give(self._send)

    async def _lose(self, kind: FaultKind) -> None:
        committed = kind in (FaultKind.DROP_AFTER, FaultKind.SLOW)
        answer = await self._send_to_app() if committed else _Answer(200)
        if IN_PROCESS in (self._scope.get("extensions") or {}):
            raise _CONNECTION_ERRORS[kind](f"fault {kind.value}")
        if kind in (FaultKind.SLOW, FaultKind.LATE):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            return
        await answer.break_off(self._send)


async def _whole_body(receive: Receive) -> bytes | None:
    """Return a request's body; None if its sender disconnected before its end, to which no API responds."""
    parts = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay


_CONNECTION_ERRORS: dict[FaultKind, type[httpx.TransportError]] = {
    FaultKind.UNREACHABLE: httpx.ConnectError,
    FaultKind.DROP_BEFORE: httpx.ReadError,
    FaultKind.DROP_AFTER: httpx.ReadError,
    FaultKind.SLOW: httpx.ReadTimeout,
    FaultKind.LATE: httpx.ReadTimeout,
}


def _truncate(body: bytes, _fault: Fault) -> bytes:
    return body[: len(body) // 2]


def _shuffle(body: bytes, fault: Fault) -> bytes:
    """Reorder each list at the top of a JSON object."""
    answer = _parse(body)
    for elements in answer.values() if isinstance(answer, dict) else ():
        if isinstance(elements, list) and len(elements) > 1:
            before = list(elements)
            random.Random(fault.seed).shuffle(elements)
            if elements == before:
                elements.append(elements.pop(0))  # a shuffle may return the same order
    return _encode(answer)


def _clear_ids(body: bytes, _fault: Fault) -> bytes:
    """Replace `<Kind>ID` by the zero GUID in each element of the lists at the top of a JSON object."""
    answer = _parse(body)
    for name, elements in answer.items() if isinstance(answer, dict) else ():
        for element in elements if isinstance(elements, list) else ():
            own = name.removesuffix("s") + "ID"
            if own in element:
                element[own] = ZERO_GUID
    return _encode(answer)


def _parse(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal)


def _encode(answer: Any) -> bytes:
    return msgspec.json.Encoder(decimal_format="number").encode(answer)


_CORRUPTIONS: dict[FaultKind, Callable[[bytes, Fault], bytes]] = {
    FaultKind.TRUNCATED: _truncate,
    FaultKind.SHUFFLED: _shuffle,
    FaultKind.NO_ID: _clear_ids,
}


def _replacement(fault: Fault) -> _Answer:
    """Return the response that replaces the API's own (docs/contracts/xero.md §2, §8)."""
    if fault.kind in _LIMITS:
        return _limit_response(_LIMITS[fault.kind], fault.retry_after)
    if fault.kind is FaultKind.TOKEN_EXPIRED:
        return _Answer(401, [_JSON], _EXPIRED)
    if fault.kind is FaultKind.OFFLINE:
        return _Answer(503, [_TEXT], b"The Xero API is temporarily unavailable")
    if fault.kind is FaultKind.HTML:
        return _Answer(200, [_HTML], b"<html><head><title>One moment</title></head><body>Please wait.</body></html>")
    headers = [(name.lower().encode(), text.encode()) for name, text in fault.headers.items()]
    return _Answer(fault.status, headers, fault.answer.encode())


def _limit_response(problem: str, retry_after: int | None) -> _Answer:
    """Return a 429 with an empty body, and Retry-After for the minute and the day only."""
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
