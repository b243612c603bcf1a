"""What a sandbox shop can be told to be: who may ask, how much, how strictly and how late its search index is.

Only settings and their defaults belong here; what they mean is done where they are read.
"""

from dataclasses import dataclass
from datetime import timedelta

ALL_SCOPES = frozenset(
    {
        "read_orders",
        "read_all_orders",
        "read_customers",
        "read_products",
        "read_locations",
        "read_returns",
        "read_payment_terms",
        "read_inventory",
        "read_shopify_payments_accounts",
    }
)


@dataclass(frozen=True, kw_only=True)
class ShopifyOptions:
    """Settings of the local Shopify.

    Attributes:
        client_id: The app's id, for the client credentials grant.
        client_secret: The app's secret.
        static_token: A token that never expires, as admin-created custom apps have one.
        token_lifetime: Seconds an issued token lives (docs/contracts/shopify.md §1.2).
        shop_permitted: False when app and store belong to different organisations.
        installed: False when the app is not installed on the store.
        scopes: Access scopes granted to the app.
        versions: Supported stable API versions, oldest first; anything else is served as the first of them.
        candidates: Versions that can be asked for although they are not stable.
        index_lag: How far list queries are behind the records themselves (E9).
        linear_cost: Cost pages as `2 + n * node` instead of the observed sub-linear way (3.2).
        single_query_limit: Greatest requested cost of one query.
        bucket_size: Points a full bucket holds.
        restore_rate: Points a second that flow back.
        page_limit: Greatest `first` or `last`, and most ids in one `nodes`.
        list_limit: Objects after which one list cannot be paged further.
        payments: Whether the shop uses Shopify Payments; without it `shopifyPaymentsAccount` is null.
    """

    client_id: str = "sandbox"
    client_secret: str = "sandbox"  # noqa: S105
    static_token: str = "sandbox"  # noqa: S105
    token_lifetime: int = 86_399
    shop_permitted: bool = True
    installed: bool = True
    scopes: frozenset[str] = ALL_SCOPES
    versions: tuple[str, ...] = ("2026-01", "2026-04", "2026-07", "2026-10")
    candidates: tuple[str, ...] = ("2027-01", "unstable")
    index_lag: timedelta = timedelta(seconds=5)
    linear_cost: bool = False
    single_query_limit: int = 1_000
    bucket_size: int = 2_000
    restore_rate: int = 100
    page_limit: int = 250
    list_limit: int = 25_000
    payments: bool = False
