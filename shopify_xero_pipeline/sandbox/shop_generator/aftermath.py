"""Kinds of orders by what happens after the sale: cancellations, refunds, edits, exchanges and notes.

Each function plays one order and is listed in `schedule.py`.
"""

from datetime import timedelta

from shopify_xero_pipeline.sandbox.shop_generator.charges import Charge
from shopify_xero_pipeline.sandbox.shop_generator.instants import cycle_start, local
from shopify_xero_pipeline.sandbox.shop_generator.ledger import Refund
from shopify_xero_pipeline.sandbox.shop_generator.money import both
from shopify_xero_pipeline.sandbox.shop_generator.sales import duty_and_fee
from shopify_xero_pipeline.sandbox.shop_generator.scenario import GST, OrderScenario


def noted(scenario: OrderScenario) -> None:
    """Add a note and a tag, so that only the date of change moves."""
    scenario.checkout()
    scenario.pay()
    scenario.advance(1, 30)
    scenario.header.note = "Gift wrap, please"
    scenario.header.tags.append("gift")


def cancelled_unpaid(scenario: OrderScenario) -> None:
    """Cancel the order before any payment."""
    scenario.checkout()
    scenario.advance(1, 30)
    scenario.cancel("INVENTORY")


def terms_cancelled(scenario: OrderScenario) -> None:
    """Sell on account, which puts the order into the books, and cancel it unpaid."""
    scenario.set_company()
    scenario.set_terms(20)
    scenario.checkout(2, 3)
    scenario.advance(10, 40)
    scenario.cancel("DECLINED")


def cancelled_refunded(scenario: OrderScenario) -> None:
    """Cancel the order after payment and refund everything."""
    scenario.checkout()
    scenario.pay()
    scenario.advance(1, 30)
    scenario.cancel(money=scenario.ledger.net_payment)


def refunded_full(scenario: OrderScenario) -> None:
    """Return and refund everything, to both gateways."""
    scenario.checkout(2, 4)
    scenario.pay("gift_card", scenario.part_of_due(20))
    scenario.pay()
    scenario.advance(10, 60)
    scenario.refund(scenario.remaining_units())
    scenario.header.returned = True


def refunded_part(scenario: OrderScenario) -> None:
    """Return one unit of a discounted line."""
    lines = [_several_of_one(scenario), *scenario.basket(1, 2)]
    scenario.ship()
    scenario.discount("DiscountCodeApplication", "TENOFF", amount=scenario.money(1000))
    scenario.place()
    scenario.pay()
    scenario.advance(10, 60)
    scenario.refund([(lines[0], 1)])


def refunded_shipping(scenario: OrderScenario) -> None:
    """Refund the shipping of a late delivery."""
    _paid(scenario)
    scenario.refund([(charge, 1) for charge in scenario.ledger.charged("SHIPPING")])


def refunded_part_of_shipping(scenario: OrderScenario) -> None:
    """Refund a part of the shipping of a late delivery."""
    _paid(scenario)
    (shipping,) = scenario.ledger.charged("SHIPPING")
    scenario.give_back(shipping, scenario.rng.choice((33, 50)))


def refunded_duty(scenario: OrderScenario) -> None:
    """Refund a duty that customs never charged, but not the customs fee."""
    duty_and_fee(scenario)
    scenario.advance(1, 30)
    scenario.refund([(duty, 1) for duty in scenario.ledger.charged("DUTY")])


