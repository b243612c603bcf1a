"""The workloads whose API calls are counted: a shop, the days to sync, and the orders of each day.

Each order is a copy of a generated order, with ids, a customer and a Contact of its own. The originals belong to an
earlier day, so that Items and settings are in Xero before a workload. This module only builds shops; `calls.py` counts.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import cycle, islice

from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.sandbox.nodes import Node, Version
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline_tests.campaigns.bench.shop import INSTANT, OWN_ID
from shopify_xero_pipeline_tests.support.handmade_shop import HandmadeShop
from shopify_xero_pipeline_tests.support.stage import at

PLAIN = "plain_card"
WITH_CHANGES = (
    *("refunded_part", "refunded_part", "refunded_shipping", "refunded_shipping", "refunded_full"),
    "credited_then_paid",  # refunded before it is paid, so that an Allocation carries the refund
    *("edited_added", "edited_before_payment"),
    *[PLAIN] * 12,
)
"""The kinds of twenty orders, of which 30 % have refunds and 10 % edits."""

START_DATE = date(2025, 9, 1)
"""The start date of the books, and the day of the originals."""

FIRST_DAY = date(2025, 10, 1)
"""The first day of a workload."""

SETTLED = timedelta(days=45)
"""Time after the last day of a workload until its sync, so that all its refunds and edits are over."""

GENERATED_UNTIL = at(date(2026, 11, 20))


@dataclass(frozen=True)
class Workload:
    """Orders of new customers over a number of days.

    Attributes:
        name: its name in a table.
        orders: the number of orders.
        days: the number of days.
        kinds: the kinds of generated orders, repeated in turn.
    """

    name: str
    orders: int
    days: int = 1
    kinds: tuple[str, ...] = (PLAIN,)

    @property
    def dates(self) -> list[date]:
        """The days to sync."""
        return days_between(FIRST_DAY, FIRST_DAY + timedelta(days=self.days - 1))

    @property
    def synced_at(self) -> datetime:
        """The time of the sync."""
        return at(self.dates[-1] + SETTLED, 3)

    def shop(self) -> HandmadeShop:
        """Return a shop with the originals on the start date and the orders of the workload on its days."""
        shop = HandmadeShop()
        for product in GeneratedShop(1).versions("products", GENERATED_UNTIL).values():
            if product[-1].node:  # not deleted
                shop.put("products", {**product[-1].node, "updatedAt": f"{START_DATE}T00:00:00Z"}, at(START_DATE, 1))
        for number, kind in enumerate(dict.fromkeys(self.kinds)):
            _put(shop, _copy(kind, 90_000 + number, START_DATE))
        for number, (kind, day) in enumerate(zip(islice(cycle(self.kinds), self.orders), cycle(self.dates))):
            _put(shop, _copy(kind, number, day))
        return shop


def _put(shop: HandmadeShop, order: Node) -> None:
    placed_at = datetime.fromisoformat(order["processedAt"])
    shop.put("customers", order["customer"], placed_at)
    shop.put("orders", order, placed_at)


@cache
def _generated_orders() -> tuple[GeneratedShop, Mapping[str, Sequence[Version]]]:
    shop = GeneratedShop(1)
    return shop, shop.versions("orders", GENERATED_UNTIL)


@cache
def _original(kind: str) -> tuple[str, re.Pattern[str], date, str]:
    """Return the JSON of a generated order, the pattern of its own ids, its day and its customer's last name."""
    generated, histories = _generated_orders()
    node = next(history[-1].node for gid, history in histories.items() if generated.kind_of(gid) == kind)
    text = json.dumps(node)
    own_ids = "|".join(sorted({*OWN_ID.findall(text)}, key=len, reverse=True))
    placed_at = datetime.fromisoformat(node["processedAt"]).astimezone(GENERATED_UNTIL.tzinfo)
    return text, re.compile(rf"(?<!\d)({own_ids})(?!\d)"), placed_at.date(), node["customer"]["lastName"]


def _copy(kind: str, number: int, day: date) -> Node:
    """Return a copy of a generated order on a day, with ids and a customer of its own."""
    text, own_id, original_day, last_name = _original(kind)
    shift = day - original_day
    copy = own_id.sub(rf"\g<1>{number:05d}", text).replace(f'{last_name}"', f'{last_name} {number}"')
    copy = INSTANT.sub(lambda match: _shifted(match[0], shift), copy)
    node: Node = json.loads(copy)
    buyer = node["purchasingEntity"]
    if "company" in buyer:
        buyer["company"]["name"] += f" {number}"
    for customer in (node["customer"], buyer["contact"]["customer"] if "company" in buyer else buyer):
        customer["defaultEmailAddress"] = {"emailAddress": f"customer.{number}@example.com"}
        customer["updatedAt"] = node["processedAt"]
    return {**node, "name": f"#{1_000_000 + number}"}


def _shifted(text: str, by: timedelta) -> str:
    return (datetime.fromisoformat(text) + by).strftime("%Y-%m-%dT%H:%M:%SZ")
