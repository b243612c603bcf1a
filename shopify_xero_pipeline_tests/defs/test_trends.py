"""What is drawn from day to day: plain numbers, each under a name that says what it counts."""

from decimal import Decimal

from shopify_xero_pipeline.defs.trends import trend_metadata
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.movements import StatementSection
from shopify_xero_pipeline.state.records import HistoryRow
from shopify_xero_pipeline_tests.defs.metadata.test_statement import movement
from shopify_xero_pipeline_tests.support.rows import DAY, INSTANT, order_row


def loaded(kind: str, **counts: int) -> HistoryRow:
    return HistoryRow(run_id="run", partition=DAY, kind=kind, finished_at=INSTANT, **counts)


def test_a_days_orders_records_documents_and_calls_are_drawn() -> None:
    rows = (order_row(), order_row(outcome="failed", reason="refused"), order_row(xero_sales=Decimal("9.99")))
    moved = movement(StatementSection.DOCUMENTS, "invoices", "invoices", "23.00", xero="22.99")
    day = DayReconciliation(day=DAY, rows=rows, movements=tuple(moved))
    history = [
        loaded("invoice", created=2, updated=1, failed=1, calls=3),
        loaded("payment", created=4, postponed=1, calls=5),
        loaded("allocation", created=1, deleted=1, calls=5),
    ]
    found = {name: getattr(value, "value", value) for name, value in trend_metadata(day, history, calls=2).items()}
    assert {name: value for name, value in found.items() if value} == {
        "orders posted": 2,
        "orders failed": 1,
        "invoices written": 3,
        "payments written": 6,
        "records failed": 1,
        "records postponed": 1,
        "difference": 0.01,
        "documents in NZD, Shopify": 23.0,
        "documents in NZD, mapping": 23.0,
        "documents in NZD, Xero": 22.99,
        "Xero API calls": 10,  # 3 + 5 + 2: Payments and Allocations are one load
    }
    assert [name for name, value in found.items() if not value] == [
        "orders waiting", "orders skipped", "orders blocked",
        "contacts written", "items written", "credit notes written",
    ]  # fmt: skip


def test_differences_of_several_currencies_are_plotted_by_currency() -> None:
    rows = tuple(
        order_row(currency=currency, xero_sales=Decimal("9.00"), problems=("!",)) for currency in ("NZD", "AUD")
    )
    found = trend_metadata(DayReconciliation(day=DAY, rows=rows), [], calls=0)
    assert {name: value.value for name, value in found.items() if "difference" in name} == {
        "difference in NZD": 1.0,
        "difference in AUD": 1.0,
    }
