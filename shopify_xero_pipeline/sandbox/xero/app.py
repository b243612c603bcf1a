"""The sandbox's Xero as an ASGI app: the gateway of the Accounting API, and the identity server.

The gateway checks in this order: URL length, authentication, rate limits, route and scope, idempotency, then the
endpoint's rules (B3 to B8). The endpoints are in `api.py` and the modules of the records.
"""

import threading
import uuid
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.sandbox.date_header import DateHeader
from shopify_xero_pipeline.sandbox.faults import REFUSAL_HINT, SERVER_ERROR_HINT
from shopify_xero_pipeline.sandbox.xero.answers import Refused, Reply, not_found, server_error
from shopify_xero_pipeline.sandbox.xero.api import Api
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext, Call
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.idempotency import Idempotency
from shopify_xero_pipeline.sandbox.xero.limits import Limits
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline.sandbox.xero.sessions import Session, Sessions

_LONGEST_URL = 2090  # characters
_ROOT = "/api.xro/2.0/"
_METHODS = ["GET", "PUT", "POST", "DELETE", "PATCH"]


class XeroSandbox:
    """One organisation behind the gateway. Tests may read and change its parts.

    Attributes:
        books: the organisation's content.
        clock: the time of the server.
        options: may change while the sandbox runs.
        limits: counts calls and calls in flight.
        idempotency: counts replayed responses.
        sessions: tokens; also grants a refresh token without a browser.
    """

    def __init__(self, books: XeroBooks, clock: Clock, options: XeroOptions) -> None:
        self.books = books
        self.clock = clock
        self.options = options
        self.limits = Limits(clock, options, books.tenant_id)
        self.idempotency = Idempotency(clock)
        self.sessions = Sessions(books, clock, options)
        self._api = Api(ApiContext(books, clock, options))
        self._lock = threading.RLock()

    async def accounting(self, request: Request) -> Response:
        """Respond to a call of the Accounting API."""
        entered = False
        try:
            with self._lock:
                session = self._admit(request)
                self.limits.enter()
                entered = True
            body = await request.body()
            with self._lock:
                reply = self._answer(request, session, body)
        except Refused as refused:
            reply = refused.reply
        finally:
            if entered:
                with self._lock:
                    self.limits.leave()
        correlation = {"Xero-Correlation-Id": str(uuid.uuid4())}
        return _response(reply, correlation | (self.limits.headers() if entered else {}))

    async def identity(self, request: Request) -> Response:
        """Respond to a call of the identity server or of `/connections`."""
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        authorization = request.headers.get("authorization", "")
        with self._lock:
            try:
                return _response(self._route_identity(request, form, authorization), {})
            except Refused as refused:
                return _response(refused.reply, {})

    def _route_identity(self, request: Request, form: dict[str, str], authorization: str) -> Reply:
        path = request.url.path
        if path.endswith("/authorize"):
            return self.sessions.authorise(dict(request.query_params))
        if path.endswith("/revocation"):
            return self.sessions.revoke(form, authorization)
        if path.endswith("/token"):
            return self.sessions.token(form, authorization)
        if request.method == "DELETE":
            return self.sessions.disconnect(authorization, request.path_params["connection_id"])
        return self.sessions.connections(authorization)

    def _admit(self, request: Request) -> Session:
        if len(str(request.url)) > _LONGEST_URL:
            raise not_found()
        tenant = request.headers.get("xero-tenant-id", "")
        return self.sessions.accept(request.headers.get("authorization", ""), tenant)

    def _answer(self, request: Request, session: Session, body: bytes) -> Reply:
        path = request.scope["path"].split(_ROOT, 1)[1]
        endpoint, parameters = self._api.endpoint(request.method, path)
        session.must_have(endpoint.scopes(request.method))
        if "application/json" not in request.headers.get("accept", ""):
            return _XML_NOT_SUPPORTED
        query = {name.lower(): text for name, text in request.query_params.items()}
        call = Call(request.method, path, query, request.headers, body, request.scope.get(REFUSAL_HINT))
        hint = request.scope.get(SERVER_ERROR_HINT)

        def act() -> Reply:
            if hint == "before":
                return server_error()
            try:
                reply = endpoint.answer(self._api, call, *parameters)
            except Refused as refused:
                reply = refused.reply
            return server_error() if hint == "after" else reply

        key = request.headers.get("idempotency-key")
        return self.idempotency.once(session.client_id, key, request.method, str(request.url), body, act)


_XML_NOT_SUPPORTED = Reply(
    406,
    b"This sandbox speaks JSON only. Send 'Accept: application/json': without it the real API answers in XML.",
    "text/plain; charset=utf-8",
)


def xero_app(books: XeroBooks, clock: Clock, *, options: XeroOptions | None = None) -> Starlette:
    """Return the app with Xero's real paths; `app.state.xero` is its `XeroSandbox`.

    Args:
        books: the organisation, which each write changes.
        clock: the time for tokens, windows, keys and UpdatedDateUTC.
        options: the options.
    """
    xero = XeroSandbox(books, clock, options or XeroOptions())
    app = Starlette(
        routes=[
            Route("/identity/connect/authorize", xero.identity, methods=["GET"]),
            Route("/connect/token", xero.identity, methods=["POST"]),
            Route("/connect/revocation", xero.identity, methods=["POST"]),
            Route("/connections", xero.identity, methods=["GET"]),
            Route("/Connections", xero.identity, methods=["GET"]),  # the spelling of the official Python SDK
            Route("/connections/{connection_id}", xero.identity, methods=["DELETE"]),
            Route(_ROOT + "{path:path}", xero.accounting, methods=_METHODS),
        ],
        exception_handlers={404: _unknown_route},
        middleware=[Middleware(DateHeader, clock=clock)],
    )
    app.state.xero = xero
    return app


async def _unknown_route(_request: Request, _error: Exception) -> Response:
    return _response(not_found().reply, {})


def _response(reply: Reply, headers: dict[str, str]) -> Response:
    kind = {"content-type": reply.content_type} if reply.content_type else {}
    return Response(reply.body, reply.status, {**kind, **headers, **reply.headers})
