"""Tests of the reader against a fake shop: windows, completeness, nested pages, access scopes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from shopify_xero_pipeline.shopify.errors import (
    AccessDeniedError,
    IncompleteReadError,
    QueryTooExpensiveError,
    ShopifyUnavailableError,
    ShopifyUnreachableError,
    UnexpectedShapeError,
)
from shopify_xero_pipeline.shopify.reader import ShopifyReader
from shopify_xero_pipeline.shopify.search import INDEX_LAG
from shopify_xero_pipeline_tests.shopify.fakes import ALL_SCOPES, RecordingClock, ShelfShop, client_of, error, refused
from shopify_xero_pipeline_tests.support import nodes

START = datetime(2026, 9, 30, 11, 0, tzinfo=UTC)
END = datetime(2026, 10, 1, 11, 0, tzinfo=UTC)


def reader_of(shop: ShelfShop, clock: RecordingClock | None = None) -> ShopifyReader:
    clock = clock or RecordingClock()
    return ShopifyReader(client_of(shop, clock), clock)


def shop_with(*orders: dict[str, Any]) -> ShelfShop:
    shop = ShelfShop()
    shop.orders = list(orders)
    return shop


def test_the_shop_tells_its_zone_and_currency() -> None:
    shop = reader_of(ShelfShop()).shop()
    assert (shop.iana_timezone, shop.currency_code, shop.legacy_id) == ("Pacific/Auckland", "NZD", "1")


# --- windows


def test_a_window_is_sent_as_quoted_utc_seconds_and_kept_half_open_by_us() -> None:
    shop = shop_with(
        nodes.order(4, "2026-10-01T11:00:00Z"),
        nodes.order(2, "2026-10-01T10:59:59Z"),
        nodes.order(1, "2026-09-30T11:00:00Z"),
        nodes.order(3, "2026-09-30T10:59:59Z"),
    )
    assert [order.name for order in reader_of(shop).orders(START, END)] == ["#1", "#2"]
    assert shop.operations() == ["Shop", "Orders"]
    query = "processed_at:>='2026-09-30T11:00:00Z' processed_at:<='2026-10-01T11:00:00Z'"
    assert shop.asked[1][1] == {"query": query, "window": query, "first": 54, "after": None, "fees": True}


def test_fractions_of_a_second_widen_the_search_and_are_filtered_by_us() -> None:
    shop = shop_with(nodes.order(1, "2026-10-01T11:00:00Z"), nodes.order(2, "2026-09-30T11:00:00Z"))
    found = reader_of(shop).orders(START + timedelta(milliseconds=1), END + timedelta(milliseconds=1))
    assert [order.name for order in found] == ["#1"]
    assert shop.asked[1][1]["query"] == ("processed_at:>='2026-09-30T11:00:00Z' processed_at:<='2026-10-01T11:00:01Z'")


def test_a_window_without_zone_or_without_length_is_refused() -> None:
    reader = reader_of(ShelfShop())
    with pytest.raises(ValueError, match="aware"):
        reader.orders(START, END.replace(tzinfo=None))
    with pytest.raises(ValueError, match="empty window"):
        reader.products(END, END)


def test_pages_are_read_to_the_end_and_repeats_kept_once() -> None:
    shop = shop_with(*(nodes.order(n) for n in range(1, 61)), nodes.order(1))
    shop.counted["orders"] = 60
    assert len(reader_of(shop).orders(START, END)) == 60
    assert [variables["after"] for _, variables in shop.asked[1:]] == [None, "54"]


def test_an_empty_day_is_empty() -> None:
    assert reader_of(ShelfShop()).orders(START, END) == []


def test_a_shortfall_is_read_again_once_after_the_index_had_time() -> None:
    clock, shop = RecordingClock(), shop_with(nodes.order(1))
    shop.counted["orders"] = 2

    def catch_up(operation: str, _: dict[str, Any]) -> None:
        if shop.operations().count("Orders") == 2:
            shop.orders = [nodes.order(1), nodes.order(2)]

    shop.before = catch_up
    assert [order.name for order in reader_of(shop, clock).orders(START, END)] == ["#1", "#2"]
    assert clock.slept == [INDEX_LAG]


def test_a_shortfall_that_stays_is_an_incomplete_read() -> None:
    shop = shop_with(nodes.order(1))
    shop.counted["orders"] = 3
    with pytest.raises(IncompleteReadError, match=r"counts 3 orders for processed_at.* lists 1, .* run it again"):
        reader_of(shop).orders(START, END)


def test_an_order_whose_index_entry_is_stale_does_not_count_as_missing() -> None:
    shop = shop_with(nodes.order(1), nodes.order(2, "2026-10-02T00:00:00Z"))
    assert [order.name for order in reader_of(shop).orders(START, END)] == ["#1"]


@pytest.mark.parametrize("name", ["customers", "customersCount"])
def test_a_list_or_a_count_that_is_null_is_an_error(name: str) -> None:
    shop = ShelfShop()
    listed = {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    data = {"customers": listed, "customersCount": {"count": 0}, name: None}
    shop.before = lambda operation, _: httpx.Response(200, json={"data": data}) if operation == "Customers" else None
    with pytest.raises(AccessDeniedError, match=name):
        reader_of(shop).customers(START, END)


def test_a_page_that_does_not_say_where_more_follows_is_incomplete() -> None:
    shop = shop_with(nodes.order(1))
    stuck = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}
    data = {"orders": stuck, "ordersCount": {"count": 1, "precision": "EXACT"}}
    shop.before = lambda operation, _: httpx.Response(200, json={"data": data}) if operation == "Orders" else None
    with pytest.raises(IncompleteReadError, match="has a next page but no cursor"):
        reader_of(shop).orders(START, END)


def test_a_long_list_is_begun_anew_before_shopify_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shopify_xero_pipeline.shopify.search.RESTART_AFTER", 50)
    every_minute = [nodes.order(n, f"2026-10-01T00:{n:02}:00Z") for n in range(60)]
    shop = shop_with(*every_minute)

    def from_there(operation: str, variables: dict[str, Any]) -> None:
        if operation == "Orders":
            since = variables["query"].split("'")[1]
            shop.orders = [node for node in every_minute if node["processedAt"] >= since]
            shop.counted["orders"] = 60

    shop.before = from_there
    assert len(reader_of(shop).orders(START, END)) == 60
    queries = [variables["query"] for operation, variables in shop.asked if operation == "Orders"]
    assert queries == [
        "processed_at:>='2026-09-30T11:00:00Z' processed_at:<='2026-10-01T11:00:00Z'",
        "processed_at:>='2026-10-01T00:00:00Z' processed_at:<='2026-10-01T11:00:00Z'",
    ]


def test_more_records_in_one_instant_than_a_list_can_hold_are_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shopify_xero_pipeline.shopify.search.RESTART_AFTER", 50)
    shop = shop_with(*(nodes.order(n) for n in range(200)))
    with pytest.raises(IncompleteReadError, match="have the same time around 2026-10-01T00:00:00Z"):
        reader_of(shop).orders(START, END)


# --- page sizes


def test_a_page_that_is_too_dear_is_halved_and_the_size_kept() -> None:
    shop = shop_with(*(nodes.order(n) for n in range(1, 31)))
    shop.before = lambda operation, variables: (
        refused(error("MAX_COST_EXCEEDED", cost=1036, maxCost=1000))
        if operation == "Orders" and variables["first"] > 15
        else None
    )
    reader = reader_of(shop)
    assert len(reader.orders(START, END)) == 30
    sizes = [variables["first"] for operation, variables in shop.asked if operation == "Orders"]
    assert sizes[:3] == [54, 27, 13]


def test_a_single_order_that_is_too_dear_ends_it() -> None:
    shop = shop_with(nodes.order(1))
    shop.before = lambda operation, _: refused(error("MAX_COST_EXCEEDED")) if operation == "Orders" else None
    with pytest.raises(QueryTooExpensiveError, match="costs more points where one query may cost fewer"):
        reader_of(shop).orders(START, END)
    assert shop.asked[-1][1]["first"] == 1


def test_a_page_grows_while_twice_its_cost_would_fit() -> None:
    shop = shop_with(*(nodes.order(n) for n in range(1, 300)))
    reader_of(shop).orders(START, END)  # every answer of the shelf costs 10
    sizes = [variables["first"] for operation, variables in shop.asked if operation == "Orders"]
    assert sizes == [54, 108, 148]


def test_a_page_that_shopify_does_not_finish_is_tried_smaller_twice() -> None:
    shop = shop_with(nodes.order(1))
    shop.before = lambda operation, variables: (
        httpx.Response(504) if operation == "Orders" and variables["first"] > 13 else None
    )
    assert len(reader_of(shop).orders(START, END)) == 1
    shop.before = lambda operation, _: httpx.Response(504) if operation == "Orders" else None
    with pytest.raises(ShopifyUnavailableError):
        reader_of(shop).orders(START, END)
    assert shop.asked[-1][1]["first"] == 13


def test_a_shop_that_cannot_be_reached_is_not_asked_for_less() -> None:
    shop = shop_with(nodes.order(1))

    def cut_off(operation: str, _: dict[str, Any]) -> None:
        if operation == "Orders":
            raise httpx.ConnectError("no route")

    shop.before = cut_off
    with pytest.raises(ShopifyUnreachableError, match=r"sandbox\.myshopify\.com could not be reached \(ConnectError\)"):
        reader_of(shop).orders(START, END)
    assert shop.operations().count("Orders") == 5


# --- whole records


def many(count: int, make: Any) -> list[Any]:
    return [make(n) for n in range(1, count + 1)]


def large_order() -> dict[str, Any]:
    """More than fits on any first page, everywhere; the shelf shows two rows of each connection at first."""
    sales = [nodes.sale(n, lineItem={"id": f"gid://shopify/LineItem/{n}"}) for n in range(1, 301)]
    refund = nodes.refund(5, transactions=many(5, lambda n: {"id": f"gid://shopify/OrderTransaction/{n}"}))
    return nodes.order(
        1,
        lineItems=many(300, nodes.line_item),
        agreements=[nodes.agreement(1, *sales), *(nodes.agreement(n, *sales[:3]) for n in range(2, 26))],
        refunds=[refund],
        paymentTerms={"paymentSchedules": many(7, lambda n: {"dueAt": f"2026-11-{n:02}T00:00:00Z"})},
    )


def test_every_connection_inside_an_order_is_paged_to_its_end() -> None:
    (order,) = reader_of(shop_with(large_order())).orders(START, END)
    assert [line.legacy_id for line in order.line_items] == [str(n) for n in range(1, 301)]
    assert [agreement.legacy_id for agreement in order.agreements] == [str(n) for n in range(1, 26)]
    assert [len(agreement.sales) for agreement in order.agreements] == [300, *[3] * 24]
    assert [s.line_item_id for s in order.agreements[0].sales] == [line.id for line in order.line_items]
    (refund,) = order.refunds
    assert [i[-1] for i in refund.transaction_ids] == ["1", "2", "3", "4", "5"]
    assert order.payment_terms is not None
    assert order.payment_terms.payment_schedules[-1].due_at == datetime(2026, 11, 7, tzinfo=UTC)


def test_an_order_that_changes_while_its_pages_are_read_is_read_again_by_id() -> None:
    shop = shop_with(nodes.order(1, lineItems=many(5, nodes.line_item)))

    def add_a_line(operation: str, _: dict[str, Any]) -> None:
        if operation == "MoreLineItems" and shop.operations().count(operation) == 1:
            lines = many(6, nodes.line_item)
            shop.orders = [nodes.order(1, lineItems=lines, updatedAt="2026-10-04T00:00:00Z")]

    shop.before = add_a_line
    (order,) = reader_of(shop).orders(START, END)
    assert len(order.line_items) == 6
    assert order.updated_at == datetime(2026, 10, 4, tzinfo=UTC)
    assert "OrdersById" in shop.operations()


def test_an_order_that_never_stands_still_is_an_incomplete_read() -> None:
    shop = shop_with(nodes.order(1, lineItems=many(5, nodes.line_item)))

    def change(operation: str, _: dict[str, Any]) -> None:
        if operation == "MoreLineItems":
            second = shop.operations().count(operation)
            shop.orders = [{**shop.orders[0], "updatedAt": f"2026-10-04T00:00:{second:02}Z"}]

    shop.before = change
    with pytest.raises(IncompleteReadError, match="Order/1 changes faster"):
        reader_of(shop).orders(START, END)


def test_an_order_that_goes_away_while_it_is_read_is_left_out() -> None:
    shop = shop_with(nodes.order(1, lineItems=many(5, nodes.line_item)))

    def delete(operation: str, _: dict[str, Any]) -> None:
        if operation == "MoreLineItems":
            shop.orders = []

    shop.before = delete
    assert reader_of(shop).orders(START, END) == []


@pytest.mark.parametrize("change", ["terms", "agreements"])
def test_a_part_that_goes_away_while_it_is_read_means_reading_again(change: str) -> None:
    terms = {"paymentSchedules": many(5, lambda n: {"dueAt": None})}
    sales = many(5, nodes.sale)
    shop = shop_with(nodes.order(1, paymentTerms=terms, agreements=[nodes.agreement(1, *sales)]))
    operation_of = {"terms": "MorePaymentSchedules", "agreements": "MoreSales"}

    def take_away(operation: str, _: dict[str, Any]) -> None:
        if operation == operation_of[change] and shop.operations().count(operation) == 1:
            changed: dict[str, dict[str, Any]] = {
                "terms": {"paymentTerms": None},
                "agreements": {"agreements": [nodes.agreement(2, *sales)]},
            }
            shop.orders = [{**shop.orders[0], **changed[change]}]

    shop.before = take_away
    (order,) = reader_of(shop).orders(START, END)
    assert (order.payment_terms is None) == (change == "terms")
    assert order.agreements[0].legacy_id == ("2" if change == "agreements" else "1")


@pytest.mark.parametrize("full", [{"transactions": many(250, nodes.transaction)}, {"refunds": many(250, nodes.refund)}])
def test_a_full_list_without_cursor_is_not_trusted(full: dict[str, Any]) -> None:
    shop = shop_with(nodes.order(1, **full))
    with pytest.raises(IncompleteReadError, match=r"Order #1 .* has 250 or more .* by hand"):
        reader_of(shop).orders(START, END)


# --- by id, by change


def test_orders_are_read_by_id_in_small_lots_and_deleted_ones_left_out() -> None:
    shop = shop_with(*(nodes.order(n) for n in range(1, 12)))
    ids = ["gid://shopify/Order/11", "99", *map(str, range(1, 12))]
    found = reader_of(shop).orders_by_id(ids)
    assert sorted(int(order.legacy_id) for order in found) == list(range(1, 12))
    lots = [len(variables["ids"]) for operation, variables in shop.asked if operation == "OrdersById"]
    assert lots == [8, 4]
    assert shop.asked[1][1]["ids"][:2] == ["gid://shopify/Order/11", "gid://shopify/Order/99"]


def test_which_orders_exist_is_asked_of_the_records_by_id_and_null_leaves_one_out() -> None:
    shop = shop_with(nodes.order(1, "2026-10-01T10:00:00Z"), nodes.order(2, "2026-09-30T12:00:00Z"))
    found = reader_of(shop).existing_orders(["1", "7", "gid://shopify/Order/2", "1"])
    assert [(order.legacy_id, f"{order.processed_at:%Y-%m-%d %H:%M}") for order in found] == [
        ("1", "2026-10-01 10:00"),
        ("2", "2026-09-30 12:00"),
    ]
    assert shop.operations() == ["Shop", "DaysOfOrders"]


@pytest.mark.parametrize("nodes_answered", [[], [{}]])
def test_an_answer_by_id_that_is_neither_a_record_nor_null_is_no_answer(nodes_answered: list[Any]) -> None:
    shop = ShelfShop()
    data = {"nodes": nodes_answered}
    shop.before = lambda operation, _: httpx.Response(200, json={"data": data}) if operation == "DaysOfOrders" else None
    with pytest.raises((IncompleteReadError, UnexpectedShapeError)):
        reader_of(shop).existing_orders(["1"])


def test_no_ids_cost_no_query() -> None:
    shop = ShelfShop()
    assert reader_of(shop).orders_by_id([]) == []
    assert shop.operations() == ["Shop"]


def test_an_order_hidden_by_a_missing_scope_is_an_error() -> None:
    shop = ShelfShop(("read_orders", "read_customers", "read_products", "read_payment_terms"))
    with pytest.raises(AccessDeniedError, match=r"1 of 1 orders are invisible to the app.*read_all_orders"):
        reader_of(shop).orders_by_id(["1"])


def test_changed_orders_come_by_the_time_of_change() -> None:
    shop = shop_with(
        nodes.order(1, updatedAt="2026-10-02T00:00:05Z"),
        nodes.order(2, updatedAt="2026-10-02T00:00:00Z"),
        nodes.order(3, updatedAt="2026-10-01T23:59:59Z"),
    )
    changed = reader_of(shop).changed_orders(datetime(2026, 10, 2, tzinfo=UTC))
    assert [(c.legacy_id, c.updated_at.second) for c in changed] == [("2", 0), ("1", 5)]
    assert changed[0].processed_at == datetime(2026, 10, 1, tzinfo=UTC)
    assert shop.asked[1][1]["query"] == "updated_at:>='2026-10-02T00:00:00Z'"


# --- customers and products


def test_customers_are_searched_a_day_wider_and_compared_by_us() -> None:
    shop = ShelfShop()
    shop.customers = [
        nodes.customer(1, "2026-09-30T11:00:00Z"),
        nodes.customer(2, "2026-10-01T11:00:00Z"),
        nodes.customer(3, "2026-09-30T10:59:59Z", defaultEmailAddress=None, firstName=None, lastName=None),
    ]
    assert [customer.legacy_id for customer in reader_of(shop).customers(START, END)] == ["1"]
    assert shop.asked[1][1]["query"] == "updated_at:>='2026-09-29T11:00:00Z' updated_at:<='2026-10-02T11:00:00Z'"


def test_a_product_comes_with_all_its_variants() -> None:
    shop = ShelfShop()
    shop.products = [nodes.product(1, 2048), nodes.product(2, 1, "2026-10-02T00:00:00Z")]
    (product,) = reader_of(shop).products(START, END)
    assert [v.legacy_id for v in product.variants] == [str(n) for n in range(1, 2049)]
    assert str(product.variants[0].price) == "11.50"


def test_a_product_that_moves_out_of_the_window_while_it_is_read_is_left_to_a_later_window() -> None:
    shop = ShelfShop()
    shop.products = [nodes.product(1, 5)]

    def touch(operation: str, _: dict[str, Any]) -> None:
        if operation == "MoreVariants":
            shop.products = [nodes.product(1, 5, "2026-10-04T00:00:00Z")]

    shop.before = touch
    assert reader_of(shop).products(START, END) == []


# --- scopes


def test_missing_scopes_are_named_before_anything_is_read() -> None:
    shop = ShelfShop(("read_orders", "write_customers"))
    with pytest.raises(AccessDeniedError, match="read_products, read_payment_terms"):
        reader_of(shop).orders(START, END)
    assert shop.operations() == ["Shop"]
    assert reader_of(ShelfShop(("write_customers",))).customers(START, END) == []


def test_a_window_beyond_60_days_needs_read_all_orders() -> None:
    scopes = tuple(scope for scope in ALL_SCOPES if scope != "read_all_orders")
    reader = reader_of(ShelfShop(scopes))
    now = datetime(2026, 10, 5, 9, tzinfo=UTC)
    assert reader.orders(now - timedelta(days=60), now) == []
    for read in (lambda s: reader.orders(s, now), reader.changed_orders):
        with pytest.raises(AccessDeniedError, match=r"begins on 2026-08-06, .* read_all_orders"):
            read(now - timedelta(days=60, seconds=1))


def test_scopes_are_asked_for_once() -> None:
    shop = ShelfShop()
    reader = reader_of(shop)
    reader.orders(START, END)
    reader.customers(START, END)
    assert shop.operations() == ["Shop", "Orders", "Customers"]


def test_fee_names_are_only_asked_for_with_the_scope_for_returns() -> None:
    shop = ShelfShop(("read_orders", "read_customers", "read_products", "read_payment_terms", "read_all_orders"))
    reader_of(shop).orders(START, END)
    assert shop.asked[1][1]["fees"] is False
