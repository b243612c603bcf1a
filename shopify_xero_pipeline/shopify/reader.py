"""What the pipeline asks of a shop, each answer complete or an error.

Which scopes a read needs and how windows, pages and conversion come together belong here; how each works does not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import AccessDeniedError, IncompleteReadError
from shopify_xero_pipeline.shopify.models import ChangedOrder, Customer, Order, OrderMoney, Product, Shop, legacy_id
from shopify_xero_pipeline.shopify.nested_paging import RecordChangedError, complete_order, complete_product
from shopify_xero_pipeline.shopify.paging import Json, Pager, PageSize, nodes_of
from shopify_xero_pipeline.shopify.parsing import (
    parse_changed_order,
    parse_customer,
    parse_order,
    parse_order_money,
    parse_product,
    parse_shop,
)
from shopify_xero_pipeline.shopify.queries import document
from shopify_xero_pipeline.shopify.search import Listing, WindowSearch, require_object

VISIBLE_WITHOUT_ALL_ORDERS = timedelta(days=60)
"""How far back `read_orders` alone sees (docs/contracts/shopify.md §1.5)."""

_TRIES_TO_CATCH_A_RECORD = 4

_ORDERS = Listing("Orders", "orders", "processed_at", "processedAt")
_CHANGED = Listing("ChangedOrders", "orders", "updated_at", "updatedAt")
# The filter matches whole days (docs/contracts/shopify.md §3.6); of which zone is not documented.
_CUSTOMERS = Listing("Customers", "customers", "updated_at", "updatedAt", margin=timedelta(days=1))
_PRODUCTS = Listing("Products", "products", "updated_at", "updatedAt")

_FOR_ORDERS = ("read_orders", "read_customers", "read_products", "read_payment_terms")


def _first_pages() -> dict[str, PageSize]:
    """Return where page sizes start: well below 1,000 points by the model (docs/contracts/shopify.md §3.2)."""
    return {
        "Orders": PageSize(54, most=148),
        "NewestOrders": PageSize(54),
        "OrdersById": PageSize(8, most=100),
        "Products": PageSize(54),
        "ProductsById": PageSize(8, most=100),
    }


class ShopifyReader:
    """Reads one shop. Windows are half-open, [start, end), of aware instants; a read is complete or raises.

    Args:
        client: What sends.
        clock: Where time comes from, and what waits.
    """

    def __init__(self, client: ShopifyClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._pager = Pager(client, _first_pages())
        self._search = WindowSearch(self._pager, clock)
        self._scopes: frozenset[str] | None = None

    def shop(self) -> Shop:
        """Return the shop: its zone and currency decide days and documents.

        Raises:
            ShopifyError: Shopify could not be read.
        """
        answer = self._client.execute(document("Shop"), {})
        self._scopes = frozenset(s["handle"] for s in answer["currentAppInstallation"]["accessScopes"])
        return parse_shop(answer["shop"])

    def time(self) -> datetime | None:
        """Return Shopify's own time as its last answer stated it, at the earliest; None where that is not known."""
        return self._client.time.earliest

    def orders(self, start: datetime, end: datetime) -> list[Order]:
        """Return the orders with `processedAt` in the window, each with its whole history, oldest first.

        Raises:
            AccessDenied: a scope is missing; `read_all_orders` for a window that begins more than 60 days ago.
            IncompleteRead: Shopify counts more orders than it lists.
            ShopifyError: Shopify could not be read.
        """
        self._require(*_FOR_ORDERS)
        self._require_sight_of(start)
        nodes = self._search.read(_ORDERS, start, end, {"fees": self._may("read_returns")})
        return _by_time(parse_order(node) for node in self._whole(nodes, self._complete_order, self._order_nodes))

    def orders_by_id(self, ids: Iterable[str]) -> list[Order]:
        """Return orders by id, each with its whole history, oldest first; an order that no longer exists is left out.

        Reads the records themselves, not the search index.

        Args:
            ids: Global ids, or their digits.

        Raises:
            AccessDenied: a scope is missing; `read_all_orders` if an order is not to be seen without it.
            ShopifyError: Shopify could not be read.
        """
        self._require(*_FOR_ORDERS)
        wanted = dict.fromkeys(f"gid://shopify/Order/{legacy_id(i)}" for i in ids)
        nodes = self._order_nodes(list(wanted))
        return _by_time(parse_order(node) for node in self._whole(nodes, self._complete_order, self._order_nodes))

    def existing_orders(self, ids: Iterable[str]) -> list[ChangedOrder]:
        """Return when orders were placed and last changed, by the digits of their ids, from the records themselves.

        One for whose id Shopify answers null is left out: it was deleted, or this app may not see it (`sees_since`).

        Raises:
            AccessDenied: a scope is missing.
            ShopifyError: Shopify could not be read.
        """
        self._require("read_orders")
        nodes = self._nodes("DaysOfOrders", [f"gid://shopify/Order/{legacy_id(i)}" for i in dict.fromkeys(ids)])
        return [parse_changed_order(node) for node in nodes]

    def newest_orders(self, limit: int) -> list[Order]:
        """Return the newest orders, each with its whole history, oldest first.

        They are a sample of what a shop sells; whether there are more is not asked.

        Args:
            limit: how many at the most, up to a page.

        Raises:
            AccessDenied: a scope is missing.
            ShopifyError: Shopify could not be read.
        """
        self._require(*_FOR_ORDERS)
        fees = self._may("read_returns")
        answer = self._pager.ask("NewestOrders", lambda rows: {"first": min(rows, limit), "fees": fees})
        nodes = nodes_of(require_object(answer, "orders"))
        return _by_time(parse_order(node) for node in self._whole(nodes, self._complete_order, self._order_nodes))

    def missing_scopes(self, start: datetime) -> list[str]:
        """Return the access scopes the books need and the app lacks.

        Args:
            start: aware instant from which on orders are read.

        Raises:
            ShopifyError: Shopify could not be read.
        """
        far = start < self._clock.now() - VISIBLE_WITHOUT_ALL_ORDERS
        return [scope for scope in (*_FOR_ORDERS, *(["read_all_orders"] if far else [])) if not self._may(scope)]

    def changed_orders(self, since: datetime) -> list[ChangedOrder]:
        """Return which orders changed at `since` or later, by the time of change; the greatest is the next `since`.

        Raises:
            AccessDenied: a scope is missing.
            ShopifyError: Shopify could not be read.
        """
        self._require("read_orders")
        self._require_sight_of(since)
        changed = [parse_changed_order(node) for node in self._search.read(_CHANGED, since, None)]
        return sorted(changed, key=lambda order: (order.updated_at, order.id))

    def changed_page(self, since: datetime, after: str | None = None) -> tuple[list[ChangedOrder], str | None]:
        """Return one page of the orders changed at `since` or later, by the index's time of change.

        An order may have changed again since the index saw it, and the index lags: whoever comes back begins with an
        overlap.

        Args:
            since: Aware instant; the list begins there.
            after: Where the page begins, as the page before said; None for the first one.

        Returns:
            The orders, and where the next page begins; None after the last one.

        Raises:
            AccessDenied: a scope is missing.
            QueryRefused: among others, `after` is no longer accepted.
            ShopifyError: Shopify could not be read.
        """
        self._require("read_orders")
        self._require_sight_of(since)
        asked = {"query": (text := _CHANGED.text(since, None)), "window": text}
        _, page = next(
            self._pager.pages("ChangedOrders", asked, lambda answer: require_object(answer, _CHANGED.root), after)
        )
        follows = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None
        changed = [parse_changed_order(node) for node in nodes_of(page)]
        return [order for order in changed if order.updated_at >= since], follows

    def money_of(self, ids: Iterable[str]) -> list[OrderMoney]:
        """Return how the money of orders stands, by the digits of their ids; those not to be seen are left out.

        Raises:
            AccessDenied: a scope is missing.
            ShopifyError: Shopify could not be read.
        """
        self._require("read_orders")
        nodes = self._nodes("MoneyOfOrders", [f"gid://shopify/Order/{legacy_id(i)}" for i in ids])
        return [parse_order_money(node) for node in nodes]

    def sees_since(self) -> datetime | None:
        """Return the instant before which Shopify hides orders from this app; None if it sees them all."""
        if self._may("read_all_orders"):
            return None
        return self._now() - VISIBLE_WITHOUT_ALL_ORDERS + timedelta(minutes=1)

    def customers(self, start: datetime, end: datetime) -> list[Customer]:
        """Return the customers whose last change lies in the window, by the time of change.

        Raises:
            AccessDenied: the scope `read_customers` is missing.
            ShopifyError: Shopify could not be read.
        """
        self._require("read_customers")
        found = [parse_customer(node) for node in self._search.read(_CUSTOMERS, start, end)]
        return sorted(found, key=lambda customer: (customer.updated_at, customer.id))

    def products(self, start: datetime, end: datetime) -> list[Product]:
        """Return the products whose last change lies in the window, with all their variants, by the time of change.

        Raises:
            AccessDenied: the scope `read_products` is missing.
            ShopifyError: Shopify could not be read.
        """
        self._require("read_products")
        nodes = self._search.read(_PRODUCTS, start, end)
        whole = self._whole(nodes, lambda node: complete_product(self._pager, node), self._product_nodes)
        found = [parse_product(node) for node in whole]
        # A product read again meanwhile may have moved out of the window; a later window has it.
        found = [product for product in found if start <= product.updated_at < end]
        return sorted(found, key=lambda product: (product.updated_at, product.id))

    def _complete_order(self, node: Json) -> None:
        complete_order(self._pager, node, fees=self._may("read_returns"))

    def _order_nodes(self, ids: list[str]) -> list[Json]:
        nodes = self._nodes("OrdersById", ids, fees=self._may("read_returns"))
        if len(nodes) < len(ids) and not self._may("read_all_orders"):
            raise AccessDeniedError(
                f"{len(ids) - len(nodes)} of {len(ids)} orders are not to be seen; they may be older than 60 days, for "
                "which the app needs the access scope read_all_orders. Request and grant it, then run it again."
            )
        return nodes

    def _product_nodes(self, ids: list[str]) -> list[Json]:
        return self._nodes("ProductsById", ids)

    def _nodes(self, operation: str, ids: list[str], **variables: object) -> list[Json]:
        """Return the records with these ids that exist."""
        found: list[Json] = []
        while ids:
            answer = self._pager.ask(operation, partial(_some, ids, variables))["nodes"]
            if not answer:
                raise IncompleteReadError(f"Shopify answers {operation} with no place for any of the ids asked for.")
            found += [node for node in answer if node is not None]
            ids = ids[len(answer) :]
        return found

    def _whole(
        self, nodes: Iterable[Json], complete: Callable[[Json], None], again: Callable[[list[str]], list[Json]]
    ) -> Iterator[Json]:
        """Complete records, reading one again by its id when it changes meanwhile; one that went away is left out."""
        for first in nodes:
            node: Json | None = first
            for _ in range(_TRIES_TO_CATCH_A_RECORD):
                if node is None or _completed(node, complete):
                    break
                node = next(iter(again([first["id"]])), None)
            else:
                raise IncompleteReadError(f"{first['id']} changes faster than it can be read. Run it again later.")
            if node is not None:
                yield node

    def _may(self, scope: str) -> bool:
        """Whether a scope is granted; a scope to write includes the one to read."""
        if self._scopes is None:
            self.shop()
        return bool({scope, scope.replace("read_", "write_", 1)} & (self._scopes or frozenset()))

    def _require(self, *scopes: str) -> None:
        missing = [scope for scope in scopes if not self._may(scope)]
        if missing:
            raise AccessDeniedError(
                f"The app lacks the access scope {', '.join(missing)}. Grant it in the app's configuration and install "
                "the app on the shop again."
            )

    def _now(self) -> datetime:
        """Return Shopify's time, by which it hides orders; ours only where its answers never state it."""
        time = self._client.time
        if time.earliest is None and time.ahead is not None:  # our clock was set since its last answer
            self.shop()
        return time.earliest or self._clock.now()

    def _require_sight_of(self, start: datetime) -> None:
        """Refuse a window Shopify would silently show as empty (docs/contracts/shopify.md trap 5)."""
        if start < self._now() - VISIBLE_WITHOUT_ALL_ORDERS and not self._may("read_all_orders"):
            raise AccessDeniedError(
                f"The window begins on {start:%Y-%m-%d}, more than 60 days ago, and the app lacks the access scope "
                "read_all_orders, without which Shopify hides older orders. Request and grant it, or begin later."
            )


def _some(ids: list[str], variables: Mapping[str, object], rows: int) -> Json:
    return {**variables, "ids": ids[:rows]}


def _completed(node: Json, complete: Callable[[Json], None]) -> bool:
    """Whether a record stayed as it was until it was read whole."""
    try:
        complete(node)
    except RecordChangedError:
        return False
    return True


def _by_time(orders: Iterable[Order]) -> list[Order]:
    return sorted(orders, key=lambda order: (order.processed_at, order.id))
