"""What a record looks like through the API: references, connections, money, types, nulls, scopes (E4, E5, E16, E22)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.sandbox.shopify.options import ALL_SCOPES, ShopifyOptions
from shopify_xero_pipeline_tests.sandbox.shopify.shop import START, Sandbox, code, customer, order, product, stocked
from shopify_xero_pipeline_tests.support.handmade_shop import HandmadeShop
from shopify_xero_pipeline_tests.support.nodes import bag, gid

ONE = "query($id: ID!) { order(id: $id) { %s } }"


def read(selection: str, **more: Any) -> Any:
    """Return what a selection on order 1001, changed as told, gives."""
    return Sandbox(stocked(order(1001, **more))).found(ONE % selection, id=gid("Order", 1001))["order"]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("43.00", "43.0"),
        ("32632.30", "32632.3"),
        ("0.00", "0.0"),
        ("-0.00", "0.0"),
        ("-12.50", "-12.5"),
        ("100", "100.0"),
        ("0.001", "0.001"),
        (100, "100.0"),
        (Decimal("1E+2"), "100.0"),
    ],
)
def test_money_is_a_text_without_trailing_zeros_but_with_one_decimal(stored: Any, shown: str) -> None:
    found = read("totalPriceSet { shopMoney { amount currencyCode } }", totalPriceSet=bag(stored))
    assert found == {"totalPriceSet": {"shopMoney": {"amount": shown, "currencyCode": "NZD"}}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("totalPriceSet { shopMoney { amount } }", {**bag(0), "shopMoney": {"amount": 0.1, "currencyCode": "NZD"}}),
        ("totalPriceSet { shopMoney { amount } }", bag("a lot")),
        ("processedAt", "2026-09-21T01:30:00"),
        ("legacyResourceId", 1001.5),
        ("subtotalLineItemsQuantity", "one"),
        ("test", "yes"),
        ("displayFinancialStatus", "PAYED"),
    ],
)
def test_a_value_that_is_none_of_its_type_is_an_error_and_never_passed_on(field: str, value: Any) -> None:
    sandbox = Sandbox(stocked(order(1001, **{field.split()[0]: value})))
    answer = sandbox.ask(ONE % field, id=gid("Order", 1001))
    assert code(answer) == "INTERNAL_SERVER_ERROR"


def test_instants_are_in_utc_to_the_second() -> None:
    found = read("processedAt cancelledAt", processedAt="2026-09-21T01:30:00.5+12:00", cancelledAt=None)
    assert found == {"processedAt": "2026-09-20T13:30:00Z", "cancelledAt": None}


@pytest.mark.parametrize("wrap", ["nodes", "edges", "plain"])
def test_a_connection_may_be_stored_in_three_ways(wrap: str) -> None:
    rows = [{"id": gid("LineItem", n), "title": f"Line {n}"} for n in (1, 2)]
    stored: Any = {"nodes": {"nodes": rows}, "edges": {"edges": [{"node": row} for row in rows]}, "plain": rows}[wrap]
    found = read("lineItems(first: 5) { nodes { title } }", lineItems=stored)
    assert found["lineItems"]["nodes"] == [{"title": "Line 1"}, {"title": "Line 2"}]


def test_what_is_missing_is_null_or_empty_and_ids_and_numbers_are_derived() -> None:
    shown = "note legacyResourceId number discountCodes returns(first: 1) { nodes { id } } transactionsCount { count }"
    assert read(shown) == {
        "note": None,
        "legacyResourceId": "1001",
        "number": 1001,
        "discountCodes": [],
        "returns": {"nodes": []},
        "transactionsCount": {"count": 1},
    }


def test_what_follows_from_other_values_need_not_be_recorded() -> None:
    bare = {"shopMoney": {"amount": "1.00", "currencyCode": "NZD"}}
    found = read(
        """edited presentmentCurrencyCode totalPriceSet { presentmentMoney { amount } } customer { displayName }
        refunds(first: 1) { processedAt } lineItems(first: 1) { nodes { isGiftCard variant { updatedAt } } }""",
        currencyCode="NZD",
        totalPriceSet=bare,
        customer={
            "id": gid("Customer", 9),
            "firstName": None,
            "defaultEmailAddress": {"emailAddress": "a@example.com"},
        },
        refunds=[{"id": gid("Refund", 1), "createdAt": "2026-09-21T00:00:00Z"}],
        lineItems=[{"id": gid("LineItem", 1), "variant": {"id": gid("ProductVariant", 9), "sku": "S", "title": "T"}}],
    )
    assert found == {
        "edited": False,
        "presentmentCurrencyCode": "NZD",
        "totalPriceSet": {"presentmentMoney": {"amount": "1.0"}},
        "customer": {"displayName": "a@example.com"},
        "refunds": [{"processedAt": "2026-09-21T00:00:00Z"}],
        "lineItems": {"nodes": [{"isGiftCard": False, "variant": {"updatedAt": "2026-09-20T01:00:00Z"}}]},
    }


def test_a_missing_value_that_is_never_null_empties_the_nearest_field_that_may_be() -> None:
    answer = Sandbox(stocked()).ask(ONE % "name confirmed", id=gid("Order", 1001))
    assert answer["data"] == {"order": None}
    assert answer["errors"][0]["path"] == ["order", "confirmed"]
    assert "confirmed" in answer["errors"][0]["message"]


def test_a_reference_by_id_becomes_the_whole_record_of_the_order_or_of_the_shop() -> None:
    found = read(
        """customer { displayName }
        lineItems(first: 1) { nodes { variant { displayName price product { title variantsCount { count } } } } }
        agreements(first: 1) { nodes { sales(first: 1) { nodes { ... on ProductSale { lineItem { title } } } } } }"""
    )
    assert found["customer"] == {"displayName": "Aroha Ngata"}
    assert found["lineItems"]["nodes"][0]["variant"] == {
        "displayName": "Honey - 500 g",
        "price": "23.0",
        "product": {"title": "Honey", "variantsCount": {"count": 1}},
    }
    assert found["agreements"]["nodes"][0]["sales"]["nodes"][0] == {"lineItem": {"title": "Honey"}}


def test_a_field_an_embedded_record_lacks_comes_from_the_record_itself() -> None:
    embedded = {"id": gid("Customer", 7), "displayName": "A. Ngata"}
    found = read("customer { displayName firstName }", customer=embedded)
    assert found["customer"] == {"displayName": "A. Ngata", "firstName": "Aroha"}


def test_a_reference_to_a_record_that_is_gone_is_null() -> None:
    line = {"id": gid("LineItem", 1), "product": {"id": gid("Product", 99)}}
    selection = "customer { id } lineItems(first: 1) { nodes { product { id } } }"
    found = read(selection, customer={"id": gid("Customer", 8)}, lineItems=[line])
    assert found == {"customer": None, "lineItems": {"nodes": [{"product": None}]}}


REFUNDED: dict[str, Any] = {
    "refunds": [
        {
            "id": gid("Refund", 5),
            "createdAt": "2026-09-21T00:00:00Z",
            "refundLineItems": [{"quantity": 1, "lineItem": {"id": gid("LineItem", 10010)}}],
            "transactions": {"nodes": [{"id": gid("OrderTransaction", 1001)}]},
        }
    ]
}
REFUND = """refundLineItems(first: 1) { nodes { lineItem { sku } } }
            transactions(first: 1) { nodes { gateway } } order { name }"""
AS_READ = {
    "refundLineItems": {"nodes": [{"lineItem": {"sku": "HONEY"}}]},
    "transactions": {"nodes": [{"gateway": "paypal"}]},
    "order": {"name": "#1001"},
}


def test_a_refund_is_the_same_within_its_order_and_by_its_own_id() -> None:
    sandbox = Sandbox(stocked(order(1001, **REFUNDED)))
    within = sandbox.found(ONE % f"refunds(first: 3) {{ {REFUND} }}", id=gid("Order", 1001))
    alone = sandbox.found(f"query($id: ID!) {{ refund(id: $id) {{ {REFUND} }} }}", id=gid("Refund", 5))
    assert within["order"]["refunds"] == [AS_READ]
    assert alone["refund"] == AS_READ
    assert sandbox.found("query($id: ID!) { refund(id: $id) { id } }", id=gid("Refund", 6)) == {"refund": None}


@pytest.mark.parametrize(
    ("line_type", "expected"),
    [
        ("PRODUCT", "ProductSale"),
        ("TIP", "TipSale"),
        ("GIFT_CARD", "GiftCardSale"),
        ("SHIPPING", "ShippingLineSale"),
        ("DUTY", "DutySale"),
        ("FEE", "FeeSale"),
        ("ADDITIONAL_FEE", "AdditionalFeeSale"),
        ("ADJUSTMENT", "AdjustmentSale"),
        ("UNKNOWN", "UnknownSale"),
    ],
)
def test_a_sale_is_of_the_type_its_line_type_says(line_type: str, expected: str) -> None:
    agreement = {"id": gid("OrderAgreement", 1), "sales": [{"id": gid("Sale", 1), "lineType": line_type}]}
    found = read(
        "agreements(first: 1) { nodes { sales(first: 1) { nodes { __typename lineType } } } }", agreements=[agreement]
    )
    sale = found["agreements"]["nodes"][0]["sales"]["nodes"][0]
    assert sale == {"__typename": expected, "lineType": line_type}


@pytest.mark.parametrize(
    ("agreement", "expected"),
    [
        ({"id": gid("RefundAgreement", 1)}, "RefundAgreement"),
        ({"id": gid("SalesAgreement", 1), "refund": {"id": gid("Refund", 5)}}, "RefundAgreement"),
        ({"id": gid("SalesAgreement", 1), "return": {"id": gid("Return", 5)}}, "ReturnAgreement"),
        ({"id": gid("SalesAgreement", 1), "reason": "ORDER_EDIT"}, "OrderEditAgreement"),
        ({"id": gid("SalesAgreement", 1), "reason": "ORDER"}, "OrderAgreement"),
        ({"id": gid("SalesAgreement", 1), "__typename": "ReturnAgreement"}, "ReturnAgreement"),
    ],
)
def test_an_agreement_is_of_the_type_its_name_id_or_content_says(agreement: dict[str, Any], expected: str) -> None:
    found = read("agreements(first: 1) { nodes { __typename } }", agreements=[agreement])
    assert found["agreements"]["nodes"] == [{"__typename": expected}]


def test_a_node_whose_type_cannot_be_told_is_an_error() -> None:
    sale = {"id": gid("Sale", 1), "lineType": "LOTTERY"}
    sandbox = Sandbox(stocked(order(1001, agreements=[{"id": gid("OrderAgreement", 1), "sales": [sale]}])))
    selection = "agreements(first: 1) { nodes { sales(first: 1) { nodes { id } } } }"
    assert code(sandbox.ask(ONE % selection, id=gid("Order", 1001))) == "INTERNAL_SERVER_ERROR"


def test_the_other_unions_and_interfaces_are_told_apart() -> None:
    found = read(
        """purchasingEntity { __typename ... on PurchasingCompany { company { name } } }
        discountApplications(first: 5) { nodes { __typename value { __typename } } }""",
        purchasingEntity={"company": {"id": gid("Company", 1), "name": "Hive Ltd"}},
        discountApplications=[
            {"code": "TEN", "value": {"percentage": 10}},
            {"title": "Spring", "value": {"amount": "5", "currencyCode": "NZD"}},
            {"title": "By hand", "description": None, "value": {"percentage": 5}},
        ],
    )
    assert found["purchasingEntity"] == {"__typename": "PurchasingCompany", "company": {"name": "Hive Ltd"}}
    assert [row["__typename"] for row in found["discountApplications"]["nodes"]] == [
        "DiscountCodeApplication",
        "AutomaticDiscountApplication",
        "ManualDiscountApplication",
    ]
    kinds = [row["value"]["__typename"] for row in found["discountApplications"]["nodes"]]
    assert kinds == ["PricingPercentageValue", "MoneyV2", "PricingPercentageValue"]


def test_a_removed_shipping_line_is_shown_only_when_asked_for() -> None:
    found = read(
        """shippingLines(first: 5) { nodes { title } }
        all: shippingLines(first: 5, includeRemovals: true) { nodes { title } }"""
    )
    assert found["shippingLines"]["nodes"] == [{"title": "Courier"}]
    assert found["all"]["nodes"] == [{"title": "Courier"}, {"title": "Drone"}]


def test_a_list_with_first_is_cut_without_a_cursor() -> None:
    transactions = [{"id": gid("OrderTransaction", n), "gateway": str(n)} for n in range(3)]
    found = read("two: transactions(first: 2) { gateway } transactions { gateway }", transactions=transactions)
    assert found["two"] == [{"gateway": "0"}, {"gateway": "1"}]
    assert len(found["transactions"]) == 3


def test_records_are_read_by_id_live_and_another_type_s_id_gives_null() -> None:
    sandbox = Sandbox(stocked())
    query = """query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Order { name } } }"""
    ids = [gid("Order", 1001), gid("Order", 9), gid("Customer", 7), gid("ProductVariant", 31), gid("Product", 3)]
    nodes = sandbox.found(query, ids=ids)["nodes"]
    assert [node and node["__typename"] for node in nodes] == ["Order", None, "Customer", "ProductVariant", "Product"]
    assert nodes[0]["name"] == "#1001"
    assert sandbox.found(ONE % "id", id=gid("Customer", 7)) == {"order": None}
    assert code(sandbox.ask(ONE % "id", id="1001")) == "argumentLiteralsIncompatible"


def test_no_more_than_250_ids_are_read_at_once() -> None:
    ids = [gid("Order", n) for n in range(1, 252)]
    answer = Sandbox().ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert code(answer) == "MAX_INPUT_SIZE_EXCEEDED"


def test_a_merged_customer_is_gone_and_the_order_belongs_to_the_survivor() -> None:
    shop = stocked()
    shop.put("customers", customer(8, displayName="Aroha N."))
    shop.remove("customers", gid("Customer", 7), START + timedelta(hours=1))
    shop.put("orders", order(1001, customer={"id": gid("Customer", 8)}), START + timedelta(hours=1))
    sandbox = Sandbox(shop)
    query = """query($old: ID!, $order: ID!) { customer(id: $old) { displayName }
               order(id: $order) { customer { displayName } } customers(first: 9) { nodes { displayName } } }"""
    before = sandbox.found(query, old=gid("Customer", 7), order=gid("Order", 1001))
    sandbox.clock.sleep(3_600)
    merging = sandbox.found(query, old=gid("Customer", 7), order=gid("Order", 1001))
    assert before["customer"] == {"displayName": "Aroha Ngata"}
    assert merging["customer"] is None
    assert merging["order"]["customer"] == {"displayName": "Aroha N."}
    assert merging["customers"]["nodes"] == [{"displayName": "Aroha N."}]


def scoped(*without: str) -> Sandbox:
    return Sandbox(stocked(), ShopifyOptions(scopes=ALL_SCOPES - set(without)))


def test_a_denied_field_is_null_and_leaves_the_rest() -> None:
    answer = scoped("read_customers").ask(ONE % "name customer { displayName }", id=gid("Order", 1001))
    assert answer["data"] == {"order": {"name": "#1001", "customer": None}}
    error = answer["errors"][0]
    assert error["message"] == "Access denied for customer field. Required access: `read_customers` access scope."
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert error["path"] == ["order", "customer"]
    assert error["locations"] == [{"line": 1, "column": 41}]


@pytest.mark.parametrize(
    ("query", "scope"),
    [
        ("{ orders(first: 1) { nodes { id } } }", "read_orders"),
        ("{ products(first: 1) { nodes { id } } }", "read_products"),
        ("{ customers(first: 1) { nodes { id } } }", "read_customers"),
    ],
)
def test_a_denied_field_that_is_never_null_leaves_no_data(query: str, scope: str) -> None:
    answer = scoped(scope).ask(query)
    assert answer["data"] is None
    assert code(answer) == "ACCESS_DENIED"


@pytest.mark.parametrize(
    ("query", "scope"),
    [
        ("{ ordersCount { count } }", "read_orders"),
        ('{ node(id: "gid://shopify/Order/1001") { id } }', "read_orders"),
        ('{ productVariant(id: "gid://shopify/ProductVariant/31") { id } }', "read_products"),
    ],
)
def test_counts_and_single_records_are_denied_too(query: str, scope: str) -> None:
    answer = scoped(scope).ask(query)
    assert set(answer["data"].values()) == {None}
    assert code(answer) == "ACCESS_DENIED"


def test_every_row_tells_its_own_denial() -> None:
    sandbox = Sandbox(stocked(order(1), order(2)), ShopifyOptions(scopes=ALL_SCOPES - {"read_customers"}))
    answer = sandbox.ask("{ orders(first: 2) { nodes { customer { id } } } }")
    assert [error["path"] for error in answer["errors"]] == [["orders", "nodes", n, "customer"] for n in (0, 1)]


def test_one_denied_record_of_several_leaves_the_others() -> None:
    ids = [gid("Customer", 7), gid("Order", 1001)]
    answer = scoped("read_customers").ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert answer["data"] == {"nodes": [None, {"id": gid("Order", 1001)}]}
    assert code(answer) == "ACCESS_DENIED"
    assert answer["errors"][0]["path"] == ["nodes", 0]


def test_what_follows_from_a_record_s_owner_follows_from_the_nearest_one() -> None:
    bare = [{"id": gid("ProductVariant", n), "title": "T"} for n in (91, 92)]
    mug = {"id": gid("Product", 9), "updatedAt": "2026-09-22T00:00:00Z", "variants": bare[:1]}
    found = read(
        """lineItems(first: 1) { nodes { product { variants(first: 1) { nodes { updatedAt } } }
        variant { updatedAt } } }""",
        lineItems=[{"id": gid("LineItem", 1), "product": mug, "variant": bare[1]}],
    )
    assert found["lineItems"]["nodes"] == [
        {
            "product": {"variants": {"nodes": [{"updatedAt": "2026-09-22T00:00:00Z"}]}},
            "variant": {"updatedAt": "2026-09-20T01:00:00Z"},
        }
    ]


def test_without_read_all_orders_an_order_older_than_sixty_days_does_not_exist() -> None:
    old, new = order(1, "2026-07-22T23:59:59Z", **REFUNDED), order(2, "2026-07-23T00:00:00Z")
    query = """query($id: ID!) { orders(first: 5) { nodes { name } } ordersCount { count } order(id: $id) { name }
               refund(id: "gid://shopify/Refund/5") { id } }"""
    limited = Sandbox(stocked(old, new), ShopifyOptions(scopes=ALL_SCOPES - {"read_all_orders"}))
    assert limited.found(query, id=old["id"]) == {
        "orders": {"nodes": [{"name": "#2"}]},
        "ordersCount": {"count": 1},
        "order": None,
        "refund": None,
    }
    everything = Sandbox(stocked(old, new)).found(query, id=old["id"])
    assert everything["ordersCount"] == {"count": 2}
    assert everything["order"] == {"name": "#1"}
    assert everything["refund"] is not None


def test_a_product_carries_its_variants_and_a_variant_its_product() -> None:
    shop = HandmadeShop()
    variants = [{"id": gid("ProductVariant", n), "sku": f"S{n}", "price": "1.50"} for n in (1, 2, 3)]
    shop.put("products", product(variants=variants))
    found = Sandbox(shop).found(
        """{ products(first: 1) { nodes { tags variants(first: 2) { nodes { sku } pageInfo { hasNextPage } } } }
        productVariants(first: 5, query: "sku:S2") { nodes { sku price product { title } } } }"""
    )
    assert found["products"]["nodes"][0]["tags"] == ["sweet"]
    assert found["products"]["nodes"][0]["variants"]["pageInfo"] == {"hasNextPage": True}
    assert found["productVariants"]["nodes"] == [{"sku": "S2", "price": "1.5", "product": {"title": "Honey"}}]
