"""Output of the command line: tables, a progress bar, verdicts and JSON. This module computes no figure."""

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

console = Console(highlight=False, emoji=False)  # emoji=False: `:red:` in a name is text
UNWRAPPED_WIDTH = 100  # of a terminal that has room for the names of accounts
PRIVACY_REQUEST_DEADLINE = timedelta(days=30)
"""Time that Shopify allows for a privacy request (docs/contracts/shopify.md §7)."""
TO_DO = {
    "customers/data_request": "send the shop's owner the stored data of the customer, then `requests --done`",
    "shop/redact": "the app was uninstalled: redact the customers, or delete the store, then `requests --done`",
}
STATUS_TEXTS = {Status.PASS: "[green]pass[/]", Status.WARN: "[yellow]warn[/]", Status.FAIL: "[red]fail[/]"}
NOT_POSTED = tuple(name for name in OUTCOMES if name != "posted")
COLOURS = {
    Standing.AGREE: "green",
    Standing.INCOMPLETE: "yellow",
    Standing.UNFINISHED: "yellow",
    Standing.DISAGREE: "red",
}
MAX_PLAN_ROWS = 200
MAX_ORPHANS = 50
MAX_TAXES = 12  # per entry, which may match thousands; --json has all of them


def reserve_stdout_for_json(path: Path | None) -> None:
    """Print to standard error from now on if the JSON goes to standard output, so that it can be piped."""
    console.stderr = _is_stdout(path)


def write_json(path: Path | None, content: object) -> None:
    """Write a result as JSON beside the printed one.

    Args:
        path: the file; `-` stands for standard output, None for no JSON.
        content: mappings, lists and scalars; renamed keys are also written under their former names.

    Raises:
        OSError: the file cannot be written; the error names it.
    """
    if path is None:
        return
    text = json.dumps(with_former_names(content), indent=2, ensure_ascii=False, default=str)
    if _is_stdout(path):
        click.echo(text)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as problem:  # not every OSError names the file
        raise OSError(problem.errno, problem.strerror, str(path)) from None


