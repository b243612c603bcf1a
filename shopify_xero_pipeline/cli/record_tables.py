"""Tables of orders and records that are not simply posted: each reason once, long lists capped.

Orders that share outcome, reason and remedy stand in one row; a conflict stands with both sides. Which orders these are
and in which words is decided in `reconciliation/unposted_orders.py`; the whole lists go into `--json`. `output.py`
prints them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date

from rich.table import Table
from rich.text import Text

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.changes.models import Change, FieldDiff
from shopify_xero_pipeline.changes.unwritten_records import HeldLines, conflict_lines, decided_lines
from shopify_xero_pipeline.observability.escaping import escape_console as escape
from shopify_xero_pipeline.pipeline import record_links
from shopify_xero_pipeline.reconciliation import next_steps
from shopify_xero_pipeline.reconciliation.rollup import format_amounts
from shopify_xero_pipeline.reconciliation.unposted_orders import ListedOrder, OrderWarning
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.xero.models import Kind

MAX_ROWS, MAX_NAMES = 25, 8
HEADING_FORMAT = "[italic]{}[/]"
FULL_LIST_HINT = "all of them are in the command's `--json`"
HIDDEN = "(a customer's; see both pages)"
WORST_FIRST = ("failed", "conflict", "posted", "postponed", "blocked", "waiting", "skipped")
LISTED_ELSEWHERE = ("conflict", "failed")
Renderables = Iterator[Table | str | Text]
"""What is to be printed, one after the other."""


def order_rows(found: Iterable[ListedOrder], but: Collection[str] = ()) -> Renderables:
    """Yield orders that are not simply posted, those with the same reason together, the worst first.

    Args:
        found: the orders.
        but: ids of those whose conflict or failed record is printed beside them, with the same reason.
    """
    groups: dict[tuple[str, str, str], list[ListedOrder]] = defaultdict(list)
    for one in found:
        elsewhere = one.order_id in but and one.outcome in LISTED_ELSEWHERE and not one.difference
        if not elsewhere:
            groups[one.outcome, one.reason, one.remedy].append(one)
    ranked = sorted(groups.items(), key=lambda group: WORST_FIRST.index(group[0][0]))
    if ranked:
        yield HEADING_FORMAT.format("orders that are not simply posted")
    for (outcome, reason, remedy), some in ranked[:MAX_ROWS]:
        worth = format_amounts((one.currency, one.sales) for one in some)
        said = {"reason": reason, "what to do": remedy}
        yield from _block(_outcome(outcome, some), f"{_named(some)}  {worth}", said)
    yield from _more(ranked[MAX_ROWS:], "reasons")


def warning_rows(found: Sequence[OrderWarning]) -> Renderables:
    """Yield what is worth a look about orders that are in the books, the same warning once."""
    groups: dict[str, list[OrderWarning]] = defaultdict(list)
    for one in found:
        groups[one.warning].append(one)
    if groups:
        yield HEADING_FORMAT.format("warnings about orders")
    ranked = list(groups.items())
    for warning, some in ranked[:MAX_ROWS]:
        yield escape(f"{_named(some)}: {warning}")
    yield from _more(ranked[MAX_ROWS:], "warnings")


def conflict_blocks(found: HeldLines) -> Renderables:
    """Yield conflicts with what people did in Xero: both sides, the reason, what to do."""
    lines = conflict_lines(found)
    if lines:
        yield HEADING_FORMAT.format("conflicts with what people did in Xero")
    for day, line in lines[:MAX_ROWS]:
        reason, remedy = next_steps.conflict_next_step(line)
        order = f" of {line.order_name}" if line.order_name else ""
        sides = {
            "in Xero": _theirs(line),
            "by Shopify": _ours(line),
            "page": record_links.xero_page(line.kind, line.xero_id),
        }
        name = f"{day} {line.kind.value.replace('_', ' ')} {line.natural_key}{order}"
        yield from _block("conflict", name, {**sides, "reason": reason, "what to do": remedy})
    yield from _more(lines[MAX_ROWS:], "conflicts")


def decided_blocks(found: HeldLines) -> Renderables:
    """Yield Contacts and Items that a person left as they are in Xero; what is left of orders stands with the order."""
    lines = [(day, line) for day, line in decided_lines(found) if not line.order_id]
    if lines:
        yield HEADING_FORMAT.format("left as they are in Xero")
    for day, line in lines[:MAX_ROWS]:
        name = f"{day} {line.kind.value.replace('_', ' ')} {line.natural_key}"
        yield from _block("left", name, {"in Xero": _theirs(line), "reason": f"{line.reason}; {line.decided}"})
    yield from _more(lines[MAX_ROWS:], "records")


def failed_record_table(found: Sequence[SyncError]) -> Renderables:
    """Yield a table of records that could not be written, those with the same reason under one."""
    if not found:
        yield "no failed records"
        return
    table = Table("day", "record", "reason", "retry helps", "attempts", "next try", "request", title="failed records")
    known = ""
    for error in sorted(found[:MAX_ROWS], key=lambda error: error.reason):
        name = f"{error.kind.replace('_', ' ')} {error.natural_key}"
        due = f"{error.next_attempt_at:%d %b %H:%M} UTC" if error.next_attempt_at else ""
        reason = '"' if error.reason == known else escape(error.reason)
        cells = (reason, "yes" if error.retryable else "no", str(error.attempts), due, error.correlation_id or "")
        table.add_row(str(error.partition), escape(name), *cells)
        known = error.reason
    yield table
    yield from _more(found[MAX_ROWS:], "records")


def _block(outcome: str, name: str, said: Mapping[str, str]) -> Renderables:
    """Yield a block of lines; a line of `books.yaml` stands alone and as it is, so that it can be copied whole."""
    yield f"[bold]{outcome}[/]  {escape(name)}"
    for what, text in said.items():
        remedy = remedies.remedy_in(text)
        words = text if remedy is None else text.removesuffix(remedy.line).rstrip()
        if text:
            yield f"  [dim]{what:<10}[/] {escape(words)}"
        if remedy is not None:
            yield Text(remedy.indented)


def _outcome(outcome: str, some: Sequence[ListedOrder]) -> str:
    if outcome != "posted":
        return outcome
    return "posted, and left different" if some[0].remedy == next_steps.NO_ACTION else "posted, but unequal"


def _named(some: Sequence[ListedOrder] | Sequence[OrderWarning]) -> str:
    """Name orders under their days, the first few of them."""
    days: dict[date, list[str]] = defaultdict(list)
    for one in some[:MAX_NAMES]:
        days[one.day].append(one.order_name)
    more = f" and {len(some) - MAX_NAMES} more" if len(some) > MAX_NAMES else ""
    count = f"{len(some)}: " if len(some) > 1 else ""
    return count + "; ".join(f"{day} {', '.join(names)}" for day, names in days.items()) + more


def _theirs(line: Change) -> str:
    return _side(line, [(field, field.before) for field in line.fields])


def _ours(line: Change) -> str:
    said = _side(line, [(field, field.after) for field in line.fields])
    amount = "" if line.amount is None or line.fields else f"{line.amount:,.2f} {line.currency}"
    return said or amount or "nothing"


def _side(line: Change, fields: Iterable[tuple[FieldDiff, str | None]]) -> str:
    if line.kind is Kind.CONTACT and line.fields:
        return f"{', '.join(field.field for field in line.fields)} {HIDDEN}"
    return ", ".join(f"{field.field} {text}" for field, text in fields if text is not None)


def _more(left: Sequence[object], what: str) -> Renderables:
    if left:
        yield f"… and {len(left)} more {what}: {FULL_LIST_HINT}"
