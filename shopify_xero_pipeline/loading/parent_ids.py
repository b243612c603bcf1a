"""The parents of a record, their Xero ids, and the reasons to wait for them.

A document needs its Contact, a Payment its document, an Allocation both of its documents. A document also waits for the
Items of its lines while their outcome is open. A line is sent without an item code only if Xero refused the Item for
good, a person dismissed it, or the plan excludes it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from shopify_xero_pipeline.state.records import OPEN, MirrorRecord, Operation, OperationState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import Allocation, AnyRecord, Document, Kind, Line, Payment

KIND_LABELS = {Kind.CONTACT: "Contact", Kind.INVOICE: "Invoice", Kind.CREDIT_NOTE: "Credit Note"}
WITHOUT_CODE = ""  # the item code of a line that is sent without one


def parents(record: AnyRecord) -> Iterator[tuple[Kind, str, str]]:
    """Yield the kind, Shopify id and name for people of each record that must be in Xero before this one."""
    if isinstance(record, Document):
        yield Kind.CONTACT, record.contact_id, references.contact_number(record.contact_id)
    elif isinstance(record, Payment):
        yield Kind(record.document_kind), record.document_id, record.document_number
    elif isinstance(record, Allocation):
        yield Kind.CREDIT_NOTE, record.credit_note_id, record.credit_note_number
        yield Kind.INVOICE, record.invoice_id, record.invoice_number


def contacts_with_merges(store: StateStore, xero_ids: Iterable[str]) -> dict[str, MirrorRecord]:
    """Return mirrored Contacts and those into which a person merged them, by Xero id (docs/contracts/xero.md §6.1).

    Args:
        store: the state store.
        xero_ids: Xero ids of Contacts.
    """
    rows: dict[str, MirrorRecord] = {}
    pending, known = set(xero_ids), set[str]()
    while pending:
        known |= pending
        mirrored = store.mirror_by_xero_id(Kind.CONTACT, pending)
        rows |= mirrored
        archived = [row for row in mirrored.values() if row.status == "ARCHIVED"]
        pending = {Element.from_row(row).merged_into for row in archived} - known - {""}
    return rows


def _merge_targets(store: StateStore, xero_ids: Iterable[str]) -> dict[str, str]:
    """Return the target of each Contact that a person merged into another, by Xero id."""
    archived = [row for row in contacts_with_merges(store, xero_ids).values() if row.status == "ARCHIVED"]
    merges = {row.xero_id: Element.from_row(row).merged_into for row in archived}
    return {source: target for source, target in merges.items() if target}


def _final_target(targets: dict[str, str], xero_id: str) -> str:
    visited: set[str] = set()  # ends a cycle of merges
    while xero_id in targets and xero_id not in visited:
        visited.add(xero_id)
        xero_id = targets[xero_id]
    return xero_id


class ParentIds:
    """The Xero ids of the parents and the codes of the Items of records, read from the store at construction."""

    def __init__(self, store: StateStore, records: Iterable[AnyRecord]) -> None:
        parent_ids: dict[Kind, set[str]] = defaultdict(set)
        for record in records:
            for kind, shopify_id, _ in parents(record):
                parent_ids[kind].add(shopify_id)
        self._codes = _item_codes(store, {variant for record in records for variant in _variants(record)})
        self._ids = {
            (kind, key): row.xero_id for kind, ids in parent_ids.items() for key, row in store.mapped(kind, ids).items()
        }
        contacts = {key: xero_id for key, xero_id in self._ids.items() if key[0] is Kind.CONTACT}
        targets = _merge_targets(store, contacts.values())
        self._ids |= {key: _final_target(targets, xero_id) for key, xero_id in contacts.items()}

    def missing(self, record: AnyRecord) -> str:
        """Return why a record must wait for a parent or an Item, in words for people; empty if it need not."""
        for kind, shopify_id, name in parents(record):
            if (kind, shopify_id) not in self._ids:
                return f"waits for its {KIND_LABELS[kind]} {name}, which is not in Xero yet"
        for variant in _variants(record):
            code = self._codes[variant]
            if isinstance(code, _PendingItem):
                return f"waits for its Item {code.name}, {code.why}"
        return ""

    def with_item_codes(self, record: AnyRecord) -> AnyRecord:
        """Return a record that need not wait, with the item codes that its lines are sent with."""
        if not _variants(record):
            return record
        assert isinstance(record, Document)
        lines = [
            line.model_copy(update={"item_code": self._codes[line.variant_id]}) if line.variant_id else line
            for line in record.lines
        ]
        return record.model_copy(update={"lines": tuple(lines)})

    def with_codes_in_xero(self, record: AnyRecord, element: Element) -> AnyRecord:
        """Return a record that is already in Xero, with the item codes of its lines in Xero.

        A code other than that of the line's Item is dropped: a person set it.

        Args:
            record: the record; only a document has lines.
            element: the record in Xero.
        """
        if not isinstance(record, Document):
            return record
        codes = [line.item_code for line in element.lines]
        pairs = zip(record.lines, [*codes, *[""] * len(record.lines)], strict=False)
        lines = [self._with_code(line, code) for line, code in pairs]
        return record.model_copy(update={"lines": tuple(lines)})

    def _with_code(self, line: Line, xero_code: str) -> Line:
        """Return a line with its code in Xero, unless it is foreign; a deleted product of Shopify has no other code."""
        if not xero_code:
            return line
        own_code = self._codes.get(line.variant_id or "")
        is_foreign = isinstance(own_code, str) and own_code not in (WITHOUT_CODE, xero_code)
        return line if is_foreign else line.model_copy(update={"item_code": xero_code})

    def contacts(self) -> dict[str, str]:
        """Return the Xero ids of the mapped Contacts by Shopify id; a merged Contact has the id of its target."""
        return {shopify_id: xero_id for (kind, shopify_id), xero_id in self._ids.items() if kind is Kind.CONTACT}

    def item_codes(self) -> dict[str, str]:
        """Return the codes of the Items in Xero by variant id."""
        return {variant: code for variant, code in self._codes.items() if isinstance(code, str) and code}

    def xero_id(self, kind: Kind, shopify_id: str) -> str:
        """Return a parent's Xero id."""
        return self._ids[kind, shopify_id]


