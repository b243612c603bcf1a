"""What a large day costs."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.changes.plan import has_writes
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import OF_ORDERS

pytestmark = pytest.mark.campaign


def a_plain_order(stage: Stage) -> Order:
    """Return an order of the generated fortnight that was paid by card and left alone ever since."""
    source = stage.sandbox.source
    assert isinstance(source, GeneratedShop)
    found = source.versions("orders", stage.clock.now())
    gid = next(gid for gid in found if source.kind_of(gid) == "plain_card")
    return stage.sync_service.connections.reader.orders_by_id([gid])[0]


def copies(order: Order, count: int) -> Iterator[Order]:
    """Yield an order again and again, each with ids, a name and a customer of its own."""
    text = order.model_dump_json()
    ids = sorted({part.split('"')[0] for part in text.split("gid://shopify/")[1:]}, key=len, reverse=True)
    own = [one for one in ids if not one.startswith(("Product/", "ProductVariant/"))]
    for number in range(1, count + 1):
        copy = text
        for one in own:
            copy = copy.replace(f"gid://shopify/{one}", f"gid://shopify/{one}{number:04d}")
        found = Order.model_validate_json(copy)
        assert found.customer is not None
        customer = found.customer.model_copy(update={"display_name": f"Customer {number}"})
        yield found.model_copy(update={"name": f"#C{number}", "customer": customer})


def carried(sync_service: SyncService, orders: Mapping[date, list[Order]]) -> bool:
    """Plan and load what the orders need, kind by kind as Dagster does, and say whether anything was to be written."""
    families: list[Callable[[], list[ChangeSet]]] = [
        partial(sync_service.planner.plan_contacts, {}, orders),
        partial(sync_service.planner.plan_items, {}, orders),
    ]
    families += [partial(sync_service.planner.plan_orders, orders, (kind,)) for kind in OF_ORDERS]
    wrote = False
    for plan in families:
        change_sets = plan()
        wrote = wrote or has_writes(change_sets)
        sync_service.loader.load(change_sets, "run")
    return wrote


@pytest.mark.parametrize(("count", "calls"), [(200, 30), pytest.param(1000, 100, marks=pytest.mark.long)])
def test_many_new_orders_of_as_many_new_customers_take_at_most_so_many_calls(
    tmp_path: Path, count: int, calls: int
) -> None:
    with staged(tmp_path, at(date(2026, 10, 10))) as stage:
        sync_service = stage.sync_service
        orders = {date(2026, 10, 1): list(copies(a_plain_order(stage), count))}
        assert carried(sync_service, orders)
        (compared,) = sync_service.reconciler.reconcile(orders)
        assert compared.count("posted") == count
        assert (compared.differences, compared.lost, compared.extra, compared.unequal) == ({}, 0, 0, [])
        assert len(stage.sandbox.books.contacts) == count
        before, size = sync_service.connections.calls[1], stage.size()
        assert before <= calls
        assert not carried(sync_service, orders)
        sync_service.reconciler.reconcile(orders)
        assert (sync_service.connections.calls[1], stage.size()) == (before, size)
