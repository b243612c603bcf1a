"""`make demo`: a fixed fortnight of a shop's trading arrives in Xero through Dagster, with a few faults on the way.

The pipeline is switched on after nine days of trading, runs night by night, and on the last night takes in the whole
fortnight: the days before it was switched on, and whatever was edited, refunded or cancelled after its own day. Only
the script of the play belongs here: which day what happens, and what is printed of it. The shop, both APIs and the
faults are the sandbox's, the work is the product's own. The clock is injected, so the figures are the same everywhere;
talk with the sandbox goes over real HTTP on this machine.
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
from shopify_xero_pipeline.cli import job_runner, output
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.pipeline.sync_report import SyncReport
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
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
NIGHTS = FORTNIGHT[9:]
COLUMNS = ("synced", "orders", "docs", "paid", "money", "open", "failed", "calls")
ZONE = ZoneInfo("Pacific/Auckland")
UNKNOWN_TO_BOOKS = ("unmapped_tax", "unknown_gateway")
"""Kinds of orders that are there to show what a blocked order looks like."""


@dataclass
class DemoStage:
    """The sandbox and the product, joined over HTTP and sharing a clock."""

    clock: ManualClock
    sandbox: Sandbox
    shop: GeneratedShop
    runner: job_runner.JobRunner
    incidents: list[tuple[date, str, str]] = field(default_factory=list)
    open_faults: list[tuple[date, str, Fault, str]] = field(default_factory=list)
    refused: tuple[date, str, str] | None = None


def run_demo(seed: int, *, fresh: bool, keep_runs: bool, json_file: Path | None) -> Standing:
    """Play the fortnight and return the verdict on the books, but for the orders that are meant to be blocked.

    Args:
        seed: which shop trades.
        fresh: forget an earlier demo first; otherwise a second play finds everything done and must write nothing.
        keep_runs: record the runs in a Dagster instance on disk, to be looked at in the UI; slower, as every event is.
        json_file: where to write the figures as well.
    """
    home = LOCAL_FOLDER / "demo"
    if fresh:
        shutil.rmtree(home, ignore_errors=True)
    started = time.monotonic()
    with _stage(home, seed, keep_runs=keep_runs) as stage:
        before = _size(stage.sandbox.books)
        table = Table(*COLUMNS, title="night by night (calls to Shopify + Xero)")
        with output.show_progress("trading", len(NIGHTS)) as bar:
            for day in NIGHTS:
                report = _scene(stage, day, table, faults=not before)
                bar.end_range(day, day)
        report.seconds = time.monotonic() - started
        report.shopify_calls, report.xero_calls = stage.runner.sync_service.connections.calls
        created = _size(stage.sandbox.books) - before
        _print(stage, table, report, created, home)
        meant = _meant(stage, report)
    more = {
        "new_xero_records": created,
        "incidents": _told(stage),
        "meant_to_be_blocked": [one.order_name for one in meant],
    }
    output.write_json(json_file, {**report.summary(), **more})
    as_meant = report.standing is Standing.INCOMPLETE and len(meant) == report.agreement.of("blocked").count
    return Standing.AGREE if as_meant else report.standing


@contextmanager
def _stage(home: Path, seed: int, *, keep_runs: bool) -> Iterator[DemoStage]:
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
        opened = job_runner.dagster_instance() if keep_runs else dg.DagsterInstance.ephemeral()
        instance = stack.enter_context(opened)
        yield DemoStage(clock, sandbox, shop, job_runner.JobRunner(sync_service, instance, UPath(home / "assets")))


def _scene(stage: DemoStage, day: date, table: Table, *, faults: bool) -> SyncReport:
    """Let a day pass, meet its fault if it has one, and sync twenty minutes after midnight, with any work left over."""
    night = datetime.combine(day + timedelta(days=1), time_of_day(0, 20), ZONE)
    if night > stage.clock.now():
        stage.clock.move_to(night)
    if faults:
        for befall in FAULTS.get(day, ()):
            befall(stage, day)
    days = FORTNIGHT if day == LAST else sorted({day, *stage.runner.sync_service.unfinished_days()})
    report = stage.runner.sync(days)
    _note_outcomes(stage, day, report)
    synced = report.days if day == LAST else [one for one in report.days if one.day == day]
    table.add_row(*_figures(day, synced), f"{report.shopify_calls} + {report.xero_calls}")
    for failure in report.failures:
        output.console.print(f"{day}: {failure}", style="red", markup=False)
    return report


def _figures(night: date, days: Sequence[DayReconciliation]) -> tuple[str, ...]:
    rows = [row for day in days for row in day.rows]
    documents, payments = sum(row.documents for row in rows), sum(row.payments for row in rows)
    failed = sum(row.outcome in {"failed", "conflict", "postponed"} for row in rows)
    still_open = sum(row.outcome in {"waiting", "skipped", "blocked"} for row in rows)
    moved = format_amounts((row.currency, row.xero_money) for row in rows)
    which = f"{night:%d %b}" if len(days) == 1 else f"all {len(days)} days"
    return (which, *map(str, (len(rows), documents, payments)), moved, str(still_open), str(failed))


def _rate_limit(stage: DemoStage, day: date) -> None:
    fault = Fault(kind=FaultKind.MINUTE_LIMIT, method="PUT", path="/Invoices", retry_after=26)
    _arm(
        stage,
        day,
        "Xero answered 429: too many calls in this minute",
        fault,
        "waited the 26 seconds it asked for and sent the batch again",
    )


def _lost_answer(stage: DemoStage, day: date) -> None:
    fault = Fault(kind=FaultKind.DROP_AFTER, method="PUT", path="/Invoices")
    _arm(
        stage,
        day,
        "Xero booked a batch of Invoices, but its answer was lost",
        fault,
        "sent the same bytes under the same key; Xero gave the first answer again",
    )


def _expired_token(stage: DemoStage, day: date) -> None:
    fault = Fault(kind=FaultKind.TOKEN_EXPIRED, path="/api.xro/2.0/")
    _arm(stage, day, "Xero's access token expired in mid-run", fault, "asked for a new token and went on")


def _arm(stage: DemoStage, day: date, what: str, fault: Fault, became: str) -> None:
    stage.sandbox.faults.add(fault)
    stage.open_faults.append((day, what, fault, became))


def _archived_contact(stage: DemoStage, day: date) -> None:
    """Between plan and load, a person archives a Contact of one of the day's Invoices, which Xero then refuses."""
    stage.runner.run("plan", [day])
    posted = stage.runner.sync_service.connections.store.mapped(Kind.CONTACT)
    for change_set in stage.runner.plans([day]):
        for line in change_set.changes:
            record = line.record
            if line.action is Action.CREATE and isinstance(record, Invoice) and record.contact_id in posted:
                person = Person(stage.sandbox.books, stage.clock)
                person.archive_contact(person.contact(posted[record.contact_id].natural_key))
                stage.refused = (day, record.number, posted[record.contact_id].natural_key)
                return


