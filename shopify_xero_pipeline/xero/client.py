"""A thin client of Xero's Accounting API: one call and its answer, with numbers exact both ways.

Signing in, pacing, deadlines and the retries of reads are here. A write is one attempt: whether it is repeated, and
with which key, is decided by the exactly-once protocol in `delivery.py`. What an element means is not known here.
"""

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.canonical import exact
from shopify_xero_pipeline.xero.auth import API_HOST, IDENTITY_HOST, Token, XeroCredentials, host_of
from shopify_xero_pipeline.xero.errors import XeroDeniedError, XeroRefusedError, XeroUnavailableError
from shopify_xero_pipeline.xero.limits import LONGEST_WAIT, Pacer, retry_after

logger = logging.getLogger("shopify_xero_pipeline.xero")

DEADLINE = timedelta(seconds=30)
LONGEST_ANSWER = 64_000_000
READ_ATTEMPTS = 6
PAGE_SIZE = 1_000
SHORT_BACK_OFF = 4.0


@dataclass(frozen=True)
class Answer:
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
        content = exact(self.body)
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - for the caller any unreadable body is the same
        return content


class _TryAgain(Exception):  # noqa: N818
    """A read got no usable answer; `pause` is how long Xero asked to wait."""

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


class XeroClient:
    """One organisation of Xero.

    Args:
        credentials: of a custom connection.
        clock: paces, dates and times out.
        base_url: of a sandbox on this machine; None for Xero itself.
        identity_url: of the sandbox's sign-in service; by default the same as `base_url`.
        transport: replaces the network, for tests and the sandbox in process.
        rng: draws the jitter of retries.

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
    ) -> None:
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._base = f"{host_of(base_url, API_HOST)}/api.xro/2.0"
        self._http = httpx.Client(
            transport=transport or httpx.HTTPTransport(retries=0),
            timeout=httpx.Timeout(DEADLINE.total_seconds(), connect=10),
            follow_redirects=False,
            trust_env=False,
            headers={"Accept": "application/json", "User-Agent": "shopify-xero-pipeline"},
        )
        self._token = Token(credentials, self._http, host_of(identity_url or base_url, IDENTITY_HOST), clock)
        self._pacer = Pacer(clock)
        self.calls = 0

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(
        self, path: str, params: Mapping[str, str] | None = None, *, modified_since: datetime | None = None
    ) -> dict[str, Any]:
        """Read, trying again while no usable answer comes; an answer 304 gives an empty object.

        Args:
            path: below the API's root, such as `/Invoices`.
            params: query parameters.
            modified_since: only what changed since then (whole seconds, UTC).

        Raises:
            DayBudgetSpent: no call is left today.
            XeroDeniedError: the connection may not read this.
            XeroRefusedError: Xero does not know the path or understand the query.
            XeroUnavailableError: no usable answer came in several attempts.
        """
        since = {"If-Modified-Since": f"{modified_since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"} if modified_since else {}
        tries = Retrying(
            sleep=self._clock.sleep,
            stop=stop_after_attempt(READ_ATTEMPTS),
            wait=self._wait,
            retry=retry_if_exception_type(_TryAgain),
            reraise=True,
        )
        try:
            return tries(lambda: self._read(path, dict(params or {}), since))
        except _TryAgain as error:
            raise XeroUnavailableError(
                f"Reading {path} failed {READ_ATTEMPTS} times: {error}. Try again later."
            ) from None

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
        """Wait until a write may leave at once: a call is free, the token is good.

        Raises:
            DayBudgetSpent: only the reserve of today's calls is left.
        """
        self._token.headers()
        self._pacer.wait(reserve=False)

    def write(self, method: str, path: str, body: bytes, *, key: str, guard: Callable[[], None]) -> Answer:
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
        """
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        return self._signed(method, path, headers=headers, body=body, guard=guard, reserve=True)

    def pause(self, answer: Answer | None, attempt: int) -> float:
        """Return how long to wait before the next attempt: what Xero asks for, else full jitter that grows."""
        asked = retry_after(answer.headers) if answer else None
        if asked is not None:
            return float(asked)
        return self._rng.uniform(0, min(20.0, SHORT_BACK_OFF * 2**attempt))

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.pause if isinstance(error, _TryAgain) else None
        return asked if asked is not None else self.pause(None, state.attempt_number - 1)

    def _read(self, path: str, params: dict[str, str], headers: dict[str, str]) -> dict[str, Any]:
        try:
            answer = self._signed("GET", path, headers=headers, params=params, guard=_no_guard, reserve=True)
        except httpx.RequestError as error:
            raise _TryAgain(f"no answer ({type(error).__name__})") from None
        if answer.status == 304:
            return {}
        if answer.status == 429:
            pause = retry_after(answer.headers)
            raise _TryAgain("limit reached", 0.0 if pause is not None and pause <= LONGEST_WAIT else None)
        if answer.status >= 500:
            raise _TryAgain(f"status {answer.status}")
        refuse(answer, f"GET {path}")
        try:
            return answer.parsed()
        except ValueError:
            raise _TryAgain("the answer was not JSON") from None

    def _signed(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        guard: Callable[[], None],
        reserve: bool,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        answer: Answer | None = None
        for _ in range(2):
            signed = {**headers, **self._token.headers()}
            self._pacer.wait(reserve=reserve)
            guard()
            answer = self._exchange(method, path, signed, body, params, guard)
            if answer.status != 401 or "insufficent_scope" in answer.headers.get("www-authenticate", ""):
                break
            self._token.renew()
        assert answer is not None
        return answer

    def _exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        params: Mapping[str, str] | None,
        guard: Callable[[], None],
    ) -> Answer:
        def trace(event: str, _details: object) -> None:
            if event == "http11.send_request_headers.started":
                guard()

        deadline = self._clock.now() + DEADLINE
        self._pacer.sent()
        self.calls += 1
        extensions = {"trace": trace}
        stream = self._http.stream(
            method, self._base + path, headers=headers, content=body, params=params or None, extensions=extensions
        )
        with stream as response:
            answer = Answer(response.status_code, dict(response.headers), self._body(response, deadline))
        self._pacer.answered(answer.headers)
        logger.debug("%s %s: %s %s", method, path.split("?")[0], answer.status, answer.correlation_id or "")
        return answer

    def _body(self, response: httpx.Response, deadline: datetime) -> bytes:
        """Read a whole body within the deadline and a size, so that a slow drip or a huge answer ends as no answer."""
        parts, size = [], 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if self._clock.now() > deadline or size > LONGEST_ANSWER:
                raise httpx.ReadTimeout("the answer was too slow or too long")
        return b"".join(parts)


def refuse(answer: Answer, call: str) -> None:
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


def _no_guard() -> None:
    """Reads may leave at any time."""
