"""From an HTTP answer to the data it holds, or to the error it means (docs/contracts/shopify.md §8).

Pure: every shape an answer of Shopify's can take is told apart here and nowhere else. Nothing is sent, nothing retried.
Text of Shopify's that goes into a message is cut and cleared of what looks like a secret or an address.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

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
"""The pinned version of the Admin API; Shopify supports it until 2027-10-01."""

_LONGEST_QUOTE = 300
_SECRET = re.compile(r"\b(?:sh[a-z]{2,4}_\w+|[0-9a-f]{32,})\b", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")

# What protected customer data rules may withhold from an app (docs/contracts/shopify.md §1.6).
# Nothing else may be missing.
_WITHHELD = frozenset(
    {
        *("customer", "displayName", "firstName", "lastName", "billingAddress", "shippingAddress", "defaultAddress"),
        *("defaultEmailAddress", "emailAddress", "defaultPhoneNumber", "phoneNumber"),
        *("company", "address1", "address2", "city", "province", "provinceCode", "zip", "country", "countryCodeV2"),
    }
)


@dataclass(frozen=True)
class _Remedy:
    """What an HTTP status means and what to do about it."""

    error: type[ShopifyError]
    what: str


_BY_STATUS: Mapping[int, _Remedy] = {
    401: _Remedy(
        TokenRefusedError,
        "Shopify does not accept the access token. Check SHOPIFY_ACCESS_TOKEN, or SHOPIFY_CLIENT_ID and "
        "SHOPIFY_CLIENT_SECRET, and that the app is still installed on the shop.",
    ),
    402: _Remedy(ShopInactiveError, "The shop is frozen because a bill is unpaid. Its owner has to settle it."),
    403: _Remedy(
        AccessDeniedError,
        "Shopify forbids the request. Grant the app its access scopes, or see whether the shop is flagged.",
    ),
    404: _Remedy(
        QueryRefusedError,
        "Shopify knows no shop or no API at this address. Check SHOPIFY_SHOP (the name.myshopify.com domain).",
    ),
    423: _Remedy(ShopInactiveError, "The shop is locked. Its owner has to contact Shopify."),
    430: _Remedy(
        QueryRefusedError,
        "Shopify rejected the request for security reasons. Run fewer requests, and ask Shopify if it persists.",
    ),
}


def json_object(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer with status 200, its decimals exact.

    Raises:
        ShopifyError: the status is another one, or the body is no JSON object.
    """
    if response.status_code != 200:
        raise _error_of_status(response)
    try:
        answer = json.loads(response.content, parse_float=Decimal)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ShopifyUnavailableError(
            "Shopify answered with something that is not JSON, or with half of it. Try again later.",
            status=response.status_code,
            request_id=request_id_of(response),
        )
    return answer


def parse_data(answer: Mapping[str, Any], operation: str, request_id: str | None = None) -> dict[str, Any]:
    """Return the `data` of a decoded GraphQL answer; `operation` and `request_id` are for messages.

    Any error fails the whole answer, partial data or not, except that protected fields of customers may be withheld.

    Raises:
        ShopifyError: the answer holds errors, ignored a part of a search, or has no data.
    """
    errors, data = answer.get("errors"), answer.get("data")
    if errors and not (isinstance(data, dict) and _only_withheld(errors)):
        raise _error_of_list(errors, answer, operation, request_id)
    _check_search(answer, operation, request_id)
    if not isinstance(data, dict):
        raise ShopifyUnavailableError(
            f"Shopify answered {operation} without data and without an error.", request_id=request_id
        )
    return data


def request_id_of(response: httpx.Response) -> str | None:
    """Return the id Shopify's support asks for."""
    request_id: str | None = response.headers.get("X-Request-Id")
    return request_id


