"""Carrying the plan out: each load takes the day's change-set to Xero and says, record by record, what became of it."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import daily_asset_args
from shopify_xero_pipeline.defs.check_results import log_evaluation, report_partitions
from shopify_xero_pipeline.defs.jobs import RESPECT_RETRY_SCHEDULE_TAG
from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.defs.open_failures import CHECKS, all_days_loaded_outcome
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
DESCRIPTIONS = {
    "contacts": "Contacts in Xero, keyed by ContactNumber.",
    "items": "Items in Xero, keyed by Code.",
    "invoices": "Invoices in Xero, keyed by InvoiceNumber.",
    "credit_notes": "Credit Notes in Xero, keyed by CreditNoteNumber.",
    "payments": "Payments, refund payments and Allocations in Xero.",
}

RED_CHECK_DESCRIPTION = (
    "Red while a record of any day was refused by Xero or waits: the check `all_days_loaded` names each with its "
    "order, the reason and what to do. Mend the cause and run the day again; nothing is written twice."
)
BY_DAY_DESCRIPTION = (
    "Every record of the day's plan is in Xero. The list beside says Failed while any day is; below stands the day "
    "that ran last. `all_days_loaded` names what is open on all of them."
)


def load_assets(partitions: dg.PartitionsDefinition[str]) -> Sequence[dg.AssetsDefinition]:
    """Return the five loads, each with its check `all_loaded` for every day."""
    return [_load(name, partitions) for name in UPSTREAM_LOADS]


def _load(name: str, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    key = dg.AssetKey(["xero", name])
    all_loaded = dg.AssetCheckSpec("all_loaded", asset=key, partitions_def=partitions, description=BY_DAY_DESCRIPTION)

    @dg.asset(
        key=key,
        ins={"plans": dg.AssetIn(["changes", name])},
        deps=[["xero", before] for before in UPSTREAM_LOADS[name]],
        pool=POOL,
        check_specs=[all_loaded],
        description=f"{DESCRIPTIONS[name]} {RED_CHECK_DESCRIPTION}",
        **daily_asset_args(partitions, "xero", "xero"),
    )
    def load(
        context: dg.AssetExecutionContext, sync_service: dg.ResourceParam[SyncService], plans: Plans
    ) -> Iterator[Any]:
        with count_api_calls(sync_service) as calls:
            patient = RESPECT_RETRY_SCHEDULE_TAG in context.run.tags
            done = sync_service.load(
                [plans[day] for day in sorted(plans)], run_id=context.run.run_id, respect_retry_schedule=patient
            )
        links = tables.Links(sync_service.connections.shop_domain)
        written = sum(result.outcome in WRITING_OUTCOMES for results in done.values() for result in results)
        if written:
            context.log_event(dg.AssetMaterialization(MAPPING, metadata={"rows written": written}))
        errors = sync_service.connections.store.failed_records(days=done.keys())
        checks = {day: tables.all_loaded_outcome(results, links, errors) for day, results in done.items()}
        told = {day: {**checks[day].metadata, **tables.load_metadata(results)} for day, results in done.items()}
        yield from report_partitions(context, {"all_loaded": checks}, told, calls)
        log_evaluation(context, key, CHECKS[key], all_days_loaded_outcome(sync_service, key))

    made: dg.AssetsDefinition = load
    return made
