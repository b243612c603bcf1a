"""Pages, cursors, sort keys, and an index that is late (E7, E9-E11)."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from shopify_xero_pipeline.sandbox.nodes import Version
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline_tests.sandbox.shopify.shop import START, Sandbox, code, customer, order, product, stocked
from shopify_xero_pipeline_tests.support.handmade_shop import HandmadeShop
from shopify_xero_pipeline_tests.support.nodes import bag, gid

PAGE = """query($first: Int, $last: Int, $after: String, $before: String, $reverse: Boolean, $sort: OrderSortKeys) {
  orders(first: $first, last: $last, after: $after, before: $before, reverse: $reverse, sortKey: $sort) {
    edges { cursor node { name } } nodes { name }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


def page(sandbox: Sandbox, **asked: Any) -> Any:
    return sandbox.found(PAGE, **{"reverse": False, "sort": "PROCESSED_AT", **asked})["orders"]


def names(found: Any) -> list[str]:
    return [node["name"] for node in found["nodes"]]


def walk(sandbox: Sandbox, **asked: Any) -> list[str]:
    """Return the names of all pages."""
    found = page(sandbox, **asked)
    walked = names(found)
    while found["pageInfo"]["hasNextPage"]:
        found = page(sandbox, **{**asked, "after": found["pageInfo"]["endCursor"]})
        walked += names(found)
    return walked


@pytest.fixture
def five() -> Sandbox:
    """Five orders of which #2 and #3 were placed in the same second."""
    times = ["01:00:00", "02:00:00", "02:00:00", "03:00:00", "04:00:00"]
    return Sandbox(stocked(*(order(n, f"2026-09-20T{time}Z") for n, time in zip((5, 3, 2, 1, 4), times, strict=True))))


def test_pages_follow_each_other_without_gap_or_repeat_and_ties_go_by_id(five: Sandbox) -> None:
    assert walk(five, first=2) == ["#5", "#2", "#3", "#1", "#4"]
    assert walk(five, first=1, reverse=True) == ["#4", "#1", "#3", "#2", "#5"]
    assert names(page(five, first=0)) == []


def test_a_cursor_is_the_row_s_sort_value_and_id(five: Sandbox) -> None:
    first = page(five, first=1)
    cursor = first["edges"][0]["cursor"]
    assert json.loads(base64.b64decode(cursor)) == {"last_id": 5, "last_value": 1_789_866_000_000}
    assert first["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": cursor,
        "endCursor": cursor,
    }


def test_last_and_before_read_backwards(five: Sandbox) -> None:
    tail = page(five, last=2)
    assert names(tail) == ["#1", "#4"]
    assert tail["pageInfo"]["hasPreviousPage"]
    assert not tail["pageInfo"]["hasNextPage"]
    before = page(five, last=2, before=tail["pageInfo"]["startCursor"])
    assert names(before) == ["#2", "#3"]
    reverse = page(five, first=9, before=tail["edges"][0]["cursor"], reverse=True)
    assert names(reverse) == ["#4"]


def test_an_order_placed_meanwhile_does_not_disturb_the_pages_after_a_cursor(five: Sandbox) -> None:
    first = page(five, first=2)
    five.shop.put("orders", order(9, "2026-09-20T01:30:00Z"))
    assert names(page(five, first=9, after=first["pageInfo"]["endCursor"])) == ["#3", "#1", "#4"]


def test_an_order_that_changes_meanwhile_moves_and_is_read_twice_or_missed(five: Sandbox) -> None:
    asked = {"sort": "UPDATED_AT", "first": 2}
    first = page(five, **asked)
    assert names(first) == ["#5", "#2"]
    five.shop.put("orders", order(5, "2026-09-20T01:00:00Z", updatedAt="2026-09-21T00:00:00Z"), START)
    five.clock.sleep(10)
    rest = walk(five, **asked, after=first["pageInfo"]["endCursor"])
    assert rest == ["#3", "#1", "#4", "#5"]
    newest = page(five, **asked, reverse=True)
    five.shop.put("orders", order(2, "2026-09-20T02:00:00Z", updatedAt="2026-09-21T00:00:11Z"), START)
    five.clock.sleep(10)
    missed = walk(five, **asked, reverse=True, after=newest["pageInfo"]["endCursor"])
    assert "#2" not in missed


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("ID", "12345"),
        ("RELEVANCE", "12345"),
        ("CREATED_AT", "52314"),
        ("ORDER_NUMBER", "12345"),
        ("TOTAL_PRICE", "54321"),
        ("CURRENT_TOTAL_PRICE", "54321"),
        ("FINANCIAL_STATUS", "12345"),
        ("CUSTOMER_NAME", "12345"),
    ],
)
def test_orders_sort_by(sort: str, expected: str) -> None:
    times = {5: "01", 3: "02", 2: "02", 1: "03", 4: "04"}
    orders = [
        order(n, f"2026-09-20T{at}:00:00Z", totalPriceSet=bag(str(10 - n)), currentTotalPriceSet=bag(str(9 - n)))
        for n, at in times.items()
    ]
    sandbox = Sandbox(stocked(*orders))
    assert "".join(walk(sandbox, sort=sort, first=2)).replace("#", "") == expected


