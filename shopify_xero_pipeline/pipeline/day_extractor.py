"""Extraction of the customers, products and orders of days from Shopify, without the data of redacted customers.

The queries are in `shopify/reader.py`. This module only decides which records belong to a day.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import TypeVar

from shopify_xero_pipeline.books.outcome import has_activity_since
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline import reconciled_days
from shopify_xero_pipeline.pipeline.calendar import first_instant
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.portions import RECORDS_IN_HAND
from shopify_xero_pipeline.pipeline.record_ownership import RecordOwnership
from shopify_xero_pipeline.shopify.first_pages import FirstPages
from shopify_xero_pipeline.shopify.models import Customer, Node, Order, Product
from shopify_xero_pipeline.shopify.paging import Json
from shopify_xero_pipeline.shopify.search import Window

N = TypeVar("N", bound=Node)

FIRST_WINDOW_DAYS = 31
"""Days that are read together before the number of their records is known."""

WINDOW_GROWTH = 4
"""How many times as many days the next window may have, because sales vary."""


class DayExtractor:
    """Reads days from Shopify.

    Args:
        connections: the connections of the run.
        record_ownership: finds the orders of a day that are missing from Shopify's list.
    """

    def __init__(self, connections: Connections, record_ownership: RecordOwnership) -> None:
        self._connections = connections
        self._record_ownership = record_ownership
        self._first_pages: FirstPages | None = None

    def read_customers(self, days: Sequence[date]) -> dict[date, list[Customer]]:
        """Return the customers last changed on each day; see `customers_by_day`."""
        return dict(self.customers_by_day(days))

    def read_products(self, days: Sequence[date]) -> dict[date, list[Product]]:
        """Return the products last changed on each day; see `products_by_day`."""
        return dict(self.products_by_day(days))

    def read_orders(self, days: Sequence[date]) -> dict[date, list[Order]]:
        """Return the orders placed on each day; see `orders_by_day`."""
        return dict(self.orders_by_day(days))

    def customers_by_day(self, days: Sequence[date]) -> Iterator[tuple[date, list[Customer]]]:
        """Yield the customers last changed on each day; redacted ones have only their id.

        The method also reads the first pages of the days' products and orders, for the reads that follow in this run.

        Args:
            days: days in the shop's time zone.

        Raises:
            ShopifyError: Shopify could not be read.
        """
        redacted = self._connections.store.privacy.redacted_customers()

        def read(days: Sequence[date]) -> dict[date, list[Customer]]:
            window = self._time_window(days)
            read = self._connections.reader.customers(*window, self._take_first_page("customers", window))
            customers = [customer.redacted_if(redacted) for customer in read]
            return self._split_by_day(days, customers, lambda customer: customer.updated_at)

        self._first_pages = self._connections.first_pages(*self._time_window(days[:FIRST_WINDOW_DAYS]))
        return self._read_windows("customer", days, read)

    def products_by_day(self, days: Sequence[date]) -> Iterator[tuple[date, list[Product]]]:
        """Yield the products last changed on each day.

        Args:
            days: days in the shop's time zone.

        Raises:
            ShopifyError: Shopify could not be read.
        """

        def read(days: Sequence[date]) -> dict[date, list[Product]]:
            window = self._time_window(days)
            products = self._connections.reader.products(*window, self._take_first_page("products", window))
            return self._split_by_day(days, products, lambda product: product.updated_at)

        return self._read_windows("product", days, read)

    def orders_by_day(self, days: Sequence[date]) -> Iterator[tuple[date, list[Order]]]:
        """Yield the orders placed on each day, with their whole histories.

        The start date also has the earlier orders that were changed or paid on or after it (docs/books.md §10).

        Args:
            days: days in the shop's time zone.

        Raises:
            ShopifyError: Shopify could not be read.
        """
        window, bulk_reader = self._time_window(days), self._connections.bulk_reader
        is_large = bulk_reader.is_large(*window)
        return self._read_in_bulk(days) if is_large else self._read_windows("order", days, self._read_orders)

    def _read_in_bulk(self, days: Sequence[date]) -> Iterator[tuple[date, list[Order]]]:
        """Yield the orders of each day from one bulk operation for all of them."""
        wanted, zone = {*days}, self._connections.policy.zone
        with (
            events.log_operation(self._connections.clock, "read", "order", days) as log_fields,
            self._connections.bulk_reader.read(*self._time_window(days)) as read,
        ):
            log_fields["rows"] = 0
            for day, placed in read.days(zone):
                if day in wanted:
                    orders = self._complete([day], placed, read.read_at)[day]
                    log_fields["rows"] += len(orders)
                    yield day, orders

    def _read_orders(self, days: Sequence[date]) -> dict[date, list[Order]]:
        """Return the orders of a window, read by pages."""
        window, reader = self._time_window(days), self._connections.reader
        first, pages = self._take_first_page("orders", window), self._first_pages
        # The time before the orders, so that no later change counts as read.
        read_at = reader.time() if first is None or pages is None else pages.read_at
        return self._complete(days, reader.orders(*window, first), read_at)

    def _complete(
        self, days: Sequence[date], placed: Sequence[Order], read_at: datetime | None
    ) -> dict[date, list[Order]]:
        """Return the orders of days with those that Shopify lists elsewhere, and store when they were read."""
        policy, store = self._connections.policy, self._connections.store
        start = first_instant(policy)
        opening = self._opening_orders(start) if policy.start_date in days else []
        listed = [*opening, *placed]
        redacted = store.privacy.redacted_customers()
        unlisted = self._record_ownership.unlisted_orders(days, listed)
        orders = [order.redacted_if(redacted) for order in (*listed, *unlisted)]
        reconciled_days.record_read(store, days, read_at)
        return self._split_by_day(days, orders, lambda order: max(order.processed_at, start))

    def _read_windows(
        self, kind: str, days: Sequence[date], read: Callable[[Sequence[date]], dict[date, list[N]]]
    ) -> Iterator[tuple[date, list[N]]]:
        """Yield the records of each day, window by window; a window is complete before its first day is yielded.

        A window has as many days as have about `RECORDS_IN_HAND` records, by the window before it.
        """
        with events.log_operation(self._connections.clock, "read", kind, days) as log_fields:
            log_fields["rows"], first, length = 0, 0, FIRST_WINDOW_DAYS
            while first < len(days):
                records_by_day = read(days[first : first + length])
                rows = sum(map(len, records_by_day.values()))
                log_fields["rows"] += rows
                first += length
                length = min(max(length * RECORDS_IN_HAND // max(rows, 1), 1), length * WINDOW_GROWTH)
                yield from records_by_day.items()

    def _opening_orders(self, start: datetime) -> list[Order]:
        """Return the orders from before the start date that were changed or paid on or after it."""
        reader = self._connections.reader
        changed = [order.id for order in reader.changed_orders(start) if order.processed_at < start]
        return [order for order in reader.orders_by_id(changed) if has_activity_since(order, start)]

    def _take_first_page(self, name: str, window: Window) -> Json | None:
        return None if self._first_pages is None else self._first_pages.take(name, window)

    def _time_window(self, days: Sequence[date]) -> Window:
        zone = self._connections.policy.zone
        return (
            datetime.combine(min(days), time(), zone),
            datetime.combine(max(days) + timedelta(days=1), time(), zone),
        )

    def _split_by_day(
        self, days: Sequence[date], nodes: Iterable[N], instant_of: Callable[[N], datetime]
    ) -> dict[date, list[N]]:
        by_day: dict[date, list[N]] = {day: [] for day in days}
        zone = self._connections.policy.zone
        for node in nodes:
            day = instant_of(node).astimezone(zone).date()
            if day in by_day:
                by_day[day].append(node)
        return by_day
