"""The comparison of three columns, order by order and to the cent: Shopify's ledger, the mapping and Xero's read-back.

This module is arithmetic over rows; the presentation is elsewhere. Documents for cash rounding, exchange differences
and uncovered refunds have a letter and a transaction in their Shopify id. They are not in the sales column, because
they are not in Shopify's ledger.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shopify_xero_pipeline.books.numbering import UNCOVERED_REFUND, is_of_money
from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.books.tax_usage import TaxUsage
from shopify_xero_pipeline.changes.compare import REMOVED_STATUSES
from shopify_xero_pipeline.changes.drift import find_edits
from shopify_xero_pipeline.changes.fields import parse_payload, payload_amount
from shopify_xero_pipeline.changes.models import Change
from shopify_xero_pipeline.changes.posted_records import RECORD
from shopify_xero_pipeline.changes.unwritten_records import Key, missing_reason
from shopify_xero_pipeline.reconciliation.movements import (
    AccountNames,
    Movement,
    StatementSection,
    UnbalancedOrder,
    differences,
    largest_difference,
    sum_movements,
)
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.xero_movements import (
    DOCUMENT_SIGN,
    mapping_movements,
    mirrored_postings,
    net_by_tax_type,
    posted_postings,
    xero_movements,
)
from shopify_xero_pipeline.state.records import FrozenRecord, MappedRecord, MirrorRecord, Operation, SyncError
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Document, Kind

ZERO = Decimal(0)
AMOUNT_FIELDS = frozenset({"total", "total_tax", "amount", "tax_type", "unit_amount", "quantity", "tax_amount"})
Columns = tuple[Decimal, Decimal, Decimal]


def _columns_difference(row: dict[str, Any]) -> Decimal:
    """Return the distance of Xero's columns from Shopify's, for rows that an earlier version stored without it."""
    if row["outcome"] != "posted":
        return ZERO
    return abs(Decimal(row["sales"] - row["xero_sales"])) + abs(Decimal(row["money"] - row["xero_money"]))


class OrderRow(BaseModel):
    """An order in three columns, with amounts in `currency`.

    Shopify's columns are its figures for these books: without sales and money from before the start date, and with the
    cash rounding that its net payment omits.

    Attributes:
        outcome: posted, waiting, skipped, blocked, postponed, conflict or failed.
        reason: the reason for an outcome other than posted.
        lost: records of the mapping that Xero no longer has.
        extra: records in Xero with the order's reference that are not in the mapping.
        problems: differences, as sentences.
        difference: the largest difference of an amount: a total, a record, an account, a tax type or the outstanding
            amount. A lost or extra record counts with its whole amount.
        left: the differences and the reason, if a person decided to leave them in Xero; then `problems` is empty.
        warnings: sentences about posted amounts that need a look.
    """

    model_config = ConfigDict(frozen=True)

    order_id: str
    order_name: str
    outcome: str
    reason: str
    currency: str
    sales: Decimal
    mapped_sales: Decimal
    xero_sales: Decimal
    money: Decimal
    mapped_money: Decimal
    xero_money: Decimal
    documents: int
    payments: int
    lost: int
    extra: int
    problems: tuple[str, ...]
    difference: Decimal = Field(default_factory=_columns_difference)
    left: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def is_unaccounted(self) -> bool:
        """Whether the order is neither posted nor has a reason."""
        return self.outcome != "posted" and not self.reason


class DayReconciliation(BaseModel):
    """A day's orders in three columns.

    Attributes:
        day: the orders' day, in the shop's time zone.
        movements: movements of the posted orders, on the dates of their documents and payments, which may be months
            later.
        left: the part of `movements` that belongs to orders which a person left different in Xero.
        broken: the unbalanced orders.
        orphans: orphaned orders of the day.
        taxes: the taxes on the rows of all orders.
    """

    model_config = ConfigDict(frozen=True)

    day: date
    rows: tuple[OrderRow, ...]
    movements: tuple[Movement, ...] = ()
    left: tuple[Movement, ...] = ()
    broken: tuple[UnbalancedOrder, ...] = ()
    orphans: tuple[OrphanedOrder, ...] = ()
    taxes: tuple[TaxUsage, ...] = ()

    def count(self, outcome: str) -> int:
        """Return the number of orders with an outcome."""
        return sum(row.outcome == outcome for row in self.rows)

    @property
    def unaccounted(self) -> list[OrderRow]:
        """Orders that are neither posted nor have a reason."""
        return [row for row in self.rows if row.is_unaccounted]

    @property
    def unequal(self) -> list[OrderRow]:
        """Orders with a difference in a total or in a record."""
        return [row for row in self.rows if row.problems]

    @property
    def difference(self) -> Decimal:
        """The sum of the orders' differences over all currencies, which is only compared with zero."""
        return sum((row.difference for row in self.rows), ZERO)

    @property
    def undecided(self) -> list[OrphanedOrder]:
        """Orphaned orders that need a person's decision."""
        return [order for order in self.orphans if order.is_open]

    @property
    def lost(self) -> int:
        """The number of posted records that Xero no longer has."""
        return sum(row.lost for row in self.rows)

    @property
    def extra(self) -> int:
        """The number of duplicates: live records in Xero with an order's reference that are not in the mapping."""
        return sum(row.extra for row in self.rows)


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
        self.held: dict[str, list[Change]] = defaultdict(list)
        for line in held:
            self.held[line.order_id or ""].append(line)
        self.under_way = frozenset((record.kind, record.natural_key) for record in under_way)
        self.mapped: dict[str, list[MappedRecord]] = defaultdict(list)
        for row in mapped:
            if row.order_id:
                self.mapped[row.order_id].append(row)
        self.mirror = {(kind, row.xero_id): row for kind, rows in mirror.items() for row in rows}
        self.referenced: dict[str, list[tuple[Kind, MirrorRecord]]] = defaultdict(list)
        for (kind, _), mirror_row in self.mirror.items():
            for order_id in set(references.order_ids(mirror_row.reference)):
                self.referenced[order_id].append((kind, mirror_row))
        self.errors: dict[str, list[SyncError]] = defaultdict(list)
        for error in errors:
            if error.order_id:
                self.errors[error.order_id].append(error)