def test_customers_products_and_variants_are_sorted_by_id_unless_told() -> None:
    shop = HandmadeShop()
    for number, name in ((8, "Aroha"), (7, "Zoe")):
        shop.put("customers", customer(number, displayName=name))
        shop.put("products", product(number, title=name))
    sandbox = Sandbox(shop)
    found = sandbox.found(
        """{ customers(first: 2) { nodes { displayName } }
        byName: customers(first: 2, sortKey: NAME) { nodes { displayName } }
        products(first: 2) { nodes { title } } byTitle: products(first: 2, sortKey: TITLE) { nodes { title } }
        productVariants(first: 2) { nodes { id } } }"""
    )
    assert [node["displayName"] for node in found["customers"]["nodes"]] == ["Zoe", "Aroha"]
    assert [node["displayName"] for node in found["byName"]["nodes"]] == ["Aroha", "Zoe"]
    assert [node["title"] for node in found["products"]["nodes"]] == ["Zoe", "Aroha"]
    assert [node["title"] for node in found["byTitle"]["nodes"]] == ["Aroha", "Zoe"]
    assert [node["id"] for node in found["productVariants"]["nodes"]] == [
        gid("ProductVariant", 71),
        gid("ProductVariant", 81),
    ]


def test_a_sort_key_the_sandbox_does_not_know_is_refused() -> None:
    answer = Sandbox(stocked()).ask("{ productVariants(first: 1, sortKey: POPULAR) { nodes { id } } }")
    assert code(answer) == "SANDBOX_LIMIT"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"first": 1, "last": 1},
        {"first": 251},
        {"last": 251},
        {"first": -1},
        {"first": 1, "after": "no cursor"},
        {"first": 1, "after": base64.b64encode(b'{"last_id": "1"}').decode()},
        {"first": 1, "after": base64.b64encode(b'{"last_id": 1, "last_value": "text"}').decode()},
        {"first": 1, "sort": "TOTAL_PRICE", "after": base64.b64encode(b'{"last_id": 1, "last_value": "x"}').decode()},
        {"first": 1, "sort": "PO_NUMBER", "after": base64.b64encode(b'{"last_id": 1, "last_value": 2}').decode()},
    ],
)
def test_a_page_that_cannot_be_is_refused(five: Sandbox, asked: dict[str, Any]) -> None:
    assert code(five.ask(PAGE, **{"reverse": False, "sort": "PROCESSED_AT", **asked})) == "BAD_REQUEST"


def test_a_list_cannot_be_paged_beyond_its_limit() -> None:
    sandbox = Sandbox(stocked(*(order(n) for n in range(1, 6))), ShopifyOptions(list_limit=4))
    fourth = page(sandbox, first=4)["pageInfo"]
    assert fourth["hasNextPage"]
    assert (
        code(sandbox.ask(PAGE, first=1, after=fourth["endCursor"], reverse=False, sort="PROCESSED_AT")) == "BAD_REQUEST"
    )


NESTED = """query($id: ID!, $first: Int, $last: Int, $after: String, $before: String, $reverse: Boolean) {
  order(id: $id) { lineItems(first: $first, last: $last, after: $after, before: $before, reverse: $reverse) {
    edges { cursor } nodes { title } pageInfo { hasNextPage hasPreviousPage endCursor } } } }"""


def lines(**asked: Any) -> Any:
    rows = [{"id": gid("LineItem", 90 - n), "title": f"L{n}"} for n in range(5)]
    sandbox = Sandbox(stocked(order(1001, lineItems=rows)))
    answer = sandbox.ask(NESTED, id=gid("Order", 1001), **{"reverse": False, **asked})
    return answer["data"]["order"]["lineItems"] if "errors" not in answer else code(answer)


