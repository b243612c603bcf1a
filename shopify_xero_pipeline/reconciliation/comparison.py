"""Three columns that must agree, order by order and to the cent: Shopify's ledger, our mapping, Xero read back.

Pure arithmetic over rows handed in; what is shown of it, and where, is not decided here. Documents for cash rounding,
exchange differences and uncovered refunds (their Shopify id names a letter and a transaction) stand outside the sales
column, as they stand outside Shopify's ledger.
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
    SIGN,
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
COMPARED_AS_MONEY = frozenset({"total", "total_tax", "amount", "tax_type", "unit_amount", "quantity", "tax_amount"})
Columns = tuple[Decimal, Decimal, Decimal]


def _between_columns(row: dict[str, Any]) -> Decimal:
    """Return how far Xero's columns are from Shopify's: all that rows say that were kept by an earlier version."""
    if row["outcome"] != "posted":
        return ZERO
    return abs(Decimal(row["sales"] - row["xero_sales"])) + abs(Decimal(row["money"] - row["xero_money"]))


class OrderRow(BaseModel):
    """One order in three columns; `problems` in plain words, and in `warnings` what is posted and worth a look.

    `outcome`: posted, waiting, skipped, blocked, postponed, conflict or failed. `difference`: the largest of any amount
    compared, be it a total, a record, an account, a tax type or what is owed; a record gone or extra counts whole.
    `left`: how it differs, if a person left that as it is in Xero, and why; then nothing of it counts as a problem.

    Shopify's columns are its own figures for what these books keep: without sales and money from before a cut-over,
    and with the cash rounding that its net payment leaves out.
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
    difference: Decimal = Field(default_factory=_between_columns)
    left: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def is_unaccounted(self) -> bool:
        """Whether it is neither posted nor listed with a reason."""
        return self.outcome != "posted" and not self.reason


class DayReconciliation(BaseModel):
    """A day's orders in three columns.

    `movements` are those of its posted orders, on the days that documents and payments bear, which may be months
    later, and `left` those among them of orders that a person left different in Xero. `broken` says which orders they
    differ for. `orphans` are orders of the day that it does not hold any more, `taxes` those on the rows of all its
    orders.
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
        """Return how many orders ended so."""
        return sum(row.outcome == outcome for row in self.rows)

    @property
    def unaccounted(self) -> list[OrderRow]:
        """Orders that are neither posted nor listed with a reason."""
        return [row for row in self.rows if row.is_unaccounted]

    @property
    def unequal(self) -> list[OrderRow]:
        """Orders whose columns differ in a total or in a record."""
        return [row for row in self.rows if row.problems]

    @property
    def difference(self) -> Decimal:
        """Sum of the orders' differences, whatever the currency: zero is zero in all of them."""
        return sum((row.difference for row in self.rows), ZERO)

    @property
    def undecided(self) -> list[OrphanedOrder]:
        """Orders of which records stand in Xero without an order, and about which a person has to decide."""
        return [one for one in self.orphans if one.is_open]

    @property
    def lost(self) -> int:
        """Records we posted that Xero no longer shows."""
        return sum(row.lost for row in self.rows)

    @property
    def extra(self) -> int:
        """Live records in Xero that carry an order's mark and are not ours: duplicates."""
        return sum(row.extra for row in self.rows)


