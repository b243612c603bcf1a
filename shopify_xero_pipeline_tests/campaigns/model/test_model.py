"""Tests that the model follows Shopify's documented arithmetic, and that its histories reach all events of an order."""

import ast
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from shopify_xero_pipeline_tests.campaigns.model.amounts import EXPONENTS, half_up, spread, text
from shopify_xero_pipeline_tests.campaigns.model.beginnings import begin
from shopify_xero_pipeline_tests.campaigns.model.choices import Dice
from shopify_xero_pipeline_tests.campaigns.model.facts import facts_of
from shopify_xero_pipeline_tests.campaigns.model.histories import EVENTS, FIRST_NUMBER, History, histories, history_of
from shopify_xero_pipeline_tests.campaigns.model.nodes import Node
from shopify_xero_pipeline_tests.campaigns.model.oddities import ODDITIES
from shopify_xero_pipeline_tests.campaigns.model.order import Order, Share, Tax, charge, taken_back, untaxed
from shopify_xero_pipeline_tests.campaigns.model.payments import add_money

pytestmark = pytest.mark.campaign

MANY = 600


@pytest.fixture(scope="module")
def sample() -> list[History]:
    return [history_of(seed) for seed in range(MANY)]


@pytest.fixture
def empty() -> Order:
    """Return an empty order of 2026 in New Zealand dollars, with taxes on top of prices."""
    plain = history_of(1, "NZD").last.at
    return Order(1, "NZD", "NZD", 1, False, (), plain, plain, None)


def test_an_order_discount_is_floored_and_the_first_lines_take_what_is_left() -> None:
    assert spread(2000, [9400, 10000, 10000, 10000]) == [478, 508, 507, 507]
    assert spread(1000, [100, 100, 100]) == [334, 333, 333]
    assert spread(1000, [0, 0]) == [0, 0]
    assert spread(100, [30, 30, 40], grain=10) == [30, 30, 40]


def test_taxes_are_rounded_half_up_on_the_discounted_line(empty: Order) -> None:
    assert empty.taxed(14397, [Tax("GST", 500), Tax("PST", 700)]) == Share(14397, (720, 1008))
    included = replace(empty, included=True)
    assert included.taxed(156900, [Tax("GST", 1000)]) == Share(156900, (14264,))
    assert included.taxed(75579, [Tax("GST", 1000)]) == Share(75579, (6871,))
    assert included.taxed(10200, [Tax("VAT", 2000)]) == Share(10200, (1700,))
    assert half_up(-5, 2) == -3


def test_money_is_written_with_trailing_zeros_stripped_to_one_decimal() -> None:
    assert text(4300, "NZD") == "43.0"
    assert text(3263230, "NZD") == "32632.3"
    assert text(-5, "NZD") == "-0.05"
    assert text(0, "NZD") == "0.0"
    assert text(23600, "JPY") == "23600.0"
    assert text(1234, "KWD") == "1.234"


def test_units_taken_back_one_by_one_leave_nothing(empty: Order) -> None:
    line = charge(empty, "PRODUCT", "Mug", 1000, 3, (Tax("VAT", 2000),), [1])
    assert (line.net, line.taxes) == (2999, (600,))
    rows = [taken_back(empty, line, 1, line.left_quantity) for _ in range(3)]
    assert [(row.total, row.taxes, row.quantity) for row in rows] == [
        (-1200, (-200,), -1),
        (-1200, (-200,), -1),
        (-1199, (-200,), -1),
    ]
    assert (line.remaining, line.left_quantity) == (Share(0, (0,)), 0)


def test_a_customer_found_exempt_pays_the_taxes_less(empty: Order) -> None:
    line = charge(empty, "PRODUCT", "Mug", 1000, 1, (Tax("VAT", 2000),))
    assert (untaxed(empty, line).total, line.remaining) == (-200, Share(1000, (0,)))
    included = replace(empty, included=True)
    line = charge(included, "PRODUCT", "Mug", 1200, 1, (Tax("VAT", 2000),))
    assert (untaxed(included, line).total, line.remaining) == (-200, Share(1000, (0,)))


def test_a_seed_tells_the_same_history_again() -> None:
    assert history_of(4711) == history_of(4711)
    assert history_of(4711).last.node != history_of(4712).last.node


def test_histories_of_a_shop_have_one_currency_and_their_own_numbers() -> None:
    shop = histories(5, 20)
    assert {each.currency for each in shop} == {"NZD"}
    assert [each.number for each in shop] == list(range(FIRST_NUMBER, FIRST_NUMBER + 20))


def test_money_of_another_day_moves_at_another_rate_and_shopify_states_what_its_parents_rate_had_made(
    sample: list[History],
) -> None:
    moved = [entry for history in sample for entry in history.last.node["transactions"]]
    stated = [(entry, entry["currencyExchangeAdjustment"]) for entry in moved if entry["currencyExchangeAdjustment"]]
    assert len(stated) > 10
    for entry, adjustment in stated:
        before, after, by = (
            Decimal(adjustment[name]["amount"]) for name in ("originalAmountSet", "finalAmountSet", "adjustment")
        )
        assert by == after - before != 0
        assert abs(after) == Decimal(entry["amountSet"]["shopMoney"]["amount"])
        assert (after < 0) == (entry["kind"] == "REFUND")
        assert entry["parentTransaction"]


