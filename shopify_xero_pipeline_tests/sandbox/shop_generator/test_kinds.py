"""Each kind of order is told in every fortnight and is what its name says."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.shop_generator.schedule import KINDS, plan
from shopify_xero_pipeline_tests.sandbox.shop_generator.conftest import SIXTY_DAYS_ON

pytestmark = pytest.mark.campaign

Traded = Callable[[int], GeneratedShop]
AUCKLAND = ZoneInfo("Pacific/Auckland")
OPENED = date(2026, 9, 21)
END_OF_DEMO = datetime(2026, 10, 4, 10, 59, 59, tzinfo=UTC)
"""The last second of 4 October in Auckland, on daylight-saving time since 27 September."""


def shop_money(node: Node, name: str) -> Decimal:
    return Decimal(node[name]["shopMoney"]["amount"])


def movements(node: Node) -> list[tuple[str, str]]:
    return [(t["kind"], t["status"]) for t in node["transactions"]]


def gateways(node: Node) -> list[str]:
    return [t["gateway"] for t in node["transactions"]]


def reasons(node: Node) -> list[str]:
    return [agreement["reason"] for agreement in node["agreements"]["nodes"]]


def rows(node: Node, agreement: int = -1) -> list[tuple[str, str]]:
    sales = node["agreements"]["nodes"][agreement]["sales"]["nodes"]
    return [(sale["lineType"], sale["actionType"]) for sale in sales]


def net_of(node: Node, agreement: int = -1) -> Decimal:
    sales = node["agreements"]["nodes"][agreement]["sales"]["nodes"]
    return sum((Decimal(sale["totalAmount"]["shopMoney"]["amount"]) for sale in sales), Decimal(0))


def tax_of(node: Node, agreement: int = -1) -> Decimal:
    sales = node["agreements"]["nodes"][agreement]["sales"]["nodes"]
    return sum((Decimal(sale["totalTaxAmount"]["shopMoney"]["amount"]) for sale in sales), Decimal(0))


def rates(node: Node) -> set[tuple[str, float]]:
    return {(tax["title"], tax["rate"]) for line in node["lineItems"]["nodes"] for tax in line["taxLines"]}


def adjustments(node: Node) -> list[tuple[str, bool]]:
    """Reason of each discrepancy and whether less was paid back than calculated."""
    return [
        (a["reason"], Decimal(a["amountSet"]["shopMoney"]["amount"]) > 0)
        for refund in node["refunds"]
        for a in refund["orderAdjustments"]["nodes"]
    ]


def exchanged(node: Node) -> list[int]:
    """Whether the shop gained (1) or lost (-1) by the rate with each transaction; 0 where no rate moved."""
    found = [transaction["currencyExchangeAdjustment"] for transaction in node["transactions"]]
    amounts = [Decimal(one["adjustment"]["amount"]) if one else Decimal(0) for one in found]
    return [(amount > 0) - (amount < 0) for amount in amounts]


def owed(node: Node) -> tuple[str, str]:
    bag = node["totalOutstandingSet"]
    return bag["shopMoney"]["amount"], bag["presentmentMoney"]["amount"]


def lines(node: Node) -> list[Node]:
    return list(node["lineItems"]["nodes"])


def status(node: Node) -> str:
    return str(node["displayFinancialStatus"])


SALE, REFUNDED = ("SALE", "SUCCESS"), ("REFUND", "SUCCESS")

WHAT_A_KIND_IS: dict[str, Callable[[Node], bool]] = {
    "plain_card": lambda n: movements(n) == [SALE] and gateways(n) == ["shopify_payments"] and status(n) == "PAID",
    "order_discount": lambda n: n["discountApplications"]["nodes"][0]["allocationMethod"] == "ACROSS",
    "line_discount": lambda n: sum(bool(line["discountAllocations"]) for line in lines(n)) == 1,
    "code_discount": lambda n: n["discountCodes"] == ["KIAORA12"],
    "fully_discounted": lambda n: shop_money(n, "totalPriceSet") == 0 and movements(n) == [] and status(n) == "PAID",
    "shipping_discount": lambda n: n["shippingLines"]["nodes"][0]["discountAllocations"] != [],
    "guest": lambda n: n["customer"] is None and n["email"] is None and n["billingAddress"] is not None,
    "gift_card_sold": lambda n: ("GIFT_CARD", "ORDER") in rows(n, 0) and any(line["isGiftCard"] for line in lines(n)),
    "tip": lambda n: ("TIP", "ORDER") in rows(n, 0) and shop_money(n, "totalTipReceivedSet") > 0,
    "zero_price_line": lambda n: any(line["originalUnitPriceSet"]["shopMoney"]["amount"] == "0.0" for line in lines(n)),
    "custom_line": lambda n: lines(n)[-1]["variant"] is None and n["sourceName"] == "shopify_draft_order",
    "deleted_product": lambda n: lines(n)[0]["product"] is None and lines(n)[0]["sku"].startswith("CLEAR-"),
    "changing_product": lambda n: lines(n)[0]["variant"]["price"] == "52.51",
    "export": lambda n: n["shippingAddress"]["countryCodeV2"] != "NZ" and rates(n) == {("GST", 0.0)},
    "duty_and_fee": lambda n: {("DUTY", "ORDER"), ("ADDITIONAL_FEE", "ORDER")} <= set(rows(n, 0)),
    "tax_exempt": lambda n: n["taxExempt"] and rates(n) == set() and n["taxLines"] == [],
    "unmapped_tax": lambda n: ("Luxury levy", 0.025) in rates(n),
    "marketplace_tax": lambda n: all(tax["channelLiable"] for line in lines(n) for tax in line["taxLines"]),
    "pos_card": lambda n: n["sourceName"] == "pos" and n["retailLocation"] is not None,
    "draft_with_terms": lambda n: (
        n["paymentTerms"]["dueInDays"] == 30 and not n["taxesIncluded"] and movements(n) == []
    ),
    "company_b2b": lambda n: n["purchasingEntity"]["__typename"] == "PurchasingCompany" and status(n) == "PAID",
    "company_by_card": lambda n: not n["taxesIncluded"] and n["purchasingEntity"]["company"]["name"] != "",
    "test_order": lambda n: n["test"] and n["transactions"][0]["test"],
    "many_lines": lambda n: len(lines(n)) == 55,
    "foreign_currency": lambda n: n["presentmentCurrencyCode"] == "AUD" and movements(n) == [SALE, REFUNDED],
    "back_dated": lambda n: n["processedAt"] < n["createdAt"],
    "awkward_customer": lambda n: n["customer"]["id"].startswith("gid://shopify/Customer/73000000000"),
    "customer_moves": lambda n: n["customer"]["lastName"].endswith("-Hill"),
    "customer_merged": lambda n: n["customer"]["lastName"].endswith("-Hill"),
    "customer_forgotten": lambda n: n["customer"]["displayName"] == "" and n["billingAddress"] is None,
    "plain_paypal": lambda n: gateways(n) == ["paypal"],
    "several_gateways": lambda n: gateways(n) == ["paypal", "shopify_payments"] and status(n) == "PAID",
    "authorised_captured": lambda n: [kind for kind, _ in movements(n)] == ["AUTHORIZATION", "CAPTURE", "CAPTURE"],
    "part_payment": lambda n: status(n) in ("PARTIALLY_PAID", "PAID"),
    "paid_in_two_parts": lambda n: movements(n) == [SALE, SALE] and status(n) == "PAID",
    "bank_deposit": lambda n: movements(n) == [("SALE", "PENDING"), SALE] and status(n) == "PAID",
    "pending_then_settled": lambda n: movements(n) == [SALE] and gateways(n) == ["manual"],
    "failed_then_paid": lambda n: movements(n) == [("SALE", "FAILURE"), SALE],
    "voided": lambda n: [kind for kind, _ in movements(n)] == ["AUTHORIZATION", "VOID"] and status(n) == "VOIDED",
    "cash_with_change": lambda n: [kind for kind, _ in movements(n)] == ["SALE", "CHANGE"] and status(n) == "PAID",
    "cash_rounded_down": lambda n: shop_money(n["totalCashRoundingAdjustment"], "paymentSet") < 0,
    "cash_rounded_up": lambda n: shop_money(n["totalCashRoundingAdjustment"], "paymentSet") > 0,
    "gift_card_part": lambda n: gateways(n) == ["gift_card", "shopify_payments"] and status(n) == "PAID",
    "unpaid_waiting": lambda n: status(n) == "PENDING" and n["cancelledAt"] is None,
    "unknown_gateway": lambda n: gateways(n) == ["mystery_pay"],
    "noted": lambda n: n["note"] is not None and n["updatedAt"] > n["createdAt"],
    "cancelled_unpaid": lambda n: n["cancelledAt"] is not None and movements(n) == [] and net_of(n) < 0,
    "terms_cancelled": lambda n: n["paymentTerms"] is not None and shop_money(n, "currentTotalPriceSet") == 0,
    "cancelled_refunded": lambda n: n["cancelledAt"] is not None and status(n) == "REFUNDED",
    "refunded_full": lambda n: (
        shop_money(n, "currentTotalPriceSet") == 0 and len(n["refunds"][0]["transactions"]["nodes"]) == 2
    ),
    "refunded_part": lambda n: status(n) == "PARTIALLY_REFUNDED" and lines(n)[0]["currentQuantity"] == 1,
    "refunded_shipping": lambda n: (
        rows(n) == [("SHIPPING", "RETURN")] and shop_money(n, "currentShippingPriceSet") == 0
    ),
    "refunded_amount": lambda n: (
        rows(n) == [("ADJUSTMENT", "RETURN")] and adjustments(n) == [("REFUND_DISCREPANCY", False)]
    ),
    "refunded_less": lambda n: adjustments(n) == [("DAMAGE", True)] and net_of(n) < 0,
    "refunded_more": lambda n: adjustments(n) == [("CUSTOMER", False)] and net_of(n) < 0,
    "restocked_only": lambda n: net_of(n) == 0 and movements(n) == [SALE] and lines(n)[0]["currentQuantity"] == 1,
    "refund_pending": lambda n: movements(n) == [SALE, REFUNDED] and len(adjustments(n)) == 2,
    "refund_failed": lambda n: movements(n) == [SALE, ("REFUND", "FAILURE"), REFUNDED],
    "refunded_next_month": lambda n: (
        [local_month(r["processedAt"]) for r in n["refunds"]] not in ([], [local_month(n["processedAt"])])
    ),
    "refunded_unit_by_unit": lambda n: len(n["refunds"]) == 3 and lines(n)[0]["currentQuantity"] == 0,
    "refunded_less_fee": lambda n: ("FEE", "ORDER") in rows(n) and net_of(n) < 0,
    "edited_added": lambda n: reasons(n) == ["ORDER", "ORDER_EDIT"] and net_of(n) > 0 and movements(n) == [SALE, SALE],
    "edited_removed": lambda n: (
        reasons(n) == ["ORDER", "ORDER_EDIT", "REFUND"] and rows(n) == [] and len(n["refunds"]) == 2
    ),
    "edited_before_payment": lambda n: set(rows(n)) == {("PRODUCT", "RETURN"), ("PRODUCT", "ORDER")} and n["edited"],
    "exchanged_dearer": lambda n: reasons(n)[-1] == "RETURN" and net_of(n) > 0 and status(n) == "PAID",
    "exchanged_cheaper": lambda n: reasons(n)[-1] == "REFUND" and net_of(n) < 0 and ("PRODUCT", "ORDER") in rows(n),
    "marketplace_kept_tax": lambda n: (
        status(n) == "PAID"
        and shop_money(n, "totalOutstandingSet") == 0
        and shop_money(n, "currentTotalPriceSet") - shop_money(n, "netPaymentSet")
        == shop_money(n, "currentTotalTaxSet")
        > 0
    ),
    "refunded_part_of_shipping": lambda n: (
        rows(n) == [("SHIPPING", "RETURN")] and shop_money(n, "currentShippingPriceSet") > 0
    ),
    "refunded_duty": lambda n: rows(n) == [("DUTY", "RETURN")] and len(n["refunds"][0]["duties"]) == 1,
    "refund_pending_failed": lambda n: (
        movements(n) == [SALE, ("REFUND", "FAILURE"), REFUNDED] and len(adjustments(n)) == 2
    ),
    "refunded_over_months": lambda n: (
        len(n["refunds"]) > 1 and len({local_month(r["processedAt"]) for r in n["refunds"]}) == len(n["refunds"])
    ),
    "merged_then_refunded": lambda n: (
        n["customer"]["lastName"].endswith("-Hill") and movements(n) == [SALE, REFUNDED] and net_of(n) < 0
    ),
    "forgotten_then_refunded": lambda n: (
        n["customer"]["displayName"] == "" and movements(n) == [SALE, REFUNDED] and net_of(n) < 0
    ),
    "credited_then_paid": lambda n: (
        reasons(n) == ["ORDER", "REFUND"] and movements(n) == [SALE] and shop_money(n, "totalOutstandingSet") == 0
    ),
    "credited_then_overpaid": lambda n: (
        reasons(n) == ["ORDER", "REFUND", "REFUND"] and movements(n) == [SALE, REFUNDED] and net_of(n, 1) < 0
    ),
    "edited_shipping_off": lambda n: (
        rows(n, 1) == [("SHIPPING", "RETURN")] and n["shippingLines"]["nodes"][0]["isRemoved"]
    ),
    "edited_price": lambda n: rows(n, 1) == [("PRODUCT", "UPDATE")] and net_of(n, 1) < 0 and len(n["refunds"]) == 1,
    "edited_tax": lambda n: rows(n, 1) == [("PRODUCT", "UPDATE")] and net_of(n, 1) == tax_of(n, 1) < 0,
    "refunded_at_higher_rate": lambda n: (
        exchanged(n) == [0, -1] and status(n) == "PARTIALLY_REFUNDED" and owed(n) == ("0.0", "0.0")
    ),
    "refunded_at_lower_rate": lambda n: (
        exchanged(n) == [0, 1] and status(n) == "REFUNDED" and owed(n) == ("0.0", "0.0")
    ),
    "captured_at_other_rates": lambda n: (
        [kind for kind, _ in movements(n)] == ["AUTHORIZATION", "CAPTURE", "CAPTURE", "REFUND"]
        and exchanged(n)[:3] == [0, 1, -1]
        and owed(n) == ("0.0", "0.0")
    ),
    "swapped_even": lambda n: reasons(n)[-1] == "RETURN" and net_of(n) == 0 and len(rows(n)) == 2,
}


def local_month(stamp: str) -> int:
    return datetime.fromisoformat(stamp).astimezone(AUCKLAND).month


def test_the_table_of_kinds_is_whole() -> None:
    assert sorted(WHAT_A_KIND_IS) == sorted(kind.name for kind in KINDS)


@pytest.mark.parametrize("seed", [1, 7])
@pytest.mark.parametrize("first", range(20))
def test_any_fortnight_sees_every_kind(seed: int, first: int) -> None:
    days = [OPENED + timedelta(days=first + n) for n in range(14)]
    counts = Counter(appointment.kind.name for day in days for appointment in plan(seed, day, AUCKLAND))

    assert {kind.name for kind in KINDS} - set(counts) == set()


@pytest.mark.parametrize("name", WHAT_A_KIND_IS)
def test_an_order_of_a_kind_is_what_it_says(traded: Traded, name: str) -> None:
    told = 0
    for seed in (1, 2):
        shop = traded(seed)
        for gid, versions in shop.versions("orders", SIXTY_DAYS_ON).items():
            placed_at = datetime.fromisoformat(versions[0].node["createdAt"])
            if shop.kind_of(gid) == name and placed_at < SIXTY_DAYS_ON - timedelta(days=33):
                told += 1
                assert WHAT_A_KIND_IS[name](versions[-1].node), gid

    assert told >= 2


def test_the_demo_fortnight_sees_the_end_of_every_kind(traded: Traded) -> None:
    """By its last second each kind has an order that is already what its name says; the counts are the seed's own."""
    shop = traded(1)
    orders = shop.versions("orders", END_OF_DEMO)
    placed = Counter(shop.kind_of(gid) for gid in orders)
    ended = Counter(shop.kind_of(gid) for gid, v in orders.items() if WHAT_A_KIND_IS[shop.kind_of(gid)](v[-1].node))

    assert [kind.name for kind in KINDS if not ended[kind.name]] == []
    assert placed.total() == len(orders)
    assert placed["plain_card"] > 20
    assert max(placed[name] for name in ("unknown_gateway", "unmapped_tax", "test_order", "many_lines")) == 1
