"""The transport that limits each exchange in time and size, and the only constructor of `httpx.Client`.

This module only sends and receives. Requests, retries and sign-in are in the rooms that use it. It follows no redirects
and ignores the environment's proxies, so credentials go only to the hosts in the settings.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address
from ssl import SSLContext

import httpcore
import httpx

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.http.exchange import Exchange, in_exchange
from shopify_xero_pipeline.http.sockets import Network
from shopify_xero_pipeline.http.unpacking import ACCEPTED, decompress

MAX_HEADER_BYTES = 100_000
"""Limit up to the end of the headers, including preceding 1xx responses."""

MAX_BODY_BYTES = 64_000_000
"""Limit of a body, both as received and decompressed."""

CONNECT_SECONDS = 10.0
"""Time limit of a connection to one address of a host."""

KEEPALIVE_SECONDS = 5.0
"""How long an idle connection stays open; a write may be lost on one that the peer is about to close."""

DEFAULT_SECONDS = 60.0
"""Time limit of an exchange whose request has no time-out."""

_NAMES = (
    "ConnectError", "ConnectTimeout", "LocalProtocolError", "PoolTimeout", "ReadError", "ReadTimeout",
    "RemoteProtocolError", "UnsupportedProtocol", "WriteError", "WriteTimeout",
)  # fmt: skip
_IN_HTTPX: Mapping[type[Exception], type[httpx.TransportError]] = {
    getattr(httpcore, name): getattr(httpx, name) for name in _NAMES
}


def build_client(
    clock: Clock,
    seconds: float,
    *,
    transport: httpx.BaseTransport | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Client:
    """Return a client with limits for each exchange.

    Args:
        clock: measures the exchanges.
        seconds: time limit of one exchange, from name resolution to the last byte; a request's own read time-out
            replaces it.
        transport: replaces the network, for tests and the in-process sandbox; the limits apply to it too.
        headers: headers of every request.
    """
    return httpx.Client(
        transport=BoundedTransport(clock, transport),
        timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        headers={"User-Agent": "shopify-xero-pipeline", "Accept-Encoding": ACCEPTED, **(headers or {})},
        follow_redirects=False,
        trust_env=False,
    )


def is_loopback(address: str) -> bool:
    """Return whether an address is that of a server on this machine; other addresses may not replace a host's own."""
    try:
        url = httpx.URL(address)
        is_local = url.host == "localhost" or ip_address(url.host).is_loopback
    except (httpx.InvalidURL, ValueError):
        return False
    return is_local and url.scheme in {"http", "https"} and not (url.userinfo or url.query or url.fragment)


class BoundedTransport(httpx.BaseTransport):
    """A transport that receives each response whole, within the limits of time and size.

    Args:
        clock: measures the exchanges.
        inner: sends the requests; the network by default.
    """

    def __init__(self, clock: Clock, inner: httpx.BaseTransport | None = None) -> None:
        self._clock = clock
        self._inner = inner or NetworkTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its whole response, decompressed.

        Raises:
            AnswerTooLargeError: the response is too large.
            httpx.ConnectError: no connection was made, so nothing was sent.
            httpx.ConnectTimeout: no connection was made in time, so nothing was sent.
            httpx.RequestError: any other failure; the request may have been executed.
        """
        # The read time-out, which httpx itself applies to one read only, limits the whole exchange.
        seconds: float | None = request.extensions.get("timeout", {}).get("read")
        exchange = Exchange(self._clock, DEFAULT_SECONDS if seconds is None else seconds, MAX_HEADER_BYTES)
        with in_exchange(exchange):
            response = self._inner.handle_request(request)
            exchange.set_limit(MAX_BODY_BYTES)
            try:
                body = decompress(
                    _read_parts(response, exchange), response.headers.get("content-encoding", ""), MAX_BODY_BYTES
                )
            finally:
                response.close()
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
        return httpx.Response(
            response.status_code, headers=headers, stream=httpx.ByteStream(body), extensions=response.extensions
        )

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class NetworkTransport(httpx.BaseTransport):
    """The network: httpcore's connection pool, on sockets that check the limits."""

    def __init__(self) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_create_ssl_context(), retries=0, keepalive_expiry=KEEPALIVE_SECONDS, network_backend=Network()
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request in the current exchange and return its response, whose body is received as it is read."""
        inner_request = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx_errors():
            response = self._pool.handle_request(inner_request)
        return httpx.Response(
            response.status, headers=response.headers, stream=_ResponseStream(response), extensions=response.extensions
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


class _ResponseStream(httpx.SyncByteStream):
    """The body of a response as it arrives."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx_errors():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


def _read_parts(response: httpx.Response, exchange: Exchange) -> Iterator[bytes]:
    assert isinstance(response.stream, httpx.SyncByteStream)
    for part in response.stream:
        yield part
        exchange.check_time()


@cache
def _create_ssl_context() -> SSLContext:
    return httpx.create_ssl_context(trust_env=False)


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    try:
        yield
    except tuple(_IN_HTTPX) as error:
        raise _IN_HTTPX[type(error)](str(error)) from error