def reconcile_day(
    day: date,
    orders: Iterable[OrderBooks],
    inputs: ReconciliationInputs,
    shopify: Mapping[str, Sequence[Movement]],
    account_names: AccountNames,
) -> DayReconciliation:
    """Return a day's three columns, order by order, and the movements of its posted orders.

    Args:
        day: the orders' day, in the shop's time zone.
        orders: the books of the day's orders.
        inputs: rows of the mapping, the mirror, the failed records, the journal and the last plans.
        shopify: Shopify's movements by order id (`shopify_movements.py`), needed for posted orders only.
        account_names: account names, and the accounts that hold tax.
    """
    rows, movements, decided, broken = [], [], [], []
    for books in orders:
        row, own, breaks = _order_row(books, inputs), list[Movement](), list[tuple[date, str]]()
        if row.outcome == "posted":
            posted = _posted_movements(books, inputs, account_names)
            own = [*shopify[books.order_id], *posted, _outstanding(day, books, inputs)]
            breaks = differences(own, account_names)
            problems = (*row.problems, *(text for _, text in breaks))
            difference = max(row.difference, largest_difference(own))
            row = row.model_copy(update={"problems": problems, "difference": difference})
        row = _with_decisions(row, inputs.held[books.order_id])
        rows.append(row)
        movements += own
        decided += own if row.left else []
        broken += [] if row.left else [_unbalanced_order(books, posted_on, text) for posted_on, text in breaks]
    return DayReconciliation(
        day=day,
        rows=tuple(rows),
        movements=tuple(sum_movements(movements)),
        left=tuple(sum_movements(decided)),
        broken=tuple(broken),
    )


def _with_decisions(row: OrderRow, held: Sequence[Change]) -> OrderRow:
    """Return an order without its problems if a person decided about all of its conflicts.

    A duplicate in Xero stays a problem: no plan has a line for it that a person can decide about.
    """
    decisions = dict.fromkeys(line.decided for line in held if line.decided)
    if not decisions or row.extra or not row.problems or any(not line.decided for line in held):
        return row
    text = f"{'; '.join(row.problems)}; {'; '.join(decisions)}"
    return row.model_copy(update={"problems": (), "difference": ZERO, "lost": 0, "left": text})


