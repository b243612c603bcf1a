"""Client of the GraphQL Admin API, the only module that sends requests to Shopify.

This module sends: address, token, rate limit, one replacement of a refused token. `responses.py` interprets responses,
`retry.py` decides about retries, and `reader.py` chooses the queries.
"""

import logging
import math
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from tenacity import Retrying

from shopify_xero_pipeline.clock import Clock, ServerClock
from shopify_xero_pipeline.http.download import Downloader
from shopify_xero_pipeline.http.transport import build_client as http_client
from shopify_xero_pipeline.http.transport import is_loopback
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.shopify.address import admin_address
from shopify_xero_pipeline.shopify.auth import ClientCredentials, StaticToken, TokenProvider
from shopify_xero_pipeline.shopify.errors import (
    AuthenticationFailedError,
    ResultExpiredError,
    ShopifyUnavailableError,
    ShopifyUnreachableError,
    ThrottledError,
    TokenRefusedError,
    UnexpectedShapeError,
)
from shopify_xero_pipeline.shopify.responses import API_VERSION, check_version, json_object, parse_data, request_id_of
from shopify_xero_pipeline.shopify.retry import build_retrying
from shopify_xero_pipeline.shopify.throttle import Bucket, cost_of

_CALL_SECONDS = 60.0
"""Time limit of a whole call."""

_BUDGETED_CALL_SECONDS = 4.0
"""Time limit of a whole call within a time budget."""

GRAPHQL, ACCESS_TOKEN = f"/admin/api/{API_VERSION}/graphql.json", "/admin/oauth/access_token"
_OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")


