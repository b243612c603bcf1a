"""A sync of a trade to a sandbox's Xero, and Xero's documents afterwards.

The expected results are in the proofs.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from shopify_xero_pipeline.changes.models import WRITING_ACTIONS, Action, Change
from shopify_xero_pipeline.changes.plan import has_writes
from shopify_xero_pipeline.loading.load_report import LoadOutcome, LoadResult
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.sandbox.nodes import ShopSource
from shopify_xero_pipeline.sandbox.xero import demo_company
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.campaigns.proof.trade import Day
from shopify_xero_pipeline_tests.support.stage import Stage, staged
from shopify_xero_pipeline_tests.support.sync_round import OF_ORDERS, books_file

TaxMode = Literal["rates", "lines"]
Changed = tuple[str, str]
"""A text of the shipped `books.yaml` and its replacement."""

TAXES = {"GST": "821", "VAT": "822", "State": "823", "County": "824", "City": "825", "PST": "826", "Zero rated": "827"}
"""The liability account of each tax by its title, for `tax.mode: lines`."""

TAX_ACCOUNTS = (*TAXES.values(), "835")
"""The accounts of tax lines: the shop's own for `tax.mode: lines`, and in any mode those that sales channels remit."""

_TAX_LINES = ", ".join(f"{{title: {tax}, account: '{code}'}}" for tax, code in TAXES.items())
AS_LINES: Sequence[Changed] = (("mode: rates ", "mode: lines "), ("lines: [] ", f"lines: [{_TAX_LINES}] "))
MODEL_BOOKS: Sequence[Changed] = (
    ("start_date: 2026-09-21", "start_date: 2026-09-01"),
    ('  cash: "603"', '  cash: "603"\n  shop_cash: "605"\n  shopify_store_credit: "605"'),
    (
        "    - {rate: 0, tax_type: ZERORATED}",
        """    - {rate: 0, tax_type: ZERORATED}
    - {title: VAT, rate: 0.2, tax_type: T20}
    - {title: County, rate: 0.025, tax_type: T25}
    - {combination: [{title: State, rate: 0.04}, {title: County, rate: 0.025}, {title: City}], tax_type: T775}
    - {combination: [{title: GST, rate: 0.05}, {title: PST, rate: 0.07}], tax_type: T12}""",
    ),
)
"""The settings of `books.yaml` for the gateways and taxes of the model's shop."""

_MODEL_RATES = {"T20": "20", "T25": "2.5", "T775": "7.75", "T12": "12"}


@dataclass(frozen=True)
class Round:
    """The plan and result of one sync.

    Attributes:
        left_alone: orders without a write, by id, with action (waiting, skipped, blocked) and reason.
        conflicts: changes that need a person.
        failures: sentences for refused and postponed records.
        wrote: the kinds of records with writes.
    """

    left_alone: Mapping[str, tuple[str, str]]
    conflicts: Sequence[Change]
    failures: Sequence[str]
    wrote: frozenset[Kind]


@contextmanager
def house(
    folder: Path,
    source: ShopSource,
    now: datetime,
    *,
    rounding: Literal["half_up", "half_even"] = "half_up",
    changed: Sequence[Changed] = (),
) -> Iterator[Stage]:
    """Open a system with its own Xero, rounding mode and `books.yaml`.

    Args:
        folder: the folder of its files.
        source: the shop.
        now: the start of its clock.
        rounding: Xero's rounding of half a cent.
        changed: replacements in `books.yaml`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = XeroOptions(rounding=rounding, minute_limit=100_000, day_limit=1_000_000)
    file = books_file(folder, *changed)
    with staged(folder, now, source, xero_books=_organisation(), xero_options=options, BOOKS_FILE=file) as stage:
        yield stage


def sync(sync_service: SyncService, day: Day) -> Round:
    """Plan and load days, kind by kind like Dagster."""
    plans = [
        sync_service.planner.plan_contacts(day.customers, day.orders),
        sync_service.planner.plan_items(day.products, day.orders),
    ]
    plans += [sync_service.planner.plan_orders(day.orders, (kind,)) for kind in OF_ORDERS]
    failures: list[str] = []
    for change_sets in filter(has_writes, plans):  # a load without writes costs a hundred commits
        results = sync_service.loader.load(change_sets, "a run")
        failures += [f"{result.kind} {result.natural_key}: {result.reason}" for result in _failed(results)]
    lines = [line for change_sets in plans for change_set in change_sets for line in change_set.changes]
    return Round(
        left_alone={
            line.shopify_id: (line.action.value, line.reason)
            for line in lines
            if line.kind is Kind.INVOICE and line.record is None
        },
        conflicts=[line for line in lines if line.action is Action.CONFLICT],
        failures=failures,
        wrote=frozenset(line.kind for line in lines if line.action in WRITING_ACTIONS),
    )


def _failed(results: Mapping[date, Sequence[LoadResult]]) -> Iterator[LoadResult]:
    failed = (LoadOutcome.FAILED, LoadOutcome.POSTPONED)
    return (result for day_results in results.values() for result in day_results if result.outcome in failed)


def xero_documents(sync_service: SyncService) -> list[dict[str, Any]]:
    """Return all invoices and credit notes of Xero's API, with their lines."""
    client = sync_service.connections.xero_client
    return [
        document
        for path in ("Invoices", "CreditNotes")
        for page, _ in client.pages(f"/{path}", path, {"unitdp": "4"})
        for document in page
    ]


def _organisation() -> XeroBooks:
    """Return the Demo Company with liability accounts for tax lines, and the model's tax rates."""
    accounts, rates = demo_company.accounts(), demo_company.tax_rates()
    liability = next(account for account in accounts if account["Code"] == "209")
    for tax, code in TAXES.items():
        accounts.append(
            {**liability, "AccountID": str(uuid.uuid5(uuid.NAMESPACE_URL, code)), "Code": code, "Name": tax}
        )
    output = next(rate for rate in rates if rate["TaxType"] == "OUTPUT2")
    for tax_type, per_cent in _MODEL_RATES.items():
        rate = Decimal(per_cent)
        rates.append({**output, "TaxType": tax_type, "Name": tax_type, "DisplayTaxRate": rate, "EffectiveRate": rate})
    return XeroBooks.with_settings(accounts=accounts, tax_rates=rates)
