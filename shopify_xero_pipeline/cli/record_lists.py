"""Lists of orders and records that need attention, as lines: each reason once, long lists capped.

Orders with the same outcome, reason and remedy share one entry; a conflict has both sides. `unposted_orders.py` in
`reconciliation/` selects the orders and their words, `--json` has the full lists, and `output.py` prints the lines.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Literal

from rich.text import Text

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.changes.models import Change
from shopify_xero_pipeline.changes.unwritten_records import HeldLines, conflict_lines, decided_lines
from shopify_xero_pipeline.observability.escaping import escape_console as escape
from shopify_xero_pipeline.pipeline import record_links
from shopify_xero_pipeline.pipeline.record_views import format_due, record_label
from shopify_xero_pipeline.reconciliation import next_steps
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.rollup import format_amounts
from shopify_xero_pipeline.reconciliation.unposted_orders import ListedOrder, OrderWarning
from shopify_xero_pipeline.reconciliation.verdict import count_of
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.xero.models import Kind

MAX_ENTRIES, MAX_NAMES, MAX_ORPHANS = 25, 8, 50
HEADING_FORMAT = "[italic]{}[/]"
HIDDEN = "(personal data; see both pages)"
WORST_FIRST = ("failed", "conflict", "posted", "postponed", "blocked", "waiting", "skipped")
LISTED_ELSEWHERE = ("conflict", "failed")
RETRY = "run `shopify-xero retry --all`, or wait for the next attempt"
CORRECT_AND_SYNC = "remove the cause, then sync the day again; an unchanged retry fails again"
Lines = Iterator[str | Text]
"""Lines of a list, with the markup of rich."""


def order_lines(orders: Iterable[ListedOrder], but: Collection[str] = ()) -> Lines:
    """Yield the orders that are not posted or differ, grouped by reason, the worst first.

    Args:
        orders: orders with outcome and reason.
        but: ids of orders whose conflict or failed record is printed beside them, with the same reason.
    """
    groups: dict[tuple[str, str, str], list[ListedOrder]] = defaultdict(list)
    for order in orders:
        elsewhere = order.order_id in but and order.outcome in LISTED_ELSEWHERE and not order.difference
        if not elsewhere:
            groups[order.outcome, order.reason, order.remedy].append(order)
    ranked = sorted(groups.items(), key=lambda group: WORST_FIRST.index(group[0][0]))
    if ranked:
        yield HEADING_FORMAT.format("orders that are not posted or differ")
    for (outcome, reason, remedy), group in ranked[:MAX_ENTRIES]:
        worth = format_amounts((order.currency, order.sales) for order in group)
        texts = {"reason": reason, "what to do": remedy}
        yield from _block(_outcome(outcome, group), f"{_order_names(group)}  {worth}", texts)
    yield from more_line(ranked[MAX_ENTRIES:], "reasons")


def warning_lines(warnings: Sequence[OrderWarning]) -> Lines:
    """Yield the warnings about orders that are in the books, each warning once.

    Args:
        warnings: warnings by order.
    """
    groups: dict[str, list[OrderWarning]] = defaultdict(list)
    for warning in warnings:
        groups[warning.warning].append(warning)
    if groups:
        yield HEADING_FORMAT.format("warnings about orders")
    ranked = list(groups.items())
    for text, group in ranked[:MAX_ENTRIES]:
        yield escape(f"{_order_names(group)}: {text}")
    yield from more_line(ranked[MAX_ENTRIES:], "warnings")


def conflict_blocks(held: HeldLines) -> Lines:
    """Yield conflicts with changes that people made in Xero: both sides, the reason, the remedy.

    Args:
        held: lines that were not written, by day.
    """
    lines = conflict_lines(held)
    if lines:
        yield HEADING_FORMAT.format("conflicts with changes that people made in Xero")
    for day, line in lines[:MAX_ENTRIES]:
        reason, remedy = next_steps.conflict_next_step(line)
        order = f" of {line.order_name}" if line.order_name else ""
        sides = {
            "in Xero": _side(line, "before"),
            "by Shopify": _shopify_side(line),
            "page": record_links.xero_page(line.kind, line.xero_id),
        }
        name = f"{day} {record_label(line.kind, line.natural_key)}{order}"
        yield from _block("conflict", name, {**sides, "reason": reason, "what to do": remedy})
    yield from more_line(lines[MAX_ENTRIES:], "conflicts")


def decided_blocks(held: HeldLines) -> Lines:
    """Yield Contacts and Items that a person left as they are in Xero; documents are listed with their order.

    Args:
        held: lines that were not written, by day.
    """
    lines = [(day, line) for day, line in decided_lines(held) if not line.order_id]
    if lines:
        yield HEADING_FORMAT.format("left as they are in Xero")
    for day, line in lines[:MAX_ENTRIES]:
        name = f"{day} {record_label(line.kind, line.natural_key)}"
        yield from _block("left", name, {"in Xero": _side(line, "before"), "reason": f"{line.reason}; {line.decided}"})
    yield from more_line(lines[MAX_ENTRIES:], "records")


def failed_record_lines(errors: Iterable[SyncError]) -> Lines:
    """Yield the records that Xero does not have, under each reason, or one line if there are none.

    Args:
        errors: failed records, of any day.
    """
    groups: dict[tuple[str, bool], list[SyncError]] = defaultdict(list)
    for error in errors:
        groups[error.reason, error.retryable].append(error)
    yield HEADING_FORMAT.format("failed records") if groups else "no failed records"
    for (reason, retryable), group in groups.items():
        remedy = RETRY if retryable else CORRECT_AND_SYNC
        yield from _block("failed", count_of(len(group), "record"), {"reason": reason, "what to do": remedy})
        for error in group[:MAX_ENTRIES]:
            name = f"{error.partition} {record_label(error.kind, error.natural_key)}"
            yield f"  {escape(name)}: {escape(_attempts(error))}"
        yield from more_line(group[MAX_ENTRIES:], "records")


def orphan_lines(orphans: Sequence[OrphanedOrder]) -> Lines:
    """Yield the records in Xero without an order, those that await a decision first, each with its page.

    Args:
        orphans: orders of which Xero has records, open or decided.
    """
    if not orphans:
        return
    yield "[bold]in Xero without an order in these books[/]"
    for orphan in sorted(orphans, key=lambda orphan: not orphan.is_open)[:MAX_ORPHANS]:
        yield from _orphan_block(orphan)
    if len(orphans) > MAX_ORPHANS:
        yield f"… and {len(orphans) - MAX_ORPHANS} more orders; --json names them all"
    if live := _live_amounts(orphans):
        yield f"in Xero's reports, but in no figure above: {live}"


def more_line(rest: Sequence[object], noun: str) -> Lines:
    """Yield the number of entries that a capped list omits, or nothing if it omits none.

    Args:
        rest: the omitted entries.
        noun: their name, in the plural.
    """
    if rest:
        yield f"… and {len(rest)} more {noun}; --json has all of them"


def _attempts(error: SyncError) -> str:
    due, request = format_due(error.next_attempt_at), error.correlation_id
    texts = (count_of(error.attempts, "attempt"), due and f"next {due}", request and f"request {request}")
    return ", ".join(text for text in texts if text)


def _orphan_block(orphan: OrphanedOrder) -> Lines:
    name = f"{orphan.day} {orphan.name}, order {orphan.order_name or orphan.order_id}"
    yield f"[{'red' if orphan.is_open else 'green'}]{escape(name)}[/]: {escape(orphan.reason)}"
    if not orphan.is_open:
        live = _live_amounts([orphan])
        yield escape(f"{orphan.decision}; {live}" if live else orphan.decision)
        return
    for record in orphan.records:
        amount, page = f"{record.amount:,.2f} {record.currency}", record_links.xero_page(record.kind, record.xero_id)
        yield escape(f"{record.name} of {record.dated}, {amount}, {record.state}: {page}")
    yield escape(f"{orphan.decision}: {orphan.remedy}")


def _live_amounts(orphans: Iterable[OrphanedOrder]) -> str:
    """Return the amounts of orphans that Xero still counts, by currency; empty if there are none."""
    orphans = list(orphans)
    documents = format_amounts(pair for orphan in orphans for pair in orphan.live(Kind.INVOICE, Kind.CREDIT_NOTE))
    paid = format_amounts(pair for orphan in orphans for pair in orphan.live(Kind.PAYMENT))
    return f"documents {documents or '0.00'}, payments {paid or '0.00'}" if documents or paid else ""


def _block(outcome: str, name: str, texts: Mapping[str, str]) -> Lines:
    """Yield lines under a heading; a line of `books.yaml` stands alone and unwrapped, so that it can be copied."""
    yield f"[bold]{outcome}[/]  {escape(name)}"
    for label, text in texts.items():
        remedy = remedies.remedy_in(text)
        words = text if remedy is None else text.removesuffix(remedy.line).rstrip()
        if text:
            yield f"  [dim]{label:<10}[/] {escape(words)}"
        if remedy is not None:
            yield Text(remedy.indented)


def _outcome(outcome: str, orders: Sequence[ListedOrder]) -> str:
    if outcome != "posted":
        return outcome
    return "posted, difference accepted" if orders[0].remedy == next_steps.NO_ACTION else "posted, but unequal"


def _order_names(orders: Sequence[ListedOrder] | Sequence[OrderWarning]) -> str:
    """Return the names of the first orders, by day."""
    days: dict[date, list[str]] = defaultdict(list)
    for order in orders[:MAX_NAMES]:
        days[order.day].append(order.order_name)
    more = f" and {len(orders) - MAX_NAMES} more" if len(orders) > MAX_NAMES else ""
    count = f"{len(orders)}: " if len(orders) > 1 else ""
    return count + "; ".join(f"{day} {', '.join(names)}" for day, names in days.items()) + more


def _side(line: Change, side: Literal["before", "after"]) -> str:
    """Return the fields of a conflict as they are on one side: `before` is Xero, `after` is Shopify."""
    if line.kind is Kind.CONTACT and line.fields:
        return f"{', '.join(field.field for field in line.fields)} {HIDDEN}"
    values = [(field.field, getattr(field, side)) for field in line.fields]
    return ", ".join(f"{name} {value}" for name, value in values if value is not None)


def _shopify_side(line: Change) -> str:
    amount = "" if line.amount is None or line.fields else f"{line.amount:,.2f} {line.currency}"
    return _side(line, "after") or amount or "nothing"
