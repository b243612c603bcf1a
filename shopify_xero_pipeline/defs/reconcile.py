"""The proof: each day's orders in three columns, Shopify's ledger, our mapping and what Xero reads back."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import daily_asset_args
from shopify_xero_pipeline.defs.check_results import report_partitions
from shopify_xero_pipeline.defs.load import POOL, UPSTREAM_LOADS
from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.defs.metadata.statement import statement_metadata
from shopify_xero_pipeline.defs.open_failures import ALL_DAYS_AGREE, log_all_days_checks
from shopify_xero_pipeline.defs.plan import ORDERS
from shopify_xero_pipeline.defs.resources import count_api_calls
from shopify_xero_pipeline.defs.trends import TRENDS_KEY, trend_metadata
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.shopify.models import Order

RECONCILIATION_KEY = ALL_DAYS_AGREE
CHART_DAYS = timedelta(days=14)
RECONCILIATION_CHECKS = {
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
        dg.AssetCheckSpec(name, asset=RECONCILIATION_KEY, partitions_def=partitions, description=says)
        for name, says in RECONCILIATION_CHECKS.items()
    ]

    @dg.asset(
        key=RECONCILIATION_KEY,
        ins={"orders": ORDERS},
        deps=[["xero", name] for name in UPSTREAM_LOADS],
        pool=POOL,
        check_specs=specs,
        **daily_asset_args(partitions, "books", "python", "pandas"),
    )
    def reconciliation(
        context: dg.AssetExecutionContext, sync_service: dg.ResourceParam[SyncService], orders: dict[date, list[Order]]
    ) -> Iterator[Any]:
        """Shopify's ledger, our mapping and what Xero reads back, order by order and to the cent.

        Red while the books of any day do not agree: the check `all_days_agree` names the days and their orders. Each
        day's own checks hold the arithmetic; `shopify-xero status "#1001"` shows an order whole.
        """
        with count_api_calls(sync_service) as calls:
            days = sync_service.reconcile(orders)
            recent = sync_service.stored_reconciliations(_recent([day.day for day in days]))
            chart = sync_service.account_names
        links = tables.Links(sync_service.connections.shop_domain)
        checks = {
            name: {day.day: tables.reconciliation_outcome(name, day, links) for day in days}
            for name in RECONCILIATION_CHECKS
        }
        described = {
            day.day: tables.reconciliation_metadata(day)
            | statement_metadata(day, [one for one in recent if timedelta(0) <= day.day - one.day < CHART_DAYS], chart)
            for day in days
        }
        yield from report_partitions(context, checks, described, calls)
        history = sync_service.connections.store.history(context.run.run_id)
        for day in days:
            drawn = trend_metadata(day, [row for row in history if row.partition == day.day], calls["calls to Xero"])
            context.log_event(dg.AssetMaterialization(TRENDS_KEY, partition=str(day.day), metadata=drawn))
        log_all_days_checks(context, sync_service)

    made: dg.AssetsDefinition = reconciliation
    return made


def _recent(days: Sequence[date]) -> list[date]:
    """Return the days and those before the first of them that are drawn beside it."""
    first, last = min(days) - CHART_DAYS + timedelta(days=1), max(days)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