@contextmanager
def show_progress(label: str, days: int, steps: int = 0) -> Iterator[RunProgress]:
    """Show the progress of a run on a terminal; show nothing if the output is piped.

    Args:
        label: the activity, such as "syncing".
        days: the number of days that the run covers.
        steps: number of steps for each range of days (`STEPS_PER_RANGE`); 0 if unknown.

    Yields:
        The progress, which the caller updates after each range of days.
    """
    progress = RunProgress(days, steps)
    columns = (
        TextColumn(label),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with (
        _terminal_console() as screen,
        Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar,
    ):
        task = bar.add_task(label, total=1.0, now="starting")

        def watch(event: str, fields: Mapping[str, object]) -> None:
            progress.watch(event, fields)
            bar.update(task, completed=progress.completed_share, now=escape(progress.now))

        with events.watch_events(watch):
            yield progress


@contextmanager
def _terminal_console() -> Iterator[Console]:
    """Yield a console that stays on the terminal; Dagster redirects standard output to a file while a step runs."""
    if not console.is_terminal:
        yield console
        return
    with os.fdopen(os.dup(console.file.fileno()), "w", encoding=console.encoding) as screen:
        yield Console(file=screen, highlight=False, emoji=False)


def show_countdown(seconds_left: Iterable[float]) -> None:
    """Show a bar until a waiting time is over, for each yielded number of seconds left.

    Args:
        seconds_left: the remaining seconds, in decreasing order.
    """
    columns = (TextColumn("waiting"), BarColumn(), TextColumn("{task.fields[seconds]:.0f} s left"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, longest = bar.add_task("waiting", total=1.0, seconds=0.0), 0.0
        for seconds in seconds_left:
            longest = max(longest, seconds)
            bar.update(task, completed=1 - seconds / longest, seconds=seconds)


def print_rebuild(report: RebuildReport) -> None:
    """Print the result of a rebuild by kind, and the records that a person must check."""
    table = Table("kind", title="rebuilt from Shopify and Xero")
    for name in ("adopted", "not in Xero yet", "conflicting", "in Xero only"):
        table.add_column(name, justify="right")
    for kind in Kind:
        counts = (report.adopted, report.missing, report.conflicting, report.unclaimed)
        table.add_row(kind.value.replace("_", " "), *(_count(count[kind]) for count in counts))
    console.print(table)
    for line in report.conflicts:
        name = f"{line.kind.value.replace('_', ' ')} {line.natural_key}"
        console.print(f"[red]{escape(name)}[/]: {escape(line.reason)}", soft_wrap=True)


def print_plan(change_sets: Sequence[ChangeSet], calls: int) -> None:
    """Print a plan: the number of actions by kind, the lines that write, and the write calls that they take.

    Args:
        change_sets: the plans of all days and kinds.
        calls: number of write calls.
    """
    counts = Counter((change_set.kind, line.action) for change_set in change_sets for line in change_set.changes)
    table = Table("kind", *(action.value for action in Action), title="plan: nothing has been written to Xero")
    for kind in Kind:
        if any(counted is kind for counted, _ in counts):
            table.add_row(kind.value.replace("_", " "), *(_count(counts[kind, action]) for action in Action))
    console.print(table)
    _print_plan_lines(change_sets)
    console.print(f"loading the plan takes {calls} write calls to Xero")


def plan_entry(line: Change) -> dict[str, object]:
    """Return a line of a plan for `--json`; a Contact has only the names of its fields, because it is personal data."""
    reason, remedy = next_steps.conflict_next_step(line)
    next_step = {"reason": reason, "remedy": remedy}
    if line.kind is not Kind.CONTACT:
        return line.model_dump(mode="json") | next_step
    return (
        line.model_dump(mode="json", exclude={"record": True, "fields": {"__all__": {"before", "after"}}}) | next_step
    )


def print_days(days: Sequence[DayReconciliation]) -> None:
    """Print one row per day: orders by outcome, documents, payments, sales and difference.

    Args:
        days: reconciled days, in the order to print.
    """
    if not days:
        console.print("no day has been reconciled yet")
        return
    table = Table()
    for name in ("day", "orders", "posted", "not posted", "docs", "paid", "sales in Xero", "diff"):
        table.add_column(name, no_wrap=name != "not posted")
    for day in days:
        others = [f"{day.count(name)} {name}" for name in NOT_POSTED if day.count(name)]
        others += [f"{len(day.undecided)} without an order"] if day.undecided else []
        documents = sum(row.documents for row in day.rows)
        payments = sum(row.payments for row in day.rows)
        counts = (str(len(day.rows)), str(day.count("posted")), ", ".join(others), str(documents), str(payments))
        table.add_row(str(day.day), *counts, _sales(day), f"{day.difference:.2f}")
    console.print(table)


def print_unposted_orders(orders: Iterable[ListedOrder], but: Collection[str] = ()) -> None:
    """Print the orders that are not posted or differ, except those with ids in `but`; see `record_tables.order_rows`.

    Args:
        orders: orders with outcome and reason.
        but: ids of orders whose conflict or failed record is printed beside them.
    """
    _print_parts(record_tables.order_rows(orders, but))


def print_order_warnings(warnings: Sequence[OrderWarning]) -> None:
    """Print warnings about orders that are in the books.

    Args:
        warnings: warnings by order.
    """
    _print_parts(record_tables.warning_rows(warnings))


def print_conflicts(lines: HeldLines) -> None:
    """Print both sides of each conflict with a change that a person made in Xero.

    Args:
        lines: lines of plans that were not written, by day.
    """
    _print_parts(record_tables.conflict_blocks(lines))


def print_decided_records(lines: HeldLines) -> None:
    """Print Contacts and Items that a person decided to leave as they are in Xero.

    Args:
        lines: lines of plans that were not written, by day.
    """
    _print_parts(record_tables.decided_blocks(lines))


def print_decisions(lines: Sequence[tuple[date, Change]]) -> None:
    """Print the conflicts that a person has just decided about, each with its day.

    Args:
        lines: pairs of day and line.
    """
    print_pairs({"left as it is in Xero": ", ".join(line.natural_key for _, line in lines)} if lines else {})
    _print_next_sync(day for day, _ in lines)


def print_failed_records(errors: Sequence[SyncError]) -> None:
    """Print the records that could not be written.

    Args:
        errors: failed records, of any day.
    """
    _print_parts(record_tables.failed_record_table(errors))


def _print_parts(parts: record_tables.Renderables) -> None:
    for part in parts:
        console.print(part, soft_wrap=not isinstance(part, Table))


def print_orphans(orphans: Sequence[OrphanedOrder]) -> None:
    """Print records in Xero without an order, those that await a decision first, each with its page.

    Args:
        orphans: orders of which Xero has records, open or decided.
    """
    if not orphans:
        return
    console.print("[bold]in Xero without an order in these books[/]")
    for orphan in sorted(orphans, key=lambda orphan: not orphan.is_open)[:MAX_ORPHANS]:
        _print_orphan(orphan)
    if len(orphans) > MAX_ORPHANS:
        console.print(f"… and {len(orphans) - MAX_ORPHANS} more orders; --json names them all")
    _print_live_totals(orphans)


def print_dismissed_orphans(orphans: Sequence[OrphanedOrder]) -> None:
    """Print the records in Xero without an order that a person has just decided about.

    Args:
        orphans: the orders of the decision.
    """
    print_orphans(orphans)
    _print_next_sync(orphan.day for orphan in orphans)


def _print_next_sync(days: Iterable[date]) -> None:
    if names := ", ".join(dict.fromkeys(map(str, days))):
        console.print(f"the checks of {names} show it after the next sync of that day", soft_wrap=True)


def print_order(history: OrderHistory) -> None:
    """Print an order: its state, each record with its page in Xero, and every write of each record."""
    print_pairs({"order": f"{history.order_name} ({history.order_id}), day {history.day}", "page": history.page})
    state = "; ".join(filter(None, (history.outcome or "not reconciled yet", history.reason, *history.problems)))
    print_pairs({"state": state})
    print_remedies([history.reason])
    table = Table("record", "amount", "state", "page or reason", "next attempt", title="records")
    for record in history.records:
        due = f"{record.next_try:%d %b %H:%M} UTC" if record.next_try else ""
        name = f"{record.kind.replace('_', ' ')} {record.name}"
        table.add_row(escape(name), record.amount, record.state, escape(record.reason or record.page), due)
    console.print(table)
    steps = Table("record", "write", "run", "request", "sent", "response", "attempts", "request id", title="writes")
    for record in history.records:
        for step in record.steps:
            sent = f"{step.sent_at:%d %b %Y %H:%M:%S} UTC" if step.sent_at else ""
            write = f"{step.verb}: {step.state}"
            cells = (write, step.run_id[:8], step.request, sent, str(step.http_status or ""), str(step.attempts))
            steps.add_row(escape(record.name), *cells, step.correlation_id)
    console.print(steps)
    if history.day is not None:
        print_conflicts({history.day: history.held})


def print_month(month: Month) -> None:
    """Print a month: statements by currency with their control totals, gift cards, and orders that need attention."""
    if month.is_empty:
        print_verdict(month.standing, month.sentence)
        return
    for statement in month.statements:
        _print_statement(month.month, statement)
    for cards in month.gift_cards:
        _print_gift_cards(month.month, cards)
    _print_listed_orders("orders that do not agree", month.not_equal)
    print_unposted_orders([*month.not_posted, *month.left])
    print_orphans(month.orphans)
    missing = _format_days(month.not_compared)
    console.print(f"days reconciled: {month.compared}{f'; not reconciled yet: {missing}' if missing else ''}")
    print_verdict(month.standing, month.sentence)


def print_requests(requests: Sequence[WebhookHint]) -> None:
    """Print open privacy requests with their deadlines, and what to do.

    Args:
        requests: hints of the privacy topics.
    """
    if not requests:
        console.print("no open privacy requests")
        return
    table = Table("id", "received", "due", "request", "about", "what to do", title="privacy requests")
    for request in requests:
        due = request.received_at + PRIVACY_REQUEST_DEADLINE
        subject = f"{request.record} {request.record_id}" + (f", orders {request.orders}" if request.orders else "")
        command = f"shopify-xero redact --customer {request.record_id}"
        action = command if request.topic == REDACT_CUSTOMER else TO_DO[request.topic]
        dates = (f"{request.received_at:%d %b %Y}", f"{due:%d %b %Y}")
        table.add_row(request.id[:8], *dates, request.topic, subject, action)
    console.print(table)


def print_checks(checks: Sequence[Check]) -> None:
    """Print the checks of a set-up, with a remedy for each that did not pass.

    Args:
        checks: results in the order of the checks.
    """
    if not checks:
        return
    table = Table("", "check", "result", "what to do", title="set-up")
    for check in checks:
        table.add_row(STATUS_TEXTS[check.status], escape(check.name), escape(check.message), escape(check.remedy))
    console.print(table)
    print_remedies(check.remedy for check in checks)


def print_remedies(reasons: Iterable[str]) -> None:
    """Print the lines of `books.yaml` that reasons propose, whole and unwrapped, so that they can be copied.

    Args:
        reasons: texts with or without a line of `books.yaml`.
    """
    for how, lines in remedies.remedies_in(reasons).items():
        for line in (how.rstrip(), *lines, ""):
            console.print(line, markup=False, emoji=False, soft_wrap=True)


def print_warning(sentence: str) -> None:
    """Print a warning about unusual settings before a run continues."""
    console.print(f"[yellow]warning:[/] {escape(sentence)}", soft_wrap=True)


def print_invariants(results: Sequence[InvariantResult]) -> None:
    """Print the invariants and their violations.

    Args:
        results: one for each invariant.
    """
    if not results:
        return
    table = Table("", "invariant", "checked", "violations", title="invariants")
    for result in results:
        violations = f"[red]{escape(_first_few(result.violations))}[/]" if result.violations else "[green]none[/]"
        notes = f"\n[yellow]note: {escape(_first_few(result.noted))}[/]" if result.noted else ""
        table.add_row(result.number, result.description, str(result.checked), violations + notes)
    console.print(table)
    for result in results:
        if result.violations:
            console.print(f"{result.number}: {remedy(result)}", markup=False, soft_wrap=True)


def print_tax_rules(matches: Iterable[MatchedTaxes]) -> None:
    """Print the taxes that each tax entry of `books.yaml` has matched; nothing if no tax has occurred yet.

    Args:
        matches: one for each tax entry.
    """
    rules = list(matches)
    if not any(rule.taxes for rule in rules):
        return
    table = Table("tax entry", "condition", "posted to", "matched", title="taxes of the days reconciled so far")
    for rule in rules:
        few = [_format_tax(tax) for tax in rule.taxes[:MAX_TAXES]]
        more = [f"and {len(rule.taxes) - MAX_TAXES} more"] if len(rule.taxes) > MAX_TAXES else []
        texts = (rule.setting, rule.criteria, rule.goes_to, "; ".join([*few, *more]) or "nothing yet")
        table.add_row(*map(escape, texts))
    console.print(table)


def _format_tax(usage: TaxUsage) -> str:
    place = "-".join(filter(None, (usage.country, usage.province)))
    name = " + ".join(tax.label for tax in usage.taxes) + (f" ({place})" if place else "")
    return f"{name}: {sum(usage.amounts):,.2f} {usage.currency} of {count_of(usage.orders, 'order')}"


def print_alerts(alerts: Sequence[Alert]) -> None:
    """Print the present alerts.

    Args:
        alerts: the most severe first.
    """
    if not alerts:
        console.print("no alerts")
        return
    table = Table("severity", "what happened", "where", "what to do", title="alerts")
    for alert in alerts:
        table.add_row(alert.severity, escape(alert.summary), escape(alert.location), escape(alert.action))
    console.print(table)


def print_failures(failures: Iterable[str]) -> None:
    """Print the reasons of failed steps to standard error.

    Args:
        failures: one sentence for each step.
    """
    for failure in failures:
        click.echo(f"failed: {failure}", err=True)


def print_forecast(forecast: Forecast, budget: DailyQuota) -> None:
    """Print the cost of a backfill before it starts: calls to Xero, minutes, and days of the daily quota."""
    days = forecast.days_of_quota(budget)
    remaining = "" if budget.remaining is None else f", of which {budget.remaining} are left today"
    console.print(
        f"{forecast.records} records to write in {forecast.ranges} runs: {forecast.calls} calls to Xero "
        f"({forecast.writes} to write, {forecast.reads} to read), at least {forecast.minutes} minutes",
        soft_wrap=True,
    )
    console.print(
        f"Xero allows {budget.limit} calls a day{remaining}; {budget.reserve} are reserved for read-backs: "
        f"{'today is enough' if days == 1 else f'the load takes {days} days'}",
        soft_wrap=True,
    )


def print_postponed_days(days: Sequence[date]) -> None:
    """Print the days that a run did not start because the daily quota is used up.

    Args:
        days: in ascending order.
    """
    if days:
        console.print(
            f"[yellow]Xero's daily quota is used up: {len(days)} days, {_format_days(days)}, were not started.[/] "
            "Automation syncs them when it is on; otherwise sync them again after the quota has reset.",
            soft_wrap=True,
        )


def print_report_verdict(report: SyncReport) -> None:
    """Print the figures of a sync and the verdict; every figure that speaks against the books is among them."""
    figures, agreement = report.summary(), report.agreement
    rare = [name for name in ("postponed", "conflict") if figures[name]]
    names = ("orders", "posted", "waiting", "skipped", "blocked", "failed", *rare, "documents", "payments")
    console.print("  ".join(f"{name} {figures[name]}" for name in names), soft_wrap=True)
    unequal = f"unequal {agreement.unequal.count}  " if agreement.unequal.count else ""
    console.print(
        f"{unequal}difference {agreement.unequal.money or '0.00'}  duplicates {agreement.duplicates}  "
        f"lost {agreement.lost}  without an order {agreement.undecided.count}  "
        f"calls: Shopify {figures['shopify_calls']}, Xero {figures['xero_calls']}  seconds {figures['seconds']}",
        soft_wrap=True,
    )
    print_verdict(report.standing, report.message)


def print_verdict(standing: Standing, sentence: str) -> None:
    """Print a verdict in the colour of its standing."""
    console.print(f"[{COLOURS.get(standing, 'yellow')}]{escape(sentence)}[/]", soft_wrap=True)


def print_pairs(values: Mapping[str, object]) -> None:
    """Print names and values, one pair per line.

    Args:
        values: values by name.
    """
    for name, value in values.items():
        console.print(f"{name:<24} {value}", markup=False)


def _print_orphan(orphan: OrphanedOrder) -> None:
    colour, order = "red" if orphan.is_open else "green", orphan.order_name or orphan.order_id
    name = escape(f"{orphan.day} {orphan.name}, order {order}")
    console.print(f"[{colour}]{name}[/]: {escape(orphan.reason)}", soft_wrap=True)
    for record in orphan.records if orphan.is_open else ():
        amount, page = f"{record.amount:,.2f} {record.currency}", xero_page(record.kind, record.xero_id)
        console.print(escape(f"  {record.name} of {record.dated}, {amount}, {record.state}: {page}"), soft_wrap=True)
    line = (orphan.decision, ": ", orphan.remedy) if orphan.is_open else (orphan.decision, "; ", _live([orphan]))
    console.print(escape("  " + "".join(line).removesuffix("; ")), soft_wrap=True)


def _print_live_totals(orphans: Sequence[OrphanedOrder]) -> None:
    if live := _live(orphans):
        console.print(f"in Xero's reports, but in no figure above: {live}", soft_wrap=True)


def _live(orphans: Iterable[OrphanedOrder]) -> str:
    """Return the amounts of orphans that Xero still counts, by currency; empty if there are none."""
    orphans = list(orphans)
    documents = format_amounts(pair for orphan in orphans for pair in orphan.live(Kind.INVOICE, Kind.CREDIT_NOTE))
    paid = format_amounts(pair for orphan in orphans for pair in orphan.live(Kind.PAYMENT))
    return f"documents {documents or '0.00'}, payments {paid or '0.00'}" if documents or paid else ""


def _print_plan_lines(change_sets: Sequence[ChangeSet]) -> None:
    table = Table("day", "action", "record", "order", "amount", "why")
    lines = [(plan.day, line) for plan in change_sets for line in plan.changes if line.action in WRITING_ACTIONS]
    for day, line in lines[:MAX_PLAN_ROWS]:
        amount = "" if line.amount is None else f"{line.amount:.2f} {line.currency}"
        name = f"{line.kind.value.replace('_', ' ')} {line.natural_key}"
        order, why = escape(line.order_name or ""), escape(line.reason)
        table.add_row(str(day), line.action.value, escape(name), order, amount, why)
    if table.row_count:
        console.print(table)
    if len(lines) > MAX_PLAN_ROWS:
        console.print(f"… and {len(lines) - MAX_PLAN_ROWS} more writes; --json has all of them")


def _print_statement(title: str, statement: Statement) -> None:
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


def _print_gift_cards(title: str, cards: RollForward) -> None:
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


def _print_listed_orders(title: str, orders: Sequence[ListedOrder]) -> None:
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


def _first_few(texts: Sequence[str]) -> str:
    return "; ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")


def _format_days(days: Sequence[date]) -> str:
    """Return a list of days in which consecutive days are a range."""
    ranges: list[list[date]] = []
    for day in days:
        if ranges and (day - ranges[-1][-1]).days == 1:
            ranges[-1] = [ranges[-1][0], day]
        else:
            ranges.append([day])
    return ", ".join(" to ".join(map(str, limits)) for limits in ranges)


def _sales(day: DayReconciliation) -> str:
    return format_amounts(((row.currency, row.xero_sales) for row in day.rows if row.outcome == "posted"), "\n")


def _is_stdout(path: Path | None) -> bool:
    return str(path) == "-"


def _count(number: int) -> str:
    return str(number) if number else "·"
