from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from shopify_xero_pipeline.sandbox.nodes import Node, Version
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.shop_generator.invariants import history_violations, violations
from shopify_xero_pipeline_tests.sandbox.shop_generator.conftest import SIXTY_DAYS_ON

pytestmark = pytest.mark.campaign

Traded = Callable[[int], GeneratedShop]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_version_of_every_order_adds_up(traded: Traded, seed: int) -> None:
    orders = traded(seed).versions("orders", SIXTY_DAYS_ON)

    assert [what for versions in orders.values() for version in versions for what in violations(version.node)] == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_version_rewrites_what_an_earlier_one_said(traded: Traded, seed: int) -> None:
    orders = traded(seed).versions("orders", SIXTY_DAYS_ON)

    assert [what for versions in orders.values() for what in history_violations(versions)] == []


def last_of(shop: GeneratedShop, kind: str) -> Node:
    orders = shop.versions("orders", SIXTY_DAYS_ON)
    return deepcopy(next(versions[-1].node for gid, versions in orders.items() if shop.kind_of(gid) == kind))


def by_a_cent(bag: Node, cents: str = "0.07") -> None:
    for money in bag.values():
        money["amount"] = cents


BREAKAGES: dict[str, tuple[str, Callable[[Node], Any]]] = {
    "currentTotalPriceSet": ("plain_card", lambda n: by_a_cent(n["currentTotalPriceSet"])),
    "originalTotalPriceSet": ("plain_card", lambda n: by_a_cent(n["originalTotalPriceSet"])),
    "currentTotalTaxSet": ("plain_card", lambda n: by_a_cent(n["currentTotalTaxSet"])),
    "totalTaxAmount": (
        "plain_card",
        lambda n: by_a_cent(n["agreements"]["nodes"][0]["sales"]["nodes"][0]["taxes"][0]["amount"], "9.99"),
    ),
    "totalPriceSet": ("edited_added", lambda n: n.update(totalPriceSet=n["originalTotalPriceSet"])),
    "subtotalPriceSet": ("tip", lambda n: n.update(subtotalPriceSet=n["totalPriceSet"])),
    "currentShippingPriceSet": (
        "refunded_shipping",
        lambda n: n.update(currentShippingPriceSet=n["totalShippingPriceSet"]),
    ),
    "refundDiscrepancySet": ("refunded_less", lambda n: by_a_cent(n["refundDiscrepancySet"])),
    "originalTotalSet": ("plain_card", lambda n: n["lineItems"]["nodes"][0].update(quantity=99)),
    "as sold": ("company_by_card", lambda n: n["lineItems"]["nodes"][0]["taxLines"].clear()),
    "currentQuantity": ("refunded_part", lambda n: n["lineItems"]["nodes"][0].update(currentQuantity=2)),
    "is a RETURN of 1": (
        "refunded_part",
        lambda n: n["agreements"]["nodes"][1]["sales"]["nodes"][0].update(quantity=1),
    ),
    "discountedPriceSet": (
        "shipping_discount",
        lambda n: n["shippingLines"]["nodes"][0]["discountAllocations"].clear(),
    ),
    "taxLines": ("plain_card", lambda n: by_a_cent(n["lineItems"]["nodes"][0]["taxLines"][0]["priceSet"], "9.99")),
    "below zero": (
        "order_discount",
        lambda n: by_a_cent(n["lineItems"]["nodes"][0]["discountAllocations"][0]["allocatedAmountSet"], "99999.0"),
    ),
    "discount 0": ("order_discount", lambda n: n["discountApplications"]["nodes"][0]["value"].update(amount="0.5")),
    "totalReceivedSet": ("cash_with_change", lambda n: n["transactions"].pop()),
    "netPaymentSet": ("bank_deposit", lambda n: n["transactions"][0].update(status="SUCCESS")),
    "displayFinancialStatus": ("voided", lambda n: n.update(displayFinancialStatus="PENDING")),
    "totalRefundedSet": ("refunded_full", lambda n: by_a_cent(n["refunds"][0]["totalRefundedSet"])),
    "paid back": ("refunded_amount", lambda n: n["refunds"][0]["orderAdjustments"]["nodes"].clear()),
    "units in refunds": ("restocked_only", lambda n: n["refunds"][0]["refundLineItems"]["nodes"].clear()),
    "not how the API writes": ("plain_card", lambda n: by_a_cent(n["totalTipReceivedSet"], "0.00")),
    "both currencies are one": ("plain_card", lambda n: n["totalPriceSet"]["shopMoney"].update(currencyCode="AUD")),
    "used 2 times": ("several_gateways", lambda n: n["transactions"].append(n["transactions"][0])),
    "originalAmountSet": (
        "refunded_at_higher_rate",
        lambda n: n["transactions"][-1]["currencyExchangeAdjustment"]["originalAmountSet"].update(amount="-1.0"),
    ),
    "finalAmountSet": (
        "refunded_at_lower_rate",
        lambda n: n["transactions"][-1]["currencyExchangeAdjustment"]["finalAmountSet"].update(amount="-1.0"),
    ),
    "adjustment is": (
        "captured_at_other_rates",
        lambda n: n["transactions"][-1]["currencyExchangeAdjustment"]["adjustment"].update(amount="-1.0"),
    ),
    "in the customer's currency": (
        "refunded_at_higher_rate",
        lambda n: n["totalOutstandingSet"]["shopMoney"].update(amount="0.01"),
    ),
    "goes back in time": ("authorised_captured", lambda n: n["transactions"].reverse()),
}


@pytest.mark.parametrize("figure", BREAKAGES)
def test_a_broken_figure_is_named(traded: Traded, figure: str) -> None:
    kind, break_it = BREAKAGES[figure]
    node = last_of(traded(1), kind)
    assert violations(node) == []
    break_it(node)

    assert any(figure in what for what in violations(node))


@pytest.mark.parametrize(
    ("what", "rewrite"),
    [
        ("follows one of", lambda n: n.update(updatedAt="2026-01-01T00:00:00Z")),
        ("processedAt changed", lambda n: n.update(processedAt="2026-01-01T00:00:00Z")),
        ("ledger changed", lambda n: n["agreements"]["nodes"].pop(0)),
        ("lines as sold changed", lambda n: n["lineItems"]["nodes"][0].update(sku="OTHER")),
        ("transactions changed", lambda n: n["transactions"].pop(0)),
    ],
)
def test_a_rewritten_history_is_named(traded: Traded, what: str, rewrite: Callable[[Node], Any]) -> None:
    node = last_of(traded(1), "refunded_part")
    later = deepcopy(node)
    rewrite(later)
    versions = [Version(SIXTY_DAYS_ON, node), Version(SIXTY_DAYS_ON + timedelta(hours=1), later)]

    assert [found for found in history_violations(versions) if what in found]