def _unbalanced_order(books: OrderBooks, posted: date, text: str) -> UnbalancedOrder:
    return UnbalancedOrder(
        order_id=books.order_id, order_name=books.order_name, posted=posted, currency=books.currency, text=text
    )


def _posted_movements(books: OrderBooks, inputs: ReconciliationInputs, account_names: AccountNames) -> list[Movement]:
    """Return the movements of an order's records, as posted and as Xero shows them."""
    movements = []
    for row in inputs.mapped[books.order_id]:
        live_row = _live_row(row, inputs)
        movements += mapping_movements(row, account_names)
        movements += xero_movements(live_row, account_names, books.currency) if live_row is not None else []
    return movements


def _outstanding(day: date, books: OrderBooks, inputs: ReconciliationInputs) -> Movement:
    """Return an order's outstanding amount: Shopify's figure, documents less payments, and Xero's AmountDue.

    Shopify's figure omits refunds that it owes and money that is under way. It is compared only if it equals Shopify's
    total less its payments; otherwise the books report it (docs/books.md §3). Shopify does not document whether the
    figure includes exchange differences. They are excluded, because no customer owes them.
    """
    mapped = inputs.mapped[books.order_id]
    unpaid = _unpaid_amount(mapped, inputs, in_xero=False) - books.left_to_others
    due = books.sales - books.money
    is_consistent = books.outstanding in (due, due + books.exchange)
    earlier = books.earlier_sales - books.earlier_money
    shopify = due + books.exchange - earlier - books.channel_paid - _uncovered_refunds(books)
    return Movement(
        posted=day,
        currency=books.currency,
        side=StatementSection.OUTSTANDING,
        key="outstanding",
        category="outstanding",
        shopify=shopify if is_consistent else unpaid,
        mapping=unpaid,
        xero=_outstanding_in_xero(books, mapped, inputs),
    )


def _outstanding_in_xero(books: OrderBooks, mapped: Sequence[MappedRecord], inputs: ReconciliationInputs) -> Decimal:
    """Return Xero's AmountDue.

    If others enter payments, the amount is Xero's documents less its payments and less the payments of others.
    """
    if books.waits_for_others:
        return _unpaid_amount(mapped, inputs, in_xero=True) - books.left_to_others
    return sum((_amount_due(row, inputs) for row in mapped if row.kind in DOCUMENT_SIGN), ZERO)


def _unpaid_amount(mapped: Sequence[MappedRecord], inputs: ReconciliationInputs, *, in_xero: bool) -> Decimal:
    """Return documents less payments."""
    documents = _documents_total(mapped, inputs, in_xero=in_xero, with_adjustments=True)
    return documents - _payments_total(mapped, inputs, in_xero=in_xero)


def _uncovered_refunds(books: OrderBooks) -> Decimal:
    refunds = (document for document in books.documents if is_of_money(document.shopify_id, UNCOVERED_REFUND))
    return sum((document.total for document in refunds), ZERO)


def _amount_due(row: MappedRecord, inputs: ReconciliationInputs) -> Decimal:
    live_row = _live_row(row, inputs)
    element = parse_payload(live_row.payload) if live_row is not None else {}
    return DOCUMENT_SIGN[Kind(row.kind)] * Decimal(str(element.get("AmountDue", element.get("RemainingCredit", 0))))


