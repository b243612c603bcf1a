"""What Shopify holds, one file a day: customers and products by their last change, orders by when they were placed."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import daily
from shopify_xero_pipeline.defs.check_results import describe
from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.defs.partitions import days_of
from shopify_xero_pipeline.defs.resources import at_work
from shopify_xero_pipeline.pipeline.sync import Bookkeeper
from shopify_xero_pipeline.shopify.models import Customer, Order, Product

Stored = dict[date, list[Any]]


def extract_assets(partitions: dg.PartitionsDefinition[str]) -> Sequence[dg.AssetsDefinition]:
    """Return the three assets that read Shopify."""
    common = daily(partitions, "shopify", "shopify", "json")

    @dg.asset(key=["shopify", "customers"], **common)
    def customers(context: dg.AssetExecutionContext, bookkeeper: dg.ResourceParam[Bookkeeper]) -> Stored:
        """Customers last changed on the day. An order's own customer is read with the order."""
        with at_work(bookkeeper) as calls:
            found: dict[date, list[Customer]] = bookkeeper.read_customers(days_of(context))
        describe(context, {day: tables.rows(rows) for day, rows in found.items()}, calls)
        return dict(found)

    @dg.asset(key=["shopify", "products"], **common)
    def products(context: dg.AssetExecutionContext, bookkeeper: dg.ResourceParam[Bookkeeper]) -> Stored:
        """Products last changed on the day, each with all its variants."""
        with at_work(bookkeeper) as calls:
            found: dict[date, list[Product]] = bookkeeper.read_products(days_of(context))
        describe(context, {day: tables.rows(rows) for day, rows in found.items()}, calls)
        return dict(found)

    @dg.asset(key=["shopify", "orders"], **common)
    def orders(context: dg.AssetExecutionContext, bookkeeper: dg.ResourceParam[Bookkeeper]) -> Stored:
        """Orders placed on the day, each with its whole history: sales agreements, transactions, refunds.

        An edit or refund of weeks later is read with the day of its order: run that day again.
        """
        with at_work(bookkeeper) as calls:
            found: dict[date, list[Order]] = bookkeeper.read_orders(days_of(context))
        describe(context, {day: tables.orders(rows) for day, rows in found.items()}, calls)
        return dict(found)

    return [customers, products, orders]
