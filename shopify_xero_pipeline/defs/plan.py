"""The plan: for each kind of record and each day, what would be written to Xero and why. Nothing is written."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

import dagster as dg
from pydantic import BaseModel

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.defs.asset_defaults import daily
from shopify_xero_pipeline.defs.check_results import describe
from shopify_xero_pipeline.defs.extract import Stored
from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.defs.resources import at_work
from shopify_xero_pipeline.pipeline.sync import Bookkeeper
from shopify_xero_pipeline.shopify.models import Customer, Order, Product
from shopify_xero_pipeline.xero.models import Kind

MAPPING = dg.AssetKey("entity_mapping")
ORDERS = dg.AssetIn(["shopify", "orders"])
PLANNED = {Kind.INVOICE: "invoices", Kind.CREDIT_NOTE: "credit_notes", Kind.PAYMENT: "payments"}
SAYS = {
    Kind.INVOICE: "Invoices the day's orders need, and every order that waits, is skipped or blocked, with its reason.",
    Kind.CREDIT_NOTE: "Credit Notes the day's orders need: refunds, removed lines, cancellations.",
    Kind.PAYMENT: "Payments, refund payments and Allocations the day's orders need.",
}

Plans = dict[date, ChangeSet]
M = TypeVar("M", bound=BaseModel)


def change_assets(partitions: dg.PartitionsDefinition[str]) -> Sequence[dg.AssetsDefinition]:
    """Return the five change-sets."""
    common = daily(partitions, "changes", "python", "json") | {"deps": [MAPPING]}

    @dg.asset(
        key=["changes", "contacts"], ins={"customers": dg.AssetIn(["shopify", "customers"]), "orders": ORDERS}, **common
    )
    def contacts(
        context: dg.AssetExecutionContext, bookkeeper: dg.ResourceParam[Bookkeeper], customers: Stored, orders: Stored
    ) -> Plans:
        """Contacts of the day's customers and of its orders' customers."""
        with at_work(bookkeeper) as calls:
            plans = bookkeeper.plan_contacts(typed(Customer, customers), typed(Order, orders))
        return told(context, bookkeeper, plans, calls)

    @dg.asset(
        key=["changes", "items"], ins={"products": dg.AssetIn(["shopify", "products"]), "orders": ORDERS}, **common
    )
    def items(
        context: dg.AssetExecutionContext, bookkeeper: dg.ResourceParam[Bookkeeper], products: Stored, orders: Stored
    ) -> Plans:
        """Items of the day's product variants and of the variants its orders name."""
        with at_work(bookkeeper) as calls:
            plans = bookkeeper.plan_items(typed(Product, products), typed(Order, orders))
        return told(context, bookkeeper, plans, calls)

    return [contacts, items, *(_of_orders(kind, common) for kind in PLANNED)]


def _of_orders(kind: Kind, common: dict[str, Any]) -> dg.AssetsDefinition:
    @dg.asset(key=["changes", PLANNED[kind]], ins={"orders": ORDERS}, description=SAYS[kind], **common)
    def planned(context: dg.AssetExecutionContext, bookkeeper: dg.ResourceParam[Bookkeeper], orders: Stored) -> Plans:
        with at_work(bookkeeper) as calls:
            plans = bookkeeper.plan_orders(kind, typed(Order, orders))
        return told(context, bookkeeper, plans, calls)

    made: dg.AssetsDefinition = planned
    return made


def typed(model: type[M], stored: Stored) -> dict[date, list[M]]:
    """Return stored rows as models again."""
    return {day: [model.model_validate(row) for row in rows] for day, rows in stored.items()}


def told(
    context: dg.AssetExecutionContext, bookkeeper: Bookkeeper, plans: Sequence[ChangeSet], calls: Mapping[str, int]
) -> Plans:
    """Show each day's plan and return the plans by day."""
    links = tables.Links(bookkeeper.shop_domain)
    describe(context, {plan.day: tables.change_set(plan, links) for plan in plans}, calls)
    return {plan.day: plan for plan in plans}


def typed_plans(stored: dict[date, object]) -> list[ChangeSet]:
    """Return stored plans as models again, in the order of days."""
    return [ChangeSet.model_validate(stored[day]) for day in sorted(stored)]
