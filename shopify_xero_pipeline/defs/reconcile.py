"""The reconciliation asset, which compares each day's orders in Shopify's ledger, the mapping and Xero's read-back."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import daily_asset_args
from shopify_xero_pipeline.defs.check_results import CheckOutcome, Metadata, report_partitions
from shopify_xero_pipeline.defs.io_managers import StoredDays
from shopify_xero_pipeline.defs.load import POOL, UPSTREAM_LOADS
from shopify_xero_pipeline.defs.metadata.reconciliation import reconciliation_metadata, reconciliation_outcome
from shopify_xero_pipeline.defs.metadata.statement import statement_metadata
from shopify_xero_pipeline.defs.metadata.tables import Links
from shopify_xero_pipeline.defs.open_failures import ALL_DAYS_AGREE, log_all_days_checks
from shopify_xero_pipeline.defs.plan import ORDERS
from shopify_xero_pipeline.defs.resources import XERO_CALLS, as_dagster_failure, count_api_calls
from shopify_xero_pipeline.defs.trends import TRENDS_KEY, trend_metadata
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.movements import account_names
from shopify_xero_pipeline.state.records import HistoryRow

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
        context: dg.AssetExecutionContext, sync_service: dg.ResourceParam[SyncService], orders: StoredDays
    ) -> Iterator[Any]:
        """Comparison of Shopify's ledger, the mapping and Xero's read-back, order by order and to the cent.

        Red while the books of any day do not agree: the check `all_days_agree` lists the days and their orders. The
        checks by day have the amounts; `shopify-xero status "#1001"` prints the history of an order.
        """
        with count_api_calls(sync_service) as calls:
            sync_service.reconciler.reconcile_range(orders)
        with as_dagster_failure():
            results = _Results(sync_service, context.run.run_id, calls[XERO_CALLS])
            for day, chart in _days_with_charts(sync_service, [*orders]):
                results.add(day, chart)
        yield from report_partitions(context, results.checks, results.metadata, calls)
        for day_date, trends in results.trends.items():
            context.log_event(dg.AssetMaterialization(TRENDS_KEY, partition=str(day_date), metadata=trends))
        log_all_days_checks(context, sync_service)

    asset: dg.AssetsDefinition = reconciliation
    return asset


class _Results:
    """The checks, the metadata and the trends of each day, without its orders."""

    def __init__(self, sync_service: SyncService, run_id: str, calls: int) -> None:
        connections = sync_service.connections
        self._calls = calls
        self._links = Links(connections.shop_domain)
        self._account_names = account_names(connections.policy, connections.cached_organisation())
        self._history = defaultdict[date, list[HistoryRow]](list)
        for row in connections.store.history(run_id):
            self._history[row.partition].append(row)
        self.checks: dict[str, dict[date, CheckOutcome]] = {name: {} for name in RECONCILIATION_CHECKS}
        self.metadata: dict[date, Metadata] = {}
        self.trends: dict[date, Metadata] = {}

    def add(self, day: DayReconciliation, chart: Sequence[DayReconciliation]) -> None:
        """Add a day.

        Args:
            day: the reconciled day.
            chart: the days of its chart; the last one is the day itself.
        """
        for name, outcomes in self.checks.items():
            outcomes[day.day] = reconciliation_outcome(name, day, self._links)
        statement = statement_metadata(day, chart, self._account_names)
        self.metadata[day.day] = reconciliation_metadata(day) | statement
        self.trends[day.day] = trend_metadata(day, self._history[day.day], self._calls)


def _days_with_charts(
    sync_service: SyncService, days: Sequence[date]
) -> Iterator[tuple[DayReconciliation, list[DayReconciliation]]]:
    """Yield the reconciliation of each day with those of its chart, which lack their orders."""
    chart: list[DayReconciliation] = []
    before = days_between(days[0] - CHART_DAYS + timedelta(days=1), days[0] - timedelta(days=1))
    for day in sync_service.reconciliations.each_of(days, before):
        recent = [of_chart for of_chart in chart if day.day - of_chart.day < CHART_DAYS]
        chart = [*recent, day.model_copy(update={"rows": ()})]
        if day.day >= days[0]:
            yield day, chart
