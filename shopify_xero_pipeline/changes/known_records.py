"""The mapping and the mirror of one kind of record, indexed for the planner.

This module only looks records up. The conclusions are in `compare.py` and `plan.py`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import AnyRecord, Kind

NOT_LIVE = frozenset({"VOIDED", "DELETED", "ARCHIVED"})
ARCHIVED = "ARCHIVED"


class KnownRecords:
    """The mapping and the mirror of one kind of record.

    Args:
        mapped: rows of the mapping by Shopify id.
        mirror: rows of the mirror; a live row wins if several rows share a natural key.
        listed: kinds that the mirror lists completely, so that a mapped record without a row was deleted in Xero.
    """

    def __init__(
        self,
        mapped: Mapping[str, MappedRecord] | None = None,
        mirror: Sequence[MirrorRecord] = (),
        listed: Collection[Kind] = (),
    ) -> None:
        self.mapped = mapped or {}
        self.mirror = mirror
        self._listed = listed
        self._by_xero_id = {row.xero_id: row for row in mirror}
        # Live rows come last, so that they win under a natural key that several rows share.
        live_last = sorted(mirror, key=lambda row: row.status not in NOT_LIVE)
        self._by_key = {row.natural_key.casefold(): row for row in live_last if row.natural_key}
        mapped_ids = {row.xero_id for row in self.mapped.values()}
        self._allocations: dict[str | None, list[MappedRecord]] = defaultdict(list)
        for allocation in self.mapped.values():
            if allocation.kind == Kind.ALLOCATION:
                self._allocations[allocation.order_id].append(allocation)
        self._unmapped_by_number: dict[str, list[MirrorRecord]] = defaultdict(list)
        for row in mirror:
            if row.xero_id not in mapped_ids and row.status not in NOT_LIVE:
                for number in references.documents_of(row.kind, row.natural_key):
                    self._unmapped_by_number[number].append(row)

    def mirrored(self, record: AnyRecord) -> MirrorRecord | None:
        """Return a record's row in the mirror, by Xero id if it is mapped, otherwise by natural key."""
        mapped = self.mapped.get(record.shopify_id)
        if mapped is not None:
            return self._by_xero_id.get(mapped.xero_id) or (_gone(mapped) if record.kind in self._listed else None)
        return self._by_key.get(record.natural_key.casefold())

    def allocations_of(self, order_id: str) -> Sequence[MappedRecord]:
        """Return the posted Allocations of an order."""
        return self._allocations.get(order_id, ())

    def unmapped_on(self, number: str) -> Sequence[MirrorRecord]:
        """Return the live Payments and Allocations on a document that are not in the mapping, by its number."""
        return self._unmapped_by_number.get(number, ())

    def xero_id(self, shopify_id: str) -> str | None:
        """Return the Xero id of a Contact after merges, or None if the Contact is not mapped."""
        mapped, merges = self.mapped.get(shopify_id), list[str]()
        xero_id = mapped.xero_id if mapped is not None else ""
        while xero_id and xero_id not in merges:
            merges.append(xero_id)
            row = self._by_xero_id.get(xero_id)
            xero_id = Element.from_row(row).merged_into if row and row.status == ARCHIVED else ""
        return merges[-1] if merges else None

    def is_archived(self, shopify_id: str) -> bool:
        """Return whether a mapped Contact is archived in Xero, unless it was merged into an active Contact."""
        row = self._by_xero_id.get(self.xero_id(shopify_id) or "")
        return row is not None and row.status == ARCHIVED


def _gone(mapped: MappedRecord) -> MirrorRecord:
    """Return a mirror row with the status DELETED for a record that Xero no longer lists."""
    fields = {name: getattr(mapped, name) for name in ("kind", "xero_id", "natural_key")}
    return MirrorRecord(**fields, reference="", status="DELETED", updated_at=mapped.posted_at, payload="{}")
