"""What queries cost, and a bucket that runs dry (E6)."""

from typing import Any

import pytest

from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline_tests.sandbox.shopify.shop import Sandbox, code, order, product, stocked
from shopify_xero_pipeline_tests.support.handmade_shop import HandmadeShop

TEN = """{ orders(first: 10) { nodes { totalPriceSet { shopMoney { amount } } lineItems(first: 10) { nodes {
           title product { title } } } } pageInfo { hasNextPage } } }"""


def cost(sandbox: Sandbox, query: str) -> Any:
    return sandbox.ask(query)["extensions"]["cost"]


def costs(query: str, *, linear: bool = False) -> tuple[int, int]:
    found = cost(
        Sandbox(stocked(order(1), order(2)), ShopifyOptions(linear_cost=linear, single_query_limit=10**6)), query
    )
    return found["requestedQueryCost"], found["actualQueryCost"]


@pytest.mark.parametrize(
    ("query", "requested", "actual"),
    [
        ("{ products(first: 1) { nodes { id } } }", 3, 3),
        ("{ products(first: 1) { edges { cursor node { id } } pageInfo { endCursor } } }", 3, 3),
        (
            '{ product(id: "gid://shopify/Product/3") { variants(first: 250) { nodes { inventoryItem { id } } } } }',
            25,
            5,
        ),
        (TEN, 46, 7),
        ('{ order(id: "gid://shopify/Order/9") { name } }', 1, 0),
        ("{ shop { name } }", 1, 1),
        ("{ ordersCount { count } }", 1, 1),
        ("{ orders(last: 4) { nodes { id } } }", 4, 3),
        ('{ order(id: "gid://shopify/Order/1") { transactions(first: 250) { order { id } } } }', 3, 3),
        ("{ orders(first: 250) { nodes { totalPriceSet { shopMoney { amount } } } } }", 13, 3),
    ],
)
def test_a_query_costs_what_the_observed_model_says(query: str, requested: int, actual: int) -> None:
    assert costs(query) == (requested, actual)


def test_a_union_or_interface_costs_its_dearest_type() -> None:
    query = """{ orders(first: 1) { nodes { agreements(first: 1) { nodes { sales(first: 1) { nodes {
               ... on ProductSale { lineItem { product { id } } } ... on TipSale { lineItem { id } } } } } } } } }"""
    # 2 + order 1 + 2 + agreement 1 + 2 + sale 1 + line 1 + product 1
    assert costs(query) == (11, 11)


def test_in_strict_mode_a_page_costs_all_of_its_nodes() -> None:
    assert costs(TEN, linear=True) == (2 + 10 * (1 + 2 + 10 * 2), 2 + 2 * (1 + 2 + 2))


DEAR = """{ orders(first: 250) { nodes { agreements(first: 250) { nodes { sales(first: 250) { nodes {
            taxes { id } } } } } } } }"""


def test_a_query_above_the_limit_is_refused_before_it_runs() -> None:
    sandbox = Sandbox(stocked())
    answer = sandbox.ask(DEAR)
    dear = 2 + 11 * (1 + 2 + 11 * (1 + 2 + 11 * 2))
    assert "data" not in answer
    assert code(answer) == "MAX_COST_EXCEEDED"
    error = answer["errors"][0]
    assert (error["extensions"]["cost"], error["extensions"]["maxCost"]) == (dear, 1000)
    assert error["message"].startswith(f"Query cost is {dear}, which exceeds the single query max cost limit (1000)")
    assert answer["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 2000


def test_what_was_not_used_is_given_back_and_the_bucket_refills_with_time() -> None:
    sandbox = Sandbox(stocked(order(1), order(2)))
    assert cost(sandbox, TEN)["throttleStatus"] == {
        "maximumAvailable": 2000,
        "currentlyAvailable": 1993,
        "restoreRate": 100,
    }
    sandbox.clock.sleep(0.05)
    assert cost(sandbox, TEN)["throttleStatus"]["currentlyAvailable"] == 1991
    sandbox.clock.sleep(60)
    assert cost(sandbox, TEN)["throttleStatus"]["currentlyAvailable"] == 1993


def test_a_query_the_bucket_does_not_hold_enough_for_is_throttled_until_it_does() -> None:
    options = ShopifyOptions(bucket_size=50, restore_rate=10)
    sandbox = Sandbox(stocked(order(1), order(2)), options)
    sandbox.app.state.admin.bucket.drain(20, sandbox.clock.now())
    assert sandbox.ask(TEN) == {
        "errors": [
            {
                "message": "Throttled",
                "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"},
            }
        ],
        "extensions": {
            "cost": {
                "requestedQueryCost": 46,
                "actualQueryCost": None,
                "throttleStatus": {"maximumAvailable": 50, "currentlyAvailable": 30, "restoreRate": 10},
            }
        },
    }
    sandbox.clock.sleep(1.5)
    assert code(sandbox.ask(TEN)) == "THROTTLED"
    sandbox.clock.sleep(0.2)
    assert "data" in sandbox.ask(TEN)


def test_a_thousand_orders_with_their_history_come_in_four_pages() -> None:
    shop = HandmadeShop()
    shop.put("products", product())
    for number in range(1000):
        shop.put("orders", order(number + 1, customer=None))
    sandbox = Sandbox(shop, ShopifyOptions(bucket_size=10_000))
    query = """query($after: String) { orders(first: 250, after: $after) { nodes {
               name lineItems(first: 12) { nodes { title } }
               agreements(first: 4) { nodes { sales(first: 12) { nodes { totalAmount { shopMoney { amount } } } } } } }
               pageInfo { hasNextPage endCursor } } }"""
    found: list[str] = []
    after = None
    for _ in range(4):
        orders = sandbox.found(query, after=after)["orders"]
        found += [node["name"] for node in orders["nodes"]]
        after = orders["pageInfo"]["endCursor"]
    assert len(set(found)) == 1000
    assert not orders["pageInfo"]["hasNextPage"]
