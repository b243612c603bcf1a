"""The mirror of Xero in the state store, refreshed by one sweep of changed records per kind.

A sweep takes one call for each thousand changed records. It starts at a watermark by Xero's clock, from the first
response of the previous sweep, because Xero stamps changes by that clock. Without a watermark it reads everything.
Allocations have no sweep: a Credit Note contains its own, and an Allocation that it no longer contains is deleted. The
decisions on mirrored records are in `changes/` and in `loading/readback.py`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeAlias
from urllib.parse import quote

from shopify_xero_pipeline.clock import Clock, is_recent
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.elements import COLLECTION, ID, Element
from shopify_xero_pipeline.xero.errors import XeroRefusedError, XeroUnavailableError
from shopify_xero_pipeline.xero.models import Kind

SWEEP_OVERLAP = timedelta(minutes=5)
"""How far a sweep goes back before its watermark, because Xero's lists may lag behind its writes. A record that is
missing from a complete list counts as deleted only if it was written earlier than this."""

MAX_LISTING_ATTEMPTS = 3  # reads of a list that changes between its pages
Listing: TypeAlias = tuple[list[Element], datetime | None]
"""Elements, and Xero's time of the first page."""

PARAMS = {
    Kind.CONTACT: {"includeArchived": "true"},
    Kind.ITEM: {"unitdp": "4"},
    Kind.INVOICE: {"unitdp": "4"},
    Kind.CREDIT_NOTE: {"unitdp": "4"},
}
"""Query parameters; without `unitdp=4` Xero rounds UnitAmount to 2 decimals (docs/contracts/xero.md A.10)."""


class Mirror:
    """Refreshes the state store's copy of Xero."""

    def __init__(self, client: XeroClient, store: StateStore, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._clock = clock

    def refresh(self, kinds: Iterable[Kind], max_age: timedelta) -> None:
        """Sweep each kind whose last sweep is older than `max_age`; Allocations come with the Credit Notes.

        Args:
            kinds: kinds to refresh.
            max_age: zero or less refreshes all.

        Raises:
            XeroError: Xero does not respond; the mirror of that kind is unchanged.
        """
        for kind in dict.fromkeys(Kind.CREDIT_NOTE if kind is Kind.ALLOCATION else kind for kind in kinds):
            if max_age <= timedelta() or not is_recent(self._store.mirror_swept_at(kind), self._clock.now(), max_age):
                self.sweep(kind)

    def sweep(self, kind: Kind, *, back_to: datetime | None = None, full: bool = False) -> None:
        """Read the records changed since the last sweep or since `back_to`, whichever is earlier; the first time, all.

        Args:
            kind: any kind but Allocations.
            back_to: an instant by Xero's clock.
            full: read everything, whatever the watermark.

        Raises:
            XeroError: Xero does not respond; the mirror is unchanged.
        """
        swept_at = self._clock.now()
        last = None if full else self._store.mirror_watermark(kind)
        since = None if last is None else min(last, back_to or last) - SWEEP_OVERLAP
        elements, watermark = self._list_items() if kind is Kind.ITEM else self._list_changes(kind, since)
        sales = [element for element in elements if element.is_sale]
        allocations = [allocation.to_row() for note in elements for allocation in note.allocations]
        is_complete = kind is Kind.ITEM or since is None
        gone_before = watermark - SWEEP_OVERLAP if is_complete and watermark is not None else None
        self._store.update_mirror(
            kind,
            [element.to_row() for element in sales],
            swept_at,
            watermark=watermark,
            gone_before=gone_before,
            carried=allocations,
        )
        events.log_event("xero_swept", entity_type=kind.value, changed=len(sales), since=since and since.isoformat())

    def read_record(self, kind: Kind, key: str) -> list[Element]:
        """Return a record read by its id or key, after an update of the mirror; empty if Xero has none.

        Args:
            kind: any kind but Allocations.
            key: Xero id or natural key.

        Raises:
            XeroError: Xero does not respond; the mirror is unchanged.
        """
        try:
            answer = self._client.get(f"/{COLLECTION[kind]}/{quote(key, safe='')}", {"unitdp": "4"})
        except XeroRefusedError:
            return []
        elements = [Element(kind, fields) for fields in answer.get(COLLECTION[kind]) or []]
        sales = [element for element in elements if element.is_sale]
        allocations = [allocation.to_row() for note in sales for allocation in note.allocations]
        self._store.update_mirror(kind, [element.to_row() for element in sales], None, carried=allocations)
        return sales

    def _list_items(self) -> Listing:
        """Return all Items; their list has no pages, and an Item that is missing from it is deleted."""
        items = self._client.get("/Items", PARAMS[Kind.ITEM]).get("Items") or []
        return [Element(Kind.ITEM, item) for item in items], self._client.time.earliest

    def _list_changes(self, kind: Kind, since: datetime | None) -> Listing:
        """Return the records of all pages; read again if a change moved a record to a page that was read already."""
        path = f"/{COLLECTION[kind]}"
        for _ in range(MAX_LISTING_ATTEMPTS):
            records: dict[str, Element] = {}
            expected, watermark = 0, None
            for page, (elements, count) in enumerate(
                self._client.pages(path, path[1:], PARAMS.get(kind), modified_since=since)
            ):
                watermark = self._client.time.earliest if page == 0 else watermark
                records |= {str(fields[ID[kind]]): Element(kind, fields) for fields in elements}
                expected = count or 0
            if len(records) >= expected:
                return list(records.values()), watermark
        raise XeroUnavailableError(f"{path[1:]} changed during each of {MAX_LISTING_ATTEMPTS} reads. Try again later.")
