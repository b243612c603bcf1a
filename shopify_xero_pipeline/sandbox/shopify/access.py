"""Access control: tokens of the client credentials grant, and the access scopes of types and fields (E1, E4).

GraphQL itself decides how a refusal affects the rest of a response.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from shopify_xero_pipeline.sandbox.shopify.errors import FieldError
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions

_ORDERS = (
    "Order LineItem ShippingLine OrderTransaction Refund RefundLineItem RefundShippingLine OrderAdjustment "
    "SalesAgreement Sale DiscountApplication"
)
_PRODUCTS = "Product ProductVariant InventoryItem"

TYPE_SCOPES: Mapping[str, tuple[str, ...]] = {
    **{name: ("read_orders",) for name in _ORDERS.split()},
    **{name: ("read_products",) for name in _PRODUCTS.split()},
    "Customer": ("read_customers",),
    "Company": ("read_customers", "read_companies"),
    "CompanyContact": ("read_customers", "read_companies"),
    "CompanyLocation": ("read_customers", "read_companies"),
    "Location": ("read_locations",),
    "Return": ("read_returns",),
    "Fee": ("read_returns",),
    "PaymentTerms": ("read_payment_terms",),
    "ShopifyPaymentsAccount": ("read_shopify_payments_accounts", "read_shopify_payments"),
}
"""Types that need a scope; any one of the listed scopes is enough (docs/contracts/shopify.md §1.5)."""

FIELD_SCOPES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("QueryRoot", "ordersCount"): ("read_orders",),
    ("QueryRoot", "customersCount"): ("read_customers",),
    ("QueryRoot", "productsCount"): ("read_products",),
    ("QueryRoot", "productVariantsCount"): ("read_products",),
}
"""Fields that need a scope, by type and name."""


def scopes_for(parent: str, field: str, returned: str) -> tuple[str, ...]:
    """Return the scopes of which a field needs one; empty for a field without a scope.

    Args:
        parent: name of the field's type.
        field: the field's name.
        returned: name of the returned type, without list and non-null; a connection counts as its nodes' type.
    """
    return FIELD_SCOPES.get((parent, field)) or TYPE_SCOPES.get(returned.removesuffix("Connection"), ())


def require(needed: tuple[str, ...], granted: frozenset[str], field: str) -> None:
    """Refuse a field that the granted scopes do not cover.

    Args:
        needed: the scopes of which one is enough; empty for none.
        granted: the scopes of the token.
        field: the field's name, for the message.

    Raises:
        FieldError: scopes are needed and none of them is granted.
    """
    if not needed or not granted.isdisjoint(needed):
        return
    required = " or ".join(f"`{scope}`" for scope in needed) + " access scope."
    raise FieldError(
        f"Access denied for {field} field. Required access: {required}",
        "ACCESS_DENIED",
        documentation="https://shopify.dev/api/usage/access-scopes",
        requiredAccess=required,
    )


class Tokens:
    """The issued tokens; a new one leaves older ones valid until they expire.

    Source: docs/contracts/shopify.md §1.2.
    """

    def __init__(self, options: ShopifyOptions) -> None:
        self._options = options
        self._expiries: dict[str, datetime] = {}

    def issue(self, now: datetime) -> str:
        """Return a new token that is valid from now on."""
        seed = f"{self._options.client_id}:{len(self._expiries)}:{now.isoformat()}"
        token = "shpat_" + hashlib.sha256(seed.encode()).hexdigest()[:32]
        self._expiries[token] = now + timedelta(seconds=self._options.token_lifetime)
        return token

    def accepts(self, token: str | None, now: datetime) -> bool:
        """Return whether a token is known and has not expired."""
        if token is None or token == "":
            return False
        if token == self._options.static_token:
            return True
        expiry = self._expiries.get(token)
        return expiry is not None and now < expiry
