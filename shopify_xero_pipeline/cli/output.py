"""Output of the command line: tables, lines, verdicts and JSON.

This module computes no figure. `pipeline/record_views.py` has the texts of the tables that the Dagster UI displays too,
`record_lists.py` the lists of orders and records that need attention, `progress.py` the progress bar.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.changes.models import WRITING_ACTIONS, ChangeSet
from shopify_xero_pipeline.cli import record_lists
from shopify_xero_pipeline.observability.escaping import escape_console as escape
from shopify_xero_pipeline.observability.json_names import with_former_names
from shopify_xero_pipeline.pipeline import record_views
from shopify_xero_pipeline.pipeline.api_quota import DailyQuota
from shopify_xero_pipeline.pipeline.call_forecast import Forecast
from shopify_xero_pipeline.pipeline.order_history import OrderHistory
from shopify_xero_pipeline.pipeline.rebuild import RebuildReport
from shopify_xero_pipeline.pipeline.record_views import TableView
from shopify_xero_pipeline.pipeline.sync_report import SyncReport
from shopify_xero_pipeline.reconciliation.day_summaries import DaySummary
from shopify_xero_pipeline.reconciliation.gift_cards import RollForward
from shopify_xero_pipeline.reconciliation.months import Month
from shopify_xero_pipeline.reconciliation.statements import NAMES, Statement
from shopify_xero_pipeline.reconciliation.verdict import Standing
from shopify_xero_pipeline.state.webhook_hints import REDACT_CUSTOMER, WebhookHint
from shopify_xero_pipeline.xero.models import Kind, kind_label

console = Console(highlight=False, emoji=False)  # emoji=False: `:red:` in a name is text
UNWRAPPED_WIDTH = 100  # of a terminal that has room for the names of accounts
PRIVACY_REQUEST_DEADLINE = timedelta(days=30)
"""Time that Shopify allows for a privacy request (docs/contracts/shopify.md §7)."""
TO_DO = {
    "customers/data_request": "send the shop's owner the stored data of the customer, then `requests --done`",
    "shop/redact": "the app was uninstalled: redact the customers, or delete the store, then `requests --done`",
}
COLOURS = {
    Standing.AGREE: "green",
    Standing.INCOMPLETE: "yellow",
    Standing.UNFINISHED: "yellow",
    Standing.DISAGREE: "red",
}
MAX_PLAN_ROWS = 200


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


def print_table(view: TableView) -> None:
    """Print a table; its cells are plain text."""
    table = Table(title=escape(view.title) or None)
    for name in view.columns:
        is_number = name in view.numbers
        table.add_column(escape(name), justify="right" if is_number else "left", no_wrap=is_number)
    for row in view.rows:
        table.add_row(*map(escape, row))
    console.print(table)


def print_lines(lines: Iterable[str | Text]) -> None:
    """Print lines with the markup of rich; the terminal wraps them, so that they can be copied.

    Args:
        lines: such as those of `record_lists.py`, with escaped foreign text.
    """
    for line in lines:
        console.print(line, soft_wrap=True)


def print_rebuild(report: RebuildReport) -> None:
    """Print the result of a rebuild by kind, and the records that a person must check."""
    counts = {
        "adopted": report.adopted,
        "not in Xero yet": report.missing,
        "conflicting": report.conflicting,
        "in Xero only": report.unclaimed,
    }
    rows = [
        (kind_label(kind), *(record_views.format_count(by_kind[kind]) for by_kind in counts.values())) for kind in Kind
    ]
    print_table(TableView(("kind", *counts), rows, "rebuilt from Shopify and Xero", numbers=counts))
    for line in report.conflicts:
        _print_item("red", record_views.record_label(line.kind, line.natural_key), line.reason)


def print_plan(change_sets: Sequence[ChangeSet], calls: int) -> None:
    """Print a plan: the number of actions by kind, the lines that write, and the write calls that they take.

    Args:
        change_sets: the plans of all days and kinds.
        calls: number of write calls.
    """
    print_table(record_views.plan_counts_table(change_sets))
    lines = [(plan.day, line) for plan in change_sets for line in plan.changes if line.action in WRITING_ACTIONS]
    if lines:
        print_table(record_views.writes_table(lines[:MAX_PLAN_ROWS]))
    print_lines(record_lists.more_line(lines[MAX_PLAN_ROWS:], "writes"))
    console.print(f"loading the plan takes {calls} write calls to Xero")


def print_days(days: Sequence[DaySummary]) -> None:
    """Print one row per day: orders by outcome, documents, payments, sales and difference.

    Args:
        days: summaries of reconciled days, in the order to print.
    """
    if days:
        print_table(record_views.days_table(days))
    else:
        console.print("no day has been reconciled yet")


def print_next_sync(days: Iterable[date]) -> None:
    """Print that the checks of days show a decision after their next sync.

    Args:
        days: days of the records of the decision, possibly repeated.
    """
    if names := ", ".join(dict.fromkeys(map(str, days))):
        console.print(f"the checks of {names} show it after the next sync of that day", soft_wrap=True)


def print_order(history: OrderHistory) -> None:
    """Print an order: its state, each record with its page in Xero, and every write of each record."""
    print_pairs({"order": f"{history.order_name} ({history.order_id}), day {history.day}", "page": history.page})
    state = "; ".join(filter(None, (history.outcome or "not reconciled yet", history.reason, *history.problems)))
    print_pairs({"state": state})
    print_remedies([history.reason])
    records, writes = [], []
    for record in history.records:
        name, due = record_views.record_label(record.kind, record.name), record_views.format_due(record.next_try)
        records.append((name, record.amount, record.state, record.reason or record.page, due))
        for step in record.steps:
            write, sent = f"{step.verb}: {step.state}", f"{step.sent_at:%d %b %Y %H:%M:%S} UTC" if step.sent_at else ""
            response = (str(step.http_status or ""), str(step.attempts), step.correlation_id)
            writes.append((record.name, write, step.run_id[:8], step.request, sent, *response))
    print_table(TableView(("record", "amount", "state", "page or reason", "next attempt"), records, "records"))
    columns = ("record", "write", "run", "request", "sent", "response", "attempts", "request id")
    print_table(TableView(columns, writes, "writes"))
    if history.day is not None:
        print_lines(record_lists.conflict_blocks({history.day: history.held}))


def print_month(month: Month) -> None:
    """Print a month: statements by currency with their control totals, gift cards, and orders that need attention."""
    if month.is_empty:
        print_verdict(month.standing, month.sentence)
        return
    for statement in month.statements:
        _print_statement(month.month, statement)
    for cards in month.gift_cards:
        _print_gift_cards(month.month, cards)
    if month.not_equal:
        print_table(record_views.listed_orders_table("orders that do not agree", month.not_equal))
    print_lines(record_lists.order_lines([*month.not_posted, *month.left]))
    print_lines(record_lists.orphan_lines(month.orphans))
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
    rows = []
    for request in requests:
        due = request.received_at + PRIVACY_REQUEST_DEADLINE
        subject = f"{request.record} {request.record_id}" + (f", orders {request.orders}" if request.orders else "")
        command = f"shopify-xero redact --customer {request.record_id}"
        action = command if request.topic == REDACT_CUSTOMER else TO_DO[request.topic]
        dates = (f"{request.received_at:%d %b %Y}", f"{due:%d %b %Y}")
        rows.append((request.id[:8], *dates, request.topic, subject, action))
    columns = ("id", "received", "due", "request", "about", "what to do")
    print_table(TableView(columns, rows, "privacy requests"))


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


def print_failures(failures: Iterable[str]) -> None:
    """Print the reasons of failed steps to standard error.

    Args:
        failures: one sentence for each step.
    """
    for failure in failures:
        click.echo(f"failed: {failure}", err=True)


def print_forecast(forecast: Forecast, budget: DailyQuota) -> None:
    """Print the cost of a backfill before it starts: calls to Xero, minutes, and days of the daily quota."""
    days = budget.days_of(forecast.calls)
    remaining = "" if budget.remaining is None else f", of which {budget.remaining} are left today"
    console.print(
        f"{forecast.records} records to write in {forecast.ranges} runs: {forecast.calls} calls to Xero "
        f"({forecast.writes} to write, {forecast.read_calls} to read), at least {forecast.minutes} minutes",
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


def _print_statement(title: str, statement: Statement) -> None:
    table = Table("", "account", title=f"{title} in {statement.currency}")
    for name in (*NAMES, "diff"):
        table.add_column(name, justify="right", no_wrap=True)
    for section, category, account, *figures in record_views.statement_table(statement).rows:
        if section:
            table.add_section()
            table.add_row(f"[bold]{section}[/]")
        shown_account = account if console.width >= UNWRAPPED_WIDTH else account.split(" ")[0]
        table.add_row(escape(category), escape(shown_account), *figures)
    console.print(table)
    for identity in statement.identities:
        verdict = "[green]ok[/]" if identity.agrees else "[red]broken[/]"
        console.print(f"{verdict} {identity.column}: {escape(identity.text)}", soft_wrap=True)
    for broken in statement.broken:
        _print_item("red", broken.order_name, broken.text)


def _print_gift_cards(title: str, cards: RollForward) -> None:
    rows = [
        (line.what, record_views.format_figure(line.shopify), record_views.format_figure(line.xero))
        for line in cards.lines
    ]
    columns = (f"{cards.account} in {cards.currency}", "Shopify", "Xero")
    print_table(TableView(columns, rows, f"{title}: gift cards", numbers=("Shopify", "Xero")))
    if cards.note:
        console.print(escape(cards.note), soft_wrap=True)
    for other in (*cards.unsold, *cards.others):
        console.print(f"{other.posted} {escape(other.what)}: {other.amount:,.2f}, {escape(other.why)}", soft_wrap=True)


def _print_item(style: str, name: str, text: str) -> None:
    console.print(f"[{style}]{escape(name)}[/]: {escape(text)}", soft_wrap=True)


def _format_days(days: Sequence[date]) -> str:
    """Return a list of days in which consecutive days are a range."""
    ranges: list[list[date]] = []
    for day in days:
        if ranges and (day - ranges[-1][-1]).days == 1:
            ranges[-1] = [ranges[-1][0], day]
        else:
            ranges.append([day])
    return ", ".join(" to ".join(map(str, limits)) for limits in ranges)


def _is_stdout(path: Path | None) -> bool:
    return str(path) == "-"
