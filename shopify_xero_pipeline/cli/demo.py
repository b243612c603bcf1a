"""The demo (`make demo`): two weeks of a generated shop's trade are synced through Dagster, with injected faults.

The pipeline starts after nine days of trade and syncs night by night. The last night syncs both weeks, with the days
before the start and the orders that were edited, refunded or cancelled after their own day. This module only has the
script of the demo and its output. The shop, both APIs and the faults are the sandbox's. The clock is injected, so the
figures are reproducible. Requests to the sandbox are HTTP on this host.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
from rich.table import Table
from upath import UPath

from shopify_xero_pipeline.changes.models import Action
from shopify_xero_pipeline.cli import job_runner, output, progress, record_lists
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.record_views import TableView
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.pipeline.sync_report import SyncReport
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.day_summaries import summarize_day
from shopify_xero_pipeline.reconciliation.rollup import format_amounts
from shopify_xero_pipeline.reconciliation.unposted_orders import listed_orders
from shopify_xero_pipeline.reconciliation.verdict import Standing
from shopify_xero_pipeline.sandbox.app import Sandbox, build_sandbox, last_saved, serving
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.human_edits import Person
from shopify_xero_pipeline.settings import LOCAL_FOLDER, Settings
from shopify_xero_pipeline.xero.models import Invoice, Kind

FIRST, LAST = date(2026, 9, 21), date(2026, 10, 4)
FORTNIGHT = days_between(FIRST, LAST)
NIGHTS = FORTNIGHT[9:]  # the pipeline starts after nine days
COLUMNS = ("synced", "orders", "docs", "paid", "money", "open", "failed", "calls")
ZONE = ZoneInfo("Pacific/Auckland")
UNKNOWN_TO_BOOKS = ("unmapped_tax", "unknown_gateway")
"""Kinds of orders that are blocked on purpose."""


@dataclass
class DemoStage:
    """The sandbox and the product, connected by HTTP, with one clock.

    Attributes:
        incidents: day, event and outcome of each incident.
        open_faults: day, event, fault and expected outcome of each injected fault that has not fired yet.
        refused: day, Invoice number and Contact number of the refused Invoice, until it is posted.
    """

    clock: ManualClock
    sandbox: Sandbox
    shop: GeneratedShop
    runner: job_runner.JobRunner
    incidents: list[tuple[date, str, str]] = field(default_factory=list)
    open_faults: list[tuple[date, str, Fault, str]] = field(default_factory=list)
    refused: tuple[date, str, str] | None = None


def run_demo(seed: int, *, fresh: bool, keep_runs: bool, json_file: Path | None) -> Standing:
    """Run the demo; return the verdict on the books, without regard to orders that are blocked on purpose.

    Args:
        seed: seed of the generated shop.
        fresh: whether to delete an earlier demo first; otherwise a second demo writes nothing.
        keep_runs: whether to store the runs in a Dagster instance on disk for the UI, which is slower.
        json_file: file for the figures; None for none.
    """
    home = LOCAL_FOLDER / "demo"
    if fresh:
        shutil.rmtree(home, ignore_errors=True)
    started_at = time.monotonic()
    with _build_stage(home, seed, keep_runs=keep_runs) as stage:
        count_before = _count_records(stage.sandbox.books)
        table = Table(*COLUMNS, title="night by night (Shopify + Xero API calls)")
        with progress.show_progress("trading", len(NIGHTS)) as bar:
            for day in NIGHTS:
                report = _run_night(stage, day, table, faults=not count_before)
                bar.end_range(day, day)
        report.seconds = time.monotonic() - started_at
        report.shopify_calls, report.xero_calls = stage.runner.sync_service.connections.calls
        created = _count_records(stage.sandbox.books) - count_before
        expected = _expected_blocked_orders(stage, report)
        output.console.print(table)
        _print_results(stage, report, expected)
        output.console.print(f"new records in Xero: {created}")
        if (home / "dagster" / "dagster.yaml").is_file():
            folder = f"DAGSTER_HOME={(home / 'dagster').resolve()}"
            command = f"{folder} .venv/bin/shopify-xero webserver -w workspace.yaml -p 3001"
            output.console.print(f"UI of the runs: {command}", soft_wrap=True)
    figures = {
        "new_xero_records": created,
        "incidents": [  # `became` is the former name of `outcome`
            {"day": str(day), "what": event, "outcome": outcome, "became": outcome}
            for day, event, outcome in sorted(stage.incidents)
        ],
        "meant_to_be_blocked": expected,
    }
    output.write_json(json_file, {**report.summary(), **figures})
    is_expected = report.standing is Standing.INCOMPLETE and len(expected) == report.agreement.of("blocked").count
    return Standing.AGREE if is_expected else report.standing


@contextmanager
def _build_stage(home: Path, seed: int, *, keep_runs: bool) -> Iterator[DemoStage]:
    home.mkdir(parents=True, exist_ok=True)
    start, xero_file = datetime.combine(FIRST, time_of_day(), ZONE), home / "xero.json"
    clock = ManualClock(last_saved(xero_file) or start)
    shop = GeneratedShop(seed, opened=FIRST)
    sandbox = build_sandbox(clock=clock, source=shop, state_file=xero_file)
    with ExitStack() as stack:
        address = stack.enter_context(serving(sandbox))
        os.environ["DAGSTER_HOME"] = str((home / "dagster").resolve())
        environ = {
            "SHOPIFY_BASE_URL": address,
            "XERO_BASE_URL": address,
            "STATE_URL": f"sqlite:///{home / 'state.db'}",
            "ASSET_STORAGE": str(home / "assets"),
        }
        sync_service = SyncService(Connections(Settings.from_environment(environ, dotenv=None), clock))
        stack.callback(sync_service.connections.close)
        instance = stack.enter_context(job_runner.dagster_instance() if keep_runs else dg.DagsterInstance.ephemeral())
        yield DemoStage(clock, sandbox, shop, job_runner.JobRunner(sync_service, instance, UPath(home / "assets")))


def _run_night(stage: DemoStage, day: date, table: Table, *, faults: bool) -> SyncReport:
    """Inject the faults of a day, and sync the day and unfinished ones at 00:20 of the next day."""
    night = datetime.combine(day + timedelta(days=1), time_of_day(0, 20), ZONE)
    if night > stage.clock.now():
        stage.clock.move_to(night)
    if faults:
        for inject_fault in FAULTS.get(day, ()):
            inject_fault(stage, day)
    days = FORTNIGHT if day == LAST else sorted({day, *stage.runner.sync_service.record_ownership.unfinished_days()})
    report = stage.runner.sync(days)
    _record_outcomes(stage, day, report)
    reconciled_days = report.days if day == LAST else [synced for synced in report.days if synced.day == day]
    table.add_row(*_format_row(day, reconciled_days), f"{report.shopify_calls} + {report.xero_calls}")
    for failure in report.failures:
        output.console.print(f"{day}: {failure}", style="red", markup=False)
    return report


def _format_row(night: date, days: Sequence[DayReconciliation]) -> tuple[str, ...]:
    rows = [row for day in days for row in day.rows]
    documents, payments = sum(row.documents for row in rows), sum(row.payments for row in rows)
    failed = sum(row.outcome in {"failed", "conflict", "postponed"} for row in rows)
    unposted = sum(row.outcome in {"waiting", "skipped", "blocked"} for row in rows)
    money = format_amounts((row.currency, row.xero_money) for row in rows)
    name = f"{night:%d %b}" if len(days) == 1 else f"all {len(days)} days"
    return (name, *map(str, (len(rows), documents, payments)), money, str(unposted), str(failed))


def _inject_rate_limit(stage: DemoStage, day: date) -> None:
    event = "Xero returned 429: the rate limit of a minute was reached"
    outcome = "waited for the 26 seconds of Retry-After and sent the batch again"
    fault = Fault(kind=FaultKind.MINUTE_LIMIT, method="PUT", path="/Invoices", retry_after=26)
    _inject(stage, day, event, fault, outcome)


def _inject_lost_response(stage: DemoStage, day: date) -> None:
    event = "Xero posted a batch of Invoices, but its response was lost"
    outcome = "sent the same bytes with the same idempotency key; Xero returned the first response again"
    fault = Fault(kind=FaultKind.DROP_AFTER, method="PUT", path="/Invoices")
    _inject(stage, day, event, fault, outcome)


def _inject_expired_token(stage: DemoStage, day: date) -> None:
    fault = Fault(kind=FaultKind.TOKEN_EXPIRED, path="/api.xro/2.0/")
    _inject(stage, day, "Xero's access token expired during a run", fault, "requested a new token and continued")


def _inject(stage: DemoStage, day: date, event: str, fault: Fault, outcome: str) -> None:
    stage.sandbox.faults.add(fault)
    stage.open_faults.append((day, event, fault, outcome))


def _archive_contact(stage: DemoStage, day: date) -> None:
    """Archive the Contact of one of the day's Invoices between plan and load, so that Xero refuses the Invoice."""
    stage.runner.run("plan", [day])
    posted = stage.runner.sync_service.connections.store.mapped(Kind.CONTACT)
    for change_set in stage.runner.plans([day]):
        for change in change_set.changes:
            record = change.record
            if change.action is Action.CREATE and isinstance(record, Invoice) and record.contact_id in posted:
                person = Person(stage.sandbox.books, stage.clock)
                person.archive_contact(person.contact(posted[record.contact_id].natural_key))
                stage.refused = (day, record.number, posted[record.contact_id].natural_key)
                return


