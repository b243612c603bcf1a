"""The plan: for each kind of record and each day, what would be written to Xero and why. Nothing is written."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

import dagster as dg
from pydantic import BaseModel

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.defs.asset_defaults import daily_asset_args
from shopify_xero_pipeline.defs.check_results import add_partition_metadata
from shopify_xero_pipeline.defs.extract import StoredDays
from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.defs.resources import count_api_calls
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.shopify.models import Customer, Order, Product
from shopify_xero_pipeline.xero.models import Kind

MAPPING = dg.AssetKey("entity_mapping")
ORDERS = dg.AssetIn(["shopify", "orders"])
ASSET_OF_KIND = {Kind.INVOICE: "invoices", Kind.CREDIT_NOTE: "credit_notes", Kind.PAYMENT: "payments"}
DESCRIPTIONS = {
    Kind.INVOICE: "Invoices the day's orders need, and every order that waits, is skipped or blocked, with its reason.",
    Kind.CREDIT_NOTE: "Credit Notes the day's orders need: refunds, removed lines, cancellations.",
    Kind.PAYMENT: "Payments, refund payments and Allocations the day's orders need.",
}

Plans = dict[date, ChangeSet]
M = TypeVar("M", bound=BaseModel)


def change_assets(partitions: dg.PartitionsDefinition[str]) -> Sequence[dg.AssetsDefinition]:
    """Return the five change-sets."""
    common = daily_asset_args(partitions, "changes", "python", "json") | {"deps": [MAPPING]}

    @dg.asset(
        key=["changes", "contacts"], ins={"customers": dg.AssetIn(["shopify", "customers"]), "orders": ORDERS}, **common
    )
    def contacts(
        context: dg.AssetExecutionContext,
        sync_service: dg.ResourceParam[SyncService],
        customers: StoredDays,
        orders: StoredDays,
    ) -> Plans:
        """Contacts of the day's customers and of its orders' customers."""
        with count_api_calls(sync_service) as calls:
            plans = sync_service.plan_contacts(parse_models(Customer, customers), parse_models(Order, orders))
        return publish_plan(context, sync_service, plans, calls)

    @dg.asset(
        key=["changes", "items"], ins={"products": dg.AssetIn(["shopify", "products"]), "orders": ORDERS}, **common
    )
    def items(
        context: dg.AssetExecutionContext,
        sync_service: dg.ResourceParam[SyncService],
        products: StoredDays,
        orders: StoredDays,
    ) -> Plans:
        """Items of the day's product variants and of the variants its orders name."""
        with count_api_calls(sync_service) as calls:
            plans = sync_service.plan_items(parse_models(Product, products), parse_models(Order, orders))
        return publish_plan(context, sync_service, plans, calls)

    return [contacts, items, *(_of_orders(kind, common) for kind in ASSET_OF_KIND)]


def _of_orders(kind: Kind, common: dict[str, Any]) -> dg.AssetsDefinition:
    @dg.asset(key=["changes", ASSET_OF_KIND[kind]], ins={"orders": ORDERS}, description=DESCRIPTIONS[kind], **common)
    def planned(
        context: dg.AssetExecutionContext, sync_service: dg.ResourceParam[SyncService], orders: StoredDays
    ) -> Plans:
        with count_api_calls(sync_service) as calls:
            plans = sync_service.plan_orders(kind, parse_models(Order, orders))
        return publish_plan(context, sync_service, plans, calls)

    made: dg.AssetsDefinition = planned
    return made


def parse_models(model: type[M], stored: StoredDays) -> dict[date, list[M]]:
    """Return stored rows as models again."""
    return {day: [model.model_validate(row) for row in rows] for day, rows in stored.items()}


def publish_plan(
    context: dg.AssetExecutionContext, sync_service: SyncService, plans: Sequence[ChangeSet], calls: Mapping[str, int]
) -> Plans:
    """Show each day's plan and return the plans by day."""
    links = tables.Links(sync_service.shop_domain)
    add_partition_metadata(context, {plan.day: tables.plan_metadata(plan, links) for plan in plans}, calls)
    return {plan.day: plan for plan in plans}


def parse_plans(stored: dict[date, object]) -> list[ChangeSet]:
    """Return stored plans as models again, in the order of days."""
    return [ChangeSet.model_validate(stored[day]) for day in sorted(stored)]
