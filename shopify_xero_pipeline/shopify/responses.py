"""Interpretation of HTTP responses, as data or as an error (docs/contracts/shopify.md §8).

This module is pure: it classifies every form of response and sends nothing. It truncates Shopify's text for messages
and masks secrets and e-mail addresses in it.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx

from shopify_xero_pipeline.http.retries import retry_after
from shopify_xero_pipeline.shopify.errors import (
    AccessDeniedError,
    QueryRefusedError,
    QueryTooExpensiveError,
    SearchIgnoredError,
    ShopifyError,
    ShopifyUnavailableError,
    ShopInactiveError,
    ShopMovedError,
    ThrottledError,
    TokenRefusedError,
    VersionMismatchError,
)
from shopify_xero_pipeline.shopify.throttle import SHORTEST_WAIT, cost_of

API_VERSION = "2026-10"
"""Pinned version of the Admin API, supported by Shopify until 2027-10-01."""

_MAX_QUOTE_CHARS = 300
_SECRET = re.compile(r"\b(?:sh[a-z]{2,4}_\w+|[0-9a-f]{32,})\b", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")

# Fields that an app may lack under the rules for protected customer data (docs/contracts/shopify.md §1.6). No other
# field may be missing.
_WITHHELD = frozenset(
    {
        *("customer", "displayName", "firstName", "lastName", "billingAddress", "shippingAddress", "defaultAddress"),
        *("defaultEmailAddress", "emailAddress", "defaultPhoneNumber", "phoneNumber"),
        *("company", "address1", "address2", "city", "province", "provinceCode", "zip", "country", "countryCodeV2"),
    }
)


_BY_STATUS: Mapping[int, tuple[type[ShopifyError], str]] = {
    401: (
        TokenRefusedError,
        "Shopify does not accept the access token. Check SHOPIFY_ACCESS_TOKEN, or SHOPIFY_CLIENT_ID and "
        "SHOPIFY_CLIENT_SECRET, and that the app is still installed on the shop.",
    ),
    402: (ShopInactiveError, "The shop is frozen because of an unpaid bill. Its owner must pay it."),
    403: (
        AccessDeniedError,
        "Shopify forbids the request. Grant the access scopes to the app, or check whether the shop is flagged.",
    ),
    404: (
        QueryRefusedError,
        "No shop or no API exists at this address. Check SHOPIFY_SHOP (the name.myshopify.com domain).",
    ),
    423: (ShopInactiveError, "The shop is locked. Its owner must contact Shopify."),
    430: (
        QueryRefusedError,
        "Shopify rejected the request for security reasons. Send fewer requests; if it persists, contact Shopify.",
    ),
}
"""The error of an HTTP status, and its message with the remedy."""

_PRECEDENCE = ("THROTTLED", "MAX_COST_EXCEEDED", "SHOP_INACTIVE", "ACCESS_DENIED", "INTERNAL_SERVER_ERROR", "TIMEOUT")
"""Error codes of GraphQL; the first one that occurs decides about the error of a response."""


def json_object(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of a response with status 200, with exact decimals.

    Raises:
        ShopifyError: the status is not 200, or the body is not a JSON object.
    """
    if response.status_code != 200:
        raise _status_error(response)
    try:
        answer = json.loads(response.content, parse_float=Decimal)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ShopifyUnavailableError(
            "Shopify sent an invalid or incomplete JSON response. Try again later.",
            status=response.status_code,
            request_id=request_id_of(response),
        )
    return answer


def parse_data(answer: Mapping[str, Any], operation: str, request_id: str | None = None) -> dict[str, Any]:
    """Return the `data` of a decoded GraphQL response.

    Any error fails the whole response, even with partial data, except for missing protected fields of customers.

    Args:
        answer: the JSON object of the response.
        operation: the name of the operation, for messages.
        request_id: the id of the request, for messages.

    Raises:
        ShopifyError: the response contains errors, ignored a part of a search, or has no data.
    """
    errors, data = answer.get("errors"), answer.get("data")
    if errors and not (isinstance(data, dict) and _is_only_withheld(errors)):
        raise _graphql_error(errors, answer, operation, request_id)
    _check_search(answer, operation, request_id)
    if not isinstance(data, dict):
        raise ShopifyUnavailableError(
            f"Shopify answered {operation} without data and without an error.", request_id=request_id
        )
    return data


def request_id_of(response: httpx.Response) -> str | None:
    """Return the request id, for Shopify's support."""
    request_id: str | None = response.headers.get("X-Request-Id")
    return request_id


def check_version(response: httpx.Response) -> None:
    """Check that the response has the pinned API version (docs/contracts/shopify.md §3.8).

    Raises:
        VersionMismatchError: Shopify fell forward to another version.
    """
    served = response.headers.get("X-Shopify-API-Version", API_VERSION)
    if served != API_VERSION:
        raise VersionMismatchError(
            f"Shopify answered with API version {served!r} instead of {API_VERSION}: the pinned version is no longer "
            "served. Upgrade this project to a release that pins a supported version.",
            request_id=request_id_of(response),
        )


