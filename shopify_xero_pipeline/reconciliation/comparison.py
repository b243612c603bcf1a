"""The comparison of three columns, order by order and to the cent: Shopify's ledger, the mapping and Xero's read-back.

This module is arithmetic over rows; the presentation is elsewhere. Documents for cash rounding, exchange differences
and uncovered refunds have a letter and a transaction in their Shopify id. They are not in the sales column, because
they are not in Shopify's ledger.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import Field

from shopify_xero_pipeline.books.numbering import UNCOVERED_REFUND, is_of_money
from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.books.tax_usage import TaxUsage
from shopify_xero_pipeline.changes.models import Change
from shopify_xero_pipeline.changes.unwritten_records import Key, missing_reason
from shopify_xero_pipeline.reconciliation.movements import (
    ZERO,
    AccountNames,
    FrozenModel,
    Movement,
    StatementSection,
    UnbalancedOrder,
    differences,
    largest_difference,
    sum_movements,
)
from shopify_xero_pipeline.reconciliation.order_records import (
    PostedRecord,
    ReconciliationInputs,
    amount_of,
    xero_differences,
)
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.xero_movements import mirrored_postings, posted_postings, to_movements
from shopify_xero_pipeline.xero.models import Kind


def _columns_difference(row: dict[str, Any]) -> Decimal:
    """Return the distance of Xero's columns from Shopify's, for rows that an earlier version stored without it."""
    if row["outcome"] != "posted":
        return ZERO
    return abs(Decimal(row["sales"] - row["xero_sales"])) + abs(Decimal(row["money"] - row["xero_money"]))


class OrderRow(FrozenModel):
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


class DayReconciliation(FrozenModel):
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
    def differences(self) -> dict[str, Decimal]:
        """The sum of the orders' differences by currency; empty if none differs in an amount."""
        sums: dict[str, Decimal] = {}
        for row in self.rows:
            if row.difference:
                sums[row.currency] = sums.get(row.currency, ZERO) + row.difference
        return sums

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
            records = inputs.posted[books.order_id]
            own += shopify[books.order_id]
            for record in records:
                own += to_movements(posted_postings(record.row, account_names), "mapping", books.currency)
                if record.live_row is not None:
                    own += to_movements(mirrored_postings(record.live_row, account_names), "xero", books.currency)
            own.append(_outstanding(day, books, records))
            breaks = differences(own, account_names)
            problems = (*row.problems, *(text for _, text in breaks))
            difference = max(row.difference, largest_difference(own))
            row = row.model_copy(update={"problems": problems, "difference": difference})
        row = _with_decisions(row, inputs.held[books.order_id])
        rows.append(row)
        movements += own
        if row.left:
            decided += own
        else:
            order = {"order_id": books.order_id, "order_name": books.order_name, "currency": books.currency}
            broken += [UnbalancedOrder(**order, posted=posted, text=text) for posted, text in breaks]
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


def _outstanding(day: date, books: OrderBooks, records: Sequence[PostedRecord]) -> Movement:
    """Return an order's outstanding amount: Shopify's figure, documents less payments, and Xero's AmountDue.

    Shopify's figure omits refunds that it owes and money that is under way. It is compared only if it equals Shopify's
    total less its payments; otherwise the books report it (docs/books.md §3). Shopify does not document whether the
    figure includes exchange differences. They are excluded, because no customer owes them. If others enter payments,
    Xero's amount is its documents less its payments and less the payments of others.
    """
    documents = [record for record in records if record.is_document]
    pairs = zip(_totals(documents), _totals(_payments(records)), strict=True)
    unpaid, xero_unpaid = (total - paid - books.left_to_others for total, paid in pairs)
    due = books.sales - books.money
    is_consistent = books.outstanding in (due, due + books.exchange)
    earlier = books.earlier_sales - books.earlier_money
    uncovered = (entry.total for entry in books.documents if is_of_money(entry.shopify_id, UNCOVERED_REFUND))
    shopify = due + books.exchange - earlier - books.channel_paid - sum(uncovered, ZERO)
    return Movement(
        posted=day,
        currency=books.currency,
        side=StatementSection.OUTSTANDING,
        key="outstanding",
        category="outstanding",
        shopify=shopify if is_consistent else unpaid,
        mapping=unpaid,
        xero=xero_unpaid if books.waits_for_others else sum((record.amount_due for record in documents), ZERO),
    )


def _order_row(books: OrderBooks, inputs: ReconciliationInputs) -> OrderRow:
    records = inputs.posted[books.order_id]
    lost = [record for record in records if record.live_row is None and record.row.kind != Kind.ALLOCATION]
    extra = inputs.extra_records(books.order_id)
    outcome, reason = _outcome(books, inputs)
    sales = books.expected_sales, *_totals(record for record in records if record.is_of_agreement)
    money = books.expected_money, *_totals(_payments(records))
    edits, distances = xero_differences(books, inputs)
    problems = [f"{record.name} was posted and Xero no longer shows it" for record in lost]
    problems += [
        f"{row.kind} {row.natural_key} in Xero carries this order's reference and is not in the mapping"
        for row in extra
    ]
    problems += edits
    unmatched = [record.row.payload for record in lost] + [row.payload for row in extra]
    distances += [abs(amount_of(payload)) for payload in unmatched]
    if outcome == "posted":
        for name, (shopify, mapping, xero) in (("sales", sales), ("money", money)):
            if not shopify == mapping == xero:
                problems.append(f"{name}: Shopify {shopify}, mapping {mapping}, Xero {xero}")
        distances += [max(columns) - min(columns) for columns in (sales, money)]
    return OrderRow(
        order_id=books.order_id,
        order_name=books.order_name,
        outcome=outcome,
        reason=reason,
        currency=books.currency,
        sales=sales[0],
        mapped_sales=sales[1],
        xero_sales=sales[2],
        money=money[0],
        mapped_money=money[1],
        xero_money=money[2],
        documents=sum(record.is_document for record in records),
        payments=len(_payments(records)),
        lost=len(lost),
        extra=len(extra),
        problems=tuple(problems),
        difference=max(distances, default=ZERO),
        warnings=books.warnings,
    )


def _outcome(books: OrderBooks, inputs: ReconciliationInputs) -> tuple[str, str]:
    """Return an order's outcome and reason. An order is posted if all its records are in the mapping."""
    if books.outcome is not Outcome.POST:
        return books.outcome.value, books.reason
    posted = {(record.row.kind, record.row.shopify_id) for record in inputs.posted[books.order_id]}
    records = [*books.documents, *books.payments, *books.allocations]
    keys: dict[Key, str] = {(record.kind, record.shopify_id): record.natural_key for record in records}
    missing = {key: name for key, name in keys.items() if key not in posted}
    if not missing:
        return "posted", ""
    return missing_reason(missing, inputs.errors[books.order_id], inputs.held[books.order_id], inputs.unwritten)


def _payments(records: Iterable[PostedRecord]) -> list[PostedRecord]:
    return [record for record in records if record.row.kind == Kind.PAYMENT]


def _totals(records: Iterable[PostedRecord]) -> tuple[Decimal, Decimal]:
    """Return the sums in the mapping and in Xero."""
    amounts = [record.amounts for record in records]
    return sum((ours for ours, _ in amounts), ZERO), sum((theirs for _, theirs in amounts), ZERO)


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
