"""The measurement of the API calls of whole workloads, counted by the sandbox.

Each workload runs as `shopify-xero sync` runs it, through Dagster, with the forecast before a range of days. Its orders
are new; the originals of the orders were synced before. This module only measures; `call_report.py` has the goals.
"""

import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg

from shopify_xero_pipeline.cli.job_runner import JobRunner
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline_tests.campaigns.bench import sdk_loader
from shopify_xero_pipeline_tests.campaigns.bench.call_counter import CallCounter
from shopify_xero_pipeline_tests.campaigns.bench.call_workloads import START_DATE, WITH_CHANGES, Workload
from shopify_xero_pipeline_tests.support.scratch import in_memory
from shopify_xero_pipeline_tests.support.stage import Stage, staged
from shopify_xero_pipeline_tests.support.sync_round import books_file

HOUR, DAY = 3_600, 86_400
RECORDS_PER_CALL = 50
"""Records in a request of Xero (docs/contracts/xero.md §3)."""

TEN = Workload("a day of 10 new orders", 10)
ONE_DAY = Workload("1,000 orders in a day", 1_000)
MONTH = Workload("1,000 orders over 31 days", 1_000, 31)
YEAR = Workload("1,000 orders over 365 days", 1_000, 365)
LARGE_YEAR = Workload("3,650 orders over 365 days", 3_650, 365)
CHANGES = Workload("1,000 orders over 31 days, 30 % with refunds, 10 % edited", 1_000, 31, WITH_CHANGES)

WORKLOADS = (TEN, ONE_DAY, MONTH, YEAR, LARGE_YEAR, CHANGES)
LATER_THE_SAME_DAY = (TEN,)
"""Workloads that are not the first sync of their day, which reads the accounts and all kinds once more."""


@dataclass(frozen=True)
class CallCounts:
    """The calls of a workload.

    Attributes:
        records: the records that it writes to Xero.
        bound: the least number of write calls for these records.
        writes: write calls to Xero.
        reads: read calls to Xero.
        shopify: calls to Shopify.
        forecast: calls to Xero that the forecast expects of the sync after it.
        forecast_actual: calls to Xero of that sync.
        unchanged_xero: calls to Xero of the same days again, an hour later in another process, without a forecast.
        unchanged_shopify: calls to Shopify of the same days again.
        sdk: calls of a loader on Xero's official SDK with one call a record.
    """

    records: int
    bound: int
    writes: int
    reads: int
    shopify: int
    forecast: int
    forecast_actual: int
    unchanged_xero: int
    unchanged_shopify: int
    sdk: int

    @property
    def xero(self) -> int:
        """All calls to Xero, those of planning included."""
        return self.writes + self.reads

    @property
    def forecast_error(self) -> float:
        """The error of the forecast in percent of the calls that the sync made."""
        return 100 * abs(self.forecast - self.forecast_actual) / self.forecast_actual


def count_calls(workload: Workload, report: Callable[[str], object]) -> CallCounts:
    """Return the calls of a workload.

    Args:
        workload: the workload.
        report: receives the name of each step before it.
    """
    with _opened(workload) as (stage, counter):
        report("originals")
        _sync(stage, [START_DATE])
        earlier, books = _ids(stage.sandbox.books), stage.sandbox.books
        stage.clock.sleep(HOUR if workload in LATER_THE_SAME_DAY else DAY + HOUR)
        counter.reset()
        report("sync")
        forecast, actual = _sync_with_forecast(stage, workload.dates)
        writes, xero, shopify = counter.writes, counter.xero.total(), counter.shopify.total()
        stage.clock.sleep(HOUR)
        counter.reset()
        report("the same days again")
        _sync(stage, workload.dates)
        report("official SDK")
        return CallCounts(
            records=len(_ids(books) - earlier),
            bound=write_bound(books, earlier),
            writes=writes,
            reads=xero - writes,
            shopify=shopify,
            forecast=forecast,
            forecast_actual=actual,
            unchanged_xero=counter.xero.total(),
            unchanged_shopify=counter.shopify.total(),
            sdk=sdk_loader.count_calls(books, earlier, stage.clock),
        )


def write_bound(books: XeroBooks, earlier: set[str]) -> int:
    """Return the least number of calls that write the records of an organisation.

    Each kind takes a call for 50 records; Allocations take a call for each Credit Note.

    Args:
        books: the organisation.
        earlier: ids of records in it that do not count.
    """
    new_documents = [document for document in books.documents.values() if document.id not in earlier]
    sizes = Counter("credit note" if document.is_credit_note else "invoice" for document in new_documents)
    sizes |= {"contact": len(books.contacts.keys() - earlier), "payment": len(books.payments.keys() - earlier)}
    sizes |= {"item": len(books.items.keys() - earlier)}
    allocations = [allocation for allocation in books.allocations.values() if allocation.id not in earlier]
    notes = {allocation.credit_note_id for allocation in allocations}
    return sum(-(-size // RECORDS_PER_CALL) for size in sizes.values()) + len(notes)


@contextmanager
def _opened(workload: Workload) -> Iterator[tuple[Stage, CallCounter]]:
    """Open the system with a workload's shop and a counter in front of the sandbox, without logs."""
    logging.disable(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(dir=in_memory()) as name:
            file = books_file(Path(name), ("start_date: 2026-09-21", f"start_date: {START_DATE}"))
            with staged(Path(name), workload.synced_at, workload.shop(), BOOKS_FILE=file) as stage:
                counter = CallCounter(stage.sandbox.asgi)
                stage.sandbox.asgi = counter
                yield stage, counter
    finally:
        logging.disable(logging.NOTSET)


def _sync(stage: Stage, days: Sequence[date]) -> None:
    """Sync days in a new process, as the command does without a forecast."""
    with _runner(stage) as runner:
        report = runner.sync(days)
        assert report.succeeded, report.message


def _sync_with_forecast(stage: Stage, days: Sequence[date]) -> tuple[int, int]:
    """Sync a range in a new process; return the calls to Xero by the forecast, and those that the sync made."""
    with _runner(stage) as runner:
        forecast, failures = runner.forecast(days)
        assert not failures, failures
        report = runner.sync(days)
        assert report.succeeded, report.message
        return forecast.calls, report.xero_calls


@contextmanager
def _runner(stage: Stage) -> Iterator[JobRunner]:
    stage.sync_service.connections.close()
    stage.restart()
    with dg.DagsterInstance.ephemeral() as instance:
        yield stage.runner(instance)


def _ids(books: XeroBooks) -> set[str]:
    kinds = (books.contacts, books.items, books.documents, books.payments, books.allocations)
    return {record_id for records in kinds for record_id in records}
