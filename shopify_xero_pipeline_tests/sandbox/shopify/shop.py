"""Builders for the tests of this folder: sparse records of a shop, and a client that asks the local Shopify."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.app import shopify_app
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline_tests.support.handmade_shop import HandmadeShop
from shopify_xero_pipeline_tests.support.nodes import bag, gid

START = datetime(2026, 9, 21, 0, 0, tzinfo=UTC)
GRAPHQL = "/admin/api/2026-10/graphql.json"


def order(number: int, processed_at: str = "2026-09-20T01:00:00Z", **more: Any) -> Node:
    """One jar of honey for 23.00 with 3.00 GST in it, bought by customer 7."""
    line = {
        "id": gid("LineItem", number * 10),
        "title": "Honey",
        "sku": "HONEY",
        "quantity": 1,
        "currentQuantity": 1,
        "product": {"id": gid("Product", 3)},
        "variant": {"id": gid("ProductVariant", 31)},
        "originalUnitPriceSet": bag("23.00"),
        "taxLines": [{"title": "GST", "rate": "0.15", "priceSet": bag("3.00")}],
    }
    sale = {
        "id": gid("Sale", number * 10),
        "lineType": "PRODUCT",
        "actionType": "ORDER",
        "quantity": 1,
        "totalAmount": bag("23.0"),
        "totalTaxAmount": bag("3.0"),
        "taxes": [],
        "lineItem": {"id": gid("LineItem", number * 10)},
    }
    node = {
        "id": gid("Order", number),
        "name": f"#{number}",
        "createdAt": processed_at,
        "processedAt": processed_at,
        "updatedAt": processed_at,
        "test": False,
        "taxesIncluded": True,
        "displayFinancialStatus": "PAID",
        "tags": ["web"],
        "totalPriceSet": bag("23.00"),
        "currentTotalPriceSet": bag("23.00"),
        "customer": {"id": gid("Customer", 7)},
        "lineItems": {"nodes": [line]},
        "shippingLines": [
            {"id": gid("ShippingLine", number), "title": "Courier", "isRemoved": False},
            {"id": gid("ShippingLine", number + 1), "title": "Drone", "isRemoved": True},
        ],
        "agreements": {
            "edges": [
                {
                    "node": {
                        "id": gid("OrderAgreement", number),
                        "reason": "ORDER",
                        "happenedAt": processed_at,
                        "sales": [sale],
                    }
                }
            ]
        },
        "transactions": [
            {
                "id": gid("OrderTransaction", number),
                "kind": "SALE",
                "status": "SUCCESS",
                "gateway": "paypal",
                "amountSet": bag("23.00"),
                "createdAt": processed_at,
                "test": False,
            }
        ],
        "refunds": [],
    }
    return {**node, **more}


def customer(number: int = 7, **more: Any) -> Node:
    node = {
        "id": gid("Customer", number),
        "displayName": "Aroha Ngata",
        "firstName": "Aroha",
        "lastName": "Ngata",
        "defaultEmailAddress": {"emailAddress": f"aroha.{number}@example.com"},
        "createdAt": "2026-09-01T00:00:00Z",
        "updatedAt": "2026-09-20T01:00:00Z",
        "tags": [],
    }
    return {**node, **more}


def product(number: int = 3, **more: Any) -> Node:
    node = {
        "id": gid("Product", number),
        "title": "Honey",
        "vendor": "Bees",
        "productType": "Food",
        "tags": ["sweet"],
        "status": "ACTIVE",
        "isGiftCard": False,
        "updatedAt": "2026-09-20T01:00:00Z",
        "variants": [
            {
                "id": gid("ProductVariant", number * 10 + 1),
                "title": "500 g",
                "displayName": "Honey - 500 g",
                "sku": "HONEY",
                "price": "23.00",
                "inventoryItem": {"id": gid("InventoryItem", number)},
                "updatedAt": "2026-09-20T01:00:00Z",
            }
        ],
    }
    return {**node, **more}


class Sandbox:
    """The local Shopify over a hand-made shop, asked through an in-process client."""

    def __init__(self, shop: HandmadeShop | None = None, options: ShopifyOptions | None = None) -> None:
        self.shop = shop or HandmadeShop()
        self.clock = ManualClock(START)
        self.app = shopify_app(self.shop, self.clock, options=options)
        self.http = httpx.Client(
            transport=InProcessTransport(self.app),
            base_url="https://sandbox.myshopify.com",
            headers={"X-Shopify-Access-Token": "sandbox"},
        )

    def ask(self, query: str, headers: Mapping[str, str] | None = None, **variables: Any) -> Node:
        """Return the whole answer of one call."""
        response = self.http.post(GRAPHQL, json={"query": query, "variables": variables}, headers=headers)
        assert response.status_code == 200
        answer: Node = response.json()
        return answer

    def found(self, query: str, **variables: Any) -> Node:
        """Return the answer's data, there being no error."""
        answer = self.ask(query, **variables)
        assert "errors" not in answer, answer["errors"]
        data: Node = answer["data"]
        return data

    def names(self, search: str) -> list[str]:
        """Return the names of the orders a search finds."""
        query = "query($q: String) { orders(first: 250, query: $q) { nodes { name } } }"
        return [node["name"] for node in self.found(query, q=search)["orders"]["nodes"]]


def stocked(*orders: Node) -> HandmadeShop:
    """Return a shop with a customer, a product and these orders."""
    shop = HandmadeShop()
    shop.put("customers", customer())
    shop.put("products", product())
    for each in orders or (order(1001),):
        shop.put("orders", each)
    return shop


def code(answer: Node) -> str:
    """Return the code of an answer's only error."""
    assert len(answer["errors"]) == 1, answer["errors"]
    text: str = answer["errors"][0]["extensions"]["code"]
    return text
