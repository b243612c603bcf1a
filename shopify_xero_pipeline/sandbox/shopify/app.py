"""The local Shopify as an ASGI app: endpoints for tokens, GraphQL and files, with their headers and refusals.

This module only connects HTTP with one operation; the parts of an operation have their own modules. `faults.py` wraps
this app from outside.
"""

import gzip
import json
import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import msgspec
from graphql import OperationDefinitionNode, execute_sync
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.sandbox.date_header import DateHeader
from shopify_xero_pipeline.sandbox.faults import BULK_OUTCOME_HINT
from shopify_xero_pipeline.sandbox.nodes import Node, ShopSource
from shopify_xero_pipeline.sandbox.shopify import bulk_query, documents
from shopify_xero_pipeline.sandbox.shopify.access import Tokens
from shopify_xero_pipeline.sandbox.shopify.bulk_operations import FOLDER, BulkOperations
from shopify_xero_pipeline.sandbox.shopify.call import Call
from shopify_xero_pipeline.sandbox.shopify.cost import Bucket, QueryCost, throttled, too_expensive
from shopify_xero_pipeline.sandbox.shopify.errors import INTERNAL, error_node
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline.sandbox.shopify.records import Records

_UNRECOGNIZED = {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}


def shopify_app(source: ShopSource, clock: Clock, *, options: ShopifyOptions | None = None) -> Starlette:
    """Return an app that serves a shop's records as the Admin GraphQL API.

    Args:
        source: the shop's records.
        clock: the shop's time, also for the bucket, the tokens and the search index.
        options: the shop's options.
    """
    admin = _Admin(source, clock, options or ShopifyOptions())
    routes = [
        Route("/admin/oauth/access_token", admin.access_token, methods=["POST"]),
        Route("/admin/api/{version}/graphql.json", admin.graphql, methods=["POST"]),
        Route(FOLDER + "{name}", admin.bulk_file, methods=["GET"]),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(DateHeader, clock=clock)])
    app.state.admin = admin
    return app


@dataclass(frozen=True)
class _GraphQLRequest:
    """The body of a GraphQL call, and whether its header requests the parsed searches."""

    query: str
    variables: dict[str, Any]
    operation: str | None
    show_searches: bool


@dataclass(frozen=True)
class _BulkCall:
    """The app's bulk operations during one call, with the fault that ends a new one."""

    operations: BulkOperations
    now: datetime
    base_url: str
    version: str
    outcome: str | None

    def run(self, query: str, *, is_grouped: bool) -> Node:
        return self.operations.run(
            query, is_grouped=is_grouped, now=self.now, version=self.version, outcome=self.outcome
        )

    def cancel(self, gid: str) -> Node:
        return self.operations.cancel(gid, self.now, self.base_url)

    def node(self, gid: str) -> Node | None:
        return self.operations.node(gid, self.now, self.base_url)

    def nodes(self) -> list[Node]:
        return self.operations.nodes(self.now, self.base_url)


