"""`make demo`: a fixed fortnight of a shop's trading arrives in Xero through Dagster, with a few faults on the way.

The first nine days come in as one backfill, the others night by night. Only the script of the play belongs here: which
day what happens, and what is printed of it. The shop, both APIs and the faults are the sandbox's, the work is the
product's own. The clock is injected, so the figures are the same everywhere; talk with the sandbox goes over real HTTP
on this machine.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.table import Table
from upath import UPath

from shopify_xero_pipeline import runs, terminal
from shopify_xero_pipeline.bookkeeper import Bookkeeper
from shopify_xero_pipeline.changes.models import Action
from shopify_xero_pipeline.changes.reconciliation import DayReconciliation
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.defs.partitions import days_between
from shopify_xero_pipeline.sandbox.app import Sandbox, build_sandbox, last_saved, serving
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.trading import GeneratedShop
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.people import Person
from shopify_xero_pipeline.settings import LOCAL, Settings
from shopify_xero_pipeline.xero.models import Invoice, Kind

FIRST, LAST = date(2026, 9, 21), date(2026, 10, 4)
FORTNIGHT = days_between(FIRST, LAST)
SCENES = [FORTNIGHT[:9], *([day] for day in FORTNIGHT[9:])]
COLUMNS = ("day", "orders", "docs", "paid", "money", "open", "failed", "calls")
ZONE = ZoneInfo("Pacific/Auckland")


@dataclass
class Stage:
    """The sandbox and the product, joined over HTTP and sharing a clock."""

    clock: ManualClock
    sandbox: Sandbox
    runner: runs.Runner
    incidents: list[tuple[date, str, str]] = field(default_factory=list)
    open_faults: list[tuple[date, str, Fault, str]] = field(default_factory=list)
    refused: tuple[date, str, str] | None = None


def play(seed: int, *, fresh: bool, json_file: Path | None) -> bool:
    """Play the fortnight and return whether the books agree.

    Args:
        seed: which shop trades.
        fresh: forget an earlier demo first; otherwise a second play finds everything done and must write nothing.
        json_file: where to write the figures as well.
    """
    home = LOCAL / "demo"
    if fresh:
        shutil.rmtree(home, ignore_errors=True)
    started = time.monotonic()
    with _stage(home, seed) as stage:
        before = _size(stage.sandbox.books)
        table = Table(*COLUMNS, title="a fortnight of trading, as each night left it")
        with terminal.progress("trading", len(FORTNIGHT)) as bar:
            for new_days in SCENES:
                report = _scene(stage, new_days, table, faults=not before)
                terminal.advance(bar, new_days[0], new_days[-1])
        report.seconds = time.monotonic() - started
        report.shopify_calls, report.xero_calls = stage.runner.bookkeeper.calls
        created = _size(stage.sandbox.books) - before
        _print(stage, table, report, created, home)
    summary = {**report.summary(), "new_xero_records": created, "incidents": _told(stage)}
    terminal.write_json(json_file, summary)
    return report.succeeded


@contextmanager
def _stage(home: Path, seed: int) -> Iterator[Stage]:
    home.mkdir(parents=True, exist_ok=True)
    start, xero_file = datetime.combine(FIRST, time_of_day(), ZONE), home / "xero.json"
    clock = ManualClock(last_saved(xero_file) or start)
    sandbox = build_sandbox(clock=clock, source=GeneratedShop(seed, opened=FIRST), state_file=xero_file)
    with ExitStack() as stack:
        address = stack.enter_context(serving(sandbox))
        os.environ["DAGSTER_HOME"] = str((home / "dagster").resolve())
        environ = {
            "SHOPIFY_BASE_URL": address,
            "XERO_BASE_URL": address,
            "STATE_URL": f"sqlite:///{home / 'state.db'}",
            "ASSET_STORAGE": str(home / "assets"),
        }
        bookkeeper = Bookkeeper(Settings.from_environment(environ, dotenv=None), clock)
        stack.callback(bookkeeper.close)
        instance = stack.enter_context(runs.dagster_instance())
        yield Stage(clock, sandbox, runs.Runner(bookkeeper, instance, UPath(home / "assets")))


def _scene(stage: Stage, new_days: Sequence[date], table: Table, *, faults: bool) -> runs.Report:
    """Let days pass, meet the last one's fault, and sync them twenty minutes after midnight, with any work left over.

    The last night syncs the whole fortnight once more, for orders that were edited, refunded or cancelled after their
    own day.
    """
    last = new_days[-1]
    night = datetime.combine(last + timedelta(days=1), time_of_day(0, 20), ZONE)
    if night > stage.clock.now():
        stage.clock.move_to(night)
    if faults and last in FAULTS:
        FAULTS[last](stage, last)
    days = FORTNIGHT if last == LAST else sorted({*new_days, *stage.runner.bookkeeper.unfinished_days()})
    report = stage.runner.sync(days)
    _note_outcomes(stage, last, report)
    for one in report.days:
        if one.day in new_days:
            calls = f"{report.shopify_calls} + {report.xero_calls}" if one.day == last else ""
            table.add_row(*_figures(one), calls)
    for failure in report.failures:
        terminal.console.print(f"{last}: {failure}", style="red", markup=False)
    return report


def _figures(day: DayReconciliation) -> tuple[str, ...]:
    documents, payments = sum(row.documents for row in day.rows), sum(row.payments for row in day.rows)
    money = sum((row.xero_money for row in day.rows), Decimal(0))
    failed = day.count("failed")
    others = len(day.rows) - day.count("posted") - failed
    return (
        str(day.day),
        *(str(number) for number in (len(day.rows), documents, payments)),
        f"{money:,.2f}",
        *(str(number) for number in (others, failed)),
    )


def _rate_limit(stage: Stage, day: date) -> None:
    fault = Fault(kind=FaultKind.MINUTE_LIMIT, method="PUT", path="/Invoices", retry_after=26)
    _arm(
        stage,
        day,
        "Xero answered 429: too many calls in this minute",
        fault,
        "waited the 26 seconds it asked for and sent the batch again",
    )


def _lost_answer(stage: Stage, day: date) -> None:
    fault = Fault(kind=FaultKind.DROP_AFTER, method="PUT", path="/Invoices")
    _arm(
        stage,
        day,
        "Xero booked a batch of Invoices, but its answer was lost",
        fault,
        "sent the same bytes under the same key; Xero gave the first answer again",
    )


def _expired_token(stage: Stage, day: date) -> None:
    fault = Fault(kind=FaultKind.TOKEN_EXPIRED, path="/api.xro/2.0/")
    _arm(stage, day, "Xero's access token expired in mid-run", fault, "asked for a new token and went on")


def _arm(stage: Stage, day: date, what: str, fault: Fault, became: str) -> None:
    stage.sandbox.faults.add(fault)
    stage.open_faults.append((day, what, fault, became))


def _archived_contact(stage: Stage, day: date) -> None:
    """Between plan and load, a person archives a Contact of one of the day's Invoices, which Xero then refuses."""
    stage.runner.run("plan", [day])
    posted = stage.runner.bookkeeper.store.mapped(Kind.CONTACT)
    for change_set in stage.runner.plans([day]):
        for line in change_set.changes:
            record = line.record
            if line.action is Action.CREATE and isinstance(record, Invoice) and record.contact_id in posted:
                person = Person(stage.sandbox.books, stage.clock)
                person.archive_contact(person.contact(posted[record.contact_id].natural_key))
                stage.refused = (day, record.number, posted[record.contact_id].natural_key)
                return