def _order_row(books: OrderBooks, inputs: ReconciliationInputs) -> OrderRow:
    mapped = inputs.mapped[books.order_id]
    lost = [row for row in mapped if _live_row(row, inputs) is None and row.kind != Kind.ALLOCATION]
    extra = _extra_records(books.order_id, mapped, inputs)
    outcome, reason = _outcome(books, mapped, inputs)
    sales = _documents_total(mapped, inputs, in_xero=False), _documents_total(mapped, inputs, in_xero=True)
    money = _payments_total(mapped, inputs, in_xero=False), _payments_total(mapped, inputs, in_xero=True)
    problems = [f"{row.kind} {row.natural_key} was posted and Xero no longer shows it" for row in lost]
    problems += [
        f"{kind} {row.natural_key} in Xero carries this order's reference and is not in the mapping"
        for kind, row in extra
    ]
    edits, distances = _xero_differences(books, mapped, inputs)
    problems += edits
    unmatched = [row.payload for row in lost] + [row.payload for _, row in extra]
    distances += [abs(_amount(payload)) for payload in unmatched]
    if outcome == "posted":
        totals = (books.expected_sales, *sales), (books.expected_money, *money)
        problems += _unequal_totals(*totals)
        distances += [max(columns) - min(columns) for columns in totals]
    return OrderRow(
        order_id=books.order_id,
        order_name=books.order_name,
        outcome=outcome,
        reason=reason,
        currency=books.currency,
        sales=books.expected_sales,
        mapped_sales=sales[0],
        xero_sales=sales[1],
        money=books.expected_money,
        mapped_money=money[0],
        xero_money=money[1],
        documents=sum(row.kind in DOCUMENT_SIGN for row in mapped),
        payments=sum(row.kind == Kind.PAYMENT for row in mapped),
        lost=len(lost),
        extra=len(extra),
        problems=tuple(problems),
        difference=max(distances, default=ZERO),
        warnings=books.warnings,
    )


def _outcome(books: OrderBooks, mapped: Sequence[MappedRecord], inputs: ReconciliationInputs) -> tuple[str, str]:
    """Return an order's outcome and reason. An order is posted if all its records are in the mapping."""
    if books.outcome is not Outcome.POST:
        return books.outcome.value, books.reason
    posted = {(row.kind, row.shopify_id) for row in mapped}
    records = [*books.documents, *books.payments, *books.allocations]
    keys: dict[Key, str] = {(record.kind, record.shopify_id): record.natural_key for record in records}
    missing = {key: name for key, name in keys.items() if key not in posted}
    if not missing:
        return "posted", ""
    return missing_reason(missing, inputs.errors[books.order_id], inputs.held[books.order_id], inputs.unwritten)


def _live_row(row: MappedRecord, inputs: ReconciliationInputs) -> MirrorRecord | None:
    mirror_row = inputs.mirror.get((Kind(row.kind), row.xero_id))
    return None if mirror_row is None or mirror_row.status in REMOVED_STATUSES else mirror_row


def _extra_records(
    order_id: str, mapped: Sequence[MappedRecord], inputs: ReconciliationInputs
) -> list[tuple[Kind, MirrorRecord]]:
    """Return live records that are neither in the mapping nor the result of a write under way."""
    ours, extra = {(row.kind, row.xero_id) for row in mapped}, []
    arriving = set(inputs.under_way - {(row.kind, row.natural_key) for row in mapped})
    for kind, row in inputs.referenced[order_id]:
        if (kind, row.xero_id) in ours or row.status in REMOVED_STATUSES:
            continue
        if (kind, row.natural_key) in arriving:
            arriving.remove((kind, row.natural_key))
        else:
            extra.append((kind, row))
    return extra


def _xero_differences(
    books: OrderBooks, mapped: Sequence[MappedRecord], inputs: ReconciliationInputs
) -> tuple[list[str], list[Decimal]]:
    """Return the differences between posted records and Xero as sentences, and the distances of their amounts."""
    variants = {document.shopify_id: [line.variant_id for line in document.lines] for document in books.documents}
    problems, distances = [], list[Decimal]()
    for row in mapped:
        live_row = _live_row(row, inputs)
        if live_row is None:
            continue
        amounts = [("", _amount(row.payload), _amount(live_row.payload)), *_net_amounts_by_tax_type(row, live_row)]
        for prefix, ours, theirs in amounts:
            if ours != theirs:
                problems.append(f"{row.kind} {row.natural_key}: {prefix}posted {ours}, Xero shows {theirs}")
            distances.append(abs(ours - theirs))
        problems += _other_edits(row, live_row, variants.get(row.shopify_id, ()), inputs)
    return problems, distances