@dataclass(frozen=True)
class _PendingItem:
    """An Item whose outcome is open, with its name and the reason for people."""

    name: str
    why: str


def _variants(record: AnyRecord) -> list[str]:
    lines = record.lines if isinstance(record, Document) else ()
    return [line.variant_id for line in lines if line.variant_id]


def _item_codes(store: StateStore, variants: Collection[str]) -> dict[str, str | _PendingItem]:
    """Return by variant id the code of the Item, `WITHOUT_CODE`, or the pending Item."""
    codes: dict[str, str | _PendingItem] = {**_codes_in_xero(store, variants)}
    missing = [key for key in variants if key not in codes]
    newest = store.journal.latest(Kind.ITEM, missing) if missing else {}
    # Another process may have confirmed a write between the two reads, so the mapping is read again after the journal.
    confirmed = [key for key, write in newest.items() if write.state is OperationState.CONFIRMED]
    codes |= _codes_in_xero(store, confirmed)
    dismissed = store.retry_queue.dismissed(Kind.ITEM, missing) if missing else set[str]()
    for key in missing:
        if key not in codes:
            codes[key] = WITHOUT_CODE if key in dismissed else _unmapped_code(key, newest.get(key))
    return codes


def _codes_in_xero(store: StateStore, variants: Collection[str]) -> dict[str, str]:
    """Return the code of each mapped Item by variant id; `WITHOUT_CODE` if Xero no longer lists the Item."""
    items = store.mapped(Kind.ITEM, variants) if variants else {}
    mirrored = store.mirror_by_xero_id(Kind.ITEM, [row.xero_id for row in items.values()])
    is_swept = bool(items) and store.mirror_swept_at(Kind.ITEM) is not None
    return {
        key: row.natural_key if not is_swept or row.xero_id in mirrored else WITHOUT_CODE for key, row in items.items()
    }


def _unmapped_code(variant: str, write: Operation | None) -> str | _PendingItem:
    """Return the code of an Item that is not mapped, from its newest write."""
    if write is None:
        return _PendingItem(f"of variant {variant}", "which was never loaded; load xero/items of this day first")
    if write.state in OPEN:
        return _PendingItem(write.natural_key, "whose outcome in Xero is not known yet")
    if write.state is OperationState.REJECTED and write.retryable:
        why = "which Xero has not accepted yet and is retried; dismiss it to load without it"
        return _PendingItem(write.natural_key, why)
    return WITHOUT_CODE
