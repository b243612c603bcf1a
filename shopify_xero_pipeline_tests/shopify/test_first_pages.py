"""One request for the shop and the first pages of a window: equal to the lists read one by one, and as complete."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.shop_generator.shop import GeneratedShop
from shopify_xero_pipeline.sandbox.shopify.app import shopify_app
from shopify_xero_pipeline.sandbox.shopify.options import ALL_SCOPES, ShopifyOptions
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.shopify.auth import StaticToken
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import AccessDeniedError, IncompleteReadError
from shopify_xero_pipeline.shopify.first_pages import FirstPages
from shopify_xero_pipeline.shopify.paging import Json
from shopify_xero_pipeline.shopify.queries import document
from shopify_xero_pipeline.shopify.reader import ShopifyReader
from shopify_xero_pipeline.shopify.search import INDEX_LAG, Window
from shopify_xero_pipeline_tests.shopify.fakes import MiddleOfTheRoad
from shopify_xero_pipeline_tests.support import nodes
from shopify_xero_pipeline_tests.support.handmade_shop import HandmadeShop

NOW = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
WINDOW = datetime(2026, 9, 30, 11, 0, tzinfo=UTC), datetime(2026, 10, 1, 11, 0, tzinfo=UTC)
GENERATED = GeneratedShop(7)


class Bench:
    """A sandbox's shop and a reader on one clock; `operations` are those that the reader sent."""

    def __init__(self, source: Any = None, **options: Any) -> None:
        self.clock = ManualClock(NOW)
        self.shop: Any = source or HandmadeShop()
        self.operations: list[str] = []
        self._inner = InProcessTransport(shopify_app(self.shop, self.clock, options=ShopifyOptions(**options)))
        self.client = ShopifyClient(
            "sandbox.myshopify.com",
            StaticToken("sandbox"),
            clock=self.clock,
            transport=httpx.MockTransport(self._send),
            rng=MiddleOfTheRoad(),
        )
        self.reader = ShopifyReader(self.client, self.clock)

    def first_pages(self, window: Window = WINDOW) -> FirstPages:
        pages = self.reader.first_pages(*window)
        assert pages is not None
        return pages

    def _send(self, request: httpx.Request) -> httpx.Response:
        self.operations.append(request.read().decode().split("query ")[1].split("(")[0].split(" ")[0])
        return self._inner.handle_request(request)


def read_all(bench: Bench, window: Window, pages: FirstPages | None) -> list[list[Any]]:
    def first(name: str) -> Json | None:
        return None if pages is None else pages.take(name, window)

    reader = bench.reader
    return [
        [*reader.customers(*window, first("customers"))],
        [*reader.products(*window, first("products"))],
        [*reader.orders(*window, first("orders"))],
    ]


@settings(max_examples=25, deadline=None)
@given(
    start=st.datetimes(datetime(2026, 9, 1), datetime(2026, 10, 4)),  # noqa: DTZ001 - made aware below
    hours=st.integers(1, 24 * 16),
)
def test_the_lists_are_those_that_are_read_one_by_one(start: datetime, hours: int) -> None:
    window = start.replace(tzinfo=UTC), start.replace(tzinfo=UTC) + timedelta(hours=hours)
    one_by_one = read_all(Bench(GENERATED), window, None)
    bench = Bench(GENERATED)
    assert read_all(bench, window, bench.first_pages(window)) == one_by_one


def test_a_day_of_few_records_takes_one_request() -> None:
    bench = Bench()
    for number in range(1, 55):
        bench.shop.put("orders", nodes.order(number))
        bench.shop.put("products", nodes.product(number, updated_at="2026-10-01T00:00:00Z"))
    for number in range(1, 251):
        bench.shop.put("customers", nodes.customer(number, "2026-10-01T00:00:00Z"))
    pages = bench.first_pages()
    assert [len(records) for records in read_all(bench, WINDOW, pages)] == [250, 54, 54]
    assert bench.operations == ["FirstPages"]
    assert pages.shop.iana_timezone == "Pacific/Auckland"
    assert bench.client.requested_points(document("FirstPages")) == 549 + 47 + 73 + 3  # and the shop


