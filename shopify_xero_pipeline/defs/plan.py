"""Change-set assets, the plan of each kind of record and each day, without a write to Xero.

The step `plan_orders` plans Invoices, Credit Notes and Payments of an order in one pass. Each of its three assets can
be materialised alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import dagster as dg

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.defs.asset_defaults import daily_asset_args
from shopify_xero_pipeline.defs.check_results import add_partition_metadata
from shopify_xero_pipeline.defs.io_managers import JsonIOManager, StoredDays
from shopify_xero_pipeline.defs.metadata.records import plan_metadata
from shopify_xero_pipeline.defs.metadata.tables import Links
from shopify_xero_pipeline.defs.resources import count_api_calls
from shopify_xero_pipeline.pipeline.sync import SyncService
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


def change_assets(partitions: dg.PartitionsDefinition[str]) -> Sequence[dg.AssetsDefinition]:
    """Return the assets of the five change-sets, with the given daily partitions."""
    common = daily_asset_args(partitions, "changes", "python", "json") | {"deps": [MAPPING]}

    @dg.asset(
        key=["changes", "contacts"], ins={"customers": dg.AssetIn(["shopify", "customers"]), "orders": ORDERS}, **common
    )
    def contacts(
        context: dg.AssetExecutionContext,
        sync_service: dg.ResourceParam[SyncService],
        io_manager: dg.ResourceParam[JsonIOManager],
        customers: StoredDays,
        orders: StoredDays,
    ) -> StoredDays:
        """Contacts of the day's customers and of the customers of its orders."""
        publisher = _Publisher(context, io_manager, sync_service, {Kind.CONTACT: context.asset_key})
        publisher.publish(sync_service.planner.contact_plans(customers, orders))
        return publisher.days[context.asset_key]

    @dg.asset(
        key=["changes", "items"], ins={"products": dg.AssetIn(["shopify", "products"]), "orders": ORDERS}, **common
    )
    def items(
        context: dg.AssetExecutionContext,
        sync_service: dg.ResourceParam[SyncService],
        io_manager: dg.ResourceParam[JsonIOManager],
        products: StoredDays,
        orders: StoredDays,
    ) -> StoredDays:
        """Items of the day's product variants and of the variants in its orders."""
        publisher = _Publisher(context, io_manager, sync_service, {Kind.ITEM: context.asset_key})
        publisher.publish(sync_service.planner.item_plans(products, orders))
        return publisher.days[context.asset_key]

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
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
    )
    def plan_orders(
        context: dg.AssetExecutionContext,
        sync_service: dg.ResourceParam[SyncService],
        io_manager: dg.ResourceParam[JsonIOManager],
        orders: StoredDays,
    ) -> Iterator[dg.Output[StoredDays]]:
        selected = {kind: key for key, kind in keys.items() if key in context.selected_asset_keys}
        publisher = _Publisher(context, io_manager, sync_service, selected)
        publisher.publish(sync_service.planner.order_plans(orders, tuple(selected)))
        for key, stored in publisher.days.items():
            yield dg.Output(stored, output_name=key.to_python_identifier())

    assets: dg.AssetsDefinition = plan_orders
    return assets


class _Publisher:
    """Stores the plans of a step and adds each as metadata to the materialisation of its day.

    Args:
        context: context of the step.
        storage: stores the plans.
        sync_service: counts the API calls of the step.
        keys: the asset of each kind of the step.

    Attributes:
        days: the stored days by asset.
    """

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        storage: JsonIOManager,
        sync_service: SyncService,
        keys: Mapping[Kind, dg.AssetKey],
    ) -> None:
        self._context, self._sync_service = context, sync_service
        self._links = Links(sync_service.connections.shop_domain)
        self._keys = keys
        self.days = {key: storage.days(context, key) for key in keys.values()}

    def publish(self, plans: Iterable[ChangeSet]) -> None:
        """Store plans as they are made; the calls of the step count for its first asset.

        Args:
            plans: plans of the kinds of the step's assets.
        """
        with count_api_calls(self._sync_service) as calls:
            for plan in plans:
                key = self._keys[plan.kind]
                self.days[key].store(plan.day, plan)
                add_partition_metadata(self._context, key, {plan.day: plan_metadata(plan, self._links)}, {})
        for number, (key, stored) in enumerate(self.days.items()):
            share = calls if number == 0 else dict.fromkeys(calls, 0)
            add_partition_metadata(self._context, key, {day: {} for day in stored}, share)
