"""Extraction of the customers, products and orders of days from Shopify, without the data of redacted customers.

The queries are in `shopify/reader.py`. This module only decides which records belong to a day.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import TypeVar

from shopify_xero_pipeline.books.outcome import has_activity_since
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline import reconciled_days
from shopify_xero_pipeline.pipeline.calendar import first_instant
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.record_ownership import RecordOwnership
from shopify_xero_pipeline.shopify.models import Customer, Node, Order, Product

N = TypeVar("N", bound=Node)


class DayExtractor:
    """Reads days from Shopify.

    Args:
        connections: the connections of the run.
        record_ownership: finds the orders of a day that are missing from Shopify's list.
    """

    def __init__(self, connections: Connections, record_ownership: RecordOwnership) -> None:
        self._connections = connections
        self._record_ownership = record_ownership

    def read_customers(self, days: Sequence[date]) -> dict[date, list[Customer]]:
        """Return the customers last changed on each day; redacted ones have only their id.

        Args:
            days: days in the shop's time zone.

        Raises:
            ShopifyError: Shopify could not be read.
        """
        with events.log_operation(self._connections.clock, "read", "customer", days) as log_fields:
            redacted = self._connections.store.privacy.redacted_customers()
            read = self._connections.reader.customers(*self._time_window(days))
            customers = [customer.redacted_if(redacted) for customer in read]
            log_fields["rows"] = len(customers)
        return self._split_by_day(days, customers, lambda customer: customer.updated_at)

    def read_products(self, days: Sequence[date]) -> dict[date, list[Product]]:
        """Return the products last changed on each day.

        Args:
            days: days in the shop's time zone.

        Raises:
            ShopifyError: Shopify could not be read.
        """
        with events.log_operation(self._connections.clock, "read", "product", days) as log_fields:
            products = self._connections.reader.products(*self._time_window(days))
            log_fields["rows"] = len(products)
        return self._split_by_day(days, products, lambda product: product.updated_at)

    def read_orders(self, days: Sequence[date]) -> dict[date, list[Order]]:
        """Return the orders placed on each day, with their whole histories.

        The start date also has the earlier orders that were changed or paid on or after it (docs/books.md §10).

        Args:
            days: days in the shop's time zone.

        Raises:
            ShopifyError: Shopify could not be read.
        """
        with events.log_operation(self._connections.clock, "read", "order", days) as log_fields:
            policy, store = self._connections.policy, self._connections.store
            placed, read_at = self._placed_orders(*self._time_window(days))
            start = first_instant(policy)
            opening = self._opening_orders(start) if policy.start_date in days else []
            listed = [*opening, *placed]
            redacted = store.privacy.redacted_customers()
            unlisted = self._record_ownership.unlisted_orders(days, listed)
            orders = [order.redacted_if(redacted) for order in (*listed, *unlisted)]
            log_fields["rows"] = len(orders)
            reconciled_days.record_read(store, days, read_at)
        return self._split_by_day(days, orders, lambda order: max(order.processed_at, start))

    def _placed_orders(self, start: datetime, end: datetime) -> tuple[list[Order], datetime | None]:
        """Return the orders placed in a window, and Shopify's time before it read them, for later changes."""
        reader, bulk_reader = self._connections.reader, self._connections.bulk_reader
        if not bulk_reader.is_large(start, end):
            read_at = reader.time()
            return reader.orders(start, end), read_at
        with bulk_reader.read(start, end) as read:
            return [order for _, orders in read.days(self._connections.policy.zone) for order in orders], read.read_at

    def _opening_orders(self, start: datetime) -> list[Order]:
        """Return the orders from before the start date that were changed or paid on or after it."""
        reader = self._connections.reader
        changed = [order.id for order in reader.changed_orders(start) if order.processed_at < start]
        return [order for order in reader.orders_by_id(changed) if has_activity_since(order, start)]

    def _time_window(self, days: Sequence[date]) -> tuple[datetime, datetime]:
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
