"""The records a record depends on: which they are, whether they are in Xero yet, and their Xero ids.

A document needs its Contact, a Payment its document, an Allocation both of its documents. A document also waits for the
Items of its lines while it is not known whether they come to be in Xero: a line is sent without a code only where Xero
refused its Item for good, a person dismissed it, or no Item of ours is made of it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shopify_xero_pipeline.state.canonical import parse_exact_json
from shopify_xero_pipeline.state.records import OPEN, Operation, OperationState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Allocation, AnyRecord, Document, Kind, Line, Payment

WORDS = {Kind.CONTACT: "Contact", Kind.INVOICE: "Invoice", Kind.CREDIT_NOTE: "Credit Note"}
WITHOUT_CODE = ""


def parents(record: AnyRecord) -> Iterator[tuple[Kind, str, str]]:
    """Yield (kind, Shopify id, name for people) of what must be in Xero before the record."""
    if isinstance(record, Document):
        yield Kind.CONTACT, record.contact_id, references.contact_number(record.contact_id)
    elif isinstance(record, Payment):
        yield Kind(record.document_kind), record.document_id, record.document_number
    elif isinstance(record, Allocation):
        yield Kind.CREDIT_NOTE, record.credit_note_id, record.credit_note_number
        yield Kind.INVOICE, record.invoice_id, record.invoice_number


def _merged_into(store: StateStore, xero_ids: Iterable[str]) -> dict[str, str]:
    """Return, for each Contact that a person merged into another one, which one that is.

    Source: docs/contracts/xero.md §6.1.
    """
    into: dict[str, str] = {}
    asked, known = set(xero_ids), set[str]()
    while asked:
        known |= asked
        archived = [row for row in store.mirror_by_xero_id(Kind.CONTACT, asked).values() if row.status == "ARCHIVED"]
        others = {row.xero_id: parse_exact_json(row.payload).get("MergedToContactID") for row in archived}
        into |= {one: str(other) for one, other in others.items() if other}
        asked = {*into.values()} - known
    return into


def _at_the_end(into: dict[str, str], xero_id: str) -> str:
    seen: set[str] = set()
    while xero_id in into and xero_id not in seen:
        seen.add(xero_id)
        xero_id = into[xero_id]
    return xero_id


class ParentIds:
    """The Xero ids of all parents and Items of some records, read from the mapping at once."""

    def __init__(self, store: StateStore, records: Iterable[AnyRecord]) -> None:
        wanted: dict[Kind, set[str]] = defaultdict(set)
        for record in records:
            for kind, shopify_id, _ in parents(record):
                wanted[kind].add(shopify_id)
        self._codes = _item_codes(store, {variant for record in records for variant in _variants(record)})
        self._ids = {
            (kind, key): row.xero_id for kind, ids in wanted.items() for key, row in store.mapped(kind, ids).items()
        }
        contacts = {key: xero_id for key, xero_id in self._ids.items() if key[0] is Kind.CONTACT}
        into = _merged_into(store, contacts.values())
        self._ids |= {key: _at_the_end(into, xero_id) for key, xero_id in contacts.items()}

    def missing(self, record: AnyRecord) -> str:
        """Say which parent is not in Xero yet, or which Item may still come there; empty if nothing is awaited."""
        for kind, shopify_id, name in parents(record):
            if (kind, shopify_id) not in self._ids:
                return f"waits for its {WORDS[kind]} {name}, which is not in Xero yet"
        for variant in _variants(record):
            code = self._codes[variant]
            if isinstance(code, _Awaited):
                return f"waits for its Item {code.name}, {code.why}"
        return ""

    def with_item_codes(self, record: AnyRecord) -> AnyRecord:
        """Return a document, which nothing is awaited for, with the codes that its lines are sent with."""
        if not _variants(record):
            return record
        assert isinstance(record, Document)
        lines = [
            line.model_copy(update={"item_code": self._codes[line.variant_id]}) if line.variant_id else line
            for line in record.lines
        ]
        return record.model_copy(update={"lines": tuple(lines)})

    def with_codes_in_xero(self, record: AnyRecord, element: Mapping[str, Any]) -> AnyRecord:
        """Return a document that is in Xero already, with the codes that Xero shows on the lines of its Items.

        A code other than that of the Item is left out: a person put it there.
        """
        if not isinstance(record, Document):
            return record
        codes = [str(theirs.get("ItemCode") or "") for theirs in element.get("LineItems") or ()]
        pairs = zip(record.lines, [*codes, *[""] * len(record.lines)], strict=False)
        lines = [self._coded(line, code) for line, code in pairs]
        return record.model_copy(update={"lines": tuple(lines)})

    def _coded(self, line: Line, shown: str) -> Line:
        """Of a line whose product is deleted in Shopify since, what Xero shows is all that is known."""
        if not shown:
            return line
        known = self._codes.get(line.variant_id or "")
        is_foreign = isinstance(known, str) and known not in (WITHOUT_CODE, shown)
        return line if is_foreign else line.model_copy(update={"item_code": shown})

    def contacts(self) -> dict[str, str]:
        """Return the Xero ids of the Contacts that are in Xero, by Shopify id; of a merged one that of the other."""
        return {shopify_id: xero_id for (kind, shopify_id), xero_id in self._ids.items() if kind is Kind.CONTACT}

    def item_codes(self) -> dict[str, str]:
        """Return the codes of the Items that are in Xero, by variant."""
        return {variant: code for variant, code in self._codes.items() if isinstance(code, str) and code}

    def xero_id(self, kind: Kind, shopify_id: str) -> str:
        """Return a parent's Xero id."""
        return self._ids[kind, shopify_id]


