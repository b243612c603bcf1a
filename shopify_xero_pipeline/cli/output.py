"""What the command line prints: tables, a progress bar, verdicts, and the same as JSON. No figure is computed here."""

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from shopify_xero_pipeline.alerts.rules import Alert
from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.tax_usage import MatchedTaxes, TaxUsage
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.changes.plan import WRITING_ACTIONS
from shopify_xero_pipeline.changes.unwritten_records import HeldLines
from shopify_xero_pipeline.cli import record_tables
from shopify_xero_pipeline.cli.progress import RunProgress
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.observability.escaping import escape_console as escape
from shopify_xero_pipeline.observability.json_names import with_former_names
from shopify_xero_pipeline.pipeline.api_quota import DailyQuota, Forecast
from shopify_xero_pipeline.pipeline.diagnostics import remedy
from shopify_xero_pipeline.pipeline.order_history import OrderHistory
from shopify_xero_pipeline.pipeline.rebuild import RebuildReport
from shopify_xero_pipeline.pipeline.record_links import xero_page
from shopify_xero_pipeline.pipeline.setup_diagnostics import Check, Status
from shopify_xero_pipeline.pipeline.sync_report import SyncReport
from shopify_xero_pipeline.reconciliation import next_steps
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.gift_cards import RollForward
from shopify_xero_pipeline.reconciliation.months import Month
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.rollup import format_amounts
from shopify_xero_pipeline.reconciliation.statements import Statement
from shopify_xero_pipeline.reconciliation.unposted_orders import ListedOrder, OrderWarning
from shopify_xero_pipeline.reconciliation.verdict import OUTCOMES, Standing, count_of
from shopify_xero_pipeline.state.invariants import InvariantResult
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.state.webhook_hints import REDACT_CUSTOMER, WebhookHint
from shopify_xero_pipeline.xero.models import Kind

console = Console(highlight=False, emoji=False)  # `:red:` in a name is no picture
UNWRAPPED_WIDTH = 100
PRIVACY_REQUEST_DEADLINE = timedelta(days=30)
"""Shopify gives so long for a privacy request (docs/contracts/shopify.md §7)."""
TO_DO = {
    "customers/data_request": "send the shop's owner what is kept of the customer, then `requests --done`",
    "shop/redact": "the app was uninstalled: redact the customers, or delete the store, then `requests --done`",
}
SHOWN_STATUS = {Status.PASS: "[green]pass[/]", Status.WARN: "[yellow]warn[/]", Status.FAIL: "[red]fail[/]"}
NOT_POSTED = tuple(name for name in OUTCOMES if name != "posted")
COLOURS = {
    Standing.AGREE: "green",
    Standing.INCOMPLETE: "yellow",
    Standing.UNFINISHED: "yellow",
    Standing.DISAGREE: "red",
}
MAX_PLAN_ROWS = 200
MAX_ORPHANS = 50
MAX_TAXES = 12  # of an entry that stands for thousands; --json has them all


def reserve_stdout_for_json(path: Path | None) -> None:
    """Print to standard error from now on if the JSON is to go to standard output, so that it can be piped on."""
    console.stderr = _is_stdout(path)


def write_json(path: Path | None, content: object) -> None:
    """Write a machine-readable result beside the printed one; `-` stands for standard output."""
    if path is None:
        return
    text = json.dumps(with_former_names(content), indent=2, ensure_ascii=False, default=str)
    if _is_stdout(path):
        click.echo(text)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as problem:  # some of them do not name the file
        raise OSError(problem.errno, problem.strerror, str(path)) from None


