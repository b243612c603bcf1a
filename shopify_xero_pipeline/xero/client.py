"""A thin client of Xero's Accounting API: one call and its answer, with numbers exact both ways.

Signing in, pacing and the retries of reads are here; what one exchange may take is bounded in `http/`. A write is one
attempt: whether it is repeated, and with which key, is decided by the exactly-once protocol in
`loading/batch_sender.py`. What an element means is not known here.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from shopify_xero_pipeline.clock import Clock, ServerClock
from shopify_xero_pipeline.http.transport import build_client as http_client
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.api_calls import InMemoryCalls
from shopify_xero_pipeline.state.canonical import digest, parse_exact_json
from shopify_xero_pipeline.state.tokens import TokenStore
from shopify_xero_pipeline.xero.auth import API_HOST, IDENTITY_HOST, XeroCredentials, host_of
from shopify_xero_pipeline.xero.errors import XeroDeniedError, XeroRefusedError, XeroUnavailableError
from shopify_xero_pipeline.xero.oauth_token import build_access_token
from shopify_xero_pipeline.xero.rate_limiter import (
    FIRST_BACK_OFF,
    LONGEST_BACK_OFF,
    RateLimiter,
    remaining_calls,
    retry_after,
)

DEADLINE_SECONDS = timedelta(seconds=30)
"""For a whole exchange, from the connection to the last byte of the answer."""

READ_ATTEMPTS = 6
PAGE_SIZE = 1_000


@dataclass(frozen=True)
class XeroResponse:
    """Status, headers (lower case) and the whole body of one answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def correlation_id(self) -> str | None:
        """Xero's own name for the call."""
        return self.headers.get("xero-correlation-id")

    def parsed(self) -> dict[str, Any]:
        """Return the body as an object, fractions as `Decimal`.

        Raises:
            ValueError: it is not a JSON object (a maintenance page, half an answer, nothing at all).
        """
        content = parse_exact_json(self.body)
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - for the caller any unreadable body is the same
        return content


@dataclass(frozen=True)
class _Request:
    """One call as it leaves; `guard` is asked just before, and raises if it may not."""

    method: str
    path: str
    headers: Mapping[str, str]
    guard: Callable[[], None]
    body: bytes | None = None
    params: Mapping[str, str] | None = None
    attempt: int = 1

    @property
    def writes(self) -> bool:
        """Whether it may change something in Xero."""
        return self.method != "GET"


class _RetryableError(Exception):
    """A read got no usable answer; `limited`: Xero's limits decide when the next one may leave."""

    def __init__(self, message: str, *, limited: bool = False) -> None:
        super().__init__(message)
        self.limited = limited


