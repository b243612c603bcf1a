"""Kinds of orders by what happens afterwards: cancelled, refunded in every way, edited, exchanged, or just noted.

Each function tells one order and is listed in `schedule`.
"""

from datetime import timedelta

from shopify_xero_pipeline.sandbox.shop_generator.charges import Charge
from shopify_xero_pipeline.sandbox.shop_generator.instants import cycle_start, local
from shopify_xero_pipeline.sandbox.shop_generator.ledger import Refund
from shopify_xero_pipeline.sandbox.shop_generator.money import both
from shopify_xero_pipeline.sandbox.shop_generator.sales import duty_and_fee
from shopify_xero_pipeline.sandbox.shop_generator.story import GST, Story


def noted(story: Story) -> None:
    """Staff write a note and a tag: only the date of change moves."""
    story.checkout()
    story.pay()
    story.later(1, 30)
    story.header.note = "Gift wrap, please"
    story.header.tags.append("gift")


def cancelled_unpaid(story: Story) -> None:
    """Cancelled before anything was paid."""
    story.checkout()
    story.later(1, 30)
    story.cancel("INVENTORY")


def terms_cancelled(story: Story) -> None:
    """On account, so it is in the books; then cancelled unpaid."""
    story.company()
    story.on_account(20)
    story.checkout(2, 3)
    story.later(10, 40)
    story.cancel("DECLINED")


def cancelled_refunded(story: Story) -> None:
    """Cancelled after payment, everything paid back."""
    story.checkout()
    story.pay()
    story.later(1, 30)
    story.cancel(money=story.ledger.net_payment)


def refunded_full(story: Story) -> None:
    """Everything comes back and everything is paid back, to both gateways."""
    story.checkout(2, 4)
    story.pay("gift_card", story.part_of_due(20))
    story.pay()
    story.later(10, 60)
    story.refund(story.everything())
    story.header.returned = True


def refunded_part(story: Story) -> None:
    """One unit of a discounted line comes back."""
    lines = [_several_of_one(story), *story.basket(1, 2)]
    story.ship()
    story.discount("DiscountCodeApplication", "TENOFF", amount=story.money(1000))
    story.place()
    story.pay()
    story.later(10, 60)
    story.refund([(lines[0], 1)])


def refunded_shipping(story: Story) -> None:
    """It came late: shipping is paid back."""
    _paid(story)
    story.refund([(charge, 1) for charge in story.ledger.charged("SHIPPING")])


def refunded_part_of_shipping(story: Story) -> None:
    """It came a little late: some of the shipping is paid back."""
    _paid(story)
    (shipping,) = story.ledger.charged("SHIPPING")
    story.give_back(shipping, story.rng.choice((33, 50)))


def refunded_duty(story: Story) -> None:
    """Customs never charged the duty that was collected: it is paid back, the customs fee is not."""
    duty_and_fee(story)
    story.later(1, 30)
    story.refund([(duty, 1) for duty in story.ledger.charged("DUTY")])


