"""Load assets, which write each day's change-set to Xero and report the outcome of every record."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from functools import cached_property
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import daily_asset_args
from shopify_xero_pipeline.defs.check_results import CheckOutcome, Metadata, log_evaluation, report_partitions
from shopify_xero_pipeline.defs.io_managers import StoredDays
from shopify_xero_pipeline.defs.jobs import respects_retry_schedule
from shopify_xero_pipeline.defs.metadata.records import all_loaded_outcome, load_metadata
from shopify_xero_pipeline.defs.metadata.tables import Links
from shopify_xero_pipeline.defs.open_failures import CHECKS, evaluate_loads
from shopify_xero_pipeline.defs.plan import MAPPING
from shopify_xero_pipeline.defs.resources import count_api_calls
from shopify_xero_pipeline.loading.load_report import LoadOutcome, LoadResult
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.state.records import SyncError

POOL = "xero"
WRITING_OUTCOMES = frozenset({LoadOutcome.CREATED, LoadOutcome.UPDATED, LoadOutcome.ADOPTED, LoadOutcome.DELETED})
UPSTREAM_LOADS = {
    "contacts": [],
    "items": [],
    "invoices": ["contacts", "items"],
    "credit_notes": ["invoices"],
    "payments": ["credit_notes"],
}
"""The loads in the order of writing, each with the loads that must end before it."""

DESCRIPTIONS = {
    "contacts": "Contacts in Xero, keyed by ContactNumber.",
    "items": "Items in Xero, keyed by Code.",
    "invoices": "Invoices in Xero, keyed by InvoiceNumber.",
    "credit_notes": "Credit Notes in Xero, keyed by CreditNoteNumber.",
    "payments": "Payments, refund payments and Allocations in Xero.",
}

RED_CHECK_DESCRIPTION = (
    "Red while Xero has refused a record of any day, or a record waits. The check `all_days_loaded` lists each with "
    "order, reason and remedy. Fix the cause and sync the day again; nothing is written twice."
)
BY_DAY_DESCRIPTION = (
    "Every record of the day's plan is in Xero. The list of checks shows Failed while any day fails; the result below "
    "is that of the day that ran last. `all_days_loaded` lists the open records of all days."
)


def load_assets(partitions: dg.PartitionsDefinition[str]) -> Sequence[dg.AssetsDefinition]:
    """Return the five loads, each with the check `all_loaded` by day, for the given daily partitions."""
    return [_build_load(name, partitions) for name in UPSTREAM_LOADS]


def _build_load(name: str, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    key = dg.AssetKey(["xero", name])
    all_loaded = dg.AssetCheckSpec("all_loaded", asset=key, partitions_def=partitions, description=BY_DAY_DESCRIPTION)

    @dg.asset(
        key=key,
        ins={"plans": dg.AssetIn(["changes", name])},
        deps=[["xero", upstream] for upstream in UPSTREAM_LOADS[name]],
        pool=POOL,
        check_specs=[all_loaded],
        description=f"{DESCRIPTIONS[name]} {RED_CHECK_DESCRIPTION}",
        **daily_asset_args(partitions, "xero", "xero"),
    )
    def load(
        context: dg.AssetExecutionContext, sync_service: dg.ResourceParam[SyncService], plans: StoredDays
    ) -> Iterator[Any]:
        outcomes = _Outcomes(sync_service, [*plans])
        with count_api_calls(sync_service) as calls:
            sync_service.loader.load_range(
                plans,
                context.run.run_id,
                outcomes.add,
                respect_retry_schedule=respects_retry_schedule(context.run.tags),
            )
        if outcomes.rows_written:
            context.log_event(
                dg.AssetMaterialization(MAPPING, metadata={"mapping rows written": outcomes.rows_written})
            )
        yield from report_partitions(context, {"all_loaded": outcomes.checks}, outcomes.metadata, calls)
        log_evaluation(context, key, CHECKS[key], evaluate_loads(sync_service, [key])[key])

    asset: dg.AssetsDefinition = load
    return asset


class _Outcomes:
    """The check and the metadata of each day, from the results of its load."""

    def __init__(self, sync_service: SyncService, days: Collection[date]) -> None:
        self._store, self._days = sync_service.connections.store, days
        self._links = Links(sync_service.connections.shop_domain)
        self.checks: dict[date, CheckOutcome] = {}
        self.metadata: dict[date, Metadata] = {}
        self.rows_written = 0

    def add(self, day: date, results: Sequence[LoadResult]) -> None:
        self.checks[day] = all_loaded_outcome(results, self._links, self._errors)
        self.metadata[day] = {**self.checks[day].metadata, **load_metadata(results)}
        self.rows_written += sum(result.outcome in WRITING_OUTCOMES for result in results)

    @cached_property
    def _errors(self) -> list[SyncError]:
        """The failed records of the range, read after the load."""
        return self._store.failed_records(days=self._days)
