"""The reconciliation asset, which compares each day's orders in Shopify's ledger, the mapping and Xero's read-back."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import daily_asset_args
from shopify_xero_pipeline.defs.check_results import report_partitions
from shopify_xero_pipeline.defs.load import POOL, UPSTREAM_LOADS
from shopify_xero_pipeline.defs.metadata.reconciliation import reconciliation_metadata, reconciliation_outcome
from shopify_xero_pipeline.defs.metadata.statement import statement_metadata
from shopify_xero_pipeline.defs.metadata.tables import Links
from shopify_xero_pipeline.defs.open_failures import ALL_DAYS_AGREE, log_all_days_checks
from shopify_xero_pipeline.defs.plan import ORDERS
from shopify_xero_pipeline.defs.resources import XERO_CALLS, count_api_calls
from shopify_xero_pipeline.defs.trends import TRENDS_KEY, trend_metadata
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.movements import account_names
from shopify_xero_pipeline.shopify.models import Order

RECONCILIATION_KEY = ALL_DAYS_AGREE
FRESHNESS_POLICY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=26), warn_window=timedelta(hours=4))
"""Today's partition is synced every hour. Four hours without a sync are a warning; 26 hours, a day and a margin, are a
failure. Only this asset, the last of each sync, has a policy, so that an outage is one alert."""

CHART_DAYS = timedelta(days=14)  # as many bars as the UI displays in place (metadata/statement.py)
RECONCILIATION_CHECKS = {
    "every_order_accounted_for": (
        "Every order is posted, or is waiting, skipped or blocked with a reason. Blocked orders are not in the books; "
        "the message of the check lists them."
    ),
    "totals_equal": "Shopify, mapping and Xero agree, record by record and to the cent.",
    "no_duplicates_or_missing": (
        "Xero has no duplicate, no record without an order of the day, and every posted record."
    ),
}


def reconciliation_asset(partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return `books/reconciliation` with its three checks by day, for the given daily partitions."""
    specs = [
        dg.AssetCheckSpec(name, asset=RECONCILIATION_KEY, partitions_def=partitions, description=text)
        for name, text in RECONCILIATION_CHECKS.items()
    ]

    @dg.asset(
        key=RECONCILIATION_KEY,
        ins={"orders": ORDERS},
        deps=[["xero", name] for name in UPSTREAM_LOADS],
        pool=POOL,
        check_specs=specs,
        freshness_policy=FRESHNESS_POLICY,
        **daily_asset_args(partitions, "books", "python", "pandas"),
    )
    def reconciliation(
        context: dg.AssetExecutionContext, sync_service: dg.ResourceParam[SyncService], orders: dict[date, list[Order]]
    ) -> Iterator[Any]:
        """Comparison of Shopify's ledger, the mapping and Xero's read-back, order by order and to the cent.

        Red while the books of any day do not agree: the check `all_days_agree` lists the days and their orders. The
        checks by day have the amounts; `shopify-xero status "#1001"` prints the history of an order.
        """
        with count_api_calls(sync_service) as calls:
            days = sync_service.reconciler.reconcile(orders)
            recent = sync_service.reconciliations.of_days(
                days_between(min(orders) - CHART_DAYS + timedelta(days=1), max(orders))
            )
            connections = sync_service.connections
            names = account_names(connections.policy, connections.cached_organisation())
        links = Links(sync_service.connections.shop_domain)
        checks = {
            name: {day.day: reconciliation_outcome(name, day, links) for day in days} for name in RECONCILIATION_CHECKS
        }
        metadata = {
            day.day: reconciliation_metadata(day)
            | statement_metadata(
                day,
                [recent_day for recent_day in recent if timedelta(0) <= day.day - recent_day.day < CHART_DAYS],
                names,
            )
            for day in days
        }
        yield from report_partitions(context, checks, metadata, calls)
        history = sync_service.connections.store.history(context.run.run_id)
        for day in days:
            trends = trend_metadata(day, [row for row in history if row.partition == day.day], calls[XERO_CALLS])
            context.log_event(dg.AssetMaterialization(TRENDS_KEY, partition=str(day.day), metadata=trends))
        log_all_days_checks(context, sync_service)

    asset: dg.AssetsDefinition = reconciliation
    return asset
