"""Search for all records of a kind in a time window, with a check of completeness.

Source: docs/contracts/shopify.md §3.1, §3.6.

This module contains the search text, the handling of the index's lag, repeated rows and limits, and the check by count.
Of a record it only uses the id and the instant of the search.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.shopify.errors import AccessDeniedError, IncompleteReadError, UnexpectedShapeError
from shopify_xero_pipeline.shopify.paging import Json, Pager, nodes_of

Window: TypeAlias = tuple[datetime, datetime]
"""The start, inclusive, and the end, exclusive."""

INDEX_LAG = 30.0
"""Seconds after which the search index is current; about 10 s were observed, no bound is documented."""

RESTART_AFTER = 20_000
"""Rows after which a new list starts at the last instant, because Shopify ends every list after 25,000 rows."""


@dataclass(frozen=True)
class Listing:
    """A list with a search by time.

    Attributes:
        operation: the operation, sorted by the searched instant, with variables `query`, `window`, `first`, `after`.
        root: the name of the list in the response; the name of its count is the same with the suffix `Count`.
        term: the search field.
        key: the name of the searched instant in a node.
        margin: the widening of the window for a filter that is coarser than a second.
    """

    operation: str
    root: str
    term: str
    key: str
    margin: timedelta = timedelta()

    def text(self, start: datetime, end: datetime | None) -> str:
        """Return the search text for a window: quoted UTC instants, inclusive bounds, seconds rounded outwards."""
        since = f"{self.term}:>='{_format_second(start)}'"
        if end is None:
            return since
        return f"{since} {self.term}:<='{_format_second(end + timedelta(microseconds=999_999))}'"  # rounds up

    def window(self, start: datetime, end: datetime | None) -> str:
        """Return the search text for a window that is widened by the margin; the first page and the count have it."""
        return self.text(start - self.margin, None if end is None else end + self.margin)


def parse_instant(text: str) -> datetime:
    """Return the instant of a text such as `2026-06-15T13:21:43Z`.

    Raises:
        UnexpectedShapeError: the text is not an instant; the message does not contain it.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise UnexpectedShapeError("Shopify returned an invalid time. The list is not used; report this.")


def _format_second(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class WindowSearch:
    """Reader of time windows of lists.

    Args:
        pager: reads the pages.
        clock: waits for the search index.
    """

    def __init__(self, pager: Pager, clock: Clock) -> None:
        self._pager = pager
        self._clock = clock

    def read(
        self,
        listing: Listing,
        start: datetime,
        end: datetime | None,
        variables: Mapping[str, Any] | None = None,
        *,
        first: Json | None = None,
    ) -> list[Json]:
        """Return the nodes with an instant in [start, end), each once, in its last state.

        The method compares the number of nodes with Shopify's count of the same search. If nodes are missing, it reads
        the window once more after the index lag.

        Args:
            listing: the list to read.
            start: the start of the window, aware, inclusive.
            end: the end of the window, aware, exclusive; None for no end.
            variables: further variables of the operation.
            first: the data with the first page of the list and its count, if it was read already; None if not.

        Raises:
            ValueError: an instant is naive, or the window is empty.
            IncompleteReadError: nodes are missing after the second read.
            ShopifyError: the read failed.
        """
        if start.tzinfo is None or (end is not None and end.tzinfo is None):
            raise ValueError("a window needs aware instants, because a naive one has no defined day")
        if end is not None and end <= start:
            raise ValueError(f"an empty window: {start} to {end}")
        nodes, count = self._read_window(listing, start, end, variables or {}, first)
        if len(nodes) < count:
            fields = {"operation": listing.operation, "found": len(nodes), "counted": count}
            events.log_event("shortfall_read_again", level=logging.WARNING, **fields)
            self._clock.sleep(INDEX_LAG)
            nodes, count = self._read_window(listing, start, end, variables or {})
        if len(nodes) < count:
            raise IncompleteReadError(
                f"Shopify counts {count} {listing.root} for {listing.text(start, end)} but lists {len(nodes)}, also in "
                "a second read. They may change faster than they can be read. None is used; run it again later."
            )
        return [node for node in nodes.values() if _is_within(parse_instant(node[listing.key]), start, end)]

    def _read_window(
        self,
        listing: Listing,
        start: datetime,
        end: datetime | None,
        variables: Mapping[str, Any],
        first: Json | None = None,
    ) -> tuple[dict[str, Json], int]:
        """Read a window with as many lists as needed; return the nodes by id, and the count of the last list."""
        nodes: dict[str, Json] = {}
        since = start - listing.margin
        until = None if end is None else end + listing.margin
        window = listing.window(start, end)
        while True:
            parameters = {**variables, "query": listing.text(since, until), "window": window}
            count, resume = self._read_list(listing, parameters, nodes, first)
            first = None
            if resume is None:
                return nodes, count
            if resume <= since:
                raise IncompleteReadError(
                    f"{RESTART_AFTER} or more {listing.root} have the same time around {_format_second(since)}, and "
                    "Shopify lists no more than 25,000 at once."
                )
            since = resume

    def _read_list(
        self, listing: Listing, variables: Mapping[str, Any], nodes: dict[str, Json], first: Json | None
    ) -> tuple[int, datetime | None]:
        """Add the nodes of one list; return the count, and the start of the next list or None after the last."""
        count, rows = 0, 0
        for data, connection in self._pager.pages(
            listing.operation, variables, lambda answer: require_object(answer, listing.root), first=first
        ):
            count = int(require_object(data, f"{listing.root}Count")["count"])
            page = nodes_of(connection)
            nodes.update({node["id"]: node for node in page})
            rows += len(page)
            if rows >= RESTART_AFTER and connection["pageInfo"]["hasNextPage"]:
                # A node may be newer than its index entry, by which the page is sorted; the least instant is safe.
                return count, min(parse_instant(node[listing.key]) for node in page)
        return count, None


def require_object(data: Mapping[str, Any], name: str) -> Json:
    """Return an object of the response.

    Args:
        data: the `data` of a response.
        name: the name of the object in it.

    Raises:
        AccessDeniedError: the object is null.
    """
    value = data[name]
    if value is None:
        raise AccessDeniedError(
            f"Shopify returns null for {name!r}: the app may not read it. Grant the access scope to the app."
        )
    content: Json = value
    return content


def _is_within(instant: datetime, start: datetime, end: datetime | None) -> bool:
    return start <= instant and (end is None or instant < end)