def _net_amounts_by_tax_type(row: MappedRecord, live_row: MirrorRecord) -> list[tuple[str, Decimal, Decimal]]:
    """Return the net amounts by tax type, as posted and in Xero, also for tax types without tax."""
    ours = net_by_tax_type(posted_postings(row, AccountNames()))
    theirs = net_by_tax_type(mirrored_postings(live_row, AccountNames()))
    return [
        (f"at tax type {tax_type} ", ours.get(tax_type, ZERO), theirs.get(tax_type, ZERO))
        for tax_type in sorted({*ours, *theirs})
    ]


def _other_edits(
    row: MappedRecord, live_row: MirrorRecord, variants: Sequence[str | None], inputs: ReconciliationInputs
) -> Iterable[str]:
    """Yield a sentence for each edited field that is not an amount.

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
            yield f"{row.kind} {row.natural_key}: {edit.field} posted {edit.after}, Xero shows {edit.before or 'none'}"
    if isinstance(record, Document):
        yield from _wrong_item_codes(row, record, parse_payload(live_row.payload), variants, inputs)


def _wrong_item_codes(
    row: MappedRecord,
    record: Document,
    element: Mapping[str, Any],
    variants: Sequence[str | None],
    inputs: ReconciliationInputs,
) -> Iterable[str]:
    """Yield a sentence for each line with a wrong Item code, if the mapping does not have the posted code."""
    xero_lines = element.get("LineItems") or ()
    for index, (line, xero_line, variant) in enumerate(zip(record.lines, xero_lines, variants, strict=False)):
        code = inputs.item_codes.get(variant or "")
        if line.item_code is None and code is not None and xero_line.get("ItemCode") != code:
            xero_code = xero_line.get("ItemCode") or "none"
            yield f"{row.kind} {row.natural_key}: line {index + 1} has Item {code}, Xero shows {xero_code}"


def _unequal_totals(sales: Columns, money: Columns) -> list[str]:
    problems = []
    for name, (shopify, mapping, xero) in (("sales", sales), ("money", money)):
        if not shopify == mapping == xero:
            problems.append(f"{name}: Shopify {shopify}, mapping {mapping}, Xero {xero}")
    return problems


def _documents_total(
    mapped: Sequence[MappedRecord], inputs: ReconciliationInputs, *, in_xero: bool, with_adjustments: bool = False
) -> Decimal:
    """Return the total of documents; `with_adjustments` includes the documents of single transactions."""
    total = ZERO
    for row in mapped:
        if row.kind in DOCUMENT_SIGN and (with_adjustments or row.shopify_id.rpartition("/")[2].isdigit()):
            total += DOCUMENT_SIGN[Kind(row.kind)] * _amount_of_row(row, inputs, in_xero=in_xero)
    return total


def _payments_total(mapped: Sequence[MappedRecord], inputs: ReconciliationInputs, *, in_xero: bool) -> Decimal:
    total = ZERO
    for row in mapped:
        if row.kind == Kind.PAYMENT:
            paid_in = parse_payload(row.payload)["document_kind"] == Kind.INVOICE
            total += (1 if paid_in else -1) * _amount_of_row(row, inputs, in_xero=in_xero)
    return total


def _amount_of_row(row: MappedRecord, inputs: ReconciliationInputs, *, in_xero: bool) -> Decimal:
    if not in_xero:
        return _amount(row.payload)
    live_row = _live_row(row, inputs)
    return ZERO if live_row is None else _amount(live_row.payload)


def _amount(payload: str) -> Decimal:
    amount = payload_amount(payload)
    return ZERO if amount is None else amount


def without_moved_orders(compared: Sequence[tuple[DayReconciliation, datetime]]) -> list[DayReconciliation]:
    """Return compared days without the orders that Shopify moved to another day since.

    An order that is not posted stays on the day compared last. The mapping fixes the day of a posted order.

    Args:
        compared: days, each with the instant of its comparison, UTC.
    """
    latest: dict[str, tuple[datetime, date]] = {}
    for day, compared_at in compared:
        for row in day.rows:
            latest[row.order_id] = max(latest.get(row.order_id, (compared_at, day.day)), (compared_at, day.day))
    rows_by_day = [
        tuple(row for row in day.rows if row.outcome == "posted" or latest[row.order_id][1] == day.day)
        for day, _ in compared
    ]
    return [day.model_copy(update={"rows": rows}) for (day, _), rows in zip(compared, rows_by_day, strict=True)]