class ReconciliationInputs:
    """What the mapping, Xero, the list of failures, the journal and the last plans say, indexed by order.

    Args:
        mapped: what we posted of the orders.
        mirror: what Xero shows, by kind.
        errors: the open failures.
        under_way: what the journal has and the mapping has not.
        contacts: Xero ids of Contacts by Shopify id, merges followed; one that is not named is not compared.
        item_codes: codes of the Items in Xero by variant.
        held: lines of the last plans that write nothing although the books want it.
        unwritten: writes that are planned or whose outcome is not known.
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
        self.unwritten = {(one.kind, one.shopify_id): one for one in unwritten}
        self.held: dict[str, list[Change]] = defaultdict(list)
        for line in held:
            self.held[line.order_id or ""].append(line)
        self.under_way = frozenset((one.kind, one.natural_key) for one in under_way)
        self.mapped: dict[str, list[MappedRecord]] = defaultdict(list)
        for row in mapped:
            if row.order_id:
                self.mapped[row.order_id].append(row)
        self.shown = {(kind, row.xero_id): row for kind, rows in mirror.items() for row in rows}
        self.marked: dict[str, list[tuple[Kind, MirrorRecord]]] = defaultdict(list)
        for (kind, _), shown in self.shown.items():
            for order_id in set(references.order_ids(shown.reference)):
                self.marked[order_id].append((kind, shown))
        self.errors: dict[str, list[SyncError]] = defaultdict(list)
        for error in errors:
            if error.order_id:
                self.errors[error.order_id].append(error)


def reconcile_day(
    day: date,
    orders: Iterable[OrderBooks],
    evidence: ReconciliationInputs,
    shopify: Mapping[str, Sequence[Movement]],
    chart: AccountNames,
) -> DayReconciliation:
    """Return a day's three columns, order by order, and what moved in those that are posted.

    Args:
        day: the orders' own day.
        orders: the books of its orders.
        evidence: what the mapping, Xero and the list of failures say.
        shopify: Shopify's movements by order id (`shopify_movements.py`); of orders that are not posted none is asked.
        chart: names of accounts, and which of them hold tax.
    """
    rows, movements, left, broken = [], [], [], []
    for books in orders:
        row, found, breaks = _row(books, evidence), list[Movement](), list[tuple[date, str]]()
        if row.outcome == "posted":
            found = [*shopify[books.order_id], *_moved(books, evidence, chart), _outstanding(day, books, evidence)]
            breaks = differences(found, chart)
            off = max(row.difference, largest_difference(found))
            row = row.model_copy(update={"problems": (*row.problems, *(text for _, text in breaks)), "difference": off})
        row = _left_as_it_is(row, evidence.held[books.order_id])
        rows.append(row)
        movements += found
        left += found if row.left else []
        broken += [] if row.left else [_broken(books, posted, text) for posted, text in breaks]
    return DayReconciliation(
        day=day,
        rows=tuple(rows),
        movements=tuple(sum_movements(movements)),
        left=tuple(sum_movements(left)),
        broken=tuple(broken),
    )


def _left_as_it_is(row: OrderRow, held: Sequence[Change]) -> OrderRow:
    """Return an order without its problems if a person decided about all of its conflicts, else as it is.

    What is in Xero twice stays a problem: no plan names it, so nobody could decide about it.
    """
    decisions = dict.fromkeys(line.decided for line in held if line.decided)
    if not decisions or row.extra or not row.problems or any(not line.decided for line in held):
        return row
    left = f"{'; '.join(row.problems)}; {'; '.join(decisions)}"
    return row.model_copy(update={"problems": (), "difference": ZERO, "lost": 0, "left": left})


def _broken(books: OrderBooks, posted: date, text: str) -> UnbalancedOrder:
    return UnbalancedOrder(
        order_id=books.order_id, order_name=books.order_name, posted=posted, currency=books.currency, text=text
    )


def _moved(books: OrderBooks, evidence: ReconciliationInputs, chart: AccountNames) -> list[Movement]:
    """Return what our records moved: as posted, and as Xero shows them."""
    found = []
    for row in evidence.mapped[books.order_id]:
        shown = _shown(row, evidence)
        found += mapping_movements(row, chart)
        found += xero_movements(shown, chart, books.currency) if shown is not None else []
    return found


def _outstanding(day: date, books: OrderBooks, evidence: ReconciliationInputs) -> Movement:
    """Return what is still owed on an order: Shopify's own figure, our documents less our payments, Xero's AmountDue.

    Shopify's leaves out what it owes back and what is under way, so that it is compared only where it can be (books.md
    §3: it is reported where its own total less its payments says otherwise). Whether it counts exchange differences as
    outstanding is not documented; they are not, as nobody owes them.
    """
    mapped = evidence.mapped[books.order_id]
    owed = _owed(mapped, evidence, in_xero=False) - books.left_to_others
    own = books.sales - books.money
    agrees_with_itself = books.outstanding in (own, own + books.exchange)
    stated = own + books.exchange - (books.earlier_sales - books.earlier_money) - books.channel_paid - _uncovered(books)
    return Movement(
        posted=day,
        currency=books.currency,
        side=StatementSection.OUTSTANDING,
        key="outstanding",
        category="outstanding",
        shopify=stated if agrees_with_itself else owed,
        mapping=owed,
        xero=_due_in_xero(books, mapped, evidence),
    )


def _due_in_xero(books: OrderBooks, mapped: Sequence[MappedRecord], evidence: ReconciliationInputs) -> Decimal:
    """Return Xero's AmountDue; where others enter money, now or later, what our payments and theirs leave of it."""
    if books.waits_for_others:
        return _owed(mapped, evidence, in_xero=True) - books.left_to_others
    return sum((_due(row, evidence) for row in mapped if row.kind in SIGN), ZERO)


def _owed(mapped: Sequence[MappedRecord], evidence: ReconciliationInputs, *, in_xero: bool) -> Decimal:
    """Return our documents less our payments."""
    return _column(mapped, evidence, in_xero=in_xero, aside=True) - _money(mapped, evidence, in_xero=in_xero)