def test_a_longer_list_continues_after_its_first_page() -> None:
    bench = Bench()
    for number in range(1, 200):
        bench.shop.put("orders", nodes.order(number, f"2026-10-01T00:{number % 60:02}:00Z"))
    (_, _, orders) = read_all(bench, WINDOW, bench.first_pages())
    assert sorted(int(order.legacy_id) for order in orders) == [*range(1, 200)]
    assert bench.operations == ["FirstPages", "Orders", "Orders", "Orders"]  # 54, 54, 54 and 37


def test_a_list_that_is_shorter_than_its_count_is_read_again_without_its_first_page() -> None:
    bench = Bench()
    bench.shop.put("orders", nodes.order(1))
    pages = bench.first_pages()
    pages.pages["orders"]["ordersCount"]["count"] = 2
    bench.shop.put("orders", nodes.order(2), NOW)
    assert len(bench.reader.orders(*WINDOW, pages.take("orders", WINDOW))) == 2
    assert (bench.operations, (bench.clock.now() - NOW).total_seconds()) == (["FirstPages", "Orders"], INDEX_LAG)


def test_a_first_page_with_a_next_page_but_without_a_cursor_is_incomplete() -> None:
    bench = Bench()
    pages = bench.first_pages()
    pages.pages["orders"]["orders"]["pageInfo"] = {"hasNextPage": True, "endCursor": None}
    with pytest.raises(IncompleteReadError, match="no cursor"):
        bench.reader.orders(*WINDOW, pages.take("orders", WINDOW))


def test_a_page_is_used_once_within_a_minute_and_for_its_own_window() -> None:
    bench = Bench()
    pages = bench.first_pages()
    assert pages.take("orders", WINDOW) is not None
    assert pages.take("orders", WINDOW) is None
    assert pages.take("customers", (WINDOW[0], WINDOW[1] + timedelta(days=1))) is None
    bench.clock.sleep(60)
    assert pages.take("products", WINDOW) is None


def test_an_app_that_may_not_read_a_list_is_told_which_scope_it_lacks() -> None:
    bench = Bench(scopes=ALL_SCOPES - {"read_products"})
    assert bench.reader.first_pages(*WINDOW) is None
    assert len(bench.reader.customers(*WINDOW)) == 0
    with pytest.raises(AccessDeniedError, match="read_products"):
        bench.reader.products(*WINDOW)


def test_orders_with_return_fees_are_read_again_with_the_names_of_the_fees() -> None:
    bench = Bench()
    fee = nodes.sale(1, lineType="FEE", fee={"__typename": "RestockingFee", "id": "gid://shopify/RestockingFee/1"})
    bench.shop.put("orders", nodes.order(1, agreements=[nodes.agreement(1, fee)]))
    (_, _, (order,)) = read_all(bench, WINDOW, bench.first_pages())
    assert order.agreements[0].sales[0].title == "Restocking fee"
    assert bench.operations == ["FirstPages", "Orders"]
    (_, _, again) = read_all(bench, WINDOW, bench.first_pages())
    assert again == [order]
    assert bench.operations[2:] == ["FirstPages"], "the scopes are known, so that the page has the names"


def test_without_the_scope_of_return_fees_their_orders_are_read_once() -> None:
    bench = Bench(scopes=ALL_SCOPES - {"read_returns"})
    bench.shop.put("orders", nodes.order(1, agreements=[nodes.agreement(1, nodes.sale(1, lineType="FEE", fee=None))]))
    assert len(read_all(bench, WINDOW, bench.first_pages())[2]) == 1
    assert bench.operations == ["FirstPages"]


def test_all_pages_shrink_until_the_older_cost_model_accepts_them() -> None:
    bench = Bench(linear_cost=True)
    for number in range(1, 31):
        bench.shop.put("orders", nodes.order(number))
    assert len(read_all(bench, WINDOW, bench.first_pages())[2]) == 30
    asked = bench.client.requested_points(document("FirstPages"))
    assert asked is not None
    assert asked <= 1_000


def test_the_time_of_the_read_is_that_before_the_request() -> None:
    bench = Bench()
    send = bench._send

    def slowly(request: httpx.Request) -> httpx.Response:
        bench.clock.sleep(7)
        response = send(request)
        bench.clock.sleep(2)
        return response

    bench.client._http = httpx.Client(transport=httpx.MockTransport(slowly))
    assert bench.first_pages().read_at == NOW - timedelta(seconds=2)  # it may have been executed just before its Date