def check_version(response: httpx.Response) -> None:
    """Compare the API version that answered with the pinned one (docs/contracts/shopify.md §3.8).

    Raises:
        VersionMismatch: Shopify fell forward to another version.
    """
    served = response.headers.get("X-Shopify-API-Version", API_VERSION)
    if served != API_VERSION:
        raise VersionMismatchError(
            f"Shopify answered with API version {served!r} instead of {API_VERSION}: the pinned version is no longer "
            "served. Upgrade this project to a release that pins a supported version.",
            request_id=request_id_of(response),
        )


def _error_of_status(response: httpx.Response) -> ShopifyError:
    """Tell what a status other than 200 means."""
    status, request_id = response.status_code, request_id_of(response)
    if status == 429:
        seconds = _retry_after(response.headers.get("Retry-After", ""), response.headers.get("Date", ""))
        message = f"Shopify asks for fewer requests; it wants {seconds:g} s of quiet. Other apps may share the limit."
        return ThrottledError(message, status=status, request_id=request_id, retry_after=seconds)
    if status >= 500:
        return ShopifyUnavailableError(
            "Shopify failed to answer. Try again later.", status=status, request_id=request_id
        )
    if 300 <= status < 400:
        return ShopMovedError(
            f"Shopify redirects to {_new_shop(response)}; the shop was probably renamed. Set SHOPIFY_SHOP to its "
            "present name.myshopify.com domain.",
            status=status,
            request_id=request_id,
        )
    known = _BY_STATUS.get(status, _Remedy(QueryRefusedError, "Shopify refused the request."))
    said = _said(response)
    return known.error(f"{known.what} {said}".strip(), status=status, request_id=request_id)


def _retry_after(header: str, date: str) -> float:
    """Read `Retry-After`: decimal seconds or, as HTTP allows, a date by the server's clock.

    Source: docs/contracts/shopify.md §2.3.
    """
    try:
        return max(SHORTEST_WAIT, float(header))
    except ValueError:
        pass
    try:
        until, now = (parsedate_to_datetime(text).replace(tzinfo=UTC) for text in (header, date))
    except ValueError:
        return SHORTEST_WAIT
    return max(SHORTEST_WAIT, (until - now).total_seconds())


def _new_shop(response: httpx.Response) -> str:
    found = re.match(r"https://([a-z0-9-]+\.myshopify\.com)(?:/|$)", response.headers.get("Location", ""))
    return found.group(1) if found else "another address"


def _said(response: httpx.Response) -> str:
    """Quote the `errors` of a refusal's JSON body (a text, a list or an object); nothing of other bodies."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return ""
    errors = (
        body.get("errors") or body.get("error_description") or body.get("error") if isinstance(body, dict) else None
    )
    return f"Shopify says: {quoted(errors)}" if errors else ""


def quoted(errors: object) -> str:
    """Return Shopify's own words for a message: short, without secrets and addresses."""
    if isinstance(errors, list):
        text = "; ".join(str(e.get("message", "")) if isinstance(e, dict) else str(e) for e in errors)
    else:
        text = errors if isinstance(errors, str) else json.dumps(errors, default=str)
    cleared = _EMAIL.sub("[address]", _SECRET.sub("[secret]", " ".join(text.split())))
    return cleared if len(cleared) <= _LONGEST_QUOTE else cleared[:_LONGEST_QUOTE] + "…"


def _code(error: object) -> str:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    return str(extensions.get("code", "")) if isinstance(extensions, dict) else ""


def _only_withheld(errors: object) -> bool:
    """Whether all that is wrong is that fields of a customer are protected and not granted to this app.

    Only a field inside a listed record counts: a list that is withheld whole is an error like any other.
    """
    return isinstance(errors, list) and all(
        _code(error) == "ACCESS_DENIED"
        and "not approved" in str(error.get("message", ""))
        and any(isinstance(step, int) for step in error.get("path") or ())
        and error["path"][-1] in _WITHHELD
        for error in errors
    )


