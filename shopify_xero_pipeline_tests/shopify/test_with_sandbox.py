"""Tests of client and reader against the sandbox: GraphQL, query costs, index lag, faults."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind, Faults
from shopify_xero_pipeline.sandbox.shop_generator.shop import GeneratedShop
from shopify_xero_pipeline.sandbox.shopify.app import shopify_app
from shopify_xero_pipeline.sandbox.shopify.options import ALL_SCOPES, ShopifyOptions
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.shopify.auth import ClientCredentials, StaticToken
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import (
    AccessDeniedError,
    AuthenticationFailedError,
    QueryRefusedError,
    SearchIgnoredError,
    VersionMismatchError,
)
from shopify_xero_pipeline.shopify.queries import document
from shopify_xero_pipeline.shopify.reader import ShopifyReader
from shopify_xero_pipeline_tests.shopify.fakes import MiddleOfTheRoad
from shopify_xero_pipeline_tests.support import nodes
from shopify_xero_pipeline_tests.support.handmade_shop import HandmadeShop

pytestmark = pytest.mark.campaign

NOW = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
START = datetime(2026, 9, 30, 11, 0, tzinfo=UTC)
END = datetime(2026, 10, 1, 11, 0, tzinfo=UTC)


class Bench:
    """A sandbox, a client and a reader on one manual clock."""

    def __init__(self, source: Any = None, *, credentials: Any = None, **options: Any) -> None:
        self.clock = ManualClock(NOW)
        self.shelf: Any = source or HandmadeShop()
        self.app = shopify_app(self.shelf, self.clock, options=ShopifyOptions(**options))
        self.faults = Faults()
        self.client = ShopifyClient(
            "sandbox.myshopify.com",
            credentials or StaticToken("sandbox"),
            clock=self.clock,
            transport=InProcessTransport(self.faults.wrap(self.app)),
            rng=MiddleOfTheRoad(),
        )
        self.reader = ShopifyReader(self.client, self.clock)

    @property
    def waited(self) -> float:
        return (self.clock.now() - NOW).total_seconds()


def test_a_generated_fortnight_is_read_whole_and_adds_up() -> None:
    bench = Bench(GeneratedShop())
    orders = bench.reader.orders(datetime(2026, 9, 20, 12, tzinfo=UTC), datetime(2026, 10, 4, 11, tzinfo=UTC))
    assert len(orders) > 100
    assert bench.client.calls < 10
    for order in orders:
        ledger = sum(s.total_amount.shop_money.amount for a in order.agreements for s in a.sales)
        assert ledger == order.current_total_price_set.shop_money.amount, order.name
        lines = {line.id for line in order.line_items}
        assert {s.line_item_id for a in order.agreements for s in a.sales if s.line_item_id} <= lines
    assert bench.reader.orders_by_id(order.id for order in orders) == orders
    assert bench.waited == 0


def test_every_document_is_valid_and_costs_what_the_model_says() -> None:
    bench = Bench(GeneratedShop())
    bench.reader.orders(START, END)
    assert bench.client.requested_points(document("Orders")) == 549


def large_order() -> dict[str, Any]:
    lines = [nodes.line_item(n) for n in range(1, 301)]
    sales = [nodes.sale(n, lineItem={"id": f"gid://shopify/LineItem/{n}"}) for n in range(1, 301)]
    agreements = [nodes.agreement(1, *sales)]
    agreements.append(nodes.agreement(2, *sales[:60], reason="ORDER_EDIT"))
    agreements += [nodes.agreement(n, *sales[:3], reason="ORDER_EDIT") for n in range(3, 26)]
    repayments = [{"id": f"gid://shopify/OrderTransaction/{n}"} for n in range(1, 121)]
    return nodes.order(1, lineItems=lines, agreements=agreements, refunds=[nodes.refund(5, transactions=repayments)])


@pytest.mark.parametrize("linear", [False, True])
def test_an_order_of_300_lines_and_25_agreements_is_read_whole(linear: bool) -> None:
    bench = Bench(linear_cost=linear)
    bench.shelf.put("orders", large_order())
    (order,) = bench.reader.orders(START, END)
    assert [line.legacy_id for line in order.line_items] == [str(n) for n in range(1, 301)]
    assert [agreement.legacy_id for agreement in order.agreements] == [str(n) for n in range(1, 26)]
    assert [len(agreement.sales) for agreement in order.agreements] == [300, 60, *[3] * 23]
    assert [s.legacy_id for s in order.agreements[0].sales] == [str(n) for n in range(1, 301)]
    assert len(order.refunds[0].transaction_ids) == 120


def test_pages_shrink_until_the_older_cost_model_accepts_them() -> None:
    bench = Bench(linear_cost=True)
    for number in range(1, 31):
        bench.shelf.put("orders", nodes.order(number))
    assert len(bench.reader.orders(START, END)) == 30
    asked = bench.client.requested_points(document("Orders"))
    assert asked is not None
    assert asked <= 1000


def test_a_bucket_emptied_by_another_app_is_waited_for() -> None:
    bench = Bench()
    bench.shelf.put("orders", nodes.order(1))
    bench.reader.shop()
    bench.app.state.admin.bucket.drain(2000, bench.clock.now())
    assert len(bench.reader.orders(START, END)) == 1
    assert bench.waited == 6.5  # 549 points at 100 a second, and half a second of jitter


def test_a_small_bucket_is_not_overdrawn_once_its_level_is_known() -> None:
    bench = Bench(bucket_size=800, restore_rate=50)
    for number in range(1, 200):
        bench.shelf.put("orders", nodes.order(number))
    assert len(bench.reader.orders(START, END)) == 199
    assert bench.client.calls == 5  # the shop and four pages: none was refused


def test_a_token_that_expires_in_the_middle_of_a_run_is_renewed() -> None:
    bench = Bench(credentials=ClientCredentials("sandbox", "sandbox"), token_lifetime=600)
    bench.reader.shop()
    bench.clock.sleep(500)
    bench.reader.shop()
    assert bench.client.calls == 4  # a token each time, the second before the first had lapsed


def test_wrong_credentials_are_told_as_such() -> None:
    with pytest.raises(AuthenticationFailedError, match="SHOPIFY_CLIENT_SECRET"):
        Bench(credentials=ClientCredentials("sandbox", "wrong")).reader.shop()
    with pytest.raises(AuthenticationFailedError, match="SHOPIFY_ACCESS_TOKEN"):
        Bench(credentials=StaticToken("wrong")).reader.shop()
    with pytest.raises(AuthenticationFailedError, match="organization"):
        Bench(credentials=ClientCredentials("sandbox", "sandbox"), shop_permitted=False).reader.shop()


def test_an_order_the_index_does_not_know_yet_is_left_to_the_next_run() -> None:
    bench = Bench(index_lag=timedelta(seconds=20))
    placed = NOW - timedelta(seconds=10)
    bench.shelf.put("orders", nodes.order(1, placed.strftime("%Y-%m-%dT%H:%M:%SZ")), placed)
    assert bench.reader.orders(START, NOW + timedelta(hours=1)) == []
    assert [order.name for order in bench.reader.orders_by_id(["1"])] == ["#1"]
    bench.clock.sleep(30)
    assert len(bench.reader.orders(START, NOW + timedelta(hours=1))) == 1


def test_a_hit_that_has_moved_on_is_judged_by_its_own_time() -> None:
    bench = Bench(index_lag=timedelta(seconds=20))
    bench.shelf.put("customers", nodes.customer(1, "2026-10-01T00:00:00Z"))
    bench.shelf.put("customers", nodes.customer(1, "2026-10-05T08:59:50Z"), NOW - timedelta(seconds=10))
    assert bench.reader.customers(START, END) == []
    assert len(bench.reader.customers(START, NOW)) == 1


def test_the_shop_day_before_and_after_belong_to_other_windows() -> None:
    bench = Bench()
    for number, at in enumerate(("09-30T10:59:59", "09-30T11:00:00", "10-01T10:59:59", "10-01T11:00:00")):
        bench.shelf.put("orders", nodes.order(number, f"2026-{at}Z"))
        bench.shelf.put("customers", nodes.customer(number, f"2026-{at}Z"))
        bench.shelf.put("products", nodes.product(number, updated_at=f"2026-{at}Z"))
    for read in (bench.reader.orders, bench.reader.customers, bench.reader.products):
        assert [record.legacy_id for record in read(START, END)] == ["1", "2"]


def test_a_product_of_2048_variants_is_read_whole() -> None:
    bench = Bench()
    bench.shelf.put("products", nodes.product(1, 2048))
    (product,) = bench.reader.products(START, END)
    assert len(product.variants) == 2048


def test_changed_orders_are_found_by_their_change() -> None:
    bench = Bench()
    bench.shelf.put("orders", nodes.order(1, "2026-08-20T00:00:00Z", updatedAt="2026-10-03T00:00:00Z"))
    bench.shelf.put("orders", nodes.order(2, updatedAt="2026-10-02T00:00:00Z"))
    (changed,) = bench.reader.changed_orders(datetime(2026, 10, 3, tzinfo=UTC))
    assert (changed.legacy_id, changed.processed_at.month) == ("1", 8)


def test_without_read_all_orders_an_old_day_is_an_error_not_an_empty_day() -> None:
    bench = Bench(scopes=ALL_SCOPES - {"read_all_orders"})
    bench.shelf.put("orders", nodes.order(1, "2026-01-01T00:00:00Z"), datetime(2026, 1, 1, tzinfo=UTC))
    assert bench.reader.orders(START, END) == []
    with pytest.raises(AccessDeniedError, match="read_all_orders"):
        bench.reader.orders(datetime(2025, 12, 31, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    with pytest.raises(AccessDeniedError, match="read_all_orders"):
        bench.reader.orders_by_id(["1"])


def test_a_missing_scope_is_named() -> None:
    bench = Bench(scopes=ALL_SCOPES - {"read_payment_terms", "read_returns"})
    with pytest.raises(AccessDeniedError, match="read_payment_terms"):
        bench.reader.orders(START, END)
    with pytest.raises(AccessDeniedError, match="read_customers"):
        Bench(scopes=ALL_SCOPES - {"read_customers"}).client.execute(
            document("Customers"), {"query": "", "window": "", "first": 1}
        )


def test_the_newest_orders_are_read_whole_whatever_day_they_are_of() -> None:
    bench = Bench()
    bench.clock.sleep(3600)  # the index has caught up
    for number, moment in ((1, "2026-06-01T00:00:00Z"), (2, "2026-10-04T00:00:00Z"), (3, "2026-09-01T00:00:00Z")):
        bench.shelf.put("orders", nodes.order(number, moment))
    assert [order.name for order in bench.reader.newest_orders(2)] == ["#3", "#2"]
    assert [order.name for order in bench.reader.newest_orders(50)] == ["#1", "#3", "#2"]
    with pytest.raises(AccessDeniedError, match="read_products"):
        Bench(scopes=ALL_SCOPES - {"read_products"}).reader.newest_orders(50)


def test_the_scopes_that_are_missing_depend_on_how_far_back_the_books_begin() -> None:
    lacking = ALL_SCOPES - {"read_products", "read_all_orders", "read_returns"}
    bench = Bench(scopes=lacking)
    assert bench.reader.missing_scopes(NOW - timedelta(days=59)) == ["read_products"]
    assert bench.reader.missing_scopes(NOW - timedelta(days=61)) == ["read_products", "read_all_orders"]
    assert Bench().reader.missing_scopes(NOW - timedelta(days=400)) == []


def test_without_the_scope_for_returns_orders_are_read_without_fee_names() -> None:
    fee = nodes.sale(1, lineType="FEE", fee={"__typename": "RestockingFee", "id": "gid://shopify/RestockingFee/1"})
    bench, plain = Bench(), Bench(scopes=ALL_SCOPES - {"read_returns"})
    for each in (bench, plain):
        each.shelf.put("orders", nodes.order(1, agreements=[nodes.agreement(1, fee)]))
    titles = [each.reader.orders(START, END)[0].agreements[0].sales[0].title for each in (bench, plain)]
    assert titles == ["Restocking fee", None]


def test_a_misspelt_search_field_and_a_wrong_document_are_errors() -> None:
    bench = Bench()
    with pytest.raises(SearchIgnoredError, match="procesed_at"):
        bench.client.execute('query Q { orders(first: 1, query: "procesed_at:1") { nodes { id } } }', {})
    with pytest.raises(QueryRefusedError, match="nothing"):
        bench.client.execute("query Q { nothing }", {})


def test_a_version_that_is_no_longer_served_is_told() -> None:
    with pytest.raises(VersionMismatchError, match="2027-01"):
        Bench(versions=("2027-01", "2027-04")).reader.shop()


@pytest.mark.parametrize(
    "kind", [FaultKind.UNREACHABLE, FaultKind.DROP_AFTER, FaultKind.SLOW, FaultKind.HTML, FaultKind.TRUNCATED]
)
def test_a_day_is_whole_in_spite_of_faults_on_the_way(kind: FaultKind) -> None:
    bench = Bench()
    for number in range(1, 121):
        bench.shelf.put("orders", nodes.order(number))
    fault = bench.faults.add(Fault(kind=kind, body="ordersCount", times=3, after=1))
    assert len(bench.reader.orders(START, END)) == 120
    assert fault.fired == 3