def refunded_amount(scenario: OrderScenario) -> None:
    """Refund an amount without a return."""
    _paid(scenario)
    scenario.refund(money=both(lambda cents: cents * 15 // 100, scenario.ledger.net_payment))


def refunded_less(scenario: OrderScenario) -> None:
    """Return a worn unit and refund less than its price."""
    line = _paid(scenario)
    worth = line.portion(0, 1).total
    scenario.refund([(line, 1)], worth - both(lambda cents: cents // 4, worth), reason="DAMAGE")


def refunded_more(scenario: OrderScenario) -> None:
    """Return a unit and refund its price and the postage."""
    line = _paid(scenario)
    scenario.refund([(line, 1)], line.portion(0, 1).total + scenario.money(500), reason="CUSTOMER")


def restocked_only(scenario: OrderScenario) -> None:
    """Restock units without moving money."""
    line = _paid(scenario)
    scenario.refund([(line, 1)], scenario.money(0), reason="RESTOCK")


def refund_pending(scenario: OrderScenario) -> None:
    """Refund a unit; the refund is pending for a day or two."""
    line = _paid(scenario)
    refund = scenario.refund([(line, 1)], status="PENDING")
    scenario.advance(12, 50)
    _settle(scenario, refund)


def refund_pending_failed(scenario: OrderScenario) -> None:
    """Refund a unit; the refund is pending for a day or two and fails, and the second attempt succeeds."""
    line = _paid(scenario)
    refund = scenario.refund([(line, 1)], status="PENDING")
    scenario.advance(12, 30)
    _settle(scenario, refund, "FAILURE")
    scenario.advance(1, 20)
    scenario.ledger.pay_back(refund, line.portion(0, 1).total, at=scenario.now)


def refund_failed(scenario: OrderScenario) -> None:
    """Refund a unit; the gateway refuses the refund, and the second attempt succeeds."""
    line = _paid(scenario)
    refund = scenario.refund([(line, 1)], status="FAILURE")
    scenario.advance(1, 20)
    scenario.ledger.pay_back(refund, line.portion(0, 1).total, at=scenario.now)


def refunded_next_month(scenario: OrderScenario) -> None:
    """Refund a unit in the next calendar month."""
    line = _paid(scenario, wait=False)
    _next_month(scenario)
    scenario.refund([(line, 1)])


def refunded_over_months(scenario: OrderScenario) -> None:
    """Refund three units of a line one after another: soon, in the next month and in the month after it."""
    line = scenario.add(scenario.line(scenario.pick_item(), 3))
    scenario.ship()
    scenario.place()
    scenario.pay()
    scenario.advance(0.2, 0.4)
    scenario.refund([(line, 1)])
    for _ in range(2):
        _next_month(scenario)
        scenario.refund([(line, 1)])


def merged_then_refunded(scenario: OrderScenario) -> None:
    """Refund a unit after the customer was merged into another one."""
    scenario.set_buyer(scenario.shop.people.newcomers(scenario.day).duplicate)
    line = _paid(scenario, wait=False)
    scenario.advance_to(local(cycle_start(scenario.day) + timedelta(days=8), 10, 5, scenario.shop.zone))
    scenario.refund([(line, 1)])


def forgotten_then_refunded(scenario: OrderScenario) -> None:
    """Refund a unit after the customer's personal data were erased."""
    scenario.set_buyer(scenario.shop.people.newcomers(scenario.day).forgotten)
    line = _paid(scenario, wait=False)
    scenario.advance_to(local(cycle_start(scenario.day) + timedelta(days=12), 10, 5, scenario.shop.zone))
    scenario.refund([(line, 1)])


def credited_then_paid(scenario: OrderScenario) -> None:
    """Sell on account, return a unit before payment, then pay the rest."""
    _credited(scenario)
    scenario.advance(5, 30)
    scenario.pay("Bank Deposit")


def credited_then_overpaid(scenario: OrderScenario) -> None:
    """Sell on account, return a unit before payment, pay the whole invoice, and refund the overpayment."""
    _credited(scenario)
    scenario.advance(5, 30)
    scenario.pay("Bank Deposit", scenario.ledger.original_total)
    scenario.advance(5, 30)
    scenario.refund_overpayment()


def refunded_unit_by_unit(scenario: OrderScenario) -> None:
    """Refund three units of a line one after another, at a price that does not divide evenly by three."""
    line = scenario.add(scenario.line(scenario.pick_item(), 3))
    scenario.discount("DiscountCodeApplication", "ODDCENT", amount=scenario.money(101))
    scenario.ship()
    scenario.place()
    scenario.pay()
    for _ in range(3):
        scenario.advance(4, 20)
        scenario.refund([(line, 1)])


def refunded_less_fee(scenario: OrderScenario) -> None:
    """Return a unit and deduct a restocking fee."""
    line = _paid(scenario)
    fee = scenario.charge("FEE", "Restocking fee", 400, taxes=(GST,))
    scenario.exchange([(line, 1)], [fee])


def edited_added(scenario: OrderScenario) -> None:
    """Add an item to a paid order and pay it later."""
    _paid(scenario)
    scenario.edit(added=[scenario.line(scenario.pick_item(), scenario.rng.randint(1, 2))])
    scenario.advance(0.5, 20)
    scenario.pay()


def edited_removed(scenario: OrderScenario) -> None:
    """Remove a unit from a paid order: a refund of the line, then a refund of the money."""
    line = _paid(scenario)
    scenario.edit(removed=[(line, 1)])
    scenario.advance(0.2, 10)
    scenario.refund_overpayment()


def edited_shipping_off(scenario: OrderScenario) -> None:
    """Take shipping off a paid order that is picked up, and refund it."""
    _paid(scenario)
    (shipping,) = scenario.ledger.charged("SHIPPING")
    scenario.take_off(shipping)
    scenario.advance(0.2, 10)
    scenario.refund_overpayment()


def edited_price(scenario: OrderScenario) -> None:
    """Reduce a price after the sale and refund the difference."""
    line = _paid(scenario)
    scenario.charge_less(line, scenario.rng.choice((101, 250, 499)))
    scenario.advance(0.2, 10)
    scenario.refund_overpayment()


def edited_tax(scenario: OrderScenario) -> None:
    """Take the tax off one line after the buyer proved an exemption, and refund it."""
    line = _paid(scenario)
    scenario.charge_less(line, only_tax=True)
    scenario.advance(0.2, 10)
    scenario.refund_overpayment()


def edited_before_payment(scenario: OrderScenario) -> None:
    """Sell on account, remove one line and add another, then pay."""
    scenario.set_company()
    scenario.set_terms(7)
    line, *_ = scenario.checkout(2, 3)
    scenario.advance(2, 20)
    scenario.edit(added=[scenario.line(scenario.pick_item())], removed=[(line, line.quantity)])
    scenario.advance(5, 30)
    scenario.pay("Bank Deposit")


def exchanged_dearer(scenario: OrderScenario) -> None:
    """Exchange a unit for a dearer item; the customer pays the difference."""
    line = _paid(scenario, dearest=6000)
    scenario.exchange([(line, 1)], [scenario.line(scenario.pick_item(10_000))])
    scenario.pay()


def exchanged_cheaper(scenario: OrderScenario) -> None:
    """Exchange a unit for a cheaper item; the shop refunds the difference."""
    line = _paid(scenario, cheapest=6000)
    scenario.exchange([(line, 1)], [scenario.line(scenario.pick_item(500, 2000))])


def swapped_even(scenario: OrderScenario) -> None:
    """Exchange a unit for the same item, with nothing to pay."""
    line = _paid(scenario)
    assert line.item is not None
    scenario.exchange([(line, 1)], [scenario.line(line.item)])


def _paid(scenario: OrderScenario, wait: bool = True, cheapest: int = 500, dearest: int = 30_000) -> Charge:
    """Place and pay an ordinary order, some time ago; return its first line, of two units without a discount."""
    line = _several_of_one(scenario, cheapest, dearest)
    scenario.checkout(0, 2)
    scenario.pay(scenario.rng.choice(("shopify_payments", "shopify_payments", "paypal")))
    if wait:
        scenario.advance(5, 60)
    return line


def _several_of_one(scenario: OrderScenario, cheapest: int = 500, dearest: int = 30_000) -> Charge:
    return scenario.add(scenario.line(scenario.pick_item(cheapest, dearest), 2))


def _settle(scenario: OrderScenario, refund: Refund, status: str = "SUCCESS") -> None:
    for movement in refund.transactions:
        movement.settle(scenario.now, status)


def _next_month(scenario: OrderScenario) -> None:
    """Advance to one of the first two days of the next month."""
    today = scenario.now.astimezone(scenario.shop.zone).date()
    next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=scenario.rng.choice((1, 2)))
    scenario.advance_to(local(next_month, 11, 17, scenario.shop.zone))


def _credited(scenario: OrderScenario) -> None:
    """Place a company's order on account and return one unit before any payment."""
    scenario.set_company()
    scenario.set_terms(20)
    line = _several_of_one(scenario)
    scenario.checkout(0, 2)
    scenario.advance(5, 30)
    scenario.credit([(line, 1)])
