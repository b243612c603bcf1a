"""The guard: ASGI middleware that accepts changes only from the UI's own pages and from programs other than browsers.

Four rules, each against a request that a page of another site can make a browser send:

1. The host is a host of the UI. Otherwise a foreign name that resolves to this machine could read everything (DNS
   rebinding).
2. GraphQL queries use POST. Dagster executes `GET /graphql?query=mutation{...}`, which any link or image sends.
3. A request other than a GET has the media type `application/json`. A browser sends it to another origin only after a
   preflight request, which Dagster does not permit; forms cannot send it at all.
4. A request other than a GET, and every WebSocket, comes from a page of the UI if a browser sends it: its `Origin` is
   the requested host. Programs send no `Origin` and are accepted.

The guard also keeps other sites from framing the UI. Of Dagster, this module knows only the path of its GraphQL.
"""

from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
JSON = "application/json"
OWN_FETCH_SITES = ("same-origin", "none")
"""`Sec-Fetch-Site` of a request by a page of the same origin, or by a person who typed the address."""

POLICY_VIOLATION = 1008
"""The close code of a refused WebSocket (RFC 6455 §7.4.1); before the handshake the client gets 403."""

DEFAULT_PORTS = {"http": 80, "https": 443}


class Guard:
    """Middleware that refuses what another site's page could have sent and passes everything else on.

    Args:
        app: Dagster's webserver.
        hosts: hosts of the UI besides those of this machine, with or without a port, such as `books.example` or
            `books.example:8443`.
        origin: the UI's public address, such as `https://books.example`. Its pages are accepted even if a proxy
            requests another host. Empty if unknown.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), origin: str = "") -> None:
        self._app = app
        address = urlsplit(origin)
        self._origin = _parse_origin(f"{address.scheme}://{address.netloc}")
        self._hosts = {_parse_host(host) for host in (*LOCAL_HOSTS, *hosts, address.netloc) if host}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, _without_framing(send))
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).close(POLICY_VIOLATION)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the refusal of a request; None if it is accepted."""
        headers = Headers(scope=scope)
        if not self._is_own_host(headers):
            return _plain_text(
                400,
                "The Dagster UI does not answer under this host. If it is a host of the UI, add it to DAGSTER_HOSTS or "
                "set its whole address as DAGSTER_URL, and restart the UI.",
            )
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            if _is_query(scope):
                return _plain_text(405, "GraphQL requests use POST with JSON.")
            return None
        if not self._is_own_page(headers):
            return _plain_text(403, "A page of another site sent this request, so nothing was changed.")
        if scope["type"] == "http" and not _is_json(headers):
            return _plain_text(415, f"A request that changes something needs Content-Type: {JSON}.")
        return None

    def _is_own_host(self, headers: Headers) -> bool:
        """Return whether the single `Host` is a host of the UI, with or without its port."""
        values = headers.getlist("host")
        host = _parse_host(values[0]) if len(values) == 1 else None
        return host is not None and bool({host, (host[0], None)} & self._hosts)

    def _is_own_page(self, headers: Headers) -> bool:
        """Return whether a request comes from the UI or from a program that is not a browser."""
        values = headers.getlist("origin")
        if not values:
            return headers.get("sec-fetch-site", "none") in OWN_FETCH_SITES
        origin = _parse_origin(values[0]) if len(values) == 1 else None
        if origin is None:
            return False
        return origin in (self._origin, _parse_origin(f"{origin[0]}://{headers['host']}"))


def _is_query(scope: Scope) -> bool:
    path = scope["path"].rstrip("/")
    parameters = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    return path.endswith("/graphql") and "query" in parameters


def _is_json(headers: Headers) -> bool:
    values = headers.getlist("content-type")
    return len(values) == 1 and values[0].partition(";")[0].strip().lower() == JSON


def _parse_host(text: str) -> tuple[str, int | None] | None:
    """Return name and port of a host; None if the text is not a host."""
    try:
        parts = urlsplit(f"//{text if text.count(':') < 2 or '[' in text else f'[{text}]'}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    has_more = parts.path or parts.query or parts.fragment or "@" in parts.netloc
    return (name, port) if name and not has_more else None


def _parse_origin(text: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host and port of an origin, a default port as None; None if the text is not an origin."""
    scheme, _, rest = text.partition("://")
    host = _parse_host(rest) if scheme in DEFAULT_PORTS else None
    if host is None:
        return None
    name, port = host
    return scheme, name, None if port == DEFAULT_PORTS[scheme] else port


def _without_framing(send: Send) -> Send:
    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Frame-Options"] = "SAMEORIGIN"
        await send(message)

    return send_with_header


def _plain_text(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status_code=status)
