"""Kinds of orders by how they are paid, or not: several gateways, authorisations, deposits, cash, gift cards.

Each function tells one order and is listed in `schedule`.
"""

from shopify_xero_pipeline.sandbox.shop_generator.ledger import Transaction
from shopify_xero_pipeline.sandbox.shop_generator.money import Amount
from shopify_xero_pipeline.sandbox.shop_generator.story import CARD, Story


def plain_paypal(story: Story) -> None:
    """Paid by PayPal."""
    story.checkout()
    story.pay("paypal")


def several_gateways(story: Story) -> None:
    """Part by PayPal, the rest by card."""
    story.checkout(2, 4)
    story.pay("paypal", story.part_of_due(37))
    story.pay()


def authorised_captured(story: Story) -> None:
    """Authorised at checkout, captured in two parcels."""
    story.checkout(2, 4)
    authorisation = story.pay(kind="AUTHORIZATION")
    story.later(2, 24)
    story.pay(amount=story.part_of_due(60), kind="CAPTURE", parent=authorisation)
    story.later(4, 30)
    story.pay(kind="CAPTURE", parent=authorisation)


def part_payment(story: Story) -> None:
    """A third is paid now; more perhaps later."""
    story.checkout()
    story.pay(amount=story.part_of_due(33))
    if story.rng.random() < 0.5:
        story.later(24, 90)
        story.pay()


def bank_deposit(story: Story) -> None:
    """A deposit is promised; days later staff mark it as received, a payment of its own."""
    story.checkout()
    promised = story.pay("Bank Deposit", status="PENDING")
    story.later(18, 72)
    story.pay("Bank Deposit", parent=promised)


def pending_then_settled(story: Story) -> None:
    """A manual payment that waits and then turns successful under the same id."""
    story.checkout()
    payment = story.pay("manual", status="PENDING")
    story.later(5, 72)
    payment.settle(story.now)


def failed_then_paid(story: Story) -> None:
    """The card is refused once, then works."""
    story.checkout()
    story.pay(status="FAILURE")
    story.later(0.1, 0.5)
    story.pay()


def voided(story: Story) -> None:
    """Authorised, then voided and cancelled: no money ever."""
    story.checkout()
    authorisation = story.pay(kind="AUTHORIZATION")
    story.later(1, 40)
    story.pay(amount=authorisation.amount, kind="VOID", parent=authorisation)
    story.cancel("FRAUD")


def cash_with_change(story: Story) -> None:
    """Notes are handed over and change comes back; the total is one that coins can pay."""
    _at_the_till(story, (4500, 3990, 1270))
    due = story.ledger.outstanding
    note = next(cents for cents in (2000, 5000, 10_000) if cents > due.shop)
    tendered = story.pay("cash", Amount(note, note))
    change = Amount(note, note) - due
    story.ledger.move(Transaction(story.ledger.next_id(), "CHANGE", "SUCCESS", "cash", change, story.now, tendered))


def cash_rounded_down(story: Story) -> None:
    """There are no coins below ten cents: less is taken than is due."""
    _at_the_till(story, (1003, 2754, 4941))
    _pay_rounded(story)


def cash_rounded_up(story: Story) -> None:
    """There are no coins below ten cents: more is taken than is due."""
    _at_the_till(story, (1008, 2759, 4946))
    _pay_rounded(story)


def _at_the_till(story: Story, totals: tuple[int, ...]) -> None:
    """One thing is sold at the counter at a price of today."""
    story.at_the_counter()
    story.nobody(address=False)
    story.add(story.line(story.some_ware(), cents=story.rng.choice(totals)))
    story.place()


def _pay_rounded(story: Story) -> None:
    due = story.ledger.outstanding.shop
    off = due % 10
    rounding = -off if off <= 5 else 10 - off
    story.pay("cash").rounding = Amount(rounding, rounding)


def gift_card_part(story: Story) -> None:
    """As much as the gift card holds, the rest by card."""
    story.checkout(2, 4)
    story.pay("gift_card", story.part_of_due(55))
    story.pay()


def unpaid_waiting(story: Story) -> None:
    """Placed and not paid; the promised payment is pending."""
    story.checkout()
    if story.rng.random() < 0.5:
        story.pay("Bank Deposit", status="PENDING")


def unknown_gateway(story: Story) -> None:
    """Paid by something nobody has told the books about."""
    story.checkout(1, 2)
    story.pay("mystery_pay")


def paid_in_two_parts(story: Story) -> None:
    """Half now by PayPal, half days later by card."""
    story.checkout()
    story.pay("paypal", story.part_of_due(50))
    story.later(10, 72)
    story.pay(CARD)
