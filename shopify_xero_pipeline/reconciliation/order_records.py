"""The posted records of each order with their rows in Xero, and what differs between the two sides of a record.

This module only pairs and reads rows. The comparison of an order with Shopify is in `comparison.py`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.changes.drift import find_edits
from shopify_xero_pipeline.changes.fields import parse_payload, payload_amount
from shopify_xero_pipeline.changes.models import Change
from shopify_xero_pipeline.reconciliation.movements import ZERO, AccountNames
from shopify_xero_pipeline.reconciliation.rollup import group_by
from shopify_xero_pipeline.reconciliation.xero_movements import (
    DOCUMENT_SIGN,
    mirrored_postings,
    posted_postings,
)
from shopify_xero_pipeline.state.records import FrozenRecord, MappedRecord, MirrorRecord, Operation, SyncError
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.elements import REMOVED_STATUSES, Element
from shopify_xero_pipeline.xero.models import RECORD, Document, Kind

AMOUNT_FIELDS = frozenset({"total", "total_tax", "amount", "tax_type", "unit_amount", "quantity", "tax_amount"})


@dataclass(frozen=True)
class PostedRecord:
    """A row of the mapping with its live row in the mirror, which is None if Xero no longer has the record."""

    row: MappedRecord
    live_row: MirrorRecord | None

    @property
    def name(self) -> str:
        """The kind and the natural key."""
        return f"{self.row.kind} {self.row.natural_key}"

    @property
    def is_document(self) -> bool:
        """Whether the record is an Invoice or a Credit Note."""
        return self.row.kind in DOCUMENT_SIGN

    @property
    def is_of_agreement(self) -> bool:
        """Whether the record is a document of an agreement, not of a single transaction."""
        return self.is_document and self.row.shopify_id.rpartition("/")[2].isdigit()

    @property
    def amounts(self) -> tuple[Decimal, Decimal]:
        """The amount in the mapping and in Xero. Credit Notes and refunds count negative."""
        if self.is_document:
            sign = DOCUMENT_SIGN[Kind(self.row.kind)]
        else:
            sign = 1 if parse_payload(self.row.payload)["document_kind"] == Kind.INVOICE else -1
        in_xero = ZERO if self.live_row is None else amount_of(self.live_row.payload)
        return sign * amount_of(self.row.payload), sign * in_xero

    @property
    def amount_due(self) -> Decimal:
        """Xero's AmountDue of an Invoice, or the RemainingCredit of a Credit Note as a negative amount."""
        outstanding = Element.from_row(self.live_row).outstanding if self.live_row is not None else None
        return DOCUMENT_SIGN[Kind(self.row.kind)] * (ZERO if outstanding is None else outstanding)


class ReconciliationInputs:
    """Rows of the mapping, the mirror, the failed records, the journal and the last plans, indexed by order.

    Args:
        mapped: rows of the mapping.
        mirror: rows of the mirror, by kind.
        errors: open failed records.
        under_way: records that are in the journal and not in the mapping.
        contacts: Xero ids of Contacts after merges, by Shopify id; other Contacts are not compared.
        item_codes: Item codes in Xero, by variant id.
        held: held lines of the last plans.
        unwritten: operations that are planned or have no known outcome.
    """

    def __init__(
        self,
        mapped: Iterable[MappedRecord],
        mirror: Mapping[Kind, Sequence[MirrorRecord]],
        errors: Iterable[SyncError],
        under_way: Iterable[FrozenRecord] = (),
        contacts: Mapping[str, str] | None = None,
        item_codes: Mapping[str, str] | None = None,
        held: Iterable[Change] = (),
        unwritten: Iterable[Operation] = (),
    ) -> None:
        self.contacts, self.item_codes = contacts or {}, item_codes or {}
        self.unwritten = {(operation.kind, operation.shopify_id): operation for operation in unwritten}
        self.under_way = frozenset((record.kind, record.natural_key) for record in under_way)
        self.held = group_by((line.order_id, line) for line in held)
        self.errors = group_by((error.order_id, error) for error in errors)
        live = {
            (row.kind, row.xero_id): row
            for rows in mirror.values()
            for row in rows
            if row.status not in REMOVED_STATUSES
        }
        self.posted = group_by((row.order_id, PostedRecord(row, live.get((row.kind, row.xero_id)))) for row in mapped)
        self._live_referenced = group_by(
            (order_id, row) for row in live.values() for order_id in set(references.order_ids(row.reference))
        )

    def extra_records(self, order_id: str) -> list[MirrorRecord]:
        """Return live records of an order that are neither in the mapping nor the result of a write under way."""
        mapped = [record.row for record in self.posted[order_id]]
        ours, extra = {(row.kind, row.xero_id) for row in mapped}, []
        arriving = set(self.under_way - {(row.kind, row.natural_key) for row in mapped})
        for row in self._live_referenced[order_id]:
            if (row.kind, row.xero_id) in ours:
                continue
            if (row.kind, row.natural_key) in arriving:
                arriving.remove((row.kind, row.natural_key))
            else:
                extra.append(row)
        return extra