def test_what_an_order_comes_to_is_what_was_placed_and_every_change_since(sample: list[History]) -> None:
    for history in sample:
        for before, after in zip(history.moments, history.moments[1:], strict=False):
            nets = {number: after.facts.nets[number] for number in before.facts.nets}
            if not after.facts.weird:
                assert nets == before.facts.nets
                assert after.facts.original == before.facts.original


def test_most_orders_are_plain_and_some_are_refused(sample: list[History]) -> None:
    plain = sum(history.plain for history in sample)
    assert 0.88 * MANY < plain < 0.98 * MANY


@pytest.mark.parametrize("name", ODDITIES)
def test_an_oddity_is_a_reason_to_refuse_an_order(name: str) -> None:
    order = begin(Dice("three lines"), FIRST_NUMBER, "NZD")
    add_money(order, "SALE", order.current, order.placed, "paypal")
    assert not facts_of(order).weird
    ODDITIES[name](order, order.placed)
    assert name in facts_of(order).weird


def test_everything_an_order_can_go_through_is_reached(sample: list[History]) -> None:
    events = Counter(event for history in sample for event in history.events)
    assert all(events[event.name] > 2 for event in EVENTS), events
    last = [history.last for history in sample]
    assert {history.currency for history in sample} == set(EXPONENTS)
    assert {moment.facts.status for moment in last} >= {
        *("PAID", "PENDING", "PARTIALLY_PAID", "PARTIALLY_REFUNDED", "REFUNDED", "AUTHORIZED", "VOIDED"),
    }
    seen = Counter(value for moment in last for value in words(moment.node))
    for word in (
        *("PRODUCT", "TIP", "GIFT_CARD", "SHIPPING", "DUTY", "FEE", "ADDITIONAL_FEE", "ADJUSTMENT"),
        *("ORDER", "RETURN", "UPDATE", "ORDER_EDIT", "REFUND"),
        *("SALE", "CAPTURE", "AUTHORIZATION", "EMV_AUTHORIZATION", "VOID", "CHANGE"),
        *("SUCCESS", "PENDING", "AWAITING_RESPONSE", "FAILURE", "ERROR"),
        *("cash", "gift_card", "shopify_store_credit", "Bank Deposit"),
        *("REFUND_DISCREPANCY", "PENDING_REFUND_DISCREPANCY"),
    ):
        assert seen[word], word
    for has in (
        any(moment.facts.kept_back for moment in last),
        any(moment.facts.rounding for moment in last),
        any(moment.facts.settled_late for moment in last),
        any(moment.node["presentmentCurrencyCode"] != moment.node["currencyCode"] for moment in last),
        any(amount > 0 for moment in last for amount in moment.facts.drifts.values()),
        any(amount < 0 for moment in last for amount in moment.facts.drifts.values()),
        any(stated_rates(moment.node, "CAPTURE") for moment in last),
        any(stated_rates(moment.node, "REFUND") for moment in last),
        any(len(sale["taxes"]) == 3 for moment in last for sale in sales(moment.node)),
        any(sale["taxes"] and sale["lineType"] == "SHIPPING" for moment in last for sale in sales(moment.node)),
        any({1, -1} == signs(agreement) for moment in last for agreement in moment.node["agreements"]["nodes"]),
        any(moment.facts.currency == "KWD" and not moment.facts.weird for moment in last),
        any("third decimal" in moment.facts.weird for moment in last),
    ):
        assert has


def words(value: object) -> list[str]:
    """Return all texts of a node."""
    if isinstance(value, dict):
        return [word for inner in value.values() for word in words(inner)]
    if isinstance(value, list):
        return [word for inner in value for word in words(inner)]
    return [value] if isinstance(value, str) else []


def sales(node: Node) -> list[Node]:
    agreements = node["agreements"]
    return [sale for agreement in agreements["nodes"] for sale in agreement["sales"]["nodes"]]


def stated_rates(node: Node, kind: str) -> list[Node]:
    """Return the stated adjustments of transactions of a kind whose rate has changed."""
    moved = [entry for entry in node["transactions"] if entry["kind"] == kind]
    return [entry["currencyExchangeAdjustment"] for entry in moved if entry["currencyExchangeAdjustment"]]


def signs(agreement: Node) -> set[int]:
    amounts = [Decimal(sale["totalAmount"]["shopMoney"]["amount"]) for sale in agreement["sales"]["nodes"]]
    return {1 if amount > 0 else -1 for amount in amounts if amount}


def test_the_model_knows_nothing_of_the_books_or_of_the_generated_shop() -> None:
    modules = [path for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("test_")]
    assert len(modules) > 8
    for path in modules:
        imported = [
            node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
        ]
        product = {name for name in imported if name.startswith("shopify_xero_pipeline.")}
        assert product <= {"shopify_xero_pipeline.sandbox.nodes"}, path.name
