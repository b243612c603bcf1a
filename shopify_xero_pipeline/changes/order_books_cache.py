"""The books of a run's orders, cached: computed again only if the order, the settings or its posted records changed.

The books of an order whose records are posted as these books want them are the same books (docs/books.md §1), so that
the reconciliation of a day reuses what its plan computed. Numbers that other documents use are not known here; books
that avoid them are computed by `desired_state.py` each time.
"""

from collections.abc import Iterable
from typing import NamedTuple

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, PostedRecords
from shopify_xero_pipeline.changes.posted_records import posted_as_wanted
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.xero.models import Organisation


class _Entry(NamedTuple):
    order: Order
    organisation: Organisation
    posted: PostedRecords
    books: OrderBooks


class OrderBooksCache:
    """The books of orders by order id, for one policy and one shop."""

    def __init__(self, policy: BooksPolicy, shop_handle: str | None) -> None:
        self._policy = policy
        self._shop_handle = shop_handle
        self._entries: dict[str, _Entry] = {}

    def keep_only(self, order_ids: Iterable[str]) -> None:
        """Drop all other orders, so that the cache holds one run's orders at most."""
        self._entries = {key: self._entries[key] for key in order_ids if key in self._entries}

    def books(self, order: Order, organisation: Organisation, posted: PostedRecords) -> OrderBooks:
        """Return the books of an order.

        Args:
            order: with its whole history.
            organisation: Xero's settings.
            posted: the order's records in the mapping or on their way to Xero.
        """
        known = self._entries.get(order.legacy_id)
        if (
            known is not None
            and (known.order, known.organisation) == (order, organisation)
            and (posted == known.posted or posted_as_wanted(known.books, posted))
        ):
            return known.books
        books = build_order_books(order, self._policy, organisation, posted, shop_handle=self._shop_handle)
        self._entries[order.legacy_id] = _Entry(order, organisation, posted, books)
        return books
