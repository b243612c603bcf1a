"""Shopify's search syntax with its traps (E8), on orders placed around a shop-local midnight."""

from typing import Any

import pytest

from shopify_xero_pipeline_tests.sandbox.shopify.shop import Sandbox, code, customer, order, product, stocked
from shopify_xero_pipeline_tests.support.nodes import bag, gid

# Auckland is 12 hours ahead of UTC until 27 September 2026, so #2 is the first order of Monday the 21st.
MIDNIGHT = "2026-09-20T12:00:00Z"


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    shop = stocked(
        order(1, "2026-09-20T11:59:59Z", tags=["web", "gift"], sourceName="web"),
        order(2, MIDNIGHT, displayFinancialStatus="REFUNDED", totalPriceSet=bag("9"), currentTotalPriceSet=bag("0")),
        order(3, "2026-09-20T12:00:01Z", test=True, customer=None, email="wiremu@example.com"),
        order(4, "2026-09-20T23:30:00Z", cancelledAt="2026-09-20T23:40:00Z", closedAt="2026-09-20T23:40:00Z", tags=[]),
    )
    built = Sandbox(shop)
    built.clock.sleep(60)
    return built


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", "1234"),
        ("processed_at:>='2026-09-20T12:00:00Z'", "234"),
        ('processed_at:>="2026-09-20T12:00:00Z"', "234"),
        ("processed_at:>='2026-09-21T00:00:00+12:00'", "234"),
        ("processed_at:<='2026-09-20T12:00:00Z'", "12"),
        ("processed_at:'2026-09-20T12:00:00Z'", "2"),
        ("processed_at:>='2026-09-20T12:00:00Z' processed_at:<'2026-09-20T23:00:00Z'", "23"),
        ("processed_at:'2026-09-21'", "234"),
        ("processed_at:2026-09-20", "1"),
        ("processed_at:2026-09", "1234"),
        ("processed_at:<=2026", "1234"),
        ("processed_at:'2026-09-20..2026-09-20'", "1"),
        ("created_at:<now", "1234"),
        ("processed_at: >='2026-09-20T12:00:01Z'", "34"),
    ],
)
def test_times_compare_as_instants_when_quoted_and_as_shop_local_days_otherwise(
    sandbox: Sandbox, search: str, found: str
) -> None:
    assert "".join(sandbox.names(search)).replace("#", "") == found


def test_greater_than_acts_like_greater_or_equal_and_less_than_like_less_or_equal(sandbox: Sandbox) -> None:
    assert sandbox.names("processed_at:>'2026-09-20T12:00:01Z'") == ["#3", "#4"]
    assert sandbox.names("processed_at:<'2026-09-20T11:59:59Z'") == ["#1"]


def test_an_unquoted_timestamp_loses_its_time_and_means_the_shop_s_day(sandbox: Sandbox) -> None:
    assert sandbox.names("processed_at:>=2026-09-21T11:00:00Z") == ["#2", "#3", "#4"]
    assert sandbox.names("processed_at:>='2026-09-21T11:00:00Z'") == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("id:3", "3"),
        ("id:gid://shopify/Order/3", "3"),
        ("id:>2", "34"),
        ("id:1,4", "14"),
        ("name:1001", ""),
        ("name:2", "2"),
        ("name:#2", "2"),
        ("financial_status:refunded", "2"),
        ("financial_status:paid,refunded", "1234"),
        ("-financial_status:refunded", "134"),
        ("NOT financial_status:refunded", "134"),
        ("test:true", "3"),
        ("test:false", "124"),
        ("tag:gift", "1"),
        ("tag_not:web", "4"),
        ("status:open", "123"),
        ("status:not_closed", "123"),
        ("status:cancelled", "4"),
        ("status:closed", ""),
        ("current_total_price:<1", "2"),
        ("current_total_price:>=23", "134"),
        ("customer_id:7", "124"),
        ("customer_id:*", "124"),
        ("source_name:web", "1"),
        ("email:wiremu@example.com", "3"),
        ("email:wire*", "3"),
        ("sku:honey", "1234"),
        ("gateway:paypal", "1234"),
        ("id:1 OR id:3", "13"),
        ("(id:1 OR id:2) AND financial_status:paid", "1"),
        ("id:1 OR id:2 financial_status:refunded", "2"),
        ("-(id:1 OR id:2)", "34"),
        ("wiremu", "3"),
    ],
)
def test_a_search_finds(sandbox: Sandbox, search: str, found: str) -> None:
    assert "".join(sandbox.names(search)).replace("#", "") == found


COUNT = "query($q: String) { orders(first: 5, query: $q) { nodes { name } } ordersCount(query: $q) { count } }"


def test_a_misspelt_field_is_ignored_and_only_a_warning_tells(sandbox: Sandbox) -> None:
    answer = sandbox.ask(COUNT, q="procesed_at:>='2030-01-01T00:00:00Z' -colour:red")
    assert answer["data"]["ordersCount"] == {"count": 4}
    assert len(answer["data"]["orders"]["nodes"]) == 4
    searches = answer["extensions"]["search"]
    assert [search["path"] for search in searches] == [["orders"], ["ordersCount"]]
    assert searches[0]["warnings"] == [
        {"field": "procesed_at", "message": "Invalid search field for this query.", "code": "invalid_field"},
        {"field": "colour", "message": "Invalid search field for this query.", "code": "invalid_field"},
    ]