def _uncovered(books: OrderBooks) -> Decimal:
    aside = (one for one in books.documents if is_of_money(one.shopify_id, UNCOVERED_REFUND))
    return sum((one.total for one in aside), ZERO)


def _due(row: MappedRecord, evidence: ReconciliationInputs) -> Decimal:
    shown = _shown(row, evidence)
    element = parse_payload(shown.payload) if shown is not None else {}
    return SIGN[Kind(row.kind)] * Decimal(str(element.get("AmountDue", element.get("RemainingCredit", 0))))


def _row(books: OrderBooks, evidence: ReconciliationInputs) -> OrderRow:
    mapped = evidence.mapped[books.order_id]
    lost = [row for row in mapped if _shown(row, evidence) is None and row.kind != Kind.ALLOCATION]
    extra = _extra(books.order_id, mapped, evidence)
    outcome, reason = _outcome(books, mapped, evidence)
    sales = _column(mapped, evidence, in_xero=False), _column(mapped, evidence, in_xero=True)
    money = _money(mapped, evidence, in_xero=False), _money(mapped, evidence, in_xero=True)
    problems = [f"{row.kind} {row.natural_key} was posted and Xero no longer shows it" for row in lost]
    problems += [f"{kind} {row.natural_key} in Xero carries this order's mark and is not ours" for kind, row in extra]
    unequal, apart = _against_xero(books, mapped, evidence)
    problems += unequal
    beside = [row.payload for row in lost] + [row.payload for _, row in extra]
    apart += [abs(_amount(payload)) for payload in beside]
    if outcome == "posted":
        totals = (books.expected_sales, *sales), (books.expected_money, *money)
        problems += _unequal_totals(*totals)
        apart += [max(columns) - min(columns) for columns in totals]
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
        documents=sum(row.kind in SIGN for row in mapped),
        payments=sum(row.kind == Kind.PAYMENT for row in mapped),
        lost=len(lost),
        extra=len(extra),
        problems=tuple(problems),
        difference=max(apart, default=ZERO),
        warnings=books.warnings,
    )


def _outcome(books: OrderBooks, mapped: Sequence[MappedRecord], evidence: ReconciliationInputs) -> tuple[str, str]:
    """An order is posted when all its records are in the mapping; otherwise it says what is in the way."""
    if books.outcome is not Outcome.POST:
        return books.outcome.value, books.reason
    posted = {(row.kind, row.shopify_id) for row in mapped}
    records = [*books.documents, *books.payments, *books.allocations]
    keys: dict[Key, str] = {(one.kind, one.shopify_id): one.natural_key for one in records}
    missing = {key: name for key, name in keys.items() if key not in posted}
    if not missing:
        return "posted", ""
    return missing_reason(missing, evidence.errors[books.order_id], evidence.held[books.order_id], evidence.unwritten)


def _shown(row: MappedRecord, evidence: ReconciliationInputs) -> MirrorRecord | None:
    shown = evidence.shown.get((Kind(row.kind), row.xero_id))
    return None if shown is None or shown.status in REMOVED_STATUSES else shown


def _extra(
    order_id: str, mapped: Sequence[MappedRecord], evidence: ReconciliationInputs
) -> list[tuple[Kind, MirrorRecord]]:
    """Return the live records that are not ours; of those that bear the key of a write under way, one is that write."""
    ours, extra = {(row.kind, row.xero_id) for row in mapped}, []
    arriving = set(evidence.under_way - {(row.kind, row.natural_key) for row in mapped})
    for kind, row in evidence.marked[order_id]:
        if (kind, row.xero_id) in ours or row.status in REMOVED_STATUSES:
            continue
        if (kind, row.natural_key) in arriving:
            arriving.remove((kind, row.natural_key))
        else:
            extra.append((kind, row))
    return extra


def _against_xero(
    books: OrderBooks, mapped: Sequence[MappedRecord], evidence: ReconciliationInputs
) -> tuple[list[str], list[Decimal]]:
    """Return in which parts Xero shows records otherwise than they were posted, and how far apart their amounts are."""
    variants = {document.shopify_id: [line.variant_id for line in document.lines] for document in books.documents}
    problems, apart = [], list[Decimal]()
    for row in mapped:
        shown = _shown(row, evidence)
        if shown is None:
            continue
        amounts = [("", _amount(row.payload), _amount(shown.payload)), *_at_tax_types(row, shown)]
        for where, ours, theirs in amounts:
            if ours != theirs:
                problems.append(f"{row.kind} {row.natural_key}: {where}posted {ours}, Xero shows {theirs}")
            apart.append(abs(ours - theirs))
        problems += _other_parts(row, shown, variants.get(row.shopify_id, ()), evidence)
    return problems, apart