def refunded_amount(story: Story) -> None:
    """Some money for the trouble, nothing comes back."""
    _paid(story)
    story.refund(money=both(lambda cents: cents * 15 // 100, story.ledger.net_payment))


def refunded_less(story: Story) -> None:
    """Something comes back worn: less is paid than it cost."""
    line = _paid(story)
    worth = line.portion(0, 1).total
    story.refund([(line, 1)], worth - both(lambda cents: cents // 4, worth), reason="DAMAGE")


def refunded_more(story: Story) -> None:
    """Something comes back and the postage is paid on top."""
    line = _paid(story)
    story.refund([(line, 1)], line.portion(0, 1).total + story.money(500), reason="CUSTOMER")


def restocked_only(story: Story) -> None:
    """Units go back on the shelf, no money moves."""
    line = _paid(story)
    story.refund([(line, 1)], story.money(0), reason="RESTOCK")


def refund_pending(story: Story) -> None:
    """The refund is on its way for a day or two."""
    line = _paid(story)
    refund = story.refund([(line, 1)], status="PENDING")
    story.later(12, 50)
    _settle(story, refund)


def refund_pending_failed(story: Story) -> None:
    """The refund is on its way for a day or two, then it is refused; the second attempt works."""
    line = _paid(story)
    refund = story.refund([(line, 1)], status="PENDING")
    story.later(12, 30)
    _settle(story, refund, "FAILURE")
    story.later(1, 20)
    story.ledger.pay_back(refund, line.portion(0, 1).total, at=story.now)


def refund_failed(story: Story) -> None:
    """The gateway refuses the refund; the second attempt works."""
    line = _paid(story)
    refund = story.refund([(line, 1)], status="FAILURE")
    story.later(1, 20)
    story.ledger.pay_back(refund, line.portion(0, 1).total, at=story.now)


def refunded_next_month(story: Story) -> None:
    """Comes back in the next calendar month."""
    line = _paid(story, wait=False)
    _next_month(story)
    story.refund([(line, 1)])


def refunded_over_months(story: Story) -> None:
    """Three of a line come back one after another: at once, in the next month and in the one after that."""
    line = story.add(story.line(story.some_ware(), 3))
    story.ship()
    story.place()
    story.pay()
    story.later(0.2, 0.4)
    story.refund([(line, 1)])
    for _ in range(2):
        _next_month(story)
        story.refund([(line, 1)])


def merged_then_refunded(story: Story) -> None:
    """Something comes back when the customer has been merged into another one."""
    story.buyer(story.stall.people.newcomers(story.day).duplicate)
    line = _paid(story, wait=False)
    story.at(local(cycle_start(story.day) + timedelta(days=8), 10, 5, story.stall.zone))
    story.refund([(line, 1)])


def forgotten_then_refunded(story: Story) -> None:
    """Something comes back when the customer's data have been erased."""
    story.buyer(story.stall.people.newcomers(story.day).forgotten)
    line = _paid(story, wait=False)
    story.at(local(cycle_start(story.day) + timedelta(days=12), 10, 5, story.stall.zone))
    story.refund([(line, 1)])


def credited_then_paid(story: Story) -> None:
    """On account: something comes back unpaid, then the rest is paid."""
    _credited(story)
    story.later(5, 30)
    story.pay("Bank Deposit")


def credited_then_overpaid(story: Story) -> None:
    """On account: something comes back unpaid, the whole invoice is paid all the same, the rest goes back."""
    _credited(story)
    story.later(5, 30)
    story.pay("Bank Deposit", story.ledger.original_total)
    story.later(5, 30)
    story.pay_back_what_is_owed()


def refunded_unit_by_unit(story: Story) -> None:
    """Three of a line whose price no three units share evenly come back one after another."""
    line = story.add(story.line(story.some_ware(), 3))
    story.discount("DiscountCodeApplication", "ODDCENT", amount=story.money(101))
    story.ship()
    story.place()
    story.pay()
    for _ in range(3):
        story.later(4, 20)
        story.refund([(line, 1)])


def refunded_less_fee(story: Story) -> None:
    """A return for which the shop keeps a restocking fee."""
    line = _paid(story)
    fee = story.charge("FEE", "Restocking fee", 400, taxes=(GST,))
    story.exchange([(line, 1)], [fee])


def edited_added(story: Story) -> None:
    """Something is added to a paid order and paid for later."""
    _paid(story)
    story.edit(added=[story.line(story.some_ware(), story.rng.randint(1, 2))])
    story.later(0.5, 20)
    story.pay()


def edited_removed(story: Story) -> None:
    """Something is taken off a paid order and paid back: a refund of the line, then one of the money."""
    line = _paid(story)
    story.edit(removed=[(line, 1)])
    story.later(0.2, 10)
    story.pay_back_what_is_owed()


def edited_shipping_off(story: Story) -> None:
    """It is picked up instead: shipping is taken off a paid order and paid back."""
    _paid(story)
    (shipping,) = story.ledger.charged("SHIPPING")
    story.take_off(shipping)
    story.later(0.2, 10)
    story.pay_back_what_is_owed()


def edited_price(story: Story) -> None:
    """A price promised at the counter is granted afterwards and the difference paid back."""
    line = _paid(story)
    story.charge_less(line, story.rng.choice((101, 250, 499)))
    story.later(0.2, 10)
    story.pay_back_what_is_owed()


def edited_tax(story: Story) -> None:
    """The buyer shows a certificate: the tax on one line is taken off and paid back."""
    line = _paid(story)
    story.charge_less(line, only_tax=True)
    story.later(0.2, 10)
    story.pay_back_what_is_owed()


def edited_before_payment(story: Story) -> None:
    """On account: one thing off, another on, then paid."""
    story.company()
    story.on_account(7)
    line, *_ = story.checkout(2, 3)
    story.later(2, 20)
    story.edit(added=[story.line(story.some_ware())], removed=[(line, line.quantity)])
    story.later(5, 30)
    story.pay("Bank Deposit")


def exchanged_dearer(story: Story) -> None:
    """Something dearer instead; the customer pays the difference."""
    line = _paid(story, dearest=6000)
    story.exchange([(line, 1)], [story.line(story.some_ware(10_000))])
    story.pay()


def exchanged_cheaper(story: Story) -> None:
    """Something cheaper instead; the difference is paid back."""
    line = _paid(story, cheapest=6000)
    story.exchange([(line, 1)], [story.line(story.some_ware(500, 2000))])


def swapped_even(story: Story) -> None:
    """The same again in another colour: nothing to pay."""
    line = _paid(story)
    assert line.ware is not None
    story.exchange([(line, 1)], [story.line(line.ware)])


def _paid(story: Story, wait: bool = True, cheapest: int = 500, dearest: int = 30_000) -> Charge:
    """An ordinary order, paid, some time ago; its first line has two units and no discount."""
    line = _several_of_one(story, cheapest, dearest)
    story.checkout(0, 2)
    story.pay(story.rng.choice(("shopify_payments", "shopify_payments", "paypal")))
    if wait:
        story.later(5, 60)
    return line


def _several_of_one(story: Story, cheapest: int = 500, dearest: int = 30_000) -> Charge:
    return story.add(story.line(story.some_ware(cheapest, dearest), 2))


def _settle(story: Story, refund: Refund, status: str = "SUCCESS") -> None:
    for movement in refund.transactions:
        movement.settle(story.now, status)


def _next_month(story: Story) -> None:
    """Go on to one of the first two days of the next month."""
    today = story.now.astimezone(story.stall.zone).date()
    next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=story.rng.choice((1, 2)))
    story.at(local(next_month, 11, 17, story.stall.zone))


def _credited(story: Story) -> None:
    """A company's order on account of which one unit comes back before anything is paid."""
    story.company()
    story.on_account(20)
    line = _several_of_one(story)
    story.checkout(0, 2)
    story.later(5, 30)
    story.credit([(line, 1)])