def _note_outcomes(stage: Stage, day: date, report: runs.Report) -> None:
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


def _note_refusal(stage: Stage, day: date) -> None:
    assert stage.refused is not None
    on, number, contact = stage.refused
    errors = [error for error in stage.runner.bookkeeper.store.errors() if error.natural_key == number]
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


FAULTS: dict[date, Callable[[Stage, date], None]] = {
    date(2026, 9, 29): _rate_limit,
    date(2026, 9, 30): _lost_answer,
    date(2026, 10, 1): _expired_token,
    date(2026, 10, 2): _archived_contact,
}


def _told(stage: Stage) -> list[dict[str, str]]:
    return [{"day": str(day), "what": what, "became": became} for day, what, became in sorted(stage.incidents)]


def _print(stage: Stage, table: Table, report: runs.Report, created: int, home: Path) -> None:
    terminal.console.print(table)
    incidents = Table("day", "what went wrong", "what became of it")
    for told in _told(stage):
        incidents.add_row(told["day"], told["what"], told["became"])
    if incidents.row_count:
        terminal.console.print(incidents)
    terminal.days(report.days)
    terminal.attention(report.days)
    terminal.verdict(report)
    terminal.console.print(f"new records in Xero: {created}")
    terminal.console.print(
        f"look at it: DAGSTER_HOME={(home / 'dagster').resolve()} .venv/bin/dagster-webserver -w workspace.yaml -p 3001"
    )