class _Admin:
    """One shop behind the two endpoints; it executes calls one after the other."""

    def __init__(self, source: ShopSource, clock: Clock, options: ShopifyOptions) -> None:
        self._clock = clock
        self._options = options
        self._records = Records(source, options.index_lag)
        self._tokens = Tokens(options)
        self._calls = 0
        self._lock = threading.Lock()
        self._bulk = BulkOperations(options, bulk_query.problems, self._execute_bulk)
        self.bucket = Bucket(options, clock.now())

    async def access_token(self, request: Request) -> Response:
        """Respond to the client credentials grant (E1)."""
        form = _parse_form(await request.body(), request.headers.get("content-type", ""))
        if form is None or form.get("grant_type") != "client_credentials":
            return self._json(400, {"error": "invalid_request", "error_description": "Unsupported grant type."})
        known = (self._options.client_id, self._options.client_secret)
        if (form.get("client_id"), form.get("client_secret")) != known:
            return self._json(401, _UNRECOGNIZED)
        if not self._options.shop_permitted:
            text = "Oauth error shop_not_permitted: Client credentials cannot be performed on this shop."
            return PlainTextResponse(text, 400)
        if not self._options.installed:
            return PlainTextResponse("Oauth error app_not_installed: The app is not installed on this shop.", 400)
        with self._lock:
            token = self._tokens.issue(self._clock.now())
        scope = ",".join(sorted(self._options.scopes))
        return self._json(200, {"access_token": token, "scope": scope, "expires_in": self._options.token_lifetime})

    async def graphql(self, request: Request) -> Response:
        """Respond to one GraphQL call (E2)."""
        version = self._serving_version(request.path_params["version"])
        with self._lock:
            if not self._tokens.accepts(request.headers.get("x-shopify-access-token"), self._clock.now()):
                return self._json(401, _UNRECOGNIZED, version)
        debug = request.headers.get("shopify-search-query-debug") == "1"
        body = _parse_request(await request.body(), show_searches=debug)
        if body is None:
            return self._json(400, {"errors": {"query": "Required parameter missing or invalid"}}, version)
        with self._lock:
            return self._json(200, self._answer(body, self._bulk_call(request, version)), version)

    async def bulk_file(self, request: Request) -> Response:
        """Respond with the file of a bulk operation, or from a byte on, without a token (E12)."""
        with self._lock:
            signature = request.query_params.get("Signature", "")
            content = self._bulk.file(request.path_params["name"], signature, self._clock.now())
        if content is None or "x-shopify-access-token" in request.headers:  # a token must not reach the storage
            return Response("<Error><Code>ExpiredToken</Code></Error>", 403, media_type="application/xml")
        return _file_response(content, request, may_compress=self._options.gzip)

    def _bulk_call(self, request: Request, version: str) -> _BulkCall:
        base_url, outcome = str(request.base_url).rstrip("/"), request.scope.get(BULK_OUTCOME_HINT)
        return _BulkCall(self._bulk, self._clock.now(), base_url, version, outcome)

    def _execute_bulk(self, query: str, at: datetime) -> bulk_query.BulkResult:
        return bulk_query.execute(query, Call(self._records.at(at), self._options))

    def _serving_version(self, version: str) -> str:
        """Return the version, or for an unsupported one the oldest supported version (3.8)."""
        known = (*self._options.versions, *self._options.candidates)
        return version if version in known else self._options.versions[0]

    def _json(self, status: int, body: Node, version: str | None = None) -> Response:
        self._calls += 1
        headers = {"X-Request-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox-call-{self._calls}"))}
        if version is not None:
            headers["X-Shopify-API-Version"] = version
        return Response(msgspec.json.encode(body), status, headers, media_type="application/json")

    def _answer(self, request: _GraphQLRequest, bulk: _BulkCall) -> Node:
        document = documents.read(request.query)
        if document.errors:
            return {"errors": list(document.errors)}
        operation = document.operation(request.operation)
        if operation is None:
            return {"errors": [{"message": "No operation named so, or several and none named."}]}
        variables, errors = documents.variables(operation, request.variables)
        if errors:
            return {"errors": errors}
        cost = QueryCost(documents.schema(), document.fragments, variables, linear=self._options.linear_cost)
        return self._execute(document, operation, request, cost, bulk)

    def _execute(
        self,
        document: documents.Document,
        operation: OperationDefinitionNode,
        request: _GraphQLRequest,
        cost: QueryCost,
        bulk: _BulkCall,
    ) -> Node:
        """Execute an operation if the bucket holds enough points (E6)."""
        requested = cost.requested(operation)
        now = self._clock.now()
        if requested > self._options.single_query_limit:
            error = too_expensive(requested, self._options.single_query_limit)
            return {"errors": [error], "extensions": self._costs(requested, None)}
        if not self.bucket.take(requested, now):
            return {"errors": [throttled()], "extensions": self._costs(requested, None)}
        call = Call(self._records.at(now), self._options, bulk)
        name = operation.name.value if operation.name else None
        result = execute_sync(
            documents.schema(), document.tree, None, call, variable_values=request.variables, operation_name=name
        )
        spent = min(requested, cost.actual(result.data))
        self.bucket.give_back(requested - spent)
        answer: Node = {"data": result.data, "extensions": self._costs(requested, spent)}
        if result.errors:
            answer["errors"] = [error_node(error, INTERNAL) for error in result.errors]
        searches = [search for search in call.searches if request.show_searches or search["warnings"]]
        if searches:
            answer["extensions"]["search"] = searches
        return answer

    def _costs(self, requested: int, actual: int | None) -> Node:
        status = self.bucket.status(self._clock.now())
        return {"cost": {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}}


def _file_response(content: bytes, request: Request, *, may_compress: bool) -> Response:
    """Return a file, compressed if the client accepts that, or its rest from the byte of a Range on."""
    ranged = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
    if ranged is not None and (start := int(ranged[1])) < len(content):
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        return Response(content[start:], 206, headers, media_type="application/jsonl")
    if ranged is not None:
        return Response(b"", 416, {"Content-Range": f"bytes */{len(content)}"})
    if not may_compress or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(content, 200, media_type="application/jsonl")
    packed = gzip.compress(content, compresslevel=1, mtime=0)
    return Response(packed, 200, {"Content-Encoding": "gzip"}, media_type="application/jsonl")


def _parse_form(body: bytes, content_type: str) -> Mapping[str, Any] | None:
    """Parse a token request, JSON or form-encoded."""
    if "json" not in content_type:
        return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
    try:
        parsed = json.loads(body)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _parse_request(body: bytes, *, show_searches: bool) -> _GraphQLRequest | None:
    try:
        parsed = json.loads(body)
    except ValueError:
        return None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("query"), str):
        return None
    variables = parsed.get("variables") or {}
    if not isinstance(variables, dict):
        return None
    return _GraphQLRequest(parsed["query"], variables, parsed.get("operationName"), show_searches)
