"""The options of a sandbox shop: access, cost, strictness and the lag of its search index.

This module only contains settings and their defaults; other modules apply them.
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
        client_id: the app's id, for the client credentials grant.
        client_secret: the app's secret.
        static_token: a token that never expires, as an admin-created custom app has.
        token_lifetime: lifetime of an issued token in seconds (docs/contracts/shopify.md §1.2).
        shop_permitted: False if app and store belong to different organisations.
        installed: False if the app is not installed on the store.
        scopes: access scopes granted to the app.
        versions: supported stable API versions, oldest first; any other version is served as the first.
        candidates: served versions that are not stable.
        index_lag: how far list queries lag behind the records (E9).
        linear_cost: cost pages as `2 + n * node` instead of the observed sub-linear cost (3.2).
        single_query_limit: maximum requested cost of one query, in points.
        bucket_size: points in a full bucket.
        restore_rate: points restored a second.
        page_limit: maximum `first` or `last`, and maximum ids in one `nodes`.
        list_limit: number of objects after which one list cannot be paged further.
        bulk_limit: bulk operations of one app that run at once.
        bulk_start: time from the creation of a bulk operation to its start.
        bulk_rows_per_second: rows that a bulk operation writes a second.
        gzip: whether files of bulk operations are served compressed.
        bulk_seed: seed of the order of the rows.
        payments: whether the shop uses Shopify Payments; without it `shopifyPaymentsAccount` is null.
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
    bulk_limit: int = 5
    bulk_start: timedelta = timedelta(seconds=2)
    bulk_rows_per_second: int = 5_000
    bulk_seed: int = 0
    gzip: bool = True
    payments: bool = False