def _error_of_list(errors: object, answer: Mapping[str, Any], operation: str, request_id: str | None) -> ShopifyError:
    """Tell what the `errors` of an answer with status 200 mean; the first code of this order that occurs decides."""
    by_code = {_code(e): e for e in reversed(errors)} if isinstance(errors, list) else {}
    for code, make in _BY_CODE.items():
        if code in by_code:
            return make(by_code[code], answer, operation, request_id)
    return QueryRefusedError(f"Shopify refused {operation}: {quoted(errors)}", request_id=request_id)


_Maker = Callable[[Mapping[str, Any], Mapping[str, Any], str, str | None], ShopifyError]


def _throttled(_: Mapping[str, Any], answer: Mapping[str, Any], operation: str, request_id: str | None) -> ShopifyError:
    cost = cost_of(answer)
    seconds = max(SHORTEST_WAIT, cost.seconds_until(cost.requested) if cost else 0.0)
    message = (
        f"{operation} did not fit into Shopify's rate limit; it will in {seconds:g} s. Other jobs may share the limit."
    )
    return ThrottledError(message, request_id=request_id, retry_after=seconds)


def _too_expensive(
    error: Mapping[str, Any], _: Mapping[str, Any], operation: str, request_id: str | None
) -> ShopifyError:
    cost, limit = (_whole(error["extensions"].get(key)) for key in ("cost", "maxCost"))
    message = f"A page of {operation} costs {cost or 'more'} points where one query may cost {limit or 'fewer'}."
    return QueryTooExpensiveError(message, cost=cost, limit=limit, request_id=request_id)


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | Decimal) else None


def _denied(error: Mapping[str, Any], _: Mapping[str, Any], operation: str, request_id: str | None) -> ShopifyError:
    return AccessDeniedError(
        f"The app may not read what {operation} asks for: {quoted([error])} Grant the access scope to the app and "
        "install it again.",
        request_id=request_id,
    )


def _failed_inside(
    error: Mapping[str, Any], _: Mapping[str, Any], operation: str, request_id: str | None
) -> ShopifyError:
    path = [str(step) for step in error.get("path") or ()]
    field = f" at the field {'.'.join(path)}" if path else ""
    said = f" ({words})" if (words := quoted([error])) else ""
    return ShopifyUnavailableError(
        f"Shopify failed inside while answering {operation}{field}{said}. Try again later; if it stays, "
        "give Shopify's support the request.",
        request_id=request_id,
    )


def _inactive(_: Mapping[str, Any], __: Mapping[str, Any], operation: str, request_id: str | None) -> ShopifyError:
    return ShopInactiveError(
        f"The shop is inactive, so {operation} is not answered. Its owner has to act.", request_id=request_id
    )


_BY_CODE: Mapping[str, _Maker] = {
    "THROTTLED": _throttled,
    "MAX_COST_EXCEEDED": _too_expensive,
    "SHOP_INACTIVE": _inactive,
    "ACCESS_DENIED": _denied,
    "INTERNAL_SERVER_ERROR": _failed_inside,
    "TIMEOUT": _failed_inside,
}


def _check_search(answer: Mapping[str, Any], operation: str, request_id: str | None) -> None:
    """Refuse a list whose search was ignored in part: it holds more than was asked for.

    Source: docs/contracts/shopify.md §3.6.
    """
    extensions = answer.get("extensions")
    searches = extensions.get("search") if isinstance(extensions, dict) else None
    warnings = [w for s in searches or () if isinstance(s, dict) for w in s.get("warnings") or ()]
    if warnings:
        words = "; ".join(f"{w.get('field')}: {w.get('message')}" if isinstance(w, dict) else str(w) for w in warnings)
        raise SearchIgnoredError(
            f"Shopify ignored a part of {operation}'s search ({quoted(words)}), so its list is not the one asked for "
            "and is not used. Report this: a search field changed its name.",
            request_id=request_id,
        )
