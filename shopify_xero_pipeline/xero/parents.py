"""The records a record depends on: which they are, whether they are in Xero yet, and their Xero ids.

A document needs its Contact, a Payment its document, an Allocation both of its documents. Items are no parents: a line
names an Item only where it is known to be in Xero.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from shopify_xero_pipeline.state.canonical import exact
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.models import Allocation, AnyRecord, Document, Kind, Payment

WORDS = {Kind.CONTACT: "Contact", Kind.INVOICE: "Invoice", Kind.CREDIT_NOTE: "Credit Note"}


def parents(record: AnyRecord) -> Iterator[tuple[Kind, str, str]]:
    """Yield (kind, Shopify id, name for people) of what must be in Xero before the record."""
    if isinstance(record, Document):
        yield Kind.CONTACT, record.contact_id, f"shopify:{record.contact_id}"
    elif isinstance(record, Payment):
        yield Kind(record.document_kind), record.document_id, record.document_number
    elif isinstance(record, Allocation):
        yield Kind.CREDIT_NOTE, record.credit_note_id, record.credit_note_number
        yield Kind.INVOICE, record.invoice_id, record.invoice_number


def _merged_into(store: StateStore, xero_ids: Iterable[str]) -> dict[str, str]:
    """Return, for each Contact that a person merged into another one, which one that is (Xero fact sheet 6.1)."""
    into: dict[str, str] = {}
    asked, known = set(xero_ids), set[str]()
    while asked:
        known |= asked
        archived = [row for row in store.mirrored(Kind.CONTACT, asked).values() if row.status == "ARCHIVED"]
        others = {row.xero_id: exact(row.payload).get("MergedToContactID") for row in archived}
        into |= {one: str(other) for one, other in others.items() if other}
        asked = {*into.values()} - known
    return into


def _at_the_end(into: dict[str, str], xero_id: str) -> str:
    seen: set[str] = set()
    while xero_id in into and xero_id not in seen:
        seen.add(xero_id)
        xero_id = into[xero_id]
    return xero_id


class KnownIds:
    """The Xero ids of all parents and Items of some records, read from the mapping at once."""

    def __init__(self, store: StateStore, records: Iterable[AnyRecord]) -> None:
        wanted: dict[Kind, set[str]] = defaultdict(set)
        for record in records:
            for kind, shopify_id, _ in parents(record):
                wanted[kind].add(shopify_id)
            if isinstance(record, Document):
                wanted[Kind.ITEM] |= {line.variant_id for line in record.lines if line.variant_id}
        items = store.mapped(Kind.ITEM, wanted.pop(Kind.ITEM, set()))
        shown = store.mirrored(Kind.ITEM, [row.xero_id for row in items.values()])
        swept = bool(items) and store.mirror_swept_at(Kind.ITEM) is not None
        self._codes = {key: row.natural_key for key, row in items.items() if not swept or row.xero_id in shown}
        self._ids = {
            (kind, key): row.xero_id for kind, ids in wanted.items() for key, row in store.mapped(kind, ids).items()
        }
        contacts = {key: xero_id for key, xero_id in self._ids.items() if key[0] is Kind.CONTACT}
        into = _merged_into(store, contacts.values())
        self._ids |= {key: _at_the_end(into, xero_id) for key, xero_id in contacts.items()}

    def missing(self, record: AnyRecord) -> str:
        """Say which parent is not in Xero yet; empty if all of them are."""
        for kind, shopify_id, name in parents(record):
            if (kind, shopify_id) not in self._ids:
                return f"waits for its {WORDS[kind]} {name}, which is not in Xero yet"
        return ""

    def xero_id(self, kind: Kind, shopify_id: str) -> str:
        """Return a parent's Xero id."""
        return self._ids[kind, shopify_id]

    def item_code(self, variant_id: str) -> str | None:
        """Return the code of a variant's Item if it is known to be in Xero."""
        return self._codes.get(variant_id)