def _status_error(response: httpx.Response) -> ShopifyError:
    """Return the error of a status other than 200."""
    status, request_id = response.status_code, request_id_of(response)
    if status == 429:
        seconds = max(SHORTEST_WAIT, retry_after(response.headers) or 0.0)
        message = f"The rate limit of Shopify is exceeded. Try again in {seconds:g} s. Other apps may share the limit."
        return ThrottledError(message, status=status, request_id=request_id, retry_after=seconds)
    if status >= 500:
        return ShopifyUnavailableError(
            "Shopify failed to answer. Try again later.", status=status, request_id=request_id
        )
    if 300 <= status < 400:
        match = re.match(r"https://([a-z0-9-]+\.myshopify\.com)(?:/|$)", response.headers.get("Location", ""))
        target = match.group(1) if match else "another address"
        return ShopMovedError(
            f"Shopify redirects to {target}; the shop was probably renamed. Set SHOPIFY_SHOP to "
            "its present name.myshopify.com domain.",
            status=status,
            request_id=request_id,
        )
    error, message = _BY_STATUS.get(status, (QueryRefusedError, "Shopify refused the request."))
    return error(f"{message} {_quote_errors(response)}".strip(), status=status, request_id=request_id)


def _quote_errors(response: httpx.Response) -> str:
    """Return a quotation of the `errors` in a JSON body (a text, a list or an object), empty for other bodies."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return ""
    errors = (
        body.get("errors") or body.get("error_description") or body.get("error") if isinstance(body, dict) else None
    )
    return f"Shopify's message: {quoted(errors)}" if errors else ""


def quoted(errors: object) -> str:
    """Return the text of Shopify's errors for a message, truncated, with secrets and e-mail addresses masked."""
    if isinstance(errors, list):
        messages = (str(error.get("message", "")) if isinstance(error, dict) else str(error) for error in errors)
        text = "; ".join(messages)
    else:
        text = errors if isinstance(errors, str) else json.dumps(errors, default=str)
    masked = _EMAIL.sub("[address]", _SECRET.sub("[secret]", " ".join(text.split())))
    return masked if len(masked) <= _MAX_QUOTE_CHARS else masked[:_MAX_QUOTE_CHARS] + "…"


def _code(error: object) -> str:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    return str(extensions.get("code", "")) if isinstance(extensions, dict) else ""


def _is_only_withheld(errors: object) -> bool:
    """Return whether all errors are protected customer fields without approval for this app.

    Only a field within a listed record counts; the absence of a whole list is an error like any other.
    """
    return isinstance(errors, list) and all(
        _code(error) == "ACCESS_DENIED"
        and "not approved" in str(error.get("message", ""))
        and any(isinstance(step, int) for step in error.get("path") or ())
        and error["path"][-1] in _WITHHELD
        for error in errors
    )


def _graphql_error(errors: object, answer: Mapping[str, Any], operation: str, request_id: str | None) -> ShopifyError:
    """Return the error for the `errors` of a response with status 200; the first code in `_PRECEDENCE` decides."""
    by_code = {_code(error): error for error in reversed(errors)} if isinstance(errors, list) else {}
    code = next((code for code in _PRECEDENCE if code in by_code), "")
    match code:
        case "THROTTLED":
            cost = cost_of(answer)
            seconds = max(SHORTEST_WAIT, cost.seconds_until(cost.requested) if cost else 0.0)
            message = (
                f"{operation} exceeds Shopify's rate limit. Try again in {seconds:g} s. Other jobs may share the limit."
            )
            return ThrottledError(message, request_id=request_id, retry_after=seconds)
        case "MAX_COST_EXCEEDED":
            points, limit = (_to_int(by_code[code]["extensions"].get(key)) for key in ("cost", "maxCost"))
            message = (
                f"A page of {operation} costs {points or 'more'} points where one query may cost {limit or 'fewer'}."
            )
            return QueryTooExpensiveError(message, cost=points, limit=limit, request_id=request_id)
        case "SHOP_INACTIVE":
            message = f"The shop is inactive, so Shopify does not execute {operation}. Its owner must act."
            return ShopInactiveError(message, request_id=request_id)
        case "ACCESS_DENIED":
            message = (
                f"The app may not read a field of {operation}: {quoted([by_code[code]])} Grant the access scope to the "
                "app and install it again."
            )
            return AccessDeniedError(message, request_id=request_id)
        case "INTERNAL_SERVER_ERROR" | "TIMEOUT":
            return _internal_error(by_code[code], operation, request_id)
    return QueryRefusedError(f"Shopify refused {operation}: {quoted(errors)}", request_id=request_id)


def _to_int(value: object) -> int | None:
    return int(value) if isinstance(value, int | Decimal) else None


def _internal_error(error: Mapping[str, Any], operation: str, request_id: str | None) -> ShopifyUnavailableError:
    path = [str(step) for step in error.get("path") or ()]
    field = f" at the field {'.'.join(path)}" if path else ""
    detail = f" ({message})" if (message := quoted([error])) else ""
    return ShopifyUnavailableError(
        f"Shopify had an internal error in {operation}{field}{detail}. Try again later; if it persists, give the "
        "request id to Shopify's support.",
        request_id=request_id,
    )


def _check_search(answer: Mapping[str, Any], operation: str, request_id: str | None) -> None:
    """Refuse a list if Shopify ignored a part of its search, because the list then contains other records too.

    Source: docs/contracts/shopify.md §3.6.
    """
    extensions = answer.get("extensions")
    searches = extensions.get("search") if isinstance(extensions, dict) else None
    warnings = [
        warning for search in searches or () if isinstance(search, dict) for warning in search.get("warnings") or ()
    ]
    if warnings:
        text = "; ".join(
            f"{warning.get('field')}: {warning.get('message')}" if isinstance(warning, dict) else str(warning)
            for warning in warnings
        )
        raise SearchIgnoredError(
            f"Shopify ignored a part of the search of {operation} ({quoted(text)}), so its list is wrong and is not "
            "used. Report this: a search field was renamed.",
            request_id=request_id,
        )
