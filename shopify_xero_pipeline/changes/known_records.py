"""What is known of one kind of record before it is compared: what we posted of it, and what Xero last showed.

Only looking things up belongs here: under Xero id or natural key, gone or merged, ours or a person's. What follows from
it is decided in `compare.py` and `plan.py`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from shopify_xero_pipeline.changes.fields import parse_payload
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.xero.models import AnyRecord, Kind

NOT_LIVE = frozenset({"VOIDED", "DELETED", "ARCHIVED"})
ARCHIVED = "ARCHIVED"
MERGED = "MergedToContactID"


class KnownRecords:
    """What is known of one kind of record.

    Args:
        mapped: rows of the mapping, by Shopify id.
        mirror: what Xero last showed; of several records under one natural key a live one counts.
        listed: kinds of which the mirror shows all there are, so that what it does not show is gone.
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
        live_last = sorted(mirror, key=lambda row: row.status not in NOT_LIVE)
        self._by_key = {row.natural_key.casefold(): row for row in live_last if row.natural_key}
        ours = {row.xero_id for row in self.mapped.values()}
        self._strangers: dict[str, list[MirrorRecord]] = defaultdict(list)
        for row in mirror:
            if row.xero_id not in ours and row.status not in NOT_LIVE:
                for number in documents_of(Kind(row.kind), row.natural_key):
                    self._strangers[number].append(row)

    def mirrored(self, record: AnyRecord) -> MirrorRecord | None:
        """Return what Xero shows of a record: under its Xero id if we posted it, else under its natural key."""
        mapped = self.mapped.get(record.shopify_id)
        if mapped is not None:
            return self._by_xero_id.get(mapped.xero_id) or (_gone(mapped) if record.kind in self._listed else None)
        return self._by_key.get(record.natural_key.casefold())

    def allocations_of(self, order_id: str) -> Sequence[MappedRecord]:
        """Return the Allocations we posted for an order."""
        return [row for row in self.mapped.values() if row.kind == Kind.ALLOCATION and row.order_id == order_id]

    def unmapped_on(self, number: str) -> Sequence[MirrorRecord]:
        """Return the live Payments and Allocations on a document of this number that are not in the mapping."""
        return self._strangers.get(number, ())

    def xero_id(self, shopify_id: str) -> str | None:
        """Return the Xero id of a Contact, or of the one that a person merged it into; None if it is not mapped."""
        steps = list(self._merges(shopify_id))
        return steps[-1] if steps else None

    def is_archived(self, shopify_id: str) -> bool:
        """Return whether a mapped Contact is archived in Xero, and not just merged into one that is not."""
        shown = self._by_xero_id.get(self.xero_id(shopify_id) or "")
        return shown is not None and shown.status == ARCHIVED

    def _merges(self, shopify_id: str) -> Iterator[str]:
        """Yield a Contact's Xero id and those it was merged into, one after the other."""
        mapped, seen = self.mapped.get(shopify_id), set[str]()
        xero_id = mapped.xero_id if mapped is not None else ""
        while xero_id and xero_id not in seen:
            yield xero_id
            seen.add(xero_id)
            shown = self._by_xero_id.get(xero_id)
            xero_id = str(parse_payload(shown.payload).get(MERGED) or "") if shown and shown.status == ARCHIVED else ""


def documents_of(kind: Kind, natural_key: str) -> Sequence[str]:
    """Return the numbers of the documents a Payment or an Allocation stands on, as its natural key names them."""
    if kind is Kind.ALLOCATION:
        return natural_key.split("|")[:2]
    return [natural_key.rpartition("|")[2]] if kind is Kind.PAYMENT else []


def _gone(mapped: MappedRecord) -> MirrorRecord:
    """Return a record that Xero no longer lists, as it shows others that were deleted."""
    same = {name: getattr(mapped, name) for name in ("kind", "xero_id", "natural_key")}
    return MirrorRecord(**same, reference="", status="DELETED", updated_at=mapped.posted_at, payload="{}")
