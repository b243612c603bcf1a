"""Tables of text: plans, failed records, days, orders, orphans and statements for the terminal and the Dagster UI.

This module only turns figures of other rooms into text. `cli/output.py` prints a table and `defs/metadata/tables.py`
stores it as metadata. Each of them escapes the texts for its place, so the texts here are not escaped.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.loading.load_report import LoadResult
from shopify_xero_pipeline.pipeline.open_failures import OpenRecord
from shopify_xero_pipeline.pipeline.record_links import xero_page
from shopify_xero_pipeline.reconciliation.comparison import OrderRow
from shopify_xero_pipeline.reconciliation.day_summaries import DaySummary
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.rollup import format_amounts
from shopify_xero_pipeline.reconciliation.statements import NAMES, Statement
from shopify_xero_pipeline.reconciliation.unposted_orders import ListedOrder
from shopify_xero_pipeline.reconciliation.verdict import OUTCOMES
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.xero.models import Kind, kind_label

ATTEMPT_COLUMNS = ("attempts", "next attempt", "request")
WITH_NEXT_LOAD = "with the next load"
DAY_COLUMNS = ("day", "orders", "posted", "not posted", "docs", "paid", "sales in Xero", "diff")


@dataclass(frozen=True)
class TableView:
    """A table of text.

    Attributes:
        columns: names of the columns.
        rows: cells of each row, in the order of the columns.
        title: heading of the table; empty for none.
        numbers: columns whose cells are aligned to the right and are never wrapped.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    numbers: Collection[str] = ()


def record_label(kind: str, natural_key: str, shopify_id: str = "") -> str:
    """Return a record's name for people, such as `invoice SH-1001`.

    Args:
        kind: kind of the record, a value of `xero.models.Kind`.
        natural_key: number or code in Xero; '' if it has none yet.
        shopify_id: digits of its id in Shopify, used without a natural key.
    """
    return f"{kind_label(kind)} {natural_key or shopify_id}"


def format_exact(amount: Decimal) -> str:
    """Return an amount with two decimals, or with all of its decimals if there are more."""
    return f"{_with_cents(amount):,f}"


def format_figure(amount: Decimal | None) -> str:
    """Return an amount of a statement with two decimals; '' for None."""
    return "" if amount is None else f"{amount:,.2f}"


def format_due(due_at: datetime | None, otherwise: str = "") -> str:
    """Return the time of a record's next attempt (UTC), or another text if it has none."""
    return f"{due_at:%d %b %H:%M} UTC" if due_at else otherwise


def join_first(texts: Sequence[str], most: int, between: str = ", ", noun: str = "") -> str:
    """Return the first texts, joined, and the number of the others.

    Args:
        texts: all texts.
        most: number of texts to name.
        between: the separator.
        noun: name of the others, in the plural.
    """
    more = f" and {len(texts) - most} more {noun}".rstrip() if len(texts) > most else ""
    return between.join(texts[:most]) + more


def plan_table(changes: Iterable[Change]) -> TableView:
    """Return the lines of one day's plan."""
    return TableView(("action", "record", "order", "amount", "reason"), [_plan_cells(change) for change in changes])


def writes_table(lines: Iterable[tuple[date, Change]]) -> TableView:
    """Return lines of the plans of several days.

    Args:
        lines: pairs of day and line.
    """
    columns = ("day", "action", "record", "order", "amount", "why")
    return TableView(columns, [(str(day), *_plan_cells(line)) for day, line in lines])


def plan_counts_table(change_sets: Iterable[ChangeSet]) -> TableView:
    """Return the number of a plan's lines by kind and action.

    Args:
        change_sets: the plans of all days and kinds.
    """
    counts = Counter((change_set.kind, line.action) for change_set in change_sets for line in change_set.changes)
    kinds = [kind for kind in Kind if any(counted is kind for counted, _ in counts)]
    rows = [(kind_label(kind), *(format_count(counts[kind, action]) for action in Action)) for kind in kinds]
    return TableView(("kind", *(action.value for action in Action)), rows, "plan: nothing has been written to Xero")


def missing_records_table(results: Iterable[LoadResult], errors: Iterable[SyncError]) -> TableView:
    """Return the records of a load that are not in Xero.

    Args:
        results: results of the records.
        errors: failed records of the state store, with the attempts of all runs.
    """
    error_by_record = {(error.kind, error.shopify_id): error for error in errors}
    rows = []
    for result in results:
        error = error_by_record.get((result.kind, result.shopify_id))
        name = record_label(result.kind, result.natural_key, result.shopify_id)
        due = format_due(error.next_attempt_at if error else None, WITH_NEXT_LOAD)
        cells = (str((error or result).attempts), due, result.correlation_id or "")
        rows.append((result.order_name or "", name, result.reason, _yes_or_no(result.retryable), *cells))
    return TableView(("order", "record", "reason", "transient", *ATTEMPT_COLUMNS), rows)


