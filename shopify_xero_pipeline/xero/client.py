"""A thin client of Xero's Accounting API, with exact decimals in requests and responses.

This module has the sign-in of calls, the rate limits and the retries of reads. The limits of one exchange are in
`http/`. A write is one attempt: `loading/batch_sender.py` decides on its repetition and its idempotency key. The
meaning of elements is in `elements.py`.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import httpx

from shopify_xero_pipeline.clock import Clock, ServerClock
from shopify_xero_pipeline.http.retries import RetryableError
from shopify_xero_pipeline.http.transport import build_client as http_client
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.api_calls import Call, InMemoryCalls
from shopify_xero_pipeline.state.canonical import digest, parse_exact_json
from shopify_xero_pipeline.state.tokens import TokenStore
from shopify_xero_pipeline.xero.auth import (
    API_HOST,
    IDENTITY_HOST,
    ClientCredentialsToken,
    TokenEndpoint,
    XeroCredentials,
    host_of,
)
from shopify_xero_pipeline.xero.errors import XeroDeniedError, XeroRefusedError, XeroUnavailableError
from shopify_xero_pipeline.xero.oauth_token import RefreshingToken
from shopify_xero_pipeline.xero.rate_limiter import RETRIES, RateLimiter, remaining_calls

EXCHANGE_TIME_LIMIT = timedelta(seconds=30)
"""Time limit of a whole exchange, from the connection to the last byte of the response."""

PAGE_SIZE = 1_000  # Xero's maximum (docs/contracts/xero.md §5)


@dataclass(frozen=True)
class XeroResponse:
    """A response with its status, its headers in lower case and its whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def correlation_id(self) -> str | None:
        """Xero's id of the call."""
        return self.headers.get("xero-correlation-id")

    def parsed(self) -> dict[str, Any]:
        """Return the body as a JSON object, with fractions as `Decimal`.

        Raises:
            ValueError: the body is not a JSON object, as with a maintenance page, a truncated body or an empty one.
        """
        content = parse_exact_json(self.body)
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - callers treat every unreadable body alike
        return content


@dataclass(frozen=True)
class _Request:
    """A request; `guard` runs just before it is sent, and raises if it may not be sent. `slot` is from `ready`."""

    method: str
    path: str
    headers: Mapping[str, str]
    guard: Callable[[], None]
    body: bytes | None = None
    params: Mapping[str, str] | None = None
    attempt: int = 1
    slot: Call | None = None

    @property
    def writes(self) -> bool:
        """Whether the call may change data in Xero."""
        return self.method != "GET"