class ShopifyClient:
    """Client of one shop, pinned to one version of the API.

    Args:
        shop: the shop's permanent domain, `name.myshopify.com`.
        credentials: a static token, or a client id and secret.
        clock: the time and the waits.
        base_url: the address of a sandbox on this machine, which replaces the shop's.
        transport: replaces the network, for tests and a sandbox in the same process.
        rng: the source of jitter.

    Attributes:
        calls: the number of requests so far, retries and token requests included.
        time: Shopify's time, from its responses.

    Raises:
        SettingError: the shop or the address is invalid.
    """

    def __init__(
        self,
        shop: str,
        credentials: StaticToken | ClientCredentials,
        *,
        clock: Clock,
        base_url: str | None = None,
        transport: httpx.BaseTransport | None = None,
        rng: random.Random | None = None,
    ) -> None:
        address = admin_address(shop, base_url)
        self._shop = shop
        self._graphql_url, self._token_url = address + GRAPHQL, address + ACCESS_TOKEN
        self._clock = clock
        self._deadline: float | None = None
        self._is_local = base_url is not None
        jitter = rng or random.Random()  # noqa: S311 - not a secret
        self._retrying = build_retrying(clock, jitter, self.seconds_left)
        self._starting = build_retrying(clock, jitter, self.seconds_left, is_read=False)
        self._downloader = Downloader(clock, _CALL_SECONDS, transport=transport)
        self._http = http_client(clock, _CALL_SECONDS, transport=transport)
        self._tokens = TokenProvider(credentials, self._request_token, clock)
        self._bucket = Bucket()
        self.calls = 0
        self.time = ServerClock(clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._downloader.close()

    @contextmanager
    def time_budget(self, seconds: float) -> Iterator[None]:
        """Limit the total time of the calls in the context to about this many seconds.

        A call fails instead of waiting longer than the budget, and no call starts after the budget.
        """
        self._deadline = self._clock.elapsed() + seconds
        try:
            yield
        finally:
            self._deadline = None

    def seconds_left(self) -> float:
        """Return the seconds left in the time budget; infinity without a budget."""
        return math.inf if self._deadline is None else self._deadline - self._clock.elapsed()

    def execute(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Execute one operation and return its `data`, with exact decimals.

        The method waits for the rate limit, retries transient errors and replaces a refused token once.

        Args:
            document: a document with one operation.
            variables: the variables of the operation.

        Raises:
            ShopifyError: the error of the last response; its subclass gives the cause.
        """
        return self._execute(self._retrying, document, variables)

    def start(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Execute a mutation that starts something, without repeating it if Shopify may have executed it.

        Args:
            document: a document with one mutation.
            variables: the variables of the mutation.

        Raises:
            ShopifyUnavailableError: the outcome is unknown.
            ShopifyError: Shopify did not execute it; its subclass gives the cause.
        """
        return self._execute(self._starting, document, variables)

    def download(self, url: str, file: Path) -> None:
        """Append the rest of a bulk operation's result to a local file, which holds the beginning of it.

        The signed address alone gives access to the result, so it appears in no log and no error.

        Args:
            url: the address of the result.
            file: the local file.

        Raises:
            ResultExpiredError: the address has expired.
            ShopifyError: the download failed; what arrived of it is in the file.
        """
        if not (url.startswith("https://") or (self._is_local and is_loopback(url.split("?")[0]))):
            raise UnexpectedShapeError("Shopify returned an invalid address of a result. It is not used; report this.")
        self._retrying(self._download, url, file)

    def _download(self, url: str, file: Path) -> None:
        with events.log_api_call(
            self._clock, "shopify", "GET", "result of a bulk operation", bytes=file.stat().st_size
        ) as fields:
            status = self._append(url, file)
            fields |= {"status": status, "bytes": file.stat().st_size}
        if status in (400, 403, 404, 410):  # a storage's words for a signed address that has expired
            raise ResultExpiredError(
                "The result of a bulk operation has expired. Run it again; it is read anew.", status=status
            )
        if status not in (200, 206, 416):
            raise ShopifyUnavailableError("The result of a bulk operation is not available now.", status=status)

    def _append(self, url: str, file: Path) -> int:
        self.calls += 1
        try:
            return self._downloader.append(url, file)
        except httpx.HTTPError as failure:
            kind = type(failure).__name__
        # Outside the handler, because httpx's exception, as context, would contain the signed address.
        raise ShopifyUnavailableError(
            f"The result of a bulk operation was not received completely ({kind}). Try again later."
        )

    def _execute(self, retrying: Retrying, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return retrying(self._send, retrying, document, variables)
        except TokenRefusedError:
            if not self._tokens.renewable:
                raise
        self._tokens.discard()
        return retrying(self._send, retrying, document, variables)

    def requested_points(self, document: str) -> int | None:
        """Return the requested cost of a document in points, from its last response; None if unknown."""
        return self._bucket.requested_points(document)

    def _send(self, retrying: Retrying, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Send a document once, after a wait for the rate limit."""
        token = self._tokens.token()
        pause = self._bucket.wait_before(document, self._clock.elapsed())
        if pause > 0:
            if pause >= self.seconds_left():
                raise ThrottledError(
                    f"The rate limit of {self._shop} is used up for now. Try again later.", retry_after=pause
                )
            self._clock.sleep(pause)
        body = {"query": document, "variables": dict(variables)}
        operation = match.group(1) if (match := _OPERATION.search(document)) else "the query"
        attempt = retrying.statistics["attempt_number"]
        with events.log_api_call(
            self._clock, "shopify", "POST", GRAPHQL, operation=operation, attempt=attempt, points_left=None
        ) as fields:
            response = self._post(self._graphql_url, fields, json=body, headers={"X-Shopify-Access-Token": token})
            answer = json_object(response)
            cost, request_id = cost_of(answer), request_id_of(response)
            if cost is not None:
                fields |= {"points": cost.actual, "points_left": int(cost.available)}
            check_version(response)
            self._bucket.learn(document, cost, self._clock.elapsed())
            data = parse_data(answer, operation, request_id)
        if answer.get("errors"):
            events.log_event("protected_details_withheld", level=logging.WARNING, operation=operation)
        return data

    def _request_token(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Send the token request once; `execute` retries it with its call."""
        with events.log_api_call(self._clock, "shopify", "POST", ACCESS_TOKEN) as fields:
            response = self._post(self._token_url, fields, data=dict(form))
        if response.status_code in (400, 401):
            raise _credentials_error(response, self._shop)
        return json_object(response)

    def _post(self, url: str, fields: dict[str, Any], **content: Any) -> httpx.Response:
        """Send a request and add its status and id to the fields of the log entry."""
        timeout, sent_at = self._timeout(), self._clock.elapsed()
        self.calls += 1
        try:
            response = self._http.post(url, timeout=timeout, **content)
        except (httpx.ConnectError, httpx.ConnectTimeout) as failure:
            error: ShopifyUnavailableError = ShopifyUnreachableError(
                f"{self._shop} could not be reached ({type(failure).__name__}). Check the network and try again."
            )
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = ShopifyUnavailableError(
                f"{self._shop} sent no complete response ({type(failure).__name__}). Try again later."
            )
        else:
            self.time.record_response(response.headers.get("Date"), sent_at)
            fields |= {"status": response.status_code, "request_id": request_id_of(response)}
            return response
        # Outside the handlers, because httpx's exception, as context, would contain the request with its token.
        raise error

    def _timeout(self) -> httpx.Timeout:
        seconds = self.seconds_left()
        if seconds <= 0:
            raise ShopifyUnavailableError(f"{self._shop} took too long to answer. The call is retried later.")
        return self._http.timeout if seconds == math.inf else httpx.Timeout(min(_BUDGETED_CALL_SECONDS, seconds))


def _credentials_error(response: httpx.Response, shop: str) -> AuthenticationFailedError:
    """Return the error of a refused token request (docs/contracts/shopify.md §1.2)."""
    if b"shop_not_permitted" in response.content:
        reason = f"the app and {shop} belong to different organizations; use an app of the shop's own organization"
    elif b"app_not_installed" in response.content:
        reason = f"the app is not installed on {shop}; install it there"
    else:
        reason = "SHOPIFY_CLIENT_ID or SHOPIFY_CLIENT_SECRET is wrong; copy both again from the Dev Dashboard"
    message = f"Shopify refuses to issue an access token: {reason}."
    return AuthenticationFailedError(message, status=response.status_code, request_id=request_id_of(response))