def amount_of(payload: str) -> Decimal:
    """Return the total of a document or the amount of a Payment or Allocation; 0 if the payload has none."""
    amount = payload_amount(payload)
    return ZERO if amount is None else amount


def xero_differences(books: OrderBooks, inputs: ReconciliationInputs) -> tuple[list[str], list[Decimal]]:
    """Return the differences between posted records and Xero as sentences, and the distances of their amounts."""
    variants = {document.shopify_id: [line.variant_id for line in document.lines] for document in books.documents}
    problems, distances = [], list[Decimal]()
    for record in inputs.posted[books.order_id]:
        if record.live_row is None:
            continue
        amounts = [("", amount_of(record.row.payload), amount_of(record.live_row.payload))]
        amounts += _net_amounts_by_tax_type(record.row, record.live_row)
        for prefix, ours, theirs in amounts:
            if ours != theirs:
                problems.append(f"{record.name}: {prefix}posted {ours}, Xero shows {theirs}")
            distances.append(abs(ours - theirs))
        edits = _other_edits(record.row, record.live_row, variants.get(record.row.shopify_id, ()), inputs)
        problems += [f"{record.name}: {edit}" for edit in edits]
    return problems, distances


def _net_amounts_by_tax_type(row: MappedRecord, live_row: MirrorRecord) -> list[tuple[str, Decimal, Decimal]]:
    """Return the net amounts by tax type, as posted and in Xero, also for tax types without tax."""
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    sides = posted_postings(row, AccountNames()), mirrored_postings(live_row, AccountNames())
    for side, postings in enumerate(sides):
        for posting in postings:
            if posting.tax_type:
                sums[posting.tax_type][side] += posting.amount
    return [
        (f"at tax type {tax_type} ", ours or ZERO, theirs or ZERO) for tax_type, (ours, theirs) in sorted(sums.items())
    ]


def _other_edits(
    row: MappedRecord, live_row: MirrorRecord, variants: Sequence[str | None], inputs: ReconciliationInputs
) -> Iterator[str]:
    """Yield a text for each edited field that is not an amount.

    A wrong Item code is an edit of its own if the mapping does not have the posted code.

    Args:
        row: the record's row in the mapping.
        live_row: the record's row in the mirror.
        variants: the variant of each line of the document.
        inputs: Xero ids of Contacts and Item codes.
    """
    record = RECORD.validate_json(row.payload)
    contact_xero_id = inputs.contacts.get(record.contact_id) if isinstance(record, Document) else None
    for edit in find_edits(record, parse_payload(row.payload), live_row, contact_xero_id):
        if edit.field.rpartition(".")[2] not in AMOUNT_FIELDS:
            yield f"{edit.field} posted {edit.after}, Xero shows {edit.before or 'none'}"
    if not isinstance(record, Document):
        return
    xero_lines = Element.from_row(live_row).lines
    for index, (line, xero_line, variant) in enumerate(zip(record.lines, xero_lines, variants, strict=False)):
        code = inputs.item_codes.get(variant or "")
        if line.item_code is None and code is not None and xero_line.item_code != code:
            yield f"line {index + 1} has Item {code}, Xero shows {xero_line.item_code or 'none'}"