@pytest.mark.parametrize(
    "term", ["processed_at:>='soon'", "processed_at:20-09", "current_total_price:x", "id:x", "test:1"]
)
def test_a_value_that_does_not_fit_is_ignored_with_a_warning(sandbox: Sandbox, term: str) -> None:
    answer = sandbox.ask(COUNT, q=term)
    assert answer["data"]["ordersCount"] == {"count": 4}
    assert answer["extensions"]["search"][0]["warnings"][0]["code"] == "invalid_value"


def test_a_clean_search_is_shown_only_when_asked_for(sandbox: Sandbox) -> None:
    assert "search" not in sandbox.ask(COUNT, q="id:1")["extensions"]
    shown = sandbox.ask(COUNT, headers={"Shopify-Search-Query-Debug": "1"}, q="id:1")["extensions"]["search"][0]
    assert shown == {"path": ["orders"], "query": "id:1", "parsed": [{"field": "id", "match_all": "1"}], "warnings": []}


@pytest.mark.parametrize("search", ["updated_at:>", "updated_at:", "updated_at:>''", "updated_at:> id:1"])
def test_a_field_without_a_value_is_an_internal_error(sandbox: Sandbox, search: str) -> None:
    answer = sandbox.ask("query($q: String) { orders(first: 1, query: $q) { nodes { id } } }", q=search)
    assert answer["data"] is None
    assert code(answer) == "INTERNAL_SERVER_ERROR"


@pytest.mark.parametrize("search", ["(id:1", "id:1)", "OR id:1", "id:1 OR", "NOT", "id:1 'x"])
def test_broken_syntax_is_refused(sandbox: Sandbox, search: str) -> None:
    answer = sandbox.ask("query($q: String) { orders(first: 1, query: $q) { nodes { id } } }", q=search)
    assert code(answer) in ("INVALID_SEARCH", "INTERNAL_SERVER_ERROR")


@pytest.mark.parametrize("search", ["chargeback_status:lost", "metafields.custom.colour:red"])
def test_a_field_shopify_knows_and_the_sandbox_does_not_is_refused_rather_than_ignored(
    sandbox: Sandbox, search: str
) -> None:
    answer = sandbox.ask("query($q: String) { orders(first: 1, query: $q) { nodes { id } } }", q=search)
    assert code(answer) == "SANDBOX_LIMIT"


@pytest.fixture(scope="module")
def people() -> Sandbox:
    shop = stocked()
    shop.put("customers", customer(8, displayName="Bo Wang", updatedAt="2026-09-20T12:00:00Z", tags=["vip"]))
    shop.put("customers", customer(9, displayName="Cy Wang", updatedAt="2026-09-20T11:59:59Z", firstName=None))
    shop.put("products", product(4, title="Pollen", updatedAt="2026-09-20T12:00:00Z", variants=[], status="DRAFT"))
    return Sandbox(shop)


def customers(sandbox: Sandbox, search: str) -> list[str]:
    found = sandbox.found("query($q: String) { customers(first: 9, query: $q) { nodes { displayName } } }", q=search)
    return [node["displayName"] for node in found["customers"]["nodes"]]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("updated_at:>='2026-09-20T23:00:00Z'", ["Bo Wang"]),
        ("updated_at:'2026-09-20T20:00:00Z'", ["Bo Wang"]),
        ("updated_at:<='2026-09-20T00:00:00Z'", ["Aroha Ngata", "Cy Wang"]),
        ("updated_at:<now", ["Aroha Ngata", "Bo Wang", "Cy Wang"]),
        ("email:example", ["Aroha Ngata", "Bo Wang", "Cy Wang"]),
        ('email:"aroha.8@example.com"', ["Bo Wang"]),
        ("first_name:*", ["Aroha Ngata", "Bo Wang"]),
        ("wang", ["Bo Wang", "Cy Wang"]),
        ("wan*", ["Bo Wang", "Cy Wang"]),
        ("tag:vip", ["Bo Wang"]),
        ("created_at:'2020-01-01'", ["Aroha Ngata", "Bo Wang", "Cy Wang"]),
    ],
)
def test_customers_match_whole_days_and_their_e_mail_by_its_words(
    people: Sandbox, search: str, found: list[str]
) -> None:
    assert customers(people, search) == found


def test_the_count_of_customers_knows_fewer_fields_than_the_list(people: Sandbox) -> None:
    query = "query($q: String) { customersCount(query: $q) { count } }"
    assert people.found(query, q="updated_at:>='2026-09-20T12:00:00Z'")["customersCount"] == {"count": 1}
    assert people.ask(query, q="tag:vip")["extensions"]["search"][0]["warnings"][0]["code"] == "invalid_field"


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("updated_at:>='2026-09-20T12:00:00Z'", ["Pollen"]),
        ("status:ACTIVE,DRAFT", ["Honey", "Pollen"]),
        ("title:honey", ["Honey"]),
        ("sku:HONEY", ["Honey"]),
        ("variant_id:31", ["Honey"]),
        ("gift_card:false", ["Honey", "Pollen"]),
        ('vendor:"Bees"', ["Honey", "Pollen"]),
    ],
)
def test_products_are_found(people: Sandbox, search: str, found: list[str]) -> None:
    query = "query($q: String) { products(first: 9, query: $q) { nodes { title } } productsCount(query: $q) { count } }"
    answer: Any = people.found(query, q=search)
    assert [node["title"] for node in answer["products"]["nodes"]] == found
    assert answer["productsCount"]["count"] == len(found)


def test_variants_are_found_by_product(people: Sandbox) -> None:
    query = "query($q: String) { productVariants(first: 9, query: $q) { nodes { id } } productVariantsCount { count } }"
    found = people.found(query, q="product_id:3")
    assert found["productVariants"]["nodes"] == [{"id": gid("ProductVariant", 31)}]
    assert found["productVariantsCount"] == {"count": 1}
