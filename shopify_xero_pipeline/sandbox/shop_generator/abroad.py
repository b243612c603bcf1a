"""Kinds of orders by buyers who pay in another currency, whose rate is another one when money moves later.

Each function tells one order and is listed in `schedule`. What the customer pays and gets back is exact in the
customer's own currency; what it comes to in the shop's follows the rate of the day
(https://help.shopify.com/en/manual/international/pricing/refunds, "Currency risk").
"""

from shopify_xero_pipeline.sandbox.shop_generator.charges import Charge
from shopify_xero_pipeline.sandbox.shop_generator.story import EXPORT, Story

_EURO, _POUND, _DOLLAR = ("EUR", 19_214), ("GBP", 22_358), ("USD", 16_631)


def refunded_at_higher_rate(story: Story) -> None:
    """Paid in euros; when something comes back the euro costs more, so more is given back than the goods came to."""
    line = _paid_abroad(story, *_EURO)
    story.rate_moves(story.rng.choice((102, 107)))
    story.refund([(line, 1)])


def refunded_at_lower_rate(story: Story) -> None:
    """Paid in pounds; when everything comes back the pound costs less, so less is given back than the goods came to."""
    _paid_abroad(story, *_POUND)
    story.rate_moves(story.rng.choice((94, 98)))
    story.refund(story.everything())
    story.header.returned = True


def captured_at_other_rates(story: Story) -> None:
    """Authorised in dollars, captured in two parcels at other rates, and a part refunded at yet another one."""
    line = _ordered_abroad(story, *_DOLLAR)
    authorisation = story.pay(kind="AUTHORIZATION")
    story.later(0.5, 2)
    story.rate_moves(103)
    story.pay(amount=story.part_of_due(60), kind="CAPTURE", parent=authorisation)
    story.later(0.2, 1)
    story.rate_moves(97)
    story.pay(kind="CAPTURE", parent=authorisation)
    story.later(0.2, 1)
    story.rate_moves(105)
    story.refund([(line, 1)])


def _paid_abroad(story: Story, currency: str, rate: int) -> Charge:
    line = _ordered_abroad(story, currency, rate)
    story.pay()
    story.later(0.5, 4)
    return line


def _ordered_abroad(story: Story, currency: str, rate: int) -> Charge:
    """An order sent abroad, priced in the customer's currency; its first line has two units."""
    story.pay_in(currency, rate)
    story.taxes = (EXPORT,)
    line = story.add(story.line(story.some_ware(), 2))
    story.basket(0, 2)
    story.ship(2450)
    story.place()
    return line
