"""Kinds of orders that are paid in another currency, whose exchange rate differs when money moves later.

Each function plays one order and is listed in `schedule.py`. What the customer pays and gets back is exact in the
customer's currency; its amount in the shop's currency follows the rate of the day
(https://help.shopify.com/en/manual/international/pricing/refunds, "Currency risk").
"""

from shopify_xero_pipeline.sandbox.shop_generator.charges import Charge
from shopify_xero_pipeline.sandbox.shop_generator.scenario import EXPORT, OrderScenario

_EURO, _POUND, _DOLLAR = ("EUR", 19_214), ("GBP", 22_358), ("USD", 16_631)  # rates in 1/10,000 of the shop's currency


def refunded_at_higher_rate(scenario: OrderScenario) -> None:
    """Pay in euros and refund a unit after the euro rose, so that the refund exceeds the goods' price."""
    line = _paid_abroad(scenario, *_EURO)
    scenario.change_rate(scenario.rng.choice((102, 107)))
    scenario.refund([(line, 1)])


def refunded_at_lower_rate(scenario: OrderScenario) -> None:
    """Pay in pounds and refund everything after the pound fell, so that the refund is below the goods' price."""
    _paid_abroad(scenario, *_POUND)
    scenario.change_rate(scenario.rng.choice((94, 98)))
    scenario.refund(scenario.remaining_units())
    scenario.header.returned = True


def captured_at_other_rates(scenario: OrderScenario) -> None:
    """Authorise dollars, capture two parcels at other rates, and refund a part at yet another rate."""
    line = _ordered_abroad(scenario, *_DOLLAR)
    authorisation = scenario.pay(kind="AUTHORIZATION")
    scenario.advance(0.5, 2)
    scenario.change_rate(103)
    scenario.pay(amount=scenario.part_of_due(60), kind="CAPTURE", parent=authorisation)
    scenario.advance(0.2, 1)
    scenario.change_rate(97)
    scenario.pay(kind="CAPTURE", parent=authorisation)
    scenario.advance(0.2, 1)
    scenario.change_rate(105)
    scenario.refund([(line, 1)])


def _paid_abroad(scenario: OrderScenario, currency: str, rate: int) -> Charge:
    line = _ordered_abroad(scenario, currency, rate)
    scenario.pay()
    scenario.advance(0.5, 4)
    return line


def _ordered_abroad(scenario: OrderScenario, currency: str, rate: int) -> Charge:
    """Place an order abroad, priced in the customer's currency; return its first line, of two units."""
    scenario.pay_in(currency, rate)
    scenario.taxes = (EXPORT,)
    line = scenario.add(scenario.line(scenario.pick_item(), 2))
    scenario.basket(0, 2)
    scenario.ship(2450)
    scenario.place()
    return line
