"""Everything of a kind in a window of time, proved to be everything.

The search text, the way around the index's lag, repeats and limits, and the proof by count belong here (Shopify fact
sheet 3.1, 3.6). What a record looks like does not matter, except for its id and the instant it is searched by.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.shopify.errors import AccessDeniedError, IncompleteReadError, UnexpectedShapeError
from shopify_xero_pipeline.shopify.paging import Json, Pager, nodes_of

INDEX_LAG = 30.0
"""Seconds after which the search index has caught up; some 10 s have been seen, no bound is documented."""

RESTART_AFTER = 20_000
"""Rows after which a list is begun anew from where it stands, because Shopify ends every list at 25,000."""


@dataclass(frozen=True)
class Listing:
    """A list that can be searched by time.

    Attributes:
        operation: The document, sorted by the searched instant, with variables `query`, `window`, `first`, `after`.
        root: The list's name in the answer; its count is called the same with `Count` after it.
        term: The search field.
        key: The searched instant's name in a node.
        margin: How much wider to search, where the filter is coarser than a second.
    """

    operation: str
    root: str
    term: str
    key: str
    margin: timedelta = timedelta()

    def text(self, start: datetime, end: datetime | None) -> str:
        """Return the search from `start` to `end`: quoted UTC instants, bounds inclusive, seconds rounded outwards."""
        since = f"{self.term}:>='{_second(start)}'"
        if end is None:
            return since
        return f"{since} {self.term}:<='{_second(end + timedelta(microseconds=999_999))}'"


def parse_instant(text: str) -> datetime:
    """Return the instant an answer spells as `2026-06-15T13:21:43Z`.

    Raises:
        UnexpectedShape: it spells something else, which is not repeated.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise UnexpectedShapeError("Shopify gives a time that cannot be read. Nothing of the list is used; report this.")


def _second(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class WindowSearch:
    """Reads windows of lists.

    Args:
        pager: What reads pages.
        clock: What waits for the index.
    """

    def __init__(self, pager: Pager, clock: Clock) -> None:
        self._pager = pager
        self._clock = clock

    def read(
        self, listing: Listing, start: datetime, end: datetime | None, variables: Mapping[str, Any] | None = None
    ) -> list[Json]:
        """Return the nodes whose own instant lies in [start, end), each once, in the state read last.

        The number found is compared with Shopify's own count of the same search. A shortfall is given one more chance
        after the index had time to catch up.

        Args:
            listing: What to read.
            start: Aware instant, inclusive.
            end: Aware instant, exclusive; None for no end.
            variables: Further variables of the document.

        Raises:
            ValueError: an instant is naive, or the window is empty.
            IncompleteRead: fewer were found than Shopify counts, twice.
            ShopifyError: Shopify could not be read.
        """
        _check_window(start, end)
        found, counted = self._once(listing, start, end, variables or {})
        if len(found) < counted:
            said = {"operation": listing.operation, "found": len(found), "counted": counted}
            events.log_event("shortfall_read_again", level=logging.WARNING, **said)
            self._clock.sleep(INDEX_LAG)
            found, counted = self._once(listing, start, end, variables or {})
        if len(found) < counted:
            raise IncompleteReadError(
                f"Shopify counts {counted} {listing.root} for {listing.text(start, end)} but lists {len(found)} "
                "on a second try too. They may change faster than they can be read. None is used; run it again later."
            )
        return [node for node in found.values() if _within(parse_instant(node[listing.key]), start, end)]

    def _once(
        self, listing: Listing, start: datetime, end: datetime | None, variables: Mapping[str, Any]
    ) -> tuple[dict[str, Json], int]:
        """Read a window through in as many lists as its size takes; return nodes by id and the latest count."""
        found: dict[str, Json] = {}
        since = start - listing.margin
        until = None if end is None else end + listing.margin
        window = listing.text(since, until)
        while True:
            asked = {**variables, "query": listing.text(since, until), "window": window}
            counted, resume = self._list(listing, asked, found)
            if resume is None:
                return found, counted
            if resume <= since:
                raise IncompleteReadError(
                    f"{RESTART_AFTER} or more {listing.root} cannot be told apart by time around {_second(since)}, and "
                    "Shopify lists no more than 25,000 at once."
                )
            since = resume

    def _list(
        self, listing: Listing, variables: Mapping[str, Any], found: dict[str, Json]
    ) -> tuple[int, datetime | None]:
        """Add the nodes of one list; return the count, and the instant to resume from if the list was left early."""
        counted, rows = 0, 0
        for data, connection in self._pager.pages(
            listing.operation, variables, lambda answer: require_object(answer, listing.root)
        ):
            counted = int(require_object(data, f"{listing.root}Count")["count"])
            nodes = nodes_of(connection)
            found.update({node["id"]: node for node in nodes})
            rows += len(nodes)
            if rows >= RESTART_AFTER and connection["pageInfo"]["hasNextPage"]:
                # A node may already be newer than the index it is sorted by, so the least instant of the page is safe.
                return counted, min(parse_instant(node[listing.key]) for node in nodes)
        return counted, None


def require_object(data: Mapping[str, Any], name: str) -> Json:
    """Return an object of the answer that must be there."""
    value = data[name]
    if value is None:
        raise AccessDeniedError(
            f"Shopify answers nothing for {name!r}: the app may not read it. Grant it the access scope."
        )
    found: Json = value
    return found


def _within(moment: datetime, start: datetime, end: datetime | None) -> bool:
    return start <= moment and (end is None or moment < end)


def _check_window(start: datetime, end: datetime | None) -> None:
    if start.tzinfo is None or (end is not None and end.tzinfo is None):
        raise ValueError("a window needs aware instants: which day a naive one means is anyone's guess")
    if end is not None and end <= start:
        raise ValueError(f"an empty window: {start} to {end}")
