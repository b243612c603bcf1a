"""The sandbox's Xero as the simulator uses it: answered without a thread or a socket, with reads that may lag behind.

What Xero is and does is the sandbox's; what is done to a request on its way is in `line.py`.
"""

import copy
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from starlette.applications import Starlette

from shopify_xero_pipeline.sandbox.faults import REFUSAL_HINT, SERVER_ERROR_HINT
from shopify_xero_pipeline.sandbox.xero.app import xero_app
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.human_edits import Person
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline.sandbox.xero.records import Contents
from shopify_xero_pipeline_tests.campaigns.protocol.timeline import Timeline

LISTS = ("/Contacts", "/Items", "/Invoices", "/CreditNotes", "/Payments")


@dataclass(frozen=True)
class Call:
    """A request as it arrives; it can be carried out although its sender is gone."""

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    key: str

    @classmethod
    def of(cls, request: httpx.Request) -> "Call":
        """Return a request as a call."""
        headers = tuple((name.lower(), text) for name, text in request.headers.raw)
        key = request.headers.get("idempotency-key", "")
        return cls(request.method, request.url.path, request.url.query, headers, request.read(), key)

    @property
    def is_token(self) -> bool:
        """Whether this asks for an access token."""
        return self.path == "/connect/token"

    @property
    def is_write(self) -> bool:
        """Whether this may change the books."""
        return self.method != "GET" and not self.is_token


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Organisation:
    """One organisation.

    Args:
        timeline: Xero's time.
        lag: by how many seconds lists lag behind what was written.
    """

    def __init__(self, timeline: Timeline, lag: float = 0) -> None:
        self._timeline = timeline
        self._lag = timedelta(seconds=lag)
        self.books = XeroBooks()
        self.options = XeroOptions()
        self._app = xero_app(self.books, timeline, options=self.options)
        self.sandbox = self._app.state.xero
        self.person = Person(self.books, timeline, self.options)
        self.refusals: dict[str, str] = {}
        self.executed = 0
        self._versions: list[tuple[datetime, Starlette]] = []

    def answer(self, call: Call, server_error: str = "") -> Answer:
        """Carry out a call now; `server_error` is `before` or `after` the commit."""
        scope = _scope(call)
        if server_error:
            scope[SERVER_ERROR_HINT] = server_error
        marked = [text for text in self.refusals if text.encode() in call.body]
        if marked:
            scope[REFUSAL_HINT] = (marked[0], self.refusals[marked[0]])
        answer = _drive(self._reader(call), scope, call.body)
        if call.is_write:
            self.executed += 1
            self.changed()
        return answer

    def changed(self) -> None:
        """Keep what the books hold now for reads that lag behind."""
        if self._lag:
            held = xero_app(_copied(self.books), self._timeline, options=self.options)
            self._versions.append((self._timeline.now(), held))

    def _reader(self, call: Call) -> Starlette:
        if not self._lag or call.method != "GET" or not call.path.endswith(LISTS):
            return self._app
        if not self._versions:
            return self._app
        seen = self._timeline.now() - self._lag
        old = [app for at, app in self._versions if at <= seen]
        return old[-1] if old else xero_app(XeroBooks(), self._timeline, options=self.options)


def _copied(books: XeroBooks) -> XeroBooks:
    contents = Contents(
        tenant_id=books.tenant_id,
        organisation=books.organisation,
        accounts=books.accounts,
        tax_rates=books.tax_rates,
        currencies=books.currencies,
        contacts=[copy.copy(one) for one in books.contacts.values()],
        items=[copy.copy(one) for one in books.items.values()],
        documents=[copy.copy(one) for one in books.documents.values()],
        payments=[copy.copy(one) for one in books.payments.values()],
        allocations=[copy.copy(one) for one in books.allocations.values()],
        counters={},
    )
    return XeroBooks(contents)


def _scope(call: Call) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "https",
        "path": call.path,
        "raw_path": call.path.encode(),
        "query_string": call.query,
        "root_path": "",
        "headers": list(call.headers),
        "server": ("api.xero.com", 443),
        "client": ("127.0.0.1", 1),
        "extensions": {},
    }


def _drive(app: Starlette, scope: dict[str, Any], body: bytes) -> Answer:
    """Run the app to its end without an event loop: it never waits for anything."""
    answer = Answer(500, [], b"")

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message.get("headers", []))
        else:
            answer.body += message.get("body", b"")

    job: Coroutine[Any, Any, None] = app(scope, receive, send)  # type: ignore[arg-type]
    try:
        job.send(None)
    except StopIteration:
        return answer
    raise AssertionError("the sandbox waited for something")
