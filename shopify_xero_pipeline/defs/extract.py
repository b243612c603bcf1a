"""Assets of Shopify's customers, products and orders, one file a day.

A customer or product belongs to the day of its last change, an order to the day it was placed.
"""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import daily_asset_args
from shopify_xero_pipeline.defs.check_results import add_partition_metadata
from shopify_xero_pipeline.defs.metadata import extract as metadata
from shopify_xero_pipeline.defs.partitions import run_days
from shopify_xero_pipeline.defs.resources import count_api_calls
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.shopify.models import Customer, Order, Product


def extract_assets(partitions: dg.PartitionsDefinition[str]) -> Sequence[dg.AssetsDefinition]:
    """Return the three assets that read Shopify, with the given daily partitions."""
    common = daily_asset_args(partitions, "shopify", "shopify", "json")

    @dg.asset(key=["shopify", "customers"], **common)
    def customers(
        context: dg.AssetExecutionContext, sync_service: dg.ResourceParam[SyncService]
    ) -> dict[date, list[Customer]]:
        """Customers last changed on the day. The customer of an order is read with the order."""
        with count_api_calls(sync_service) as calls:
            customers_by_day = sync_service.read_customers(run_days(context))
        add_partition_metadata(
            context,
            context.asset_key,
            {day: metadata.row_count_metadata(customers) for day, customers in customers_by_day.items()},
            calls,
        )
        return customers_by_day

    @dg.asset(key=["shopify", "products"], **common)
    def products(
        context: dg.AssetExecutionContext, sync_service: dg.ResourceParam[SyncService]
    ) -> dict[date, list[Product]]:
        """Products last changed on the day, each with all its variants."""
        with count_api_calls(sync_service) as calls:
            products_by_day = sync_service.read_products(run_days(context))
        add_partition_metadata(
            context,
            context.asset_key,
            {day: metadata.row_count_metadata(products) for day, products in products_by_day.items()},
            calls,
        )
        return products_by_day

    @dg.asset(key=["shopify", "orders"], **common)
    def orders(
        context: dg.AssetExecutionContext, sync_service: dg.ResourceParam[SyncService]
    ) -> dict[date, list[Order]]:
        """Orders placed on the day, with their whole history: sales agreements, transactions, refunds.

        A later edit or refund belongs to the day of its order; sync that day again to read it.
        """
        with count_api_calls(sync_service) as calls:
            orders_by_day = sync_service.read_orders(run_days(context))
        add_partition_metadata(
            context,
            context.asset_key,
            {day: metadata.order_metadata(orders) for day, orders in orders_by_day.items()},
            calls,
        )
        return orders_by_day

    return [customers, products, orders]