@dataclass(frozen=True)
class _Awaited:
    """An Item that may still come to be in Xero: its name for people, and why it is not known yet."""

    name: str
    why: str


def _variants(record: AnyRecord) -> list[str]:
    lines = record.lines if isinstance(record, Document) else ()
    return [line.variant_id for line in lines if line.variant_id]


def _item_codes(store: StateStore, variants: Collection[str]) -> dict[str, str | _Awaited]:
    """Return, for each variant, the code of its Item, that there is none to be sent, or what is awaited."""
    codes: dict[str, str | _Awaited] = {**_codes_in_xero(store, variants)}
    missing = [key for key in variants if key not in codes]
    newest = store.journal.latest(Kind.ITEM, missing) if missing else {}
    # Another process may have confirmed a write between the two reads: then the mapping has it now.
    arrived = [key for key, write in newest.items() if write.state is OperationState.CONFIRMED]
    codes |= _codes_in_xero(store, arrived)
    dismissed = store.retry_queue.dismissed(Kind.ITEM, missing) if missing else set[str]()
    for key in missing:
        if key not in codes:
            codes[key] = WITHOUT_CODE if key in dismissed else _fate(key, newest.get(key))
    return codes


def _codes_in_xero(store: StateStore, variants: Collection[str]) -> dict[str, str]:
    """Return the code of each Item that is in the mapping; none to be sent where Xero no longer lists the Item."""
    items = store.mapped(Kind.ITEM, variants) if variants else {}
    shown = store.mirror_by_xero_id(Kind.ITEM, [row.xero_id for row in items.values()])
    swept = bool(items) and store.mirror_swept_at(Kind.ITEM) is not None
    return {key: row.natural_key if not swept or row.xero_id in shown else WITHOUT_CODE for key, row in items.items()}


def _fate(variant: str, write: Operation | None) -> str | _Awaited:
    """Say what the last write of an Item that is not in the mapping means for the lines that are of it."""
    if write is None:
        return _Awaited(f"of variant {variant}", "which was never loaded; load xero/items of this day first")
    if write.state in OPEN:
        return _Awaited(write.natural_key, "of which it is not known yet whether it is in Xero")
    if write.state is OperationState.REJECTED and write.retryable:
        why = "which Xero has not taken yet and is tried again; to go without it, dismiss it"
        return _Awaited(write.natural_key, why)
    return WITHOUT_CODE
