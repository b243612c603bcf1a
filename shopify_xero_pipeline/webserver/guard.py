"""The guard: ASGI middleware that lets only the UI's own pages, and programs that are no browser, change anything.

Four rules, each against a request that a foreign page can make a browser send:

1. The host is one of the UI's own. Otherwise a foreign name that resolves to this machine reads everything (DNS
   rebinding).
2. GraphQL queries come by POST. Dagster carries out `GET /graphql?query=mutation{...}`, which any link or image sends.
3. What is not a GET has the media type `application/json`. A browser asks before it sends that to another origin, and
   Dagster gives no permission; forms cannot send it at all.
4. What is not a GET, and every WebSocket, comes from a page of the UI itself, if a browser sends it: its `Origin` is
   the host that is asked. Programs send no `Origin` and are let through.

The UI is not shown in frames of other sites either. Nothing is known of Dagster here but the path of its GraphQL.
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
SAME_SITE = ("same-origin", "none")
"""`Sec-Fetch-Site` of a request by a page of the same origin, or by a person who typed the address."""

POLICY_VIOLATION = 1008
"""Code with which a WebSocket is closed (RFC 6455, 7.4.1); before the handshake the client sees 403."""

DEFAULT_PORTS = {"http": 80, "https": 443}


class Guard:
    """Refuses what a foreign page could have sent; everything else goes on to the app.

    Args:
        app: Dagster's webserver.
        hosts: names, with a port where it matters, under which the UI is reached besides this machine's own; as
            `books.example` or `books.example:8443`.
        origin: where people reach the UI, as `https://books.example`. Its pages are its own even where a proxy asks
            under another host. Empty: not known.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), origin: str = "") -> None:
        self._app = app
        address = urlsplit(origin)
        self._origin = _origin(f"{address.scheme}://{address.netloc}")
        self._hosts = {_host(host) for host in (*LOCAL_HOSTS, *hosts, address.netloc) if host}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, _unframed(send))
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).close(POLICY_VIOLATION)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return what is answered in place of the app; None if it may answer."""
        headers = Headers(scope=scope)
        if not self._is_own_host(headers):
            return _refused(
                400,
                "The Dagster UI does not answer under this host. If people reach it so, name the host in DAGSTER_HOSTS "
                "or give its whole address as DAGSTER_URL, and start it again.",
            )
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            if _is_query(scope):
                return _refused(405, "GraphQL is asked by POST, as JSON.")
            return None
        if not self._is_own_page(headers):
            return _refused(403, "This request was sent by a page of another site, so nothing was done.")
        if scope["type"] == "http" and not _is_json(headers):
            return _refused(415, f"What changes something is sent with Content-Type: {JSON}.")
        return None

    def _is_own_host(self, headers: Headers) -> bool:
        """Tell whether the one `Host` is known, by its name alone or with its port."""
        given = headers.getlist("host")
        found = _host(given[0]) if len(given) == 1 else None
        return found is not None and bool({found, (found[0], None)} & self._hosts)

    def _is_own_page(self, headers: Headers) -> bool:
        """Tell whether a request comes from the UI itself, or from what is no browser."""
        origins = headers.getlist("origin")
        if not origins:
            return headers.get("sec-fetch-site", "none") in SAME_SITE
        found = _origin(origins[0]) if len(origins) == 1 else None
        if found is None:
            return False
        return found in (self._origin, _origin(f"{found[0]}://{headers['host']}"))


def _is_query(scope: Scope) -> bool:
    path = scope["path"].rstrip("/")
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    return path.endswith("/graphql") and "query" in asked


def _is_json(headers: Headers) -> bool:
    given = headers.getlist("content-type")
    return len(given) == 1 and given[0].partition(";")[0].strip().lower() == JSON


def _host(text: str) -> tuple[str, int | None] | None:
    """Return a host's name and port; None if it is none."""
    try:
        parts = urlsplit(f"//{text if text.count(':') < 2 or '[' in text else f'[{text}]'}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    return (name, port) if name and plain else None


def _origin(text: str) -> tuple[str, str, int | None] | None:
    """Return an origin's scheme, host and port, the port only if it is not the scheme's own; None if it is none."""
    scheme, _, rest = text.partition("://")
    host = _host(rest) if scheme in DEFAULT_PORTS else None
    if host is None:
        return None
    name, port = host
    return scheme, name, None if port == DEFAULT_PORTS[scheme] else port


def _unframed(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Frame-Options"] = "SAMEORIGIN"
        await send(message)

    return answer


def _refused(status: int, words: str) -> Response:
    return PlainTextResponse(f"{words}\n", status_code=status)
