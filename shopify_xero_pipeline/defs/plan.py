"""Change-set assets, the plan of each kind of record and each day, without a write to Xero.

The step `plan_orders` plans Invoices, Credit Notes and Payments of an order in one pass. Each of its three assets can
be materialised alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.defs.asset_defaults import daily_asset_args
from shopify_xero_pipeline.defs.check_results import add_partition_metadata
from shopify_xero_pipeline.defs.metadata.records import plan_metadata
from shopify_xero_pipeline.defs.metadata.tables import Links
from shopify_xero_pipeline.defs.resources import count_api_calls
from shopify_xero_pipeline.pipeline.calendar import MAX_DAYS_PER_RUN
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.shopify.models import Customer, Order, Product
from shopify_xero_pipeline.xero.models import Kind

MAPPING = dg.AssetKey("entity_mapping")
ORDERS = dg.AssetIn(["shopify", "orders"])
PLAN_ORDERS_STEP = "plan_orders"
ASSET_OF_KIND = {Kind.INVOICE: "invoices", Kind.CREDIT_NOTE: "credit_notes", Kind.PAYMENT: "payments"}
DESCRIPTIONS = {
    Kind.INVOICE: "Invoices of the day's orders, and every order that waits, is skipped or blocked, with its reason.",
    Kind.CREDIT_NOTE: "Credit Notes of the day's orders, for refunds, removed lines and cancellations.",
    Kind.PAYMENT: "Payments, refund payments and Allocations of the day's orders.",
}

Plans = dict[date, ChangeSet]


def change_assets(partitions: dg.PartitionsDefinition[str]) -> Sequence[dg.AssetsDefinition]:
    """Return the assets of the five change-sets, with the given daily partitions."""
    common = daily_asset_args(partitions, "changes", "python", "json") | {"deps": [MAPPING]}

    @dg.asset(
        key=["changes", "contacts"], ins={"customers": dg.AssetIn(["shopify", "customers"]), "orders": ORDERS}, **common
    )
    def contacts(
        context: dg.AssetExecutionContext,
        sync_service: dg.ResourceParam[SyncService],
        customers: dict[date, list[Customer]],
        orders: dict[date, list[Order]],
    ) -> Plans:
        """Contacts of the day's customers and of the customers of its orders."""
        with count_api_calls(sync_service) as calls:
            plans = sync_service.planner.plan_contacts(customers, orders)
        return _publish(context, context.asset_key, sync_service, plans, calls)

    @dg.asset(
        key=["changes", "items"], ins={"products": dg.AssetIn(["shopify", "products"]), "orders": ORDERS}, **common
    )
    def items(
        context: dg.AssetExecutionContext,
        sync_service: dg.ResourceParam[SyncService],
        products: dict[date, list[Product]],
        orders: dict[date, list[Order]],
    ) -> Plans:
        """Items of the day's product variants and of the variants in its orders."""
        with count_api_calls(sync_service) as calls:
            plans = sync_service.planner.plan_items(products, orders)
        return _publish(context, context.asset_key, sync_service, plans, calls)

    return [contacts, items, _build_plan_orders(partitions)]


def _build_plan_orders(partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    keys = {dg.AssetKey(["changes", name]): kind for kind, name in ASSET_OF_KIND.items()}
    outs = {
        key.to_python_identifier(): dg.AssetOut.from_spec(
            dg.AssetSpec(key, group_name="changes", kinds={"python", "json"}, description=DESCRIPTIONS[kind]),
            is_required=False,
        )
        for key, kind in keys.items()
    }

    @dg.multi_asset(
        name=PLAN_ORDERS_STEP,
        outs=outs,
        ins={"orders": ORDERS},
        deps=[MAPPING],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(MAX_DAYS_PER_RUN),
        can_subset=True,
    )
    def plan_orders(
        context: dg.AssetExecutionContext,
        sync_service: dg.ResourceParam[SyncService],
        orders: dict[date, list[Order]],
    ) -> Iterator[dg.Output[Plans]]:
        selected = {key: kind for key, kind in keys.items() if key in context.selected_asset_keys}
        with count_api_calls(sync_service) as calls:
            plans = sync_service.planner.plan_orders(orders, tuple(selected.values()))
        for number, (key, kind) in enumerate(selected.items()):
            plans_of_kind = [plan for plan in plans if plan.kind == kind]
            share = calls if number == 0 else dict.fromkeys(calls, 0)  # counts the calls of the step once
            plans_by_day = _publish(context, key, sync_service, plans_of_kind, share)
            yield dg.Output(plans_by_day, output_name=key.to_python_identifier())

    assets: dg.AssetsDefinition = plan_orders
    return assets


def _publish(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    sync_service: SyncService,
    plans: Sequence[ChangeSet],
    calls: Mapping[str, Any],
) -> Plans:
    """Add each day's plan as metadata to its materialisation; return the plans by day."""
    links = Links(sync_service.connections.shop_domain)
    add_partition_metadata(context, key, {plan.day: plan_metadata(plan, links) for plan in plans}, calls)
    return {plan.day: plan for plan in plans}
