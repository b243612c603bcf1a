"""The one door to Shopify: sends a GraphQL document and returns its data, or raises.

Sending belongs here: address, token, pace, one renewal of a refused token. What an answer means is in `responses.py`,
what is tried again in `retry.py`, what to ask in `reader.py`.
"""

import logging
import math
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import httpx

from shopify_xero_pipeline.clock import Clock, ServerClock
from shopify_xero_pipeline.http.transport import build_client as http_client
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.shopify.address import admin_address
from shopify_xero_pipeline.shopify.auth import ClientCredentials, StaticToken, TokenProvider
from shopify_xero_pipeline.shopify.errors import (
    AuthenticationFailedError,
    ShopifyUnavailableError,
    ShopifyUnreachableError,
    ThrottledError,
    TokenRefusedError,
)
from shopify_xero_pipeline.shopify.responses import API_VERSION, check_version, json_object, parse_data, request_id_of
from shopify_xero_pipeline.shopify.retry import build_retrying
from shopify_xero_pipeline.shopify.throttle import Bucket, cost_of

_SECONDS = 60.0
"""A whole call may take so long."""

_HURRIED = 4.0
"""Seconds a whole call may take while time is short."""

GRAPHQL, ACCESS_TOKEN = f"/admin/api/{API_VERSION}/graphql.json", "/admin/oauth/access_token"
_OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")


class ShopifyClient:
    """Speaks the GraphQL Admin API of one shop, pinned to one version.

    Args:
        shop: The shop's permanent domain, `name.myshopify.com`.
        credentials: A static token, or a client id and secret.
        clock: Where time comes from, and what waits.
        base_url: A sandbox's address on this machine, instead of the shop's.
        transport: What carries requests, for sandboxes in process and tests.
        rng: Where jitter comes from.

    Attributes:
        calls: Requests sent so far, retries and token requests included.
        time: Shopify's own time, as its answers state it.

    Raises:
        SettingError: the shop or the address is not one credentials may be sent to.
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
        self._graphql, self._tokens_at = address + GRAPHQL, address + ACCESS_TOKEN
        self._clock = clock
        self._until: float | None = None
        self._retrying = build_retrying(clock, rng or random.Random(), self.seconds_left)  # noqa: S311 - jitter, not a secret
        self._http = http_client(clock, _SECONDS, transport=transport)
        self._tokens = TokenProvider(credentials, self._request_token, clock)
        self._bucket = Bucket()
        self.calls = 0
        self.time = ServerClock(clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    @contextmanager
    def time_budget(self, seconds: float) -> Iterator[None]:
        """Spend at most about so many seconds on all that is asked meanwhile.

        A pause that does not fit is not taken, the call fails instead; no call is begun once they are over.
        """
        self._until = self._clock.elapsed() + seconds
        try:
            yield
        finally:
            self._until = None

    def seconds_left(self) -> float:
        """Return how many seconds are left of those given by `within`; infinity where nothing is short."""
        return math.inf if self._until is None else self._until - self._clock.elapsed()

    def execute(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the `data` of one answered operation, decimals exact.

        Waits for room in the rate limit before sending, tries again what is worth it, replaces a refused token once.

        Args:
            document: A document of one operation.
            variables: Its variables.

        Raises:
            ShopifyError: whichever of its kinds the last answer means.
        """
        try:
            return self._retrying(self._ask, document, variables)
        except TokenRefusedError:
            if not self._tokens.renewable:
                raise
        self._tokens.discard()
        return self._retrying(self._ask, document, variables)

    def requested_points(self, document: str) -> int | None:
        """Return the points a document asked for when it was last sent and not too dear; None if unknown."""
        return self._bucket.requested_points(document)

    def _ask(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Send a document once."""
        token = self._tokens.token()
        pause = self._bucket.wait_before(document, self._clock.elapsed())
        if pause > 0:
            if pause >= self.seconds_left():
                raise ThrottledError(
                    f"{self._shop}'s rate limit is used up for now. Ask again later.", retry_after=pause
                )
            self._clock.sleep(pause)
        body = {"query": document, "variables": dict(variables)}
        operation = found.group(1) if (found := _OPERATION.search(document)) else "the query"
        attempt = self._retrying.statistics["attempt_number"]
        with events.log_api_call(
            self._clock, "shopify", "POST", GRAPHQL, operation=operation, attempt=attempt, points_left=None
        ) as told:
            response = self._post(self._graphql, told, json=body, headers={"X-Shopify-Access-Token": token})
            answer = json_object(response)
            cost, request_id = cost_of(answer), request_id_of(response)
            if cost is not None:
                told |= {"points": cost.actual, "points_left": int(cost.available)}
            check_version(response)
            self._bucket.learn(document, cost, self._clock.elapsed())
            data = parse_data(answer, operation, request_id)
        if answer.get("errors"):
            events.log_event("protected_details_withheld", level=logging.WARNING, operation=operation)
        return data

    def _request_token(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Send the token request once; it is retried as a part of the call it is made for."""
        with events.log_api_call(self._clock, "shopify", "POST", ACCESS_TOKEN) as told:
            response = self._post(self._tokens_at, told, data=dict(form))
        if response.status_code in (400, 401):
            raise _refused_credentials(response, self._shop)
        return json_object(response)

    def _post(self, url: str, told: dict[str, Any], **content: Any) -> httpx.Response:
        timeout, asked = self._timeout(), self._clock.elapsed()
        self.calls += 1
        try:
            response = self._http.post(url, timeout=timeout, **content)
        except (httpx.ConnectError, httpx.ConnectTimeout) as failure:
            error: ShopifyUnavailableError = ShopifyUnreachableError(
                f"{self._shop} could not be reached ({type(failure).__name__}). Check the network and try again."
            )
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = ShopifyUnavailableError(
                f"{self._shop} did not answer whole ({type(failure).__name__}). Try again later."
            )
        else:
            self.time.record_response(response.headers.get("Date"), asked)
            told |= {"status": response.status_code, "request_id": request_id_of(response)}
            return response
        # Raised outside the handlers: what httpx raises holds the request, and that holds the token.
        raise error

    def _timeout(self) -> httpx.Timeout:
        left = self.seconds_left()
        if left <= 0:
            raise ShopifyUnavailableError(f"{self._shop} took too long to answer. It is asked again later.")
        return self._http.timeout if left == math.inf else httpx.Timeout(min(_HURRIED, left))


def _refused_credentials(response: httpx.Response, shop: str) -> AuthenticationFailedError:
    """Tell why Shopify gives no token (docs/contracts/shopify.md §1.2)."""
    if b"shop_not_permitted" in response.content:
        why = f"the app and {shop} belong to different organizations; use an app of the shop's own organization"
    elif b"app_not_installed" in response.content:
        why = f"the app is not installed on {shop}; install it there"
    else:
        why = "SHOPIFY_CLIENT_ID or SHOPIFY_CLIENT_SECRET is wrong; copy both again from the Dev Dashboard"
    message = f"Shopify gives no access token: {why}."
    return AuthenticationFailedError(message, status=response.status_code, request_id=request_id_of(response))
