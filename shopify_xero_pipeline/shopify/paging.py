"""Pages of one connection, as large as Shopify's query cost allows.

This module contains page sizes and cursors. Its callers choose the list and check its completeness.
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
"""Limit of `first`, and of the number of ids in one query, on every connection.

Source: docs/contracts/shopify.md §3.1.
"""

_HALVINGS_WHEN_UNAVAILABLE = 2
"""Smaller pages tried after time-outs, before the read fails."""


@dataclass
class PageSize:
    """Number of rows of a page, halved if the page is too expensive and doubled if twice its cost is allowed.

    Attributes:
        rows: the present size.
        most: the largest size.
    """

    rows: int
    most: int = MAX_PAGE_SIZE

    def shrink(self) -> bool:
        """Halve the size; return False if it is one row already."""
        before, self.rows = self.rows, max(1, self.rows // 2)
        return self.rows < before

    def grow(self, points: int | None) -> None:
        """Double the size if twice the requested cost of a page, in points, is allowed."""
        if points is not None and 2 * points <= SINGLE_QUERY_LIMIT:
            self.rows = min(self.most, 2 * self.rows)


@dataclass
class Pager:
    """Sender of paged operations, with a cached page size for each operation.

    Args:
        client: sends the operations.
        sizes: the first page size by operation; the default is the largest page.
    """

    client: ShopifyClient
    sizes: dict[str, PageSize] = field(default_factory=dict)

    def ask(self, operation: str, variables: Callable[[int], Mapping[str, Any]]) -> Json:
        """Send an operation with a page size that Shopify accepts and return its data.

        Args:
            operation: the name of the operation.
            variables: returns the variables for a number of rows.

        Raises:
            ShopifyError: the smallest page failed, or the error does not depend on the page size.
        """
        size = self.sizes.setdefault(operation, PageSize(MAX_PAGE_SIZE))
        halvings = _HALVINGS_WHEN_UNAVAILABLE
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
                # Shopify aborts queries after about 10 s (docs/contracts/shopify.md §8); a smaller page is faster.
                halvings -= 1
                if halvings < 0 or not size.shrink():
                    raise
            else:
                size.grow(self.client.requested_points(text))
                return data

    def pages(
        self,
        operation: str,
        variables: Mapping[str, Any],
        find: Callable[[Json], Json],
        after: str | None = None,
        *,
        first: Json | None = None,
    ) -> Iterator[tuple[Json, Json]]:
        """Yield the data of each page of an operation with its paged connection.

        Args:
            operation: the name of an operation with the variables `first` and `after`.
            variables: its other variables.
            find: returns the paged connection in the data.
            after: the cursor before the first page; None for the start of the list.
            first: the data of the first page, if another operation has read it; None if not.

        Raises:
            IncompleteReadError: a page has a next page but no cursor.
        """
        while True:
            cursor = after
            data, first = first or self.ask(operation, partial(_page, variables, cursor)), None
            connection = find(data)
            yield data, connection
            page = connection["pageInfo"]
            if not page["hasNextPage"]:
                return
            after = page["endCursor"]
            if after is None or after == cursor:
                raise IncompleteReadError(f"A page of {operation} has a next page but no cursor for it. Run it again.")


def _page(variables: Mapping[str, Any], after: str | None, rows: int) -> Json:
    return {**variables, "first": rows, "after": after}


def nodes_of(connection: Mapping[str, Any]) -> list[Json]:
    """Return the nodes of a connection with `nodes` or `edges`.

    Args:
        connection: a connection of a response.
    """
    if "nodes" in connection:
        return list(connection["nodes"])
    return [edge["node"] for edge in connection["edges"]]
