"""The first pages of a window's customers, products and orders, read in one request with the shop.

A day usually has one page of each list, so that the request reads the whole day. This module only holds the pages until
they are used; `reader.py` reads them, and each list continues after its page.
"""

from dataclasses import dataclass
from datetime import datetime

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.shopify.models import Shop
from shopify_xero_pipeline.shopify.paging import MAX_PAGE_SIZE, Json, nodes_of
from shopify_xero_pipeline.shopify.search import Window

MAX_AGE = 60.0
"""Seconds for which a page may be used; the lists of a run follow each other within seconds."""

CUSTOMERS_PER_ORDER = 5
"""Rows of the page of customers by those of the page of orders, because their window has a margin of a day."""


@dataclass
class FirstPages:
    """The shop, and the first page of each list with its count. A page is used once, and only for its window.

    Attributes:
        shop: the shop.
        read_at: a lower bound of Shopify's time at which the pages were read; None if unknown.
        window: the start and the end of the window.
        pages: the list and its count, by the name of the list.
        clock: measures the age of the pages.
        sent_at: `Clock.elapsed` before the request.
    """

    shop: Shop
    read_at: datetime | None
    window: Window
    pages: dict[str, Json]
    clock: Clock
    sent_at: float

    def take(self, name: str, window: Window) -> Json | None:
        """Return a list and its count; None if the page is used, outdated or of another window.

        Args:
            name: the name of the list: `customers`, `products` or `orders`.
            window: the start and the end of the window to read.
        """
        page = self.pages.pop(name, None)
        return page if window == self.window and self.clock.elapsed() - self.sent_at < MAX_AGE else None


def first_page_sizes(rows: int) -> Json:
    """Return the sizes of the first pages by variable.

    Args:
        rows: the number of orders and of products.
    """
    return {"first": rows, "firstCustomers": min(MAX_PAGE_SIZE, CUSTOMERS_PER_ORDER * rows)}


def has_return_fees(page: Json) -> bool:
    """Return whether an order of a page has the sale of a return fee, whose name needs the scope `read_returns`.

    Args:
        page: the page of orders.
    """
    return any(
        sale["lineType"] == "FEE"
        for order in nodes_of(page["orders"])
        for agreement in nodes_of(order["agreements"])
        for sale in nodes_of(agreement["sales"])
    )
