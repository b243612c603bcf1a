"""A whole sync without Dagster, and a changed `books.yaml`."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.stage import BOOKS

FIRST = date(2026, 9, 21)
OF_ORDERS = (Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT)


def plans(sync_service: SyncService, days: Sequence[date]) -> list[list[ChangeSet]]:
    customers, products, orders = (
        sync_service.extractor.read_customers(days),
        sync_service.extractor.read_products(days),
        sync_service.extractor.read_orders(days),
    )
    return [
        sync_service.planner.plan_contacts(customers, orders),
        sync_service.planner.plan_items(products, orders),
        *(sync_service.planner.plan_orders(orders, (kind,)) for kind in OF_ORDERS),
    ]


def carry(sync_service: SyncService, days: Sequence[date], run_id: str = "a run") -> list[DayReconciliation]:
    for change_sets in plans(sync_service, days):
        sync_service.loader.load(change_sets, run_id)
    return sync_service.reconciler.reconcile(sync_service.extractor.read_orders(days))


def books_file(folder: Path, *changed: tuple[str, str]) -> str:
    """Write the shipped `books.yaml` with replaced texts and return its path."""
    text = BOOKS.read_text()
    for before, after in changed:
        assert before in text
        text = text.replace(before, after, 1)
    file = folder / "books.yaml"
    file.write_text(text)
    return str(file)