@contextmanager
def show_progress(label: str, days: int, pieces: int = 0) -> Iterator[RunProgress]:
    """Show where a run stands, on a terminal; where the output is piped on, nothing.

    Args:
        label: what the run does.
        days: how many days it covers.
        pieces: of work for each range of days (`runs.PIECES`); 0 where that is not known.
    """
    found = RunProgress(days, pieces)
    columns = (
        TextColumn(label),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with (
        _undisturbed() as screen,
        Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar,
    ):
        task = bar.add_task(label, total=1.0, now="starting")

        def watch(event: str, fields: Mapping[str, object]) -> None:
            found.watch(event, fields)
            bar.update(task, completed=found.completed_share, now=escape(found.now))

        with events.watch_events(watch):
            yield found


@contextmanager
def _undisturbed() -> Iterator[Console]:
    """Yield a console that stays on the terminal: Dagster points standard output into a file while a step runs."""
    if not console.is_terminal:
        yield console
        return
    with os.fdopen(os.dup(console.file.fileno()), "w", encoding=console.encoding) as screen:
        yield Console(file=screen, highlight=False, emoji=False)


def show_countdown(seconds_left: Iterable[float]) -> None:
    """Show a bar that runs while somebody waits, fed with the seconds that are left."""
    columns = (TextColumn("waiting"), BarColumn(), TextColumn("{task.fields[left]:.0f} s left"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, longest = bar.add_task("waiting", total=1.0, left=0.0), 0.0
        for left in seconds_left:
            longest = max(longest, left)
            bar.update(task, completed=1 - left / longest, left=left)


def print_rebuild(found: RebuildReport) -> None:
    """Print what a rebuild found, by kind, and what a person has to look at."""
    table = Table("kind", title="rebuilt from Shopify and Xero")
    for name in ("adopted", "not in Xero yet", "conflicting", "in Xero only"):
        table.add_column(name, justify="right")
    for kind in Kind:
        counts = (found.adopted, found.missing, found.conflicting, found.unclaimed)
        table.add_row(kind.value.replace("_", " "), *(_count(one[kind]) for one in counts))
    console.print(table)
    for line in found.conflicts:
        name = f"{line.kind.value.replace('_', ' ')} {line.natural_key}"
        console.print(f"[red]{escape(name)}[/]: {escape(line.reason)}", soft_wrap=True)


def print_plan(change_sets: Sequence[ChangeSet], calls: int) -> None:
    """Print a plan: what would be done, how often, and the lines that write."""
    counts = Counter((change_set.kind, line.action) for change_set in change_sets for line in change_set.changes)
    table = Table("kind", *(action.value for action in Action), title="plan: nothing has been written to Xero")
    for kind in Kind:
        if any(found is kind for found, _ in counts):
            table.add_row(kind.value.replace("_", " "), *(_count(counts[kind, action]) for action in Action))
    console.print(table)
    _plan_lines(change_sets)
    console.print(f"carrying it out takes {calls} write calls to Xero")


def plan_entry(line: Change) -> dict[str, object]:
    """Return a line of a plan for `--json`; of a Contact only which fields differ, as it holds personal data."""
    reason, remedy = next_steps.conflict_next_step(line)
    said = {"reason": reason, "remedy": remedy}
    if line.kind is not Kind.CONTACT:
        return line.model_dump(mode="json") | said
    return line.model_dump(mode="json", exclude={"record": True, "fields": {"__all__": {"before", "after"}}}) | said


def print_days(found: Sequence[DayReconciliation]) -> None:
    """Print the days: orders, how many are posted and what of the others, documents, money, differences."""
    if not found:
        console.print("no day has been compared yet")
        return
    table = Table()
    for name in ("day", "orders", "posted", "not posted", "docs", "paid", "sales in Xero", "diff"):
        table.add_column(name, no_wrap=name != "not posted")
    for day in found:
        others = [f"{day.count(name)} {name}" for name in NOT_POSTED if day.count(name)]
        others += [f"{len(day.undecided)} without an order"] if day.undecided else []
        documents = sum(row.documents for row in day.rows)
        payments = sum(row.payments for row in day.rows)
        counts = (str(len(day.rows)), str(day.count("posted")), ", ".join(others), str(documents), str(payments))
        table.add_row(str(day.day), *counts, _sales(day), f"{day.difference:.2f}")
    console.print(table)


def print_unposted_orders(found: Iterable[ListedOrder], but: Collection[str] = ()) -> None:
    """Print orders that are not simply posted, but for those of these ids; see `terminal_lists.orders`."""
    _parts(record_tables.order_rows(found, but))


def print_order_warnings(found: Sequence[OrderWarning]) -> None:
    """Print what is worth a look about orders that are in the books."""
    _parts(record_tables.warning_rows(found))


def print_conflicts(found: HeldLines) -> None:
    """Print conflicts with what people did in Xero, with both sides."""
    _parts(record_tables.conflict_blocks(found))


def print_decided_records(found: HeldLines) -> None:
    """Print what people left as it is in Xero and that is not an order's."""
    _parts(record_tables.decided_blocks(found))


def print_decisions(found: Sequence[tuple[date, Change]]) -> None:
    """Print conflicts that a person has just decided about."""
    print_pairs({"left as it is in Xero": ", ".join(line.natural_key for _, line in found)} if found else {})
    _after_the_next_sync(day for day, _ in found)


def print_failed_records(found: Sequence[SyncError]) -> None:
    """Print records that could not be written."""
    _parts(record_tables.failed_record_table(found))


def _parts(found: record_tables.Renderables) -> None:
    for part in found:
        console.print(part, soft_wrap=not isinstance(part, Table))


def print_orphans(found: Sequence[OrphanedOrder]) -> None:
    """Print what stands in Xero without an order: first what is to be decided, each record of it with its page."""
    if not found:
        return
    console.print("[bold]in Xero without an order in these books[/]")
    for one in sorted(found, key=lambda one: not one.is_open)[:MAX_ORPHANS]:
        _orphan(one)
    if len(found) > MAX_ORPHANS:
        console.print(f"… and {len(found) - MAX_ORPHANS} more orders; --json names them all")
    _live_totals(found)


def print_dismissed_orphans(found: Sequence[OrphanedOrder]) -> None:
    """Print orphans that a person has just decided about."""
    print_orphans(found)
    _after_the_next_sync(one.day for one in found)


def _after_the_next_sync(days: Iterable[date]) -> None:
    if names := ", ".join(dict.fromkeys(map(str, days))):
        console.print(f"the checks of {names} show it after the next sync of that day", soft_wrap=True)


def print_order(found: OrderHistory) -> None:
    """Print an order: how its day says it stands, each record with its page in Xero, and every write of it."""
    print_pairs({"order": f"{found.order_name} ({found.order_id}), day {found.day}", "page": found.page})
    said = "; ".join(filter(None, (found.outcome or "not compared yet", found.reason, *found.problems)))
    print_pairs({"state": said})
    print_remedies([found.reason])
    table = Table("record", "amount", "state", "page or reason", "next try", title="records")
    for record in found.records:
        due = f"{record.next_try:%d %b %H:%M} UTC" if record.next_try else ""
        name = f"{record.kind.replace('_', ' ')} {record.name}"
        table.add_row(escape(name), record.amount, record.state, escape(record.reason or record.page), due)
    console.print(table)
    steps = Table("record", "write", "run", "request", "sent", "answer", "attempts", "request id", title="writes")
    for record in found.records:
        for step in record.steps:
            sent = f"{step.sent_at:%d %b %Y %H:%M:%S} UTC" if step.sent_at else ""
            write = f"{step.verb}: {step.state}"
            cells = (write, step.run_id[:8], step.request, sent, str(step.http_status or ""), str(step.attempts))
            steps.add_row(escape(record.name), *cells, step.correlation_id)
    console.print(steps)
    if found.day is not None:
        print_conflicts({found.day: found.held})


def print_month(found: Month) -> None:
    """Print a month: statements by currency with what ties them together, gift cards, and orders beside."""
    if found.is_empty:
        print_verdict(found.standing, found.says)
        return
    for statement in found.statements:
        _statement(found.month, statement)
    for cards in found.gift_cards:
        _gift_cards(found.month, cards)
    _listed("orders that do not agree", found.not_equal)
    print_unposted_orders([*found.not_posted, *found.left])
    print_orphans(found.orphans)
    missing = _days_of(found.not_compared)
    console.print(f"days of orders compared: {found.compared}{f'; not compared yet: {missing}' if missing else ''}")
    print_verdict(found.standing, found.says)


def print_requests(found: Sequence[WebhookHint]) -> None:
    """Print what people asked about their data, and what to do."""
    if not found:
        console.print("no open requests about customers' data")
        return
    table = Table("id", "asked", "due", "request", "of", "what to do", title="requests about customers' data")
    for one in found:
        due = one.received_at + PRIVACY_REQUEST_DEADLINE
        what = f"shopify-xero redact --customer {one.record_id}" if one.topic == REDACT_CUSTOMER else TO_DO[one.topic]
        of = f"{one.record} {one.record_id}" + (f", orders {one.orders}" if one.orders else "")
        table.add_row(one.id[:8], f"{one.received_at:%d %b %Y}", f"{due:%d %b %Y}", one.topic, of, what)
    console.print(table)


def print_checks(found: Sequence[Check]) -> None:
    """Print how a set-up was found, and what to do about what is not right."""
    if not found:
        return
    table = Table("", "looked at", "found", "what to do", title="set-up")
    for one in found:
        table.add_row(SHOWN_STATUS[one.status], escape(one.name), escape(one.message), escape(one.remedy))
    console.print(table)
    print_remedies(one.remedy for one in found)


def print_remedies(reasons: Iterable[str]) -> None:
    """Print the lines of `books.yaml` that reasons show once more, whole, so that they can be copied."""
    for how, lines in remedies.remedies_in(reasons).items():
        for line in (how.rstrip(), *lines, ""):
            console.print(line, markup=False, emoji=False, soft_wrap=True)


def print_warning(sentence: str) -> None:
    """Print at once, before a run goes on, what is unusual about the settings."""
    console.print(f"[yellow]warning:[/] {escape(sentence)}", soft_wrap=True)


def print_invariants(found: Sequence[InvariantResult]) -> None:
    """Print what must be true, and what breaks it."""
    if not found:
        return
    table = Table("", "promise", "looked at", "broken", title="examination")
    for one in found:
        broken = f"[red]{escape(_few(one.violations))}[/]" if one.violations else "[green]none[/]"
        noted = f"\n[yellow]to know: {escape(_few(one.noted))}[/]" if one.noted else ""
        table.add_row(one.number, one.description, str(one.checked), broken + noted)
    console.print(table)
    for one in found:
        if one.violations:
            console.print(f"{one.number}: {remedy(one)}", markup=False, soft_wrap=True)


def print_tax_rules(found: Iterable[MatchedTaxes]) -> None:
    """Print what each tax entry of `books.yaml` stands for; nothing if no tax was seen yet."""
    rules = list(found)
    if not any(rule.taxes for rule in rules):
        return
    table = Table("tax entry", "asks for", "goes to", "took in", title="taxes of the days compared so far")
    for rule in rules:
        few = [_tax_seen(one) for one in rule.taxes[:MAX_TAXES]]
        more = [f"and {len(rule.taxes) - MAX_TAXES} more"] if len(rule.taxes) > MAX_TAXES else []
        texts = (rule.setting, rule.criteria, rule.goes_to, "; ".join([*few, *more]) or "nothing so far")
        table.add_row(*map(escape, texts))
    console.print(table)


def _tax_seen(one: TaxUsage) -> str:
    place = "-".join(filter(None, (one.country, one.province)))
    name = " + ".join(tax.label for tax in one.taxes) + (f" ({place})" if place else "")
    return f"{name}: {sum(one.amounts):,.2f} {one.currency} of {count_of(one.orders, 'order')}"


def print_alerts(found: Sequence[Alert]) -> None:
    """Print what calls for a person."""
    if not found:
        console.print("nothing calls for a person")
        return
    table = Table("severity", "what happened", "where", "what to do", title="alerts")
    for one in found:
        table.add_row(one.severity, escape(one.summary), escape(one.location), escape(one.action))
    console.print(table)


def print_failures(found: Iterable[str]) -> None:
    """Print why steps failed, to standard error."""
    for failure in found:
        click.echo(f"failed: {failure}", err=True)


def print_forecast(found: Forecast, budget: DailyQuota) -> None:
    """Print what a backfill will take before it starts."""
    days = found.days_of_quota(budget)
    left = "" if budget.remaining is None else f", of which {budget.remaining} are left today"
    console.print(
        f"{found.records} records to write in {found.ranges} runs: {found.calls} calls to Xero "
        f"({found.writes} to write, {found.reads} to read), at least {found.minutes} minutes",
        soft_wrap=True,
    )
    console.print(
        f"Xero allows {budget.limit} calls a day{left}; {budget.reserve} are kept for reading back: "
        f"{'all of it fits into today' if days == 1 else f'it takes {days} days'}",
        soft_wrap=True,
    )


def print_postponed_days(days: Sequence[date]) -> None:
    """Print which days were not begun, and what becomes of them."""
    if days:
        console.print(
            f"[yellow]Xero's calls of today are used up: {len(days)} days, {_days_of(days)}, were not begun.[/] They "
            "are synced by themselves where automation is on; otherwise sync them again once Xero's day has turned.",
            soft_wrap=True,
        )


def print_report_verdict(report: SyncReport) -> None:
    """Print the figures of a sync and the verdict on the books; every figure that speaks against them is among them."""
    figures, found = report.summary(), report.agreement
    rare = [name for name in ("postponed", "conflict") if figures[name]]
    shown = ("orders", "posted", "waiting", "skipped", "blocked", "failed", *rare, "documents", "payments")
    console.print("  ".join(f"{name} {figures[name]}" for name in shown), soft_wrap=True)
    unequal = f"unequal {found.unequal.count}  " if found.unequal.count else ""
    console.print(
        f"{unequal}difference {found.unequal.money or '0.00'}  duplicates {found.duplicates}  lost {found.lost}  "
        f"without an order {found.undecided.count}  "
        f"calls: Shopify {figures['shopify_calls']}, Xero {figures['xero_calls']}  seconds {figures['seconds']}",
        soft_wrap=True,
    )
    print_verdict(report.standing, report.message)


def print_verdict(found: Standing, says: str) -> None:
    """Print a verdict in the colour of what it means."""
    console.print(f"[{COLOURS.get(found, 'yellow')}]{escape(says)}[/]", soft_wrap=True)


def print_pairs(found: Mapping[str, object]) -> None:
    """Print names and values, one a line."""
    for name, value in found.items():
        console.print(f"{name:<24} {value}", markup=False)


def _orphan(found: OrphanedOrder) -> None:
    colour, order = "red" if found.is_open else "green", found.order_name or found.order_id
    name = escape(f"{found.day} {found.name}, order {order}")
    console.print(f"[{colour}]{name}[/]: {escape(found.reason)}", soft_wrap=True)
    for record in found.records if found.is_open else ():
        amount, page = f"{record.amount:,.2f} {record.currency}", xero_page(record.kind, record.xero_id)
        console.print(escape(f"  {record.name} of {record.dated}, {amount}, {record.state}: {page}"), soft_wrap=True)
    told = (found.decision, ": ", found.remedy) if found.is_open else (found.decision, "; ", _live([found]))
    console.print(escape("  " + "".join(told).removesuffix("; ")), soft_wrap=True)


def _live_totals(found: Sequence[OrphanedOrder]) -> None:
    if live := _live(found):
        console.print(f"in Xero's own reports and in no figure above: {live}", soft_wrap=True)


def _live(found: Iterable[OrphanedOrder]) -> str:
    """Return what still stands in Xero of orphans, by currency; empty if nothing does."""
    some = list(found)
    documents = format_amounts(pair for one in some for pair in one.live(Kind.INVOICE, Kind.CREDIT_NOTE))
    paid = format_amounts(pair for one in some for pair in one.live(Kind.PAYMENT))
    return f"documents {documents or '0.00'}, payments {paid or '0.00'}" if documents or paid else ""


def _plan_lines(change_sets: Sequence[ChangeSet]) -> None:
    table = Table("day", "action", "record", "order", "amount", "why")
    lines = [(one.day, line) for one in change_sets for line in one.changes if line.action in WRITING_ACTIONS]
    for day, line in lines[:MAX_PLAN_ROWS]:
        amount = "" if line.amount is None else f"{line.amount:.2f} {line.currency}"
        name = f"{line.kind.value.replace('_', ' ')} {line.natural_key}"
        order, why = escape(line.order_name or ""), escape(line.reason)
        table.add_row(str(day), line.action.value, escape(name), order, amount, why)
    if table.row_count:
        console.print(table)
    if len(lines) > MAX_PLAN_ROWS:
        console.print(f"… and {len(lines) - MAX_PLAN_ROWS} more writes: all of them are in the command's `--json`")


def _statement(title: str, statement: Statement) -> None:
    table, side = Table("", "account", title=f"{title} in {statement.currency}"), None
    for name in ("Shopify", "mapping", "Xero", "diff"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in statement.lines:
        if side is not line.side:
            table.add_section()
            table.add_row(f"[bold]{line.side}[/]")
        side = line.side
        account = line.account if console.width >= UNWRAPPED_WIDTH else line.account.split(" ")[0]
        figures = (line.shopify, line.mapping, line.xero, line.difference)
        table.add_row(escape(line.what), escape(account), *(_figure(amount) for amount in figures))
    console.print(table)
    for identity in statement.identities:
        verdict = "[green]ok[/]" if identity.agrees else "[red]broken[/]"
        console.print(f"{verdict} {identity.column}: {escape(identity.text)}", soft_wrap=True)
    for broken in statement.broken:
        console.print(f"[red]{escape(broken.order_name)}[/]: {escape(broken.text)}", soft_wrap=True)


def _gift_cards(title: str, cards: RollForward) -> None:
    table = Table(f"{cards.account} in {cards.currency}", title=f"{title}: gift cards")
    for name in ("Shopify", "Xero"):
        table.add_column(name, justify="right")
    for line in cards.lines:
        table.add_row(line.what, _figure(line.shopify), _figure(line.xero))
    console.print(table)
    if cards.note:
        console.print(escape(cards.note), soft_wrap=True)
    for other in (*cards.unsold, *cards.others):
        console.print(f"{other.posted} {escape(other.what)}: {other.amount:,.2f}, {escape(other.why)}", soft_wrap=True)


def _listed(title: str, orders: Sequence[ListedOrder]) -> None:
    if not orders:
        return
    table = Table("day", "order", "outcome", title=title)
    for name in ("Shopify", "Xero"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("reason")
    for order in orders:
        figures = (f"{order.sales:,.2f} {order.currency}", _figure(order.xero_sales))
        table.add_row(str(order.day), escape(order.order_name), order.outcome, *figures, escape(order.reason))
    console.print(table)


def _figure(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:,.2f}"


def _few(texts: Sequence[str]) -> str:
    return "; ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")


def _days_of(days: Sequence[date]) -> str:
    """Name days, those in a row as a range."""
    ranges: list[list[date]] = []
    for day in days:
        if ranges and (day - ranges[-1][-1]).days == 1:
            ranges[-1] = [ranges[-1][0], day]
        else:
            ranges.append([day])
    return ", ".join(" to ".join(map(str, found)) for found in ranges)


def _sales(day: DayReconciliation) -> str:
    return format_amounts(((row.currency, row.xero_sales) for row in day.rows if row.outcome == "posted"), "\n")


def _is_stdout(path: Path | None) -> bool:
    return str(path) == "-"


def _count(number: int) -> str:
    return str(number) if number else "·"