def open_records_table(records: Iterable[OpenRecord]) -> TableView:
    """Return the open records of all days."""
    rows = []
    for record in records:
        cells = (str(record.attempts), format_due(record.next_attempt_at, WITH_NEXT_LOAD), record.correlation_id)
        rows.append((str(record.day), record.order_name, record_label(record.kind, record.name), record.reason, *cells))
    return TableView(("day", "order", "record", "reason", *ATTEMPT_COLUMNS), rows)


def differences_text(differences: Mapping[str, Decimal], separator: str = ", ") -> str:
    """Return differences by currency as text, such as `1.00 EUR, 2.00 NZD`; `0.00` without any.

    Args:
        differences: the differences by currency.
        separator: the text between two currencies.
    """
    return format_amounts(differences.items(), separator) or "0.00"


def days_table(days: Iterable[DaySummary]) -> TableView:
    """Return one row per day: orders by outcome, documents, payments, sales and difference.

    Args:
        days: summaries of reconciled days.
    """
    rows = []
    for day in days:
        counts = {name: day.agreement.of(name).count for name in OUTCOMES}
        posted = counts.pop("posted")
        others = [f"{count} {name}" for name, count in counts.items() if count]
        others += [f"{len(day.undecided)} without an order"] if day.undecided else []
        cells = (str(day.day), str(day.orders), str(posted), ", ".join(others), str(day.documents), str(day.payments))
        rows.append((*cells, format_amounts(day.xero_sales.items(), "\n"), differences_text(day.differences, "\n")))
    return TableView(DAY_COLUMNS, rows, numbers=[name for name in DAY_COLUMNS if name != "not posted"])


def order_rows_table(orders: Iterable[OrderRow]) -> TableView:
    """Return orders of a day with outcome, reason, and sales and money of the three columns."""
    rows = []
    for order in orders:
        amounts = (
            (order.sales, order.money),
            (order.mapped_sales, order.mapped_money),
            (order.xero_sales, order.xero_money),
        )
        columns = (f"{format_exact(sales)} / {format_exact(money)}" for sales, money in amounts)
        problems = "; ".join(order.problems) or order.left
        rows.append((order.order_name, order.outcome, order.reason, *columns, problems))
    return TableView(("order", "outcome", "reason", *NAMES, "problems"), rows)


def listed_orders_table(title: str, orders: Iterable[ListedOrder]) -> TableView:
    """Return orders of several days with the sales of Shopify and of Xero.

    Args:
        title: the heading.
        orders: orders with outcome and reason.
    """
    rows = []
    for order in orders:
        figures = (f"{order.sales:,.2f} {order.currency}", format_figure(order.xero_sales))
        rows.append((str(order.day), order.order_name, order.outcome, *figures, order.reason))
    return TableView(("day", "order", "outcome", "Shopify", "Xero", "reason"), rows, title, ("Shopify", "Xero"))


def orphans_table(orphans: Iterable[OrphanedOrder]) -> TableView:
    """Return each record in Xero without an order of the books, with its reason and decision."""
    rows = []
    for orphan in orphans:
        decision = ": ".join(filter(None, (orphan.decision, orphan.remedy)))
        for record in orphan.records:
            amount = f"{format_exact(record.amount)} {record.currency}"
            page = xero_page(record.kind, record.xero_id) if record.is_live else ""
            cells = (record.name, str(record.dated), amount, record.state, orphan.reason, decision, page)
            rows.append((orphan.order_name or orphan.order_id, *cells))
    return TableView(("order", "record", "date", "amount", "state", "reason", "decision", "page"), rows)


def statement_table(statement: Statement) -> TableView:
    """Return a statement; only the first line of a section names it."""
    rows, section = [], None
    for line in statement.lines:
        figures = (line.shopify, line.mapping, line.xero, line.difference)
        name = "" if line.side is section else line.side.value
        rows.append((name, line.what, line.account, *(format_figure(amount) for amount in figures)))
        section = line.side
    return TableView(("", "category", "account", *NAMES, "difference"), rows)


def format_count(number: int) -> str:
    """Return a number, or a dot for 0."""
    return str(number) if number else "·"


def _yes_or_no(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _plan_cells(change: Change) -> tuple[str, ...]:
    """Return action, record, order, amount and reason of a line of a plan."""
    amount = "" if change.amount is None else f"{_with_cents(change.amount):f} {change.currency}"
    name = record_label(change.kind, change.natural_key, change.shopify_id)
    return change.action.value, name, change.order_name or "", amount, change.reason


def _with_cents(amount: Decimal) -> Decimal:
    cents = round(amount, 2)
    return cents if cents == amount else amount
