"""The proof: each day's orders in three columns, Shopify's ledger, our mapping and what Xero reads back."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import daily
from shopify_xero_pipeline.defs.check_results import report
from shopify_xero_pipeline.defs.extract import Stored
from shopify_xero_pipeline.defs.load import BEFORE, POOL
from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.defs.metadata.statement import daybook
from shopify_xero_pipeline.defs.open_failures import RECONCILED, evaluate_all
from shopify_xero_pipeline.defs.plan import ORDERS, typed
from shopify_xero_pipeline.defs.resources import at_work
from shopify_xero_pipeline.defs.trends import TRENDS, trends
from shopify_xero_pipeline.pipeline.sync import Bookkeeper
from shopify_xero_pipeline.shopify.models import Order

KEY = RECONCILED
DRAWN = timedelta(days=14)
CHECKS = {
    "every_order_accounted_for": "Every order is posted, or waits, is skipped or blocked with a reason. Blocked orders "
    "are not in the books: what the check says names them.",
    "totals_equal": "Shopify, mapping and Xero agree, record by record and to the cent.",
    "nothing_extra": (
        "Nothing stands twice in Xero or without an order of the day, and nothing we posted is gone from it."
    ),
}


def reconciliation_asset(partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return `books/reconciliation` with its three checks for every day."""
    specs = [
        dg.AssetCheckSpec(name, asset=KEY, partitions_def=partitions, description=says) for name, says in CHECKS.items()
    ]

    @dg.asset(
        key=KEY,
        ins={"orders": ORDERS},
        deps=[["xero", name] for name in BEFORE],
        pool=POOL,
        check_specs=specs,
        **daily(partitions, "books", "python", "pandas"),
    )
    def reconciliation(
        context: dg.AssetExecutionContext, bookkeeper: dg.ResourceParam[Bookkeeper], orders: Stored
    ) -> Iterator[Any]:
        """Shopify's ledger, our mapping and what Xero reads back, order by order and to the cent.

        Red while the books of any day do not agree: the check `all_days_agree` names the days and their orders. Each
        day's own checks hold the arithmetic; `shopify-xero status "#1001"` shows an order whole.
        """
        with at_work(bookkeeper) as calls:
            days = bookkeeper.reconcile(typed(Order, orders))
            recent = bookkeeper.reconciled(_recent([day.day for day in days]))
            chart = bookkeeper.chart
        links = tables.Links(bookkeeper.shop_domain)
        checks = {name: {day.day: tables.verdict(name, day, links) for day in days} for name in CHECKS}
        described = {
            day.day: tables.reconciliation(day)
            | daybook(day, [one for one in recent if timedelta(0) <= day.day - one.day < DRAWN], chart)
            for day in days
        }
        yield from report(context, checks, described, calls)
        history = bookkeeper.store.history(context.run.run_id)
        for day in days:
            drawn = trends(day, [row for row in history if row.partition == day.day], calls["calls to Xero"])
            context.log_event(dg.AssetMaterialization(TRENDS, partition=str(day.day), metadata=drawn))
        evaluate_all(context, bookkeeper)

    made: dg.AssetsDefinition = reconciliation
    return made


def _recent(days: Sequence[date]) -> list[date]:
    """Return the days and those before the first of them that are drawn beside it."""
    first, last = min(days) - DRAWN + timedelta(days=1), max(days)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
