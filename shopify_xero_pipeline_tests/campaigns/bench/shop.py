"""The shop of the benchmark: the orders to copy, and the new orders of the measured day.

All orders come from the generated shop. This module only selects and copies records of Shopify; it knows no state
store.
"""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache

from shopify_xero_pipeline.sandbox.nodes import Node, Version
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline_tests.support.handmade_shop import HandmadeShop
from shopify_xero_pipeline_tests.support.stage import at
from shopify_xero_pipeline_tests.support.sync_round import FIRST

ORIGINAL_DAYS = tuple(FIRST + timedelta(days=number) for number in range(4))
"""The days of the orders to copy."""

SYNCED_AT = at(date(2026, 10, 20), 3)
"""The time of the real sync. The orders to copy do not change after it."""

NEW_DAY = date(2026, 10, 21)
NEW_ORDERS = 10
FIRST_NEW_NUMBER = 9_000_001
"""The number of the first new order, above those of the copies."""

PLAIN = "plain_card"
KINDS = frozenset(
    {
        PLAIN, "plain_paypal", "pos_card", "order_discount", "line_discount", "code_discount", "tax_exempt", "export",
        "foreign_currency", "refunded_full", "refunded_part", "refunded_shipping", "refunded_next_month",
        "exchanged_dearer", "edited_before_payment", "credited_then_paid", "authorised_captured", "zero_price_line",
        "draft_with_terms",
    }
)  # fmt: skip
"""Kinds of generated orders that are posted without a warning, each of a customer with a Contact of its own."""

OWN_ID = re.compile(r"gid://shopify/(?!Product/|ProductVariant/)\w+/(\d+)")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@cache
def build_shop() -> HandmadeShop:
    """Return a shop with the orders to copy, their customers, all products and the new orders; it never changes."""
    generated, shop = GeneratedShop(1), HandmadeShop()
    orders = generated.versions("orders", SYNCED_AT)
    originals = {gid: [*history] for gid, history in orders.items() if _is_original(generated, gid, history[-1])}
    customers, products = generated.versions("customers", SYNCED_AT), generated.versions("products", SYNCED_AT)
    buyers = dict.fromkeys(history[-1].node["customer"]["id"] for history in originals.values())
    shop.records["orders"] = originals
    shop.records["customers"] = {gid: [*customers[gid]] for gid in buyers}
    shop.records["products"] = {gid: [*history] for gid, history in products.items()}
    plain = next(history[-1].node for gid, history in originals.items() if generated.kind_of(gid) == PLAIN)
    for order in _new_orders(plain):
        placed_at = datetime.fromisoformat(order["processedAt"])
        shop.put("customers", order["customer"], placed_at)
        shop.put("orders", order, placed_at)
    return shop


def _is_original(shop: GeneratedShop, gid: str, last: Version) -> bool:
    return shop.kind_of(gid) in KINDS and _placed_on(last.node) in ORIGINAL_DAYS


def _placed_on(order: Node) -> date:
    return datetime.fromisoformat(order["processedAt"]).astimezone(SYNCED_AT.tzinfo).date()


def _new_orders(plain: Node) -> Iterator[Node]:
    """Yield copies of an order on the new day, each of a new customer."""
    text = json.dumps(plain)
    own_id = re.compile(rf"(?<!\d)({'|'.join({*OWN_ID.findall(text)})})(?!\d)")
    later, last_name = NEW_DAY - _placed_on(plain), plain["customer"]["lastName"]
    for number in range(NEW_ORDERS):
        copy = own_id.sub(rf"\g<1>{number:02d}", text).replace(f'{last_name}"', f'{last_name} {number}"')
        copy = INSTANT.sub(lambda match: shift(match[0], later), copy)
        node: Node = json.loads(copy)
        for customer in (node["customer"], node["purchasingEntity"]):
            customer["defaultEmailAddress"] = {"emailAddress": f"new.{number}@example.com"}
            customer["updatedAt"] = node["processedAt"]
        yield {**node, "name": f"#{FIRST_NEW_NUMBER + number}"}


def shift(text: str, by: timedelta) -> str:
    """Return an instant in Shopify's format, moved by a duration."""
    return (datetime.fromisoformat(text) + by).strftime("%Y-%m-%dT%H:%M:%SZ")