def _at_tax_types(row: MappedRecord, shown: MirrorRecord) -> list[tuple[str, Decimal, Decimal]]:
    """Return the base at each tax type as posted and as shown, even where the tax is nothing at both."""
    ours, theirs = (
        net_by_tax_type(posted_postings(row, AccountNames())),
        net_by_tax_type(mirrored_postings(shown, AccountNames())),
    )
    return [
        (f"at tax type {tax_type} ", ours.get(tax_type, ZERO), theirs.get(tax_type, ZERO))
        for tax_type in sorted({*ours, *theirs})
    ]


def _other_parts(
    row: MappedRecord, shown: MirrorRecord, variants: Sequence[str | None], evidence: ReconciliationInputs
) -> Iterable[str]:
    """Name each part that moves no money of its own and that Xero shows otherwise than it was posted, or not at all.

    Args:
        row: what we posted.
        shown: what Xero shows of it.
        variants: which variant each line of the document is of.
        evidence: names the Contacts and the codes of Items.
    """
    record = RECORD.validate_json(row.payload)
    bearer = evidence.contacts.get(record.contact_id) if isinstance(record, Document) else None
    for one in find_edits(record, parse_payload(row.payload), shown, bearer):
        if one.field.rpartition(".")[2] not in COMPARED_AS_MONEY:
            yield f"{row.kind} {row.natural_key}: {one.field} posted {one.after}, Xero shows {one.before or 'none'}"
    if isinstance(record, Document):
        yield from _missing_codes(row, record, parse_payload(shown.payload), variants, evidence)


def _missing_codes(
    row: MappedRecord,
    record: Document,
    element: Mapping[str, Any],
    variants: Sequence[str | None],
    evidence: ReconciliationInputs,
) -> Iterable[str]:
    """Name the lines without the code of their Item of which it is not known with what code they were posted."""
    shown = element.get("LineItems") or ()
    for place, (line, theirs, variant) in enumerate(zip(record.lines, shown, variants, strict=False)):
        code = evidence.item_codes.get(variant or "")
        if line.item_code is None and code is not None and theirs.get("ItemCode") != code:
            found = theirs.get("ItemCode") or "none"
            yield f"{row.kind} {row.natural_key}: line {place + 1} is of Item {code}, Xero shows {found}"


def _unequal_totals(sales: Columns, money: Columns) -> list[str]:
    problems = []
    for name, (shopify, mapping, xero) in (("sales", sales), ("money", money)):
        if not shopify == mapping == xero:
            problems.append(f"{name}: Shopify {shopify}, mapping {mapping}, Xero {xero}")
    return problems


def _column(
    mapped: Sequence[MappedRecord], evidence: ReconciliationInputs, *, in_xero: bool, aside: bool = False
) -> Decimal:
    """Return the sum of documents; `aside` counts those that money called for, too."""
    total = ZERO
    for row in mapped:
        if row.kind in SIGN and (aside or row.shopify_id.rpartition("/")[2].isdigit()):
            total += SIGN[Kind(row.kind)] * _value(row, evidence, in_xero=in_xero)
    return total


def _money(mapped: Sequence[MappedRecord], evidence: ReconciliationInputs, *, in_xero: bool) -> Decimal:
    total = ZERO
    for row in mapped:
        if row.kind == Kind.PAYMENT:
            paid_in = parse_payload(row.payload)["document_kind"] == Kind.INVOICE
            total += (1 if paid_in else -1) * _value(row, evidence, in_xero=in_xero)
    return total


def _value(row: MappedRecord, evidence: ReconciliationInputs, *, in_xero: bool) -> Decimal:
    if not in_xero:
        return _amount(row.payload)
    shown = _shown(row, evidence)
    return ZERO if shown is None else _amount(shown.payload)


def _amount(payload: str) -> Decimal:
    amount = payload_amount(payload)
    return ZERO if amount is None else amount


def without_moved_orders(found: Sequence[tuple[DayReconciliation, datetime]]) -> list[DayReconciliation]:
    """Return compared days, each with when it was; an order that is not posted counts on the day compared last.

    It was moved to another day in Shopify since. Of a posted one the mapping knows the day.
    """
    last: dict[str, tuple[datetime, date]] = {}
    for day, at in found:
        for row in day.rows:
            last[row.order_id] = max(last.get(row.order_id, (at, day.day)), (at, day.day))
    rows = [
        tuple(row for row in day.rows if row.outcome == "posted" or last[row.order_id][1] == day.day)
        for day, _ in found
    ]
    return [day.model_copy(update={"rows": kept}) for (day, _), kept in zip(found, rows, strict=True)]