def _record_outcomes(stage: DemoStage, day: date, report: SyncReport) -> None:
    """Record the outcome of each fault that has fired, as the books show it."""
    for open_fault in list(stage.open_faults):
        fault_day, event, fault, outcome = open_fault
        if fault.fired:
            agrees = not any(synced.extra or synced.lost or synced.unequal for synced in report.days)
            stage.incidents.append(
                (fault_day, event, f"{outcome}; no duplicate, nothing missing" if agrees else "the books do not agree")
            )
            stage.open_faults.remove(open_fault)
    if stage.refused is not None:
        _record_refusal(stage, day)


def _record_refusal(stage: DemoStage, day: date) -> None:
    assert stage.refused is not None
    refusal_day, number, contact = stage.refused
    errors = [
        error for error in stage.runner.sync_service.connections.store.failed_records() if error.natural_key == number
    ]
    if day == refusal_day and errors:
        event = f"Xero refused Invoice {number}: a person had archived its Contact"
        outcome = "listed with Xero's message; every other record of the batch was posted"
        stage.incidents.append((day, event, outcome))
        person = Person(stage.sandbox.books, stage.clock)
        person.restore_contact(person.contact(contact))
    elif day > refusal_day and not errors:
        event = f"the Contact was restored and Invoice {number} retried"
        stage.incidents.append((day, event, "posted, and removed from the list of failed records"))
        stage.refused = None


