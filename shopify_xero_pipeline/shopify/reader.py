"""Reader of a shop for the pipeline; each read is complete or raises.

This module checks access scopes and combines windows, pages and parsing, which are in modules of their own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import AccessDeniedError, IncompleteReadError
from shopify_xero_pipeline.shopify.first_pages import FirstPages, first_page_sizes, has_return_fees
from shopify_xero_pipeline.shopify.models import ChangedOrder, Customer, Order, OrderMoney, Product, Shop, legacy_id
from shopify_xero_pipeline.shopify.nested_paging import (
    RecordChangedError,
    add_refund_transactions,
    complete_order,
    complete_product,
)
from shopify_xero_pipeline.shopify.paging import Json, Pager, PageSize, nodes_of
from shopify_xero_pipeline.shopify.parsing import parse_order, parse_product, parse_record
from shopify_xero_pipeline.shopify.queries import bulk_query, document
from shopify_xero_pipeline.shopify.search import Listing, WindowSearch, require_object

VISIBLE_WITHOUT_ALL_ORDERS = timedelta(days=60)
"""Age of the oldest order that `read_orders` alone returns (docs/contracts/shopify.md §1.5)."""

BULK_REFUNDS = 150
"""Refunds in one query, below 1,000 points by the cost model."""

_RECORD_ATTEMPTS = 4
"""Reads of a record that changes while its pages are read."""

_ORDERS = Listing("Orders", "orders", "processed_at", "processedAt")
_CHANGED = Listing("ChangedOrders", "orders", "updated_at", "updatedAt")
# The filter matches whole days (docs/contracts/shopify.md §3.6) in an undocumented time zone, hence the margin.
_CUSTOMERS = Listing("Customers", "customers", "updated_at", "updatedAt", margin=timedelta(days=1))
_PRODUCTS = Listing("Products", "products", "updated_at", "updatedAt")
_FIRST = (_ORDERS, _CUSTOMERS, _PRODUCTS)

_FOR_ORDERS = ("read_orders", "read_customers", "read_products", "read_payment_terms")


def _first_pages() -> dict[str, PageSize]:
    """Return the first page sizes, well below 1,000 points by the cost model (docs/contracts/shopify.md §3.2)."""
    return {
        "FirstPages": PageSize(54, most=54),
        "Orders": PageSize(54, most=148),
        "NewestOrders": PageSize(54),
        "OrdersById": PageSize(8, most=100),
        "Products": PageSize(54),
        "ProductsById": PageSize(8, most=100),
        "RefundsById": PageSize(BULK_REFUNDS),
    }


class ShopifyReader:
    """Reader of one shop. Windows are half-open, [start, end), with aware instants; a read is complete or raises.

    Args:
        client: sends the queries.
        clock: the time and the waits.
    """

    def __init__(self, client: ShopifyClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._pager = Pager(client, _first_pages())
        self._search = WindowSearch(self._pager, clock)
        self._scopes: frozenset[str] | None = None

    def shop(self) -> Shop:
        """Return the shop, with its time zone and currency.

        Raises:
            ShopifyError: the read failed.
        """
        return self._shop_of(self._client.execute(document("Shop"), {}))

    def first_pages(self, start: datetime, end: datetime) -> FirstPages | None:
        """Return the shop and the first pages of a window's customers, products and orders, read in one request.

        Returns:
            The pages, for the reads of the lists of the same window; None if the app may not read one of the lists,
            because the read of that list names the missing access scope.

        Raises:
            ShopifyError: the read failed.
        """
        sent_at, has_fees = self._clock.elapsed(), self._scopes is not None and self._has_scope("read_returns")
        texts = {listing.root: listing.window(start, end) for listing in _FIRST}
        try:
            data = self._pager.ask("FirstPages", lambda rows: {**texts, **first_page_sizes(rows), "fees": has_fees})
        except AccessDeniedError:
            return None
        shop, now = self._shop_of(data), self.time()
        read_at = None if now is None else now - timedelta(seconds=self._clock.elapsed() - sent_at)
        pages = {root: {name: data[name] for name in (root, f"{root}Count")} for root in texts}
        if self._has_scope("read_returns") and not has_fees and data["orders"] and has_return_fees(data):
            del pages["orders"]  # the orders are read again, with the names of their fees
        return FirstPages(shop, read_at, (start, end), pages, self._clock, sent_at)

    def _shop_of(self, answer: Json) -> Shop:
        """Return the shop in a response, and store the access scopes in it."""
        self._scopes = frozenset(scope["handle"] for scope in answer["currentAppInstallation"]["accessScopes"])
        return parse_record(Shop, answer["shop"])

    def time(self) -> datetime | None:
        """Return a lower bound of Shopify's present time, from its last response; None if unknown."""
        return self._client.time.earliest

    def orders(self, start: datetime, end: datetime, first: Json | None = None) -> list[Order]:
        """Return the orders with `processedAt` in the window, each with its whole history, oldest first.

        Args:
            start: the start of the window.
            end: the end of the window.
            first: the first page from `first_pages`; None to read it.

        Raises:
            AccessDeniedError: a scope is missing; `read_all_orders` for a window that starts more than 60 days ago.
            IncompleteReadError: Shopify counts more orders than it lists.
            ShopifyError: the read failed.
        """
        self._require(*_FOR_ORDERS)
        self._require_visible(start)
        nodes = self._search.read(_ORDERS, start, end, {"fees": self._has_scope("read_returns")}, first=first)
        return self._parse_orders(nodes)

    def count_orders(self, start: datetime, end: datetime) -> int:
        """Return Shopify's count of the orders with `processedAt` in the window, or up to a second outside of it.

        Raises:
            AccessDeniedError: a scope is missing.
            ShopifyError: the read failed.
        """
        self._require("read_orders")
        answer = self._client.execute(document("CountOrders"), {"window": _ORDERS.text(start, end)})
        return int(require_object(answer, "ordersCount")["count"])

    def bulk_orders_query(self, start: datetime, end: datetime) -> str:
        """Return the bulk query for the orders that `orders` returns; it may return orders a second outside.

        Raises:
            AccessDeniedError: a scope is missing, as in `orders`.
            ShopifyError: the read failed.
        """
        self._require(*_FOR_ORDERS)
        self._require_visible(start)
        values: dict[str, str | bool] = {"query": _ORDERS.text(start, end), "fees": self._has_scope("read_returns")}
        return bulk_query("BulkOrders", values)

    def refunds(self, ids: list[str]) -> dict[str, Json]:
        """Return the nodes of refunds with the first page of their transactions, by id.

        Args:
            ids: global ids.

        Raises:
            ShopifyError: the read failed.
        """
        return {node["id"]: node for node in self._nodes("RefundsById", ids)}

    def complete_bulk_order(self, node: Json, refunds: Mapping[str, Json]) -> Order | None:
        """Return the order of a node of a bulk operation; None if it was deleted.

        An order that changed after the operation is read again.

        Args:
            node: an order node without the transactions of its refunds.
            refunds: nodes from `refunds`, by id.

        Raises:
            IncompleteReadError: the order changes faster than it can be read.
            ShopifyError: the read failed.
        """

        def complete(order: Json) -> None:
            add_refund_transactions(order, refunds)
            complete_order(self._pager, order, fees=self._has_scope("read_returns"))

        return next((parse_order(order) for order in self._complete([node], complete, self._order_nodes)), None)

    def orders_by_id(self, ids: Iterable[str]) -> list[Order]:
        """Return orders by id, each with its whole history, oldest first; deleted orders are left out.

        The method reads the records and not the search index.

        Args:
            ids: global ids, or their digits.

        Raises:
            AccessDeniedError: a scope is missing; `read_all_orders` if an order is invisible without it.
            ShopifyError: the read failed.
        """
        self._require(*_FOR_ORDERS)
        return self._parse_orders(self._order_nodes(_order_gids(ids)))

    def existing_orders(self, ids: Iterable[str]) -> list[ChangedOrder]:
        """Return the times of orders' placement and last change, from the records and not from the search index.

        An order is left out if it was deleted or is invisible to this app (`sees_since`).

        Args:
            ids: global ids, or their digits.

        Raises:
            AccessDeniedError: a scope is missing.
            ShopifyError: the read failed.
        """
        self._require("read_orders")
        return [parse_record(ChangedOrder, node) for node in self._nodes("DaysOfOrders", _order_gids(ids))]

    def newest_orders(self, limit: int) -> list[Order]:
        """Return the newest orders, each with its whole history, oldest first. They are a sample of the shop's sales.

        Args:
            limit: the largest number of orders, up to one page.

        Raises:
            AccessDeniedError: a scope is missing.
            ShopifyError: the read failed.
        """
        self._require(*_FOR_ORDERS)
        fees = self._has_scope("read_returns")
        answer = self._pager.ask("NewestOrders", lambda rows: {"first": min(rows, limit), "fees": fees})
        nodes = nodes_of(require_object(answer, "orders"))
        return self._parse_orders(nodes)

    def missing_scopes(self, start: datetime) -> list[str]:
        """Return the access scopes that the books need and the app lacks.

        Args:
            start: the aware instant from which orders are read.

        Raises:
            ShopifyError: the read failed.
        """
        is_old = start < self._clock.now() - VISIBLE_WITHOUT_ALL_ORDERS
        scopes = (*_FOR_ORDERS, *(["read_all_orders"] if is_old else []))
        return [scope for scope in scopes if not self._has_scope(scope)]

    def changed_orders(self, since: datetime) -> list[ChangedOrder]:
        """Return the orders changed at `since` or later, by time of change; the last time is the next `since`.

        Raises:
            AccessDeniedError: a scope is missing.
            ShopifyError: the read failed.
        """
        self._require("read_orders")
        self._require_visible(since)
        changed = [parse_record(ChangedOrder, node) for node in self._search.read(_CHANGED, since, None)]
        return sorted(changed, key=lambda order: (order.updated_at, order.id))

    def changed_page(self, since: datetime, after: str | None = None) -> tuple[list[ChangedOrder], str | None]:
        """Return one page of the orders changed at `since` or later, by time of change in the search index.

        The index lags, and an order may have changed again since. Successive lists must therefore overlap.

        Args:
            since: the aware instant at which the list starts.
            after: the cursor from the previous page; None for the first page.

        Returns:
            The orders, and the cursor for the next page, None after the last page.

        Raises:
            AccessDeniedError: a scope is missing.
            QueryRefusedError: Shopify refuses the query, for example because the cursor has expired.
            ShopifyError: the read failed.
        """
        self._require("read_orders")
        self._require_visible(since)
        variables = {"query": (text := _CHANGED.text(since, None)), "window": text}
        _, page = next(
            self._pager.pages("ChangedOrders", variables, lambda answer: require_object(answer, _CHANGED.root), after)
        )
        next_cursor = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None
        changed = [parse_record(ChangedOrder, node) for node in nodes_of(page)]
        return [order for order in changed if order.updated_at >= since], next_cursor

    def money_of(self, ids: Iterable[str]) -> list[OrderMoney]:
        """Return the transaction status of orders; deleted and invisible orders are left out.

        Args:
            ids: global ids, or their digits.

        Raises:
            AccessDeniedError: a scope is missing.
            ShopifyError: the read failed.
        """
        self._require("read_orders")
        return [parse_record(OrderMoney, node) for node in self._nodes("MoneyOfOrders", _order_gids(ids))]

    def sees_since(self) -> datetime | None:
        """Return the instant before which orders are invisible to this app; None if all are visible."""
        if self._has_scope("read_all_orders"):
            return None
        return (
            self._now() - VISIBLE_WITHOUT_ALL_ORDERS + timedelta(minutes=1)
        )  # margin: the limit moves on during a read

    def customers(self, start: datetime, end: datetime, first: Json | None = None) -> list[Customer]:
        """Return the customers with their last change in the window, by time of change; arguments as in `orders`.

        Raises:
            AccessDeniedError: the scope `read_customers` is missing.
            ShopifyError: the read failed.
        """
        self._require("read_customers")
        customers = [parse_record(Customer, node) for node in self._search.read(_CUSTOMERS, start, end, first=first)]
        return sorted(customers, key=lambda customer: (customer.updated_at, customer.id))

    def products(self, start: datetime, end: datetime, first: Json | None = None) -> list[Product]:
        """Return the products with their last change in the window, with all variants, by time of change.

        The arguments are those of `orders`.

        Raises:
            AccessDeniedError: the scope `read_products` is missing.
            ShopifyError: the read failed.
        """
        self._require("read_products")
        nodes = self._search.read(_PRODUCTS, start, end, first=first)
        complete = self._complete(nodes, partial(complete_product, self._pager), partial(self._nodes, "ProductsById"))
        products = [parse_product(node) for node in complete]
        # A product that was read again may have left the window; a later window contains it.
        products = [product for product in products if start <= product.updated_at < end]
        return sorted(products, key=lambda product: (product.updated_at, product.id))

    def _parse_orders(self, nodes: Iterable[Json]) -> list[Order]:
        """Return the orders of incomplete nodes, oldest first."""
        complete = partial(complete_order, self._pager, fees=self._has_scope("read_returns"))
        orders = map(parse_order, self._complete(nodes, complete, self._order_nodes))
        return sorted(orders, key=lambda order: (order.processed_at, order.id))

    def _order_nodes(self, ids: list[str]) -> list[Json]:
        nodes = self._nodes("OrdersById", ids, fees=self._has_scope("read_returns"))
        if len(nodes) < len(ids) and not self._has_scope("read_all_orders"):
            raise AccessDeniedError(
                f"{len(ids) - len(nodes)} of {len(ids)} orders are invisible to the app. They may be older than 60 "
                "days, which needs the access scope read_all_orders. Request and grant it, then run again."
            )
        return nodes

    def _nodes(self, operation: str, ids: list[str], **variables: object) -> list[Json]:
        """Return the nodes of the existing records with these ids."""
        nodes: list[Json] = []
        while ids:
            page = self._pager.ask(operation, partial(_page_of_ids, ids, variables))["nodes"]
            if not page:
                raise IncompleteReadError(f"Shopify returned an empty list for {operation}. Run it again.")
            nodes += [node for node in page if node is not None]
            ids = ids[len(page) :]
        return nodes

    def _complete(
        self, nodes: Iterable[Json], complete: Callable[[Json], None], read_by_id: Callable[[list[str]], list[Json]]
    ) -> Iterator[Json]:
        """Yield complete nodes. A record that changes in the meantime is read again; a deleted one is left out."""
        for first in nodes:
            node: Json | None = first
            for _ in range(_RECORD_ATTEMPTS):
                if node is None:
                    break
                try:
                    complete(node)
                except RecordChangedError:
                    node = next(iter(read_by_id([first["id"]])), None)
                else:
                    yield node
                    break
            else:
                raise IncompleteReadError(f"{first['id']} changes faster than it can be read. Run it again later.")

    def _has_scope(self, scope: str) -> bool:
        """Return whether a read scope is granted, also by the write scope that includes it."""
        if self._scopes is None:
            self.shop()
        return bool({scope, scope.replace("read_", "write_", 1)} & (self._scopes or frozenset()))

    def _require(self, *scopes: str) -> None:
        missing = [scope for scope in scopes if not self._has_scope(scope)]
        if missing:
            raise AccessDeniedError(
                f"The app lacks the access scope {', '.join(missing)}. Grant it in the app's configuration and install "
                "the app on the shop again."
            )

    def _now(self) -> datetime:
        """Return Shopify's time, which decides the visibility of orders; ours if its responses never contain it."""
        time = self._client.time
        if time.earliest is None and time.ahead is not None:  # our clock was set after the last response
            self.shop()
        return time.earliest or self._clock.now()

    def _require_visible(self, start: datetime) -> None:
        """Refuse a window for which Shopify silently returns no orders (docs/contracts/shopify.md trap 5)."""
        if start < self._now() - VISIBLE_WITHOUT_ALL_ORDERS and not self._has_scope("read_all_orders"):
            raise AccessDeniedError(
                f"The window begins on {start:%Y-%m-%d}, more than 60 days ago, and the app lacks the access scope "
                "read_all_orders, without which Shopify hides older orders. Request and grant it, or begin later."
            )


def _page_of_ids(ids: list[str], variables: Mapping[str, object], rows: int) -> Json:
    return {**variables, "ids": ids[:rows]}


def _order_gids(ids: Iterable[str]) -> list[str]:
    """Return the global ids of orders, each once, by global ids or their digits."""
    return list(dict.fromkeys(f"gid://shopify/Order/{legacy_id(order_id)}" for order_id in ids))
