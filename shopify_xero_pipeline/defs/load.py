"""Load assets, which write each day's change-set to Xero and report the outcome of every record."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import daily_asset_args
from shopify_xero_pipeline.defs.check_results import log_evaluation, report_partitions
from shopify_xero_pipeline.defs.jobs import respects_retry_schedule
from shopify_xero_pipeline.defs.metadata.records import all_loaded_outcome, load_metadata
from shopify_xero_pipeline.defs.metadata.tables import Links
from shopify_xero_pipeline.defs.open_failures import CHECKS, evaluate_loads
from shopify_xero_pipeline.defs.plan import MAPPING, Plans
from shopify_xero_pipeline.defs.resources import count_api_calls
from shopify_xero_pipeline.loading.load_report import LoadOutcome
from shopify_xero_pipeline.pipeline.sync import SyncService

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
        context: dg.AssetExecutionContext, sync_service: dg.ResourceParam[SyncService], plans: Plans
    ) -> Iterator[Any]:
        with count_api_calls(sync_service) as calls:
            results_by_day = sync_service.loader.load(
                [plans[day] for day in sorted(plans)],
                run_id=context.run.run_id,
                respect_retry_schedule=respects_retry_schedule(context.run.tags),
            )
        links = Links(sync_service.connections.shop_domain)
        row_count = sum(result.outcome in WRITING_OUTCOMES for results in results_by_day.values() for result in results)
        if row_count:
            context.log_event(dg.AssetMaterialization(MAPPING, metadata={"mapping rows written": row_count}))
        errors = sync_service.connections.store.failed_records(days=results_by_day.keys())
        checks = {day: all_loaded_outcome(results, links, errors) for day, results in results_by_day.items()}
        metadata = {day: {**checks[day].metadata, **load_metadata(results)} for day, results in results_by_day.items()}
        yield from report_partitions(context, {"all_loaded": checks}, metadata, calls)
        log_evaluation(context, key, CHECKS[key], evaluate_loads(sync_service, [key])[key])

    asset: dg.AssetsDefinition = load
    return asset