def _note_outcomes(stage: DemoStage, day: date, report: SyncReport) -> None:
    """Say what became of the faults, from how often they fired and what stands in the books, not from the script."""
    for armed in list(stage.open_faults):
        on, what, fault, became = armed
        if fault.fired:
            clean = not any(one.extra or one.lost or one.unequal for one in report.days)
            stage.incidents.append(
                (on, what, f"{became}; nothing twice, nothing lost" if clean else "the books do not agree")
            )
            stage.open_faults.remove(armed)
    if stage.refused is not None:
        _note_refusal(stage, day)


def _note_refusal(stage: DemoStage, day: date) -> None:
    assert stage.refused is not None
    on, number, contact = stage.refused
    errors = [
        error for error in stage.runner.sync_service.connections.store.failed_records() if error.natural_key == number
    ]
    if day == on and errors:
        what = f"Xero refused Invoice {number}: a person had archived its Contact"
        stage.incidents.append((on, what, "listed with Xero's words; every other record of the batch was booked"))
        person = Person(stage.sandbox.books, stage.clock)
        person.restore_contact(person.contact(contact))
    elif day > on and not errors:
        stage.incidents.append(
            (day, f"the Contact was restored, Invoice {number} tried again", "booked, and gone from the list")
        )
        stage.refused = None


def _size(books: XeroBooks) -> int:
    return sum(len(kept) for kept in (books.contacts, books.items, books.documents, books.payments, books.allocations))


FAULTS: dict[date, tuple[Callable[[DemoStage, date], None], ...]] = {
    date(2026, 9, 30): (_rate_limit,),
    date(2026, 10, 1): (_lost_answer, _expired_token),
    date(2026, 10, 2): (_archived_contact,),
}


def _meant(stage: DemoStage, report: SyncReport) -> list[OrderRow]:
    """Return the blocked orders that the shop sells on purpose under names that `books.yaml` does not know."""
    blocked = [row for day in report.days for row in day.rows if row.outcome == "blocked"]
    return [row for row in blocked if stage.shop.kind_of(f"gid://shopify/Order/{row.order_id}") in UNKNOWN_TO_BOOKS]


def _told(stage: DemoStage) -> list[dict[str, str]]:
    return [
        {"day": str(day), "what": what, "outcome": outcome, "became": outcome}
        for day, what, outcome in sorted(stage.incidents)
    ]


def _print(stage: DemoStage, table: Table, report: SyncReport, created: int, home: Path) -> None:
    output.console.print(table)
    incidents = Table("day", "what went wrong", "what became of it")
    for told in _told(stage):
        incidents.add_row(told["day"], told["what"], told["outcome"])
    if incidents.row_count:
        output.console.print(incidents)
    output.print_days(report.days)
    output.print_unposted_orders(listed_orders(report.days))
    output.print_report_verdict(report)
    if names := [row.order_name for row in _meant(stage, report)]:
        said = f"meant to be blocked, under a tax or a gateway that books.yaml does not name: {', '.join(names)}"
        output.console.print(said, markup=False, soft_wrap=True)
    output.console.print(f"new records in Xero: {created}")
    kept = home / "dagster" / "dagster.yaml"
    if kept.is_file():
        command = f"DAGSTER_HOME={kept.parent.resolve()} .venv/bin/shopify-xero webserver -w workspace.yaml -p 3001"
        output.console.print(f"look at the runs: {command}", soft_wrap=True)
