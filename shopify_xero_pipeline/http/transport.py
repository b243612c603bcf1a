"""The transport that bounds each exchange, and the only place that makes an `httpx.Client`.

Only sending and receiving belong here. What is asked, retried or signed in is for the rooms that ask. Redirects are
not followed and the environment's proxies are not used: credentials go where the settings say.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from ssl import SSLContext

import httpcore
import httpx

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.http.exchange import Exchange, in_exchange
from shopify_xero_pipeline.http.sockets import Network
from shopify_xero_pipeline.http.unpacking import ACCEPTED, decompress

MAX_HEADER_BYTES = 100_000
"""Bytes up to the end of the headers, answers 1xx before them included."""

MAX_BODY_BYTES = 64_000_000
"""Bytes of a body, as it is received and once it is unpacked."""

CONNECT_SECONDS = 10.0
"""For each address of a host."""

KEEPALIVE_SECONDS = 5.0
"""For a connection without a request: on one that the peer is about to end, a write may be lost."""

DEFAULT_SECONDS = 60.0
"""Of an exchange whose request names no time-out."""

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
    """Return a client whose exchanges are bounded.

    Args:
        clock: measures the exchanges.
        seconds: what one exchange may take, from the resolution of the name to the last byte; a request's own read
            time-out takes its place.
        transport: replaces the network, for tests and the sandbox in process; what it answers is bounded as well.
        headers: of every request.
    """
    return httpx.Client(
        transport=BoundedTransport(clock, transport),
        timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        headers={"User-Agent": "shopify-xero-pipeline", "Accept-Encoding": ACCEPTED, **(headers or {})},
        follow_redirects=False,
        trust_env=False,
    )


class BoundedTransport(httpx.BaseTransport):
    """Receives each answer whole, within the limits of time and size.

    Args:
        clock: measures the exchanges.
        inner: carries the requests; by default the network.
    """

    def __init__(self, clock: Clock, inner: httpx.BaseTransport | None = None) -> None:
        self._clock = clock
        self._inner = inner or _Pool()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its whole answer, unpacked.

        Raises:
            AnswerTooLargeError: the answer is too large.
            httpx.ConnectError: no connection came about; like the next one, nothing was sent.
            httpx.ConnectTimeout: none came about in time.
            httpx.RequestError: any other kind; what was sent may have been executed.
        """
        exchange = Exchange(self._clock, _seconds(request), MAX_HEADER_BYTES)
        with in_exchange(exchange):
            answer = self._inner.handle_request(request)
            exchange.set_limit(MAX_BODY_BYTES)
            try:
                body = decompress(_parts(answer, exchange), answer.headers.get("content-encoding", ""), MAX_BODY_BYTES)
            finally:
                answer.close()
        headers = [(name, value) for name, value in answer.headers.raw if name.lower() != b"content-encoding"]
        return httpx.Response(
            answer.status_code, headers=headers, stream=httpx.ByteStream(body), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class _Pool(httpx.BaseTransport):
    """The network: httpcore's pool of connections, over sockets that check the limits."""

    def __init__(self) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_trusted(), retries=0, keepalive_expiry=KEEPALIVE_SECONDS, network_backend=Network()
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = httpcore.Request(
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
        with _raised_by_httpx():
            answer = self._pool.handle_request(asked)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Received(answer), extensions=answer.extensions
        )

    def close(self) -> None:
        self._pool.close()


class _Received(httpx.SyncByteStream):
    """The body of an answer as it is received."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _raised_by_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _parts(answer: httpx.Response, exchange: Exchange) -> Iterator[bytes]:
    assert isinstance(answer.stream, httpx.SyncByteStream)
    for part in answer.stream:
        yield part
        try:
            exchange.seconds()
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from None


def _seconds(request: httpx.Request) -> float:
    """Return what an exchange may take: httpx's read time-out, which is for one read only where httpx keeps it."""
    seconds: float | None = request.extensions.get("timeout", {}).get("read")
    return DEFAULT_SECONDS if seconds is None else seconds


@cache
def _trusted() -> SSLContext:
    return httpx.create_ssl_context(trust_env=False)


@contextmanager
def _raised_by_httpx() -> Iterator[None]:
    try:
        yield
    except tuple(_IN_HTTPX) as error:
        raise _IN_HTTPX[type(error)](str(error)) from error