def _count_records(books: XeroBooks) -> int:
    tables = (books.contacts, books.items, books.documents, books.payments, books.allocations)
    return sum(len(table) for table in tables)


FAULTS: dict[date, tuple[Callable[[DemoStage, date], None], ...]] = {
    date(2026, 9, 30): (_inject_rate_limit,),
    date(2026, 10, 1): (_inject_lost_response, _inject_expired_token),
    date(2026, 10, 2): (_archive_contact,),
}


def _expected_blocked_orders(stage: DemoStage, report: SyncReport) -> list[str]:
    """Return the names of the blocked orders whose tax or gateway is missing in `books.yaml` on purpose."""
    blocked = [row for day in report.days for row in day.rows if row.outcome == "blocked"]
    kinds = [stage.shop.kind_of(f"gid://shopify/Order/{row.order_id}") for row in blocked]
    return [row.order_name for row, kind in zip(blocked, kinds, strict=True) if kind in UNKNOWN_TO_BOOKS]


def _print_results(stage: DemoStage, report: SyncReport, expected: Sequence[str]) -> None:
    if stage.incidents:
        rows = [(str(day), event, outcome) for day, event, outcome in sorted(stage.incidents)]
        output.print_table(TableView(("day", "incident", "outcome"), rows))
    output.print_days([summarize_day(day) for day in report.days])
    output.print_lines(record_lists.order_lines(listed_orders(report.days)))
    output.print_report_verdict(report)
    if expected:
        text = f"meant to be blocked, because books.yaml does not contain their tax or gateway: {', '.join(expected)}"
        output.console.print(text, markup=False, soft_wrap=True)