def test_a_connection_inside_a_record_is_paged_in_stored_order() -> None:
    first = lines(first=2)
    assert [node["title"] for node in first["nodes"]] == ["L0", "L1"]
    second = lines(first=2, after=first["pageInfo"]["endCursor"])
    assert [node["title"] for node in second["nodes"]] == ["L2", "L3"]
    assert second["pageInfo"]["hasPreviousPage"]
    tail = lines(first=2, after=second["pageInfo"]["endCursor"])
    assert [node["title"] for node in tail["nodes"]] == ["L4"]
    assert not tail["pageInfo"]["hasNextPage"]
    backwards = lines(first=2, reverse=True)
    assert [node["title"] for node in backwards["nodes"]] == ["L4", "L3"]
    further = lines(first=9, reverse=True, after=backwards["pageInfo"]["endCursor"])
    assert [node["title"] for node in further["nodes"]] == ["L2", "L1", "L0"]
    before = lines(last=1, before=second["edges"][0]["cursor"])
    assert [node["title"] for node in before["nodes"]] == ["L1"]


@pytest.mark.parametrize("value", [{"last_id": 90, "last_value": 9}, {"last_id": 1, "last_value": 0}])
def test_a_cursor_of_another_list_is_refused_inside_a_record(value: dict[str, int]) -> None:
    assert lines(first=1, after=base64.b64encode(json.dumps(value).encode()).decode()) == "BAD_REQUEST"


def test_a_nested_page_needs_a_size_too() -> None:
    assert lines() == "BAD_REQUEST"
    sandbox = Sandbox(stocked())
    answer = sandbox.ask('{ order(id: "gid://shopify/Order/1001") { transactions(first: 251) { id } } }')
    assert code(answer) == "BAD_REQUEST"


COUNT = "query($limit: Int, $q: String) { ordersCount(limit: $limit, query: $q) { count precision } }"


def test_a_count_stops_at_its_limit_unless_there_is_none(five: Sandbox) -> None:
    assert five.found(COUNT, limit=3)["ordersCount"] == {"count": 3, "precision": "AT_LEAST"}
    assert five.found(COUNT, limit=5)["ordersCount"] == {"count": 5, "precision": "EXACT"}
    assert five.found(COUNT, limit=None)["ordersCount"] == {"count": 5, "precision": "EXACT"}


def test_a_new_order_is_read_by_id_at_once_and_listed_after_the_lag() -> None:
    sandbox = Sandbox(stocked())
    sandbox.shop.put("orders", order(2), START)
    by_id = "query($id: ID!) { order(id: $id) { name } }"
    assert sandbox.found(by_id, id=gid("Order", 2))["order"] == {"name": "#2"}
    assert sandbox.names("") == ["#1001"]
    assert sandbox.found(COUNT)["ordersCount"]["count"] == 1
    sandbox.clock.sleep(4)
    assert sandbox.names("") == ["#1001"]
    sandbox.clock.sleep(1)
    assert sandbox.names("") == ["#2", "#1001"]


def test_a_hit_of_the_index_is_shown_as_it_is_now_even_if_it_no_longer_matches() -> None:
    sandbox = Sandbox(stocked())
    sandbox.shop.put("orders", order(1001, displayFinancialStatus="REFUNDED", name="#1001-R"), START)
    assert sandbox.names("financial_status:paid") == ["#1001-R"]
    assert sandbox.names("financial_status:refunded") == []
    sandbox.clock.sleep(5)
    assert sandbox.names("financial_status:paid") == []
    assert sandbox.names("financial_status:refunded") == ["#1001-R"]


def test_the_lag_can_be_set() -> None:
    sandbox = Sandbox(stocked(), ShopifyOptions(index_lag=timedelta(0)))
    sandbox.shop.put("orders", order(2), START)
    assert sandbox.names("") == ["#2", "#1001"]


def test_each_of_several_changes_within_the_lag_is_seen_in_its_time() -> None:
    sandbox = Sandbox(stocked())
    for seconds, status in ((1, "PENDING"), (3, "PAID"), (4, "REFUNDED")):
        sandbox.shop.put("orders", order(2, displayFinancialStatus=status), START + timedelta(seconds=seconds))
    seen = []
    for _ in range(11):
        found = [each for each in ("pending", "paid", "refunded") if "#2" in sandbox.names(f"financial_status:{each}")]
        seen.append("".join(found))
        sandbox.clock.sleep(1)
    assert seen == [""] * 6 + ["pending", "pending", "paid", "refunded", "refunded"]


def test_a_record_put_right_by_hand_is_found_as_it_is_now() -> None:
    sandbox = Sandbox(stocked())
    assert sandbox.names("financial_status:paid") == ["#1001"]
    history = sandbox.shop.records["orders"][gid("Order", 1001)]
    history[0] = Version(history[0].at, order(1001, displayFinancialStatus="VOIDED"))
    assert sandbox.names("financial_status:paid") == []