class XeroClient:
    """The client of one organisation in Xero, for any number of threads.

    Args:
        credentials: credentials of the app.
        clock: time, pauses and time-outs.
        base_url: address of a sandbox on this machine; None for Xero itself.
        identity_url: address of the sandbox's sign-in service; `base_url` by default.
        transport: replaces the network, for tests and the in-process sandbox.
        rng: draws the jitter of retries.
        tokens: store of a person's sign-in; None for a custom connection.
        calls: call record that processes share to stay within Xero's limits, `StateStore.calls`; without it the client
            counts only its own calls.

    Attributes:
        calls: number of requests sent, without token requests.
        time: Xero's time, from the `Date` of its responses.

    Raises:
        XeroSettingsError: a URL is not on this machine.
    """

    def __init__(
        self,
        credentials: XeroCredentials,
        *,
        clock: Clock,
        base_url: str | None = None,
        identity_url: str | None = None,
        transport: httpx.BaseTransport | None = None,
        rng: random.Random | None = None,
        tokens: TokenStore | None = None,
        calls: InMemoryCalls | None = None,
    ) -> None:
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._base = f"{host_of(base_url, API_HOST)}/api.xro/2.0"
        headers = {"Accept": "application/json"}
        self._http = http_client(clock, EXCHANGE_TIME_LIMIT.total_seconds(), transport=transport, headers=headers)
        identity = host_of(identity_url or base_url, IDENTITY_HOST)
        endpoint = TokenEndpoint(credentials, self._http, identity, clock, self._rng)
        self._token = (
            ClientCredentialsToken(endpoint, clock) if tokens is None else RefreshingToken(endpoint, tokens, clock)
        )
        parts = (credentials.client_id, credentials.client_secret, credentials.tenant_id or "", credentials.scopes)
        hashed = digest("/".join(parts))[:12]  # distinguishes credentials without revealing them
        self._rate_limiter = RateLimiter(calls or InMemoryCalls(clock), clock, self._rng, hashed)
        self.calls = 0
        self._counting = Lock()
        self.time = ServerClock(clock)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        modified_since: datetime | None = None,
        attempts: int = RETRIES.attempts,
    ) -> dict[str, Any]:
        """Return the JSON object of a read, retried while no usable response arrives; empty after a 304.

        Args:
            path: below the API's root, such as `/Invoices`.
            params: query parameters.
            modified_since: lower bound of changes, cut to whole seconds of UTC.
            attempts: maximum number of attempts.

        Raises:
            DailyQuotaExceededError: no call is left today.
            XeroDeniedError: the connection may not read this.
            XeroRefusedError: Xero does not have the path or accept the query.
            XeroUnavailableError: no usable response arrived in any attempt.
        """
        since = {"If-Modified-Since": f"{modified_since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"} if modified_since else {}
        policy = replace(RETRIES, attempts=attempts)
        try:
            return policy.run(lambda number: self._read(path, params, since, number), self._clock, self._rng)
        except RetryableError as error:
            times = "" if attempts == 1 else f" {attempts} times"
            raise XeroUnavailableError(f"Reading {path} failed{times}: {error}. Try again later.") from None

    def pages(
        self,
        path: str,
        collection: str,
        params: Mapping[str, str] | None = None,
        *,
        modified_since: datetime | None = None,
    ) -> Iterator[tuple[list[dict[str, Any]], int | None]]:
        """Yield each page's elements with Xero's count of all elements, or None without a count.

        Args:
            path: below the API's root.
            collection: name of the array in the response, such as `Invoices`.
            params: query parameters without those of paging.
            modified_since: as in `get`.
        """
        page, last = 1, 1
        while page <= last:
            query = {**(params or {}), "page": str(page), "pageSize": str(PAGE_SIZE)}
            content = self.get(path, query, modified_since=modified_since)
            elements = content.get(collection, [])
            paging = content.get("pagination") or {}
            last = int(paging.get("pageCount", page + (len(elements) >= PAGE_SIZE)))
            yield elements, paging.get("itemCount")
            page += 1

    def ready(self) -> Call:
        """Wait until a write can be sent at once, with a valid token and Xero's time; return its slot in the limits.

        Raises:
            DailyQuotaExceededError: only the reserve of the daily quota is left.
            XeroDeniedError: the pause after a denial is not over.
            XeroUnavailableError: Xero's time is not known.
        """
        self._token.headers()
        if self.time.latest is None:
            self._rate_limiter.refuse_writes()
            self.ensure_server_time()
        return self._rate_limiter.acquire(writes=True, reserve=False)

    def release(self, slot: Call) -> None:
        """Give back a slot of `ready` that no request uses."""
        self._rate_limiter.release(slot, lost=False)

    def ensure_server_time(self) -> datetime:
        """Return the lower bound of Xero's present time, from one call if it is not known.

        Raises:
            XeroUnavailableError: Xero does not respond, or its response has no `Date`.
        """
        if self.time.earliest is None:
            self.get("/Organisation")
        now = self.time.earliest
        if now is None:
            raise XeroUnavailableError(
                "Xero's responses have no Date header, so the time of a write would not be known. Check the proxies "
                "between this machine and Xero: they must pass on the Date header."
            )
        return now

    @property
    def may_retry(self) -> bool:
        """Whether the retry budget covers another attempt after the last failure."""
        return self._rate_limiter.may_retry

    def write(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        key: str,
        guard: Callable[[], None],
        attempt: int = 1,
        slot: Call | None = None,
    ) -> XeroResponse:
        """Send a write once; only an expired token, with which nothing was executed, makes the same bytes go out again.

        Args:
            method: PUT, POST or DELETE.
            path: below the API's root, with its query.
            body: exact bytes.
            key: idempotency key.
            guard: runs just before the bytes leave; raises if they may not.
            attempt: number of the attempt with these bytes, for the log.
            slot: a slot of `ready`; without one the request waits for the limits.

        Raises:
            httpx.RequestError: no complete response arrived; the write may have been executed.
            ReplayWindowExpiredError: the guard refused.
            DailyQuotaExceededError: no call is left today; nothing was sent.
            XeroDeniedError: the pause after a denial is not over; nothing was sent.
        """
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        return self._send_signed(_Request(method, path, headers, guard, body=body, attempt=attempt, slot=slot))

    def pause(self, answer: XeroResponse | None, failures: int) -> float:
        """Return the seconds before another attempt of a write after the first failure and `failures` more."""
        return RETRIES.pause(self._rng, failures, answer.headers if answer else None)

    def _read(
        self, path: str, params: Mapping[str, str] | None, headers: Mapping[str, str], attempt: int
    ) -> dict[str, Any]:
        try:
            answer = self._send_signed(_Request("GET", path, headers, lambda: None, params=params, attempt=attempt))
        except httpx.RequestError as error:
            raise self._read_error(f"no response ({type(error).__name__})", path) from None
        if answer.status == 304:
            return {}
        if answer.status == 429:
            raise RetryableError("rate limit reached", pause=0.0)  # the rate limiter delays the next attempt
        if answer.status >= 500:
            raise self._read_error(f"status {answer.status}", path)
        _raise_for_status(answer, f"GET {path}")
        try:
            return answer.parsed()
        except ValueError:
            raise RetryableError("the response was not JSON") from None

    def _read_error(self, cause: str, path: str) -> Exception:
        if self.may_retry:
            return RetryableError(cause)
        return XeroUnavailableError(
            f"Reading {path} failed: {cause}. The retry budget is used up after many failures. Try again later."
        )

    def _send_signed(self, request: _Request) -> XeroResponse:
        for can_renew in (True, False):
            signature = self._token.headers()
            answer = self._exchange(replace(request, headers={**request.headers, **signature}))
            # Xero's spelling; with a missing scope another token would not help (docs/contracts/xero.md §1).
            is_expired = answer.status == 401 and "insufficent_scope" not in answer.headers.get("www-authenticate", "")
            if not (is_expired and can_renew):
                break
            self._token.renew(signature)
            request = replace(request, slot=None)
        if answer.status == 403 or (answer.status == 401 and request.writes):
            self._rate_limiter.record_denial(answer.status)
        return answer

    def _exchange(self, request: _Request) -> XeroResponse:
        """Send a request once, with an entry in the call record before and after; a crash in between leaves it open."""
        call = self._rate_limiter.acquire(writes=request.writes, reserve=True, slot=request.slot)
        try:
            answer = self._send(request)
        except Exception as error:
            self._rate_limiter.release(call, lost=isinstance(error, httpx.RequestError))
            raise
        self._rate_limiter.record_response(
            call, answer.status, answer.headers, writes=request.writes, clock_ahead=self.time.ahead
        )
        if answer.status < 400:
            self._token.mark_verified()
        return answer

    def _send(self, request: _Request) -> XeroResponse:
        # The guard runs again just before the first byte, because a new connection takes up to seconds.
        def trace(event: str, _details: object) -> None:
            if event == "http11.send_request_headers.started":
                request.guard()

        request.guard()
        started = self._clock.elapsed()
        with self._counting:
            self.calls += 1
        route = _route(request.path)
        with events.log_api_call(self._clock, "xero", request.method, route, attempt=request.attempt) as fields:
            response = self._http.request(
                request.method,
                self._base + request.path,
                headers=request.headers,
                content=request.body,
                params=request.params or None,
                extensions={"trace": trace},
            )
            today, this_minute = remaining_calls(response.headers)
            fields |= {
                "status": response.status_code,
                "request_id": response.headers.get("xero-correlation-id"),
                "calls_left": today,
                "calls_left_minute": this_minute,
            }
            self.time.record_response(response.headers.get("date"), started)
            return XeroResponse(response.status_code, dict(response.headers), response.content)


def _raise_for_status(answer: XeroResponse, call: str) -> None:
    """Raise the exception for a 4xx response; other responses pass.

    Raises:
        XeroDeniedError: 401 or 403.
        XeroRefusedError: any other 4xx.
    """
    correlation_id = answer.correlation_id
    if answer.status == 401:
        raise XeroDeniedError(
            f"Xero does not allow this connection to {call} (401). Check that its scopes are granted; connect it "
            "again if it was disconnected.",
            correlation_id=correlation_id,
        )
    if answer.status == 403:
        raise XeroDeniedError(
            f"Xero forbids {call} (403): the organisation is not connected. Check XERO_TENANT_ID, or connect it again.",
            correlation_id=correlation_id,
        )
    if 400 <= answer.status < 500:
        raise XeroRefusedError(f"Xero refused {call} ({answer.status}).", correlation_id=correlation_id)


def _route(path: str) -> str:
    """Return a path without query and ids; every second part of Xero's paths is an id, as collection/id/collection."""
    parts = path.partition("?")[0].strip("/").split("/")
    return "".join(f"/{part}" if index % 2 == 0 else "/{id}" for index, part in enumerate(parts))
