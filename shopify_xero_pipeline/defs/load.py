"""Carrying the plan out: each load takes the day's change-set to Xero and says, record by record, what became of it."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import daily
from shopify_xero_pipeline.defs.check_results import evaluate, report
from shopify_xero_pipeline.defs.jobs import PATIENT
from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.defs.open_failures import CHECKS, loaded
from shopify_xero_pipeline.defs.plan import MAPPING, typed_plans
from shopify_xero_pipeline.defs.resources import at_work
from shopify_xero_pipeline.loading.load_report import LoadOutcome
from shopify_xero_pipeline.pipeline.sync import Bookkeeper

POOL = "xero"
WRITTEN = frozenset({LoadOutcome.CREATED, LoadOutcome.UPDATED, LoadOutcome.ADOPTED, LoadOutcome.DELETED})
BEFORE = {
    "contacts": [],
    "items": [],
    "invoices": ["contacts", "items"],
    "credit_notes": ["invoices"],
    "payments": ["credit_notes"],
}
SAYS = {
    "contacts": "Contacts in Xero, keyed by ContactNumber.",
    "items": "Items in Xero, keyed by Code.",
    "invoices": "Invoices in Xero, keyed by InvoiceNumber.",
    "credit_notes": "Credit Notes in Xero, keyed by CreditNoteNumber.",
    "payments": "Payments, refund payments and Allocations in Xero.",
}

WHEN_RED = (
    "Red while a record of any day was refused by Xero or waits: the check `all_days_loaded` names each with its "
    "order, the reason and what to do. Mend the cause and run the day again; nothing is written twice."
)
BY_DAY = (
    "Every record of the day's plan is in Xero. The list beside says Failed while any day is; below stands the day "
    "that ran last. `all_days_loaded` names what is open on all of them."
)


def load_assets(partitions: dg.PartitionsDefinition[str]) -> Sequence[dg.AssetsDefinition]:
    """Return the five loads, each with its check `all_loaded` for every day."""
    return [_load(name, partitions) for name in BEFORE]


def _load(name: str, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    key = dg.AssetKey(["xero", name])
    all_loaded = dg.AssetCheckSpec("all_loaded", asset=key, partitions_def=partitions, description=BY_DAY)

    @dg.asset(
        key=key,
        ins={"plans": dg.AssetIn(["changes", name])},
        deps=[["xero", before] for before in BEFORE[name]],
        pool=POOL,
        check_specs=[all_loaded],
        description=f"{SAYS[name]} {WHEN_RED}",
        **daily(partitions, "xero", "xero"),
    )
    def load(
        context: dg.AssetExecutionContext, bookkeeper: dg.ResourceParam[Bookkeeper], plans: dict[Any, Any]
    ) -> Iterator[Any]:
        with at_work(bookkeeper) as calls:
            patient = PATIENT in context.run.tags
            done = bookkeeper.load(typed_plans(plans), run_id=context.run.run_id, patient=patient)
        links = tables.Links(bookkeeper.shop_domain)
        written = sum(result.outcome in WRITTEN for results in done.values() for result in results)
        if written:
            context.log_event(dg.AssetMaterialization(MAPPING, metadata={"rows written": written}))
        errors = bookkeeper.store.errors(days=done.keys())
        checks = {day: tables.all_loaded(results, links, errors) for day, results in done.items()}
        told = {day: {**checks[day].shown, **tables.load(results)} for day, results in done.items()}
        yield from report(context, {"all_loaded": checks}, told, calls)
        evaluate(context, key, CHECKS[key], loaded(bookkeeper, key))

    made: dg.AssetsDefinition = load
    return made