class XeroClient:
    """One organisation of Xero.

    Args:
        credentials: of the app.
        clock: paces, dates and times out.
        base_url: of a sandbox on this machine; None for Xero itself.
        identity_url: of the sandbox's sign-in service; by default the same as `base_url`.
        transport: replaces the network, for tests and the sandbox in process.
        rng: draws the jitter of retries.
        tokens: where a person's consent is kept; None for a custom connection.
        calls: the record by which several processes keep Xero's limits together, `StateStore.calls`; without it the
            client reckons with its own calls only.

    Attributes:
        calls: requests sent so far, without those for tokens.
        time: Xero's own time, as its answers state it.

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
        accepted = {"Accept": "application/json"}
        self._http = http_client(clock, DEADLINE_SECONDS.total_seconds(), transport=transport, headers=accepted)
        identity = host_of(identity_url or base_url, IDENTITY_HOST)
        self._token = build_access_token(credentials, self._http, identity, clock, tokens)
        self._pacer = RateLimiter(calls or InMemoryCalls(clock), clock, self._rng, _mark(credentials))
        self.calls = 0
        self.time = ServerClock(clock)
        self._last_key, self._last_attempt = "", 0

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        modified_since: datetime | None = None,
        attempts: int = READ_ATTEMPTS,
    ) -> dict[str, Any]:
        """Read, trying again while no usable answer comes; an answer 304 gives an empty object.

        Args:
            path: below the API's root, such as `/Invoices`.
            params: query parameters.
            modified_since: only what changed since then (whole seconds, UTC).
            attempts: how often it is asked at most.

        Raises:
            DayBudgetSpent: no call is left today.
            XeroDeniedError: the connection may not read this.
            XeroRefusedError: Xero does not know the path or understand the query.
            XeroUnavailableError: no usable answer came in several attempts.
        """
        since = {"If-Modified-Since": f"{modified_since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"} if modified_since else {}
        tries = Retrying(
            sleep=self._clock.sleep,
            stop=stop_after_attempt(attempts),
            wait=self._wait,
            retry=retry_if_exception_type(_RetryableError),
            reraise=True,
        )
        try:
            return tries(lambda: self._read(path, dict(params or {}), since, tries.statistics["attempt_number"]))
        except _RetryableError as error:
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
        """Yield each page's elements and Xero's count of all elements, if it gives one."""
        page, last = 1, 1
        while page <= last:
            query = {**(params or {}), "page": str(page), "pageSize": str(PAGE_SIZE)}
            found = self.get(path, query, modified_since=modified_since)
            elements = found.get(collection, [])
            paging = found.get("pagination") or {}
            last = int(paging.get("pageCount", page + (len(elements) >= PAGE_SIZE)))
            yield elements, paging.get("itemCount")
            page += 1

    def ready(self) -> None:
        """Wait until a write may leave at once: Xero's time is known, the token good, and a place in the limits kept.

        Raises:
            DayBudgetSpent: only the reserve of today's calls is left.
            XeroDeniedError: Xero denied a call lately, and it is not yet time to try again.
            XeroUnavailableError: Xero does not say what time it is.
        """
        self._token.headers()
        if self.time.latest is None:
            self._pacer.refuse_writes()
            self.ensure_server_time()
        self._pacer.reserve_slot()

    def ensure_server_time(self) -> datetime:
        """Return the earliest that Xero's time can be now; where it is not known, Xero is asked in one call.

        Raises:
            XeroUnavailableError: Xero does not answer, or its answer bears no `Date`.
        """
        if self.time.earliest is None:
            self.get("/Organisation")
        now = self.time.earliest
        if now is None:
            raise XeroUnavailableError(
                "Xero's answers bear no date, so that it is not known when what is sent now would arrive. Check what "
                "stands between this machine and Xero: a proxy must pass the header Date on."
            )
        return now

    @property
    def may_retry(self) -> bool:
        """Whether calls failed so seldom lately that the last one may be tried again."""
        return self._pacer.may_retry

    def write(self, method: str, path: str, body: bytes, *, key: str, guard: Callable[[], None]) -> XeroResponse:
        """Send a write once; only if the token has lapsed, and nothing was executed, the same bytes go out again.

        Args:
            method: PUT, POST or DELETE.
            path: below the API's root, with its query.
            body: the exact bytes.
            key: the Idempotency-Key.
            guard: called just before the bytes leave; raises if they may not.

        Raises:
            httpx.RequestError: no whole answer came; the write may have been executed.
            TooLate: the guard refused.
            DayBudgetSpent: no call is left today; nothing was sent.
            XeroDeniedError: Xero denied a call lately, and it is not yet time to try again; nothing was sent.
        """
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        attempt = self._last_attempt + 1 if key == self._last_key else 1
        self._last_key, self._last_attempt = key, attempt
        return self._signed(_Request(method, path, headers, guard, body=body, attempt=attempt))

    def pause(self, answer: XeroResponse | None, attempt: int) -> float:
        """Return how long to wait before the next attempt: what Xero asks for, else full jitter that grows."""
        asked = retry_after(answer.headers) if answer else None
        if asked is not None:
            return float(asked)
        return self._rng.uniform(0, min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2**attempt))

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _RetryableError) and error.limited:
            return 0.0
        return self.pause(None, state.attempt_number - 1)

    def _read(self, path: str, params: dict[str, str], headers: dict[str, str], attempt: int) -> dict[str, Any]:
        try:
            answer = self._signed(_Request("GET", path, headers, _no_guard, params=params, attempt=attempt))
        except httpx.RequestError as error:
            raise self._failed(f"no answer ({type(error).__name__})", path) from None
        if answer.status == 304:
            return {}
        if answer.status == 429:
            raise _RetryableError("limit reached", limited=True)
        if answer.status >= 500:
            raise self._failed(f"status {answer.status}", path)
        raise_for_status(answer, f"GET {path}")
        try:
            return answer.parsed()
        except ValueError:
            raise _RetryableError("the answer was not JSON") from None

    def _failed(self, what: str, path: str) -> Exception:
        if self.may_retry:
            return _RetryableError(what)
        return XeroUnavailableError(
            f"Reading {path} failed: {what}. So much failed lately that it is not asked again now. Try again later."
        )

    def _signed(self, request: _Request) -> XeroResponse:
        for once_more in (True, False):
            answer = self._exchange(replace(request, headers={**request.headers, **self._token.headers()}))
            lapsed = answer.status == 401 and "insufficent_scope" not in answer.headers.get("www-authenticate", "")
            if not (lapsed and once_more):
                break
            self._token.renew()
        if answer.status == 403 or (answer.status == 401 and request.writes):
            self._pacer.record_denial(answer.status)
        return answer

    def _exchange(self, request: _Request) -> XeroResponse:
        """Send once, entered in the record of calls before and after. A call cut off by a crash stays open in it."""
        call = self._pacer.acquire(writes=request.writes, reserve=True)
        try:
            answer = self._sent(request)
        except Exception as error:
            self._pacer.release(call, lost=isinstance(error, httpx.RequestError))
            raise
        self._pacer.record_response(
            call, answer.status, answer.headers, writes=request.writes, clock_ahead=self.time.ahead
        )
        if answer.status < 400:
            self._token.mark_verified()
        return answer

    def _sent(self, request: _Request) -> XeroResponse:
        def trace(event: str, _details: object) -> None:
            if event == "http11.send_request_headers.started":
                request.guard()

        request.guard()
        asked = self._clock.elapsed()
        self.calls += 1
        route = _route(request.path)
        with events.log_api_call(self._clock, "xero", request.method, route, attempt=request.attempt) as told:
            response = self._http.request(
                request.method,
                self._base + request.path,
                headers=request.headers,
                content=request.body,
                params=request.params or None,
                extensions={"trace": trace},
            )
            told |= _error_text(response)
            self.time.record_response(response.headers.get("date"), asked)
            return XeroResponse(response.status_code, dict(response.headers), response.content)


def raise_for_status(answer: XeroResponse, call: str) -> None:
    """Raise what a client error means for people; other answers pass.

    Raises:
        XeroDeniedError: 401 or 403.
        XeroRefusedError: any other 4xx.
    """
    named = answer.correlation_id
    if answer.status == 401:
        raise XeroDeniedError(
            f"Xero does not let this connection do {call} (401). Check that its scopes are granted; connect it "
            "again if it was disconnected.",
            correlation_id=named,
        )
    if answer.status == 403:
        raise XeroDeniedError(
            f"Xero forbids {call} (403): the organisation is not connected. Check XERO_TENANT_ID, or connect it again.",
            correlation_id=named,
        )
    if 400 <= answer.status < 500:
        raise XeroRefusedError(f"Xero refused {call} ({answer.status}).", correlation_id=named)


def _route(path: str) -> str:
    """Return a path without its query, with `{id}` for every second part: Xero's paths are collection/id/collection."""
    parts = path.partition("?")[0].strip("/").split("/")
    return "".join(f"/{part}" if place % 2 == 0 else "/{id}" for place, part in enumerate(parts))


def _error_text(response: httpx.Response) -> dict[str, object]:
    """Return what the log says of an answer: Xero's name for the call, and the calls left today and in this minute."""
    today, this_minute = remaining_calls(response.headers)
    return {
        "status": response.status_code,
        "request_id": response.headers.get("xero-correlation-id"),
        "calls_left": today,
        "calls_left_minute": this_minute,
    }


def _mark(credentials: XeroCredentials) -> str:
    """Return a short hash that tells credentials apart and gives none of them away."""
    parts = (credentials.client_id, credentials.client_secret, credentials.tenant_id or "", credentials.scopes)
    return digest("/".join(parts))[:12]


def _no_guard() -> None:
    """Reads may leave at any time."""
