"""Assets of Shopify's customers, products and orders, one file a day.

A customer or product belongs to the day of its last change, an order to the day it was placed.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, TypeVar

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import daily_asset_args
from shopify_xero_pipeline.defs.check_results import add_partition_metadata
from shopify_xero_pipeline.defs.io_managers import JsonIOManager, StoredDays
from shopify_xero_pipeline.defs.metadata import records as metadata
from shopify_xero_pipeline.defs.resources import count_api_calls
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.shopify.models import Customer, Order, Product

N = TypeVar("N", Customer, Product, Order)


def extract_assets(partitions: dg.PartitionsDefinition[str]) -> Sequence[dg.AssetsDefinition]:
    """Return the three assets that read Shopify, with the given daily partitions."""
    common = daily_asset_args(partitions, "shopify", "shopify", "json")

    @dg.asset(key=["shopify", "customers"], **common)
    def customers(
        context: dg.AssetExecutionContext,
        sync_service: dg.ResourceParam[SyncService],
        io_manager: dg.ResourceParam[JsonIOManager],
    ) -> StoredDays:
        """Customers last changed on the day. The customer of an order is read with the order."""
        read_days = sync_service.extractor.customers_by_day
        return _read(context, io_manager, sync_service, read_days, metadata.row_count_metadata)

    @dg.asset(key=["shopify", "products"], **common)
    def products(
        context: dg.AssetExecutionContext,
        sync_service: dg.ResourceParam[SyncService],
        io_manager: dg.ResourceParam[JsonIOManager],
    ) -> StoredDays:
        """Products last changed on the day, each with all its variants."""
        read_days = sync_service.extractor.products_by_day
        return _read(context, io_manager, sync_service, read_days, metadata.row_count_metadata)

    @dg.asset(key=["shopify", "orders"], **common)
    def orders(
        context: dg.AssetExecutionContext,
        sync_service: dg.ResourceParam[SyncService],
        io_manager: dg.ResourceParam[JsonIOManager],
    ) -> StoredDays:
        """Orders placed on the day, with their whole history: sales agreements, transactions, refunds.

        A later edit or refund belongs to the day of its order; sync that day again to read it.
        """
        return _read(context, io_manager, sync_service, sync_service.extractor.orders_by_day, metadata.order_metadata)

    return [customers, products, orders]


def _read(
    context: dg.AssetExecutionContext,
    io_manager: JsonIOManager,
    sync_service: SyncService,
    read_days: Callable[[Sequence[date]], Iterator[tuple[date, list[N]]]],
    describe: Callable[[Sequence[N]], dict[str, Any]],
) -> StoredDays:
    """Store the records of the run's days as they are read, and add metadata to the materialisation of each day."""
    stored: StoredDays = io_manager.days(context, context.asset_key)
    entries: dict[date, dict[str, Any]] = {}
    with count_api_calls(sync_service) as calls:
        for day, records in read_days([*stored]):
            stored.store(day, records)
            entries[day] = describe(records)
    add_partition_metadata(context, context.asset_key, entries, calls)
    return stored
