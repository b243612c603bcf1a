"""Errors of the Shopify client, one class for each remedy.

This module only defines the errors; `responses.py` derives them from responses, and `retry.py` decides about retries. A
message contains the event, its object and the remedy, and never a token or personal data.
"""


class ShopifyError(Exception):
    """A read from Shopify failed. The message is for people.

    Attributes:
        status: the HTTP status of the response; None without a response.
        request_id: Shopify's `X-Request-Id`, for its support.
        retry_after: the seconds to wait before a retry, according to Shopify; None if unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        notes = [f"HTTP {status}"] if status is not None else []
        notes += [f"request {request_id}"] if request_id else []
        super().__init__(f"{message} ({', '.join(notes)})" if notes else message)


class SettingError(ShopifyError):
    """A setting is invalid: the shop, the address of a sandbox or the token."""


class ThrottledError(ShopifyError):
    """The query exceeds the rate limit; it fits after `retry_after` seconds."""


class ShopifyUnavailableError(ShopifyError):
    """Shopify is unreachable, has an internal error or sent an invalid response; the error is transient."""


class ShopifyUnreachableError(ShopifyUnavailableError):
    """The connection to Shopify failed."""


class QueryTooExpensiveError(ShopifyError):
    """The page costs more than a single query may cost (MAX_COST_EXCEEDED); a smaller page is accepted.

    Attributes:
        cost: the requested cost in points; None if unknown.
        limit: the limit of a single query in points; None if unknown.
    """

    def __init__(self, message: str, *, cost: int | None, limit: int | None, request_id: str | None = None) -> None:
        self.cost = cost
        self.limit = limit
        super().__init__(message, request_id=request_id)


class QueryRefusedError(ShopifyError):
    """Shopify refuses the query: it does not match the schema, has an invalid argument or fails a security check."""


class AuthenticationFailedError(ShopifyError):
    """Shopify refuses the token, or the client id and secret."""


class TokenRefusedError(AuthenticationFailedError):
    """Shopify refuses the token; it may accept a new one."""


class AccessDeniedError(ShopifyError):
    """The app lacks an access scope or an approval for the read."""


class ShopInactiveError(ShopifyError):
    """The shop is frozen, locked or inactive; reads fail until its owner acts."""


class VersionMismatchError(ShopifyError):
    """Shopify responded with another API version than the pinned one, in which fields may differ."""


class ShopMovedError(ShopifyError):
    """The shop has another address. The client follows no redirect, because the redirect would receive the token."""


class SearchIgnoredError(ShopifyError):
    """Shopify ignored a part of a search, so its result is wrong (docs/contracts/shopify.md §3.6)."""


class IncompleteReadError(ShopifyError):
    """A read is incomplete; no part of it may be used."""


class UnexpectedShapeError(ShopifyError):
    """A response does not match the schema of the pinned API version."""


class ResultExpiredError(ShopifyError):
    """The result of a bulk operation is no longer available; a new operation creates it again."""


class BulkQueryFailedError(ShopifyUnavailableError):
    """Shopify failed to execute a bulk query, and its partial data is not used; a later operation may succeed."""
