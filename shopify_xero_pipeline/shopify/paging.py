"""Pages of one connection, as large as Shopify lets them be.

Page sizes and cursors belong here. What is listed, and whether a list is whole, is decided by those who ask.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import (
    IncompleteReadError,
    QueryTooExpensiveError,
    ShopifyUnavailableError,
    ShopifyUnreachableError,
)
from shopify_xero_pipeline.shopify.queries import document
from shopify_xero_pipeline.shopify.throttle import SINGLE_QUERY_LIMIT

Json = dict[str, Any]

MAX_PAGE_SIZE = 250
"""`first`, and the number of ids in one query, may not exceed this on any connection.

Source: docs/contracts/shopify.md §3.1.
"""

_HALVINGS_WHEN_UNAVAILABLE = 2


@dataclass
class PageSize:
    """How many rows to ask for: halved when a page is too dear, doubled when twice the cost would still fit.

    Attributes:
        rows: The present size.
        most: The largest size worth having.
    """

    rows: int
    most: int = MAX_PAGE_SIZE

    def shrink(self) -> bool:
        """Halve; False if a page of one row is already the smallest."""
        before, self.rows = self.rows, max(1, self.rows // 2)
        return self.rows < before

    def grow(self, points: int | None) -> None:
        """Double if a page that asked for so many points leaves room for another as dear."""
        if points is not None and 2 * points <= SINGLE_QUERY_LIMIT:
            self.rows = min(self.most, 2 * self.rows)


@dataclass
class Pager:
    """Sends operations whose size can vary, and remembers for each operation the size that worked.

    Args:
        client: What sends.
        sizes: Where to start; an operation not named starts with the largest page.
    """

    client: ShopifyClient
    sizes: dict[str, PageSize] = field(default_factory=dict)

    def ask(self, operation: str, variables: Callable[[int], Mapping[str, Any]]) -> Json:
        """Send an operation in a size that Shopify accepts and return its data.

        Args:
            operation: Name of the operation.
            variables: Given the number of rows, the variables to send.

        Raises:
            ShopifyError: even the smallest page failed, or it failed for a reason that size does not cure.
        """
        size = self.sizes.setdefault(operation, PageSize(MAX_PAGE_SIZE))
        patience = _HALVINGS_WHEN_UNAVAILABLE
        text = document(operation)
        while True:
            try:
                data = self.client.execute(text, variables(size.rows))
            except QueryTooExpensiveError:
                if not size.shrink():
                    raise
            except ShopifyUnreachableError:
                raise
            except ShopifyUnavailableError:
                # Shopify cuts off what takes longer than some 10 s (docs/contracts/shopify.md §8); a
                # smaller page may not.
                patience -= 1
                if patience < 0 or not size.shrink():
                    raise
            else:
                size.grow(self.client.requested_points(text))
                return data

    def pages(
        self, operation: str, variables: Mapping[str, Any], find: Callable[[Json], Json], after: str | None = None
    ) -> Iterator[tuple[Json, Json]]:
        """Yield the answers of an operation page by page, each with the connection found in it.

        Args:
            operation: Name of an operation with the variables `first` and `after`.
            variables: Its other variables.
            find: Finds the paged connection in the data.
            after: Cursor to begin after.

        Raises:
            IncompleteRead: a page said that more follows but not where.
        """
        while True:
            cursor = after
            data = self.ask(operation, partial(_page, variables, cursor))
            connection = find(data)
            yield data, connection
            page = connection["pageInfo"]
            if not page["hasNextPage"]:
                return
            after = page["endCursor"]
            if after is None or after == cursor:
                raise IncompleteReadError(f"A page of {operation} says that more follows but not where; run it again.")


def _page(variables: Mapping[str, Any], after: str | None, rows: int) -> Json:
    return {**variables, "first": rows, "after": after}


def nodes_of(connection: Mapping[str, Any]) -> list[Json]:
    """Return the nodes of a connection selected as `nodes` or as `edges`."""
    if "nodes" in connection:
        return list(connection["nodes"])
    return [edge["node"] for edge in connection["edges"]]
