"""What can go wrong between us and Shopify, one class for each thing a person would do differently.

Only the vocabulary belongs here: which answer means which error is decided in `responses.py`, which error is tried
again in `retry.py`. A message says what happened, to what, and what to do; it never holds a token or a customer's
details.
"""


class ShopifyError(Exception):
    """Shopify could not be read. The message is for people.

    Attributes:
        status: HTTP status of the answer, if there was one.
        request_id: Shopify's `X-Request-Id`, which its support asks for.
        retry_after: Seconds the server asked us to wait, if it did.
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
    """A setting cannot be used: shop name, address of a sandbox, token."""


class ThrottledError(ShopifyError):
    """The query did not fit into the rate limit; it will after `retry_after` seconds."""


class ShopifyUnavailableError(ShopifyError):
    """Shopify was not reached, failed inside, or answered with something that is not an answer. Worth another try."""


class ShopifyUnreachableError(ShopifyUnavailableError):
    """No connection to Shopify came about at all."""


class QueryTooExpensiveError(ShopifyError):
    """The page is dearer than a single query may be (MAX_COST_EXCEEDED); a smaller page will do.

    Attributes:
        cost: Points the query asked for, if said.
        limit: Points a single query may ask for, if said.
    """

    def __init__(self, message: str, *, cost: int | None, limit: int | None, request_id: str | None = None) -> None:
        self.cost = cost
        self.limit = limit
        super().__init__(message, request_id=request_id)


class QueryRefusedError(ShopifyError):
    """Shopify understood and said no: a document that does not fit the schema, a bad argument, a security rejection."""


class AuthenticationFailedError(ShopifyError):
    """The token, or the client id and secret, are not accepted."""


class TokenRefusedError(AuthenticationFailedError):
    """The token that was sent is not accepted; a new one may be."""


class AccessDeniedError(ShopifyError):
    """The app may not read something: an access scope or an approval is missing."""


class ShopInactiveError(ShopifyError):
    """The shop is frozen, locked or inactive; nothing can be read until its owner acts."""


class VersionMismatchError(ShopifyError):
    """Shopify answered with another API version than the pinned one, so fields may mean something else."""


class ShopMovedError(ShopifyError):
    """The shop answers at another address. Redirects are never followed, because the token would follow them."""


class SearchIgnoredError(ShopifyError):
    """Shopify ignored a part of a search, so its list is not the one asked for (docs/contracts/shopify.md §3.6)."""


class IncompleteReadError(ShopifyError):
    """Not everything that exists was read. Nothing of it may be used."""


class UnexpectedShapeError(ShopifyError):
    """An answer does not have the shape the pinned API version promises."""
