"""The mirror: what Xero holds of each kind, kept in the state store by one sweep of what changed since the last one.

A sweep is one call for each thousand changed records. It goes on from a watermark by Xero's own clock, as the first
answer of the sweep before stated it, because Xero stamps changes by that clock; where none is known, everything is
read. Allocations have no sweep of their own: a Credit Note carries them, so that one it no longer carries is gone. What
is done with what the mirror shows is decided in `changes/` and in `loading/readback.py`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from shopify_xero_pipeline.clock import Clock, is_recent
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import serialization
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import XeroUnavailableError
from shopify_xero_pipeline.xero.models import Kind

SWEEP_OVERLAP = timedelta(minutes=5)
"""How far before its watermark a sweep begins, and until when what a list does not show counts as gone: lists of Xero
may lag behind its writes."""

SWEEPABLE_KINDS = 3
Listing: TypeAlias = tuple[list[dict[str, Any]], datetime | None]
"""Elements, and Xero's time when the first of them were answered."""

PARAMS = {
    Kind.CONTACT: {"includeArchived": "true"},
    Kind.ITEM: {"unitdp": "4"},
    Kind.INVOICE: {"unitdp": "4"},
    Kind.CREDIT_NOTE: {"unitdp": "4"},
}


class Mirror:
    """Keeps the state store's picture of Xero up to date."""

    def __init__(self, client: XeroClient, store: StateStore, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._clock = clock

    def refresh(self, kinds: Iterable[Kind], max_age: timedelta) -> None:
        """Sweep each kind whose last sweep is older than `max_age`; Allocations come with the Credit Notes.

        Raises:
            XeroError: Xero does not answer; the mirror stays as it was.
        """
        for kind in dict.fromkeys(Kind.CREDIT_NOTE if kind is Kind.ALLOCATION else kind for kind in kinds):
            if not is_recent(self._store.mirror_swept_at(kind), self._clock.now(), max_age):
                self.sweep(kind)

    def sweep(self, kind: Kind, *, back_to: datetime | None = None, anew: bool = False) -> None:
        """Read what changed since the last sweep, or since `back_to` if that is earlier; everything the first time.

        Args:
            kind: any but Allocations.
            back_to: an instant by Xero's clock.
            anew: read everything, whatever is known.

        Raises:
            XeroError: Xero does not answer; the mirror stays as it was.
        """
        began = self._clock.now()
        last = None if anew else self._store.mirror_watermark(kind)
        since = None if last is None else min(last, back_to or last) - SWEEP_OVERLAP
        found, watermark = self._items() if kind is Kind.ITEM else self._changed(kind, since)
        records = [serialization.mirror_record(kind, one) for one in found if serialization.is_ours(kind, one)]
        carried = [
            serialization.mirror_record(Kind.ALLOCATION, one)
            for note in found
            for one in serialization.allocations_of(note)
        ]
        complete = kind is Kind.ITEM or since is None
        gone_before = watermark - SWEEP_OVERLAP if complete and watermark is not None else None
        self._store.update_mirror(kind, records, began, watermark=watermark, gone_before=gone_before, carried=carried)
        events.log_event("xero_swept", entity_type=kind.value, changed=len(records), since=since and since.isoformat())

    def _items(self) -> Listing:
        """Read all Items: their list is not paged, and one that is missing from it is deleted."""
        found = self._client.get("/Items", PARAMS[Kind.ITEM]).get("Items") or []
        return found, self._client.time.earliest

    def _changed(self, kind: Kind, since: datetime | None) -> Listing:
        """Read all pages; a record changed meanwhile shifts the others, so that one may be missed: then read again."""
        path = f"/{serialization.COLLECTION[kind]}"
        for _ in range(SWEEPABLE_KINDS):
            found: dict[str, dict[str, Any]] = {}
            expected, watermark = 0, None
            for page, (elements, count) in enumerate(
                self._client.pages(path, path[1:], PARAMS.get(kind), modified_since=since)
            ):
                watermark = self._client.time.earliest if page == 0 else watermark
                found |= {str(one[serialization.ID[kind]]): one for one in elements}
                expected = count or 0
            if len(found) >= expected:
                return list(found.values()), watermark
        raise XeroUnavailableError(
            f"{path[1:]} changed each of {SWEEPABLE_KINDS} times while they were read. Try again later."
        )
