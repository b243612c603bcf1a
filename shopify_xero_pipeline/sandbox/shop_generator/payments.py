"""Kinds of orders by payment: several gateways, authorisations, deposits, cash, gift cards, or none.

Each function plays one order and is listed in `schedule.py`.
"""

from shopify_xero_pipeline.sandbox.shop_generator.ledger import Transaction
from shopify_xero_pipeline.sandbox.shop_generator.money import Amount
from shopify_xero_pipeline.sandbox.shop_generator.scenario import CARD, OrderScenario


def plain_paypal(scenario: OrderScenario) -> None:
    """Pay by PayPal."""
    scenario.checkout()
    scenario.pay("paypal")


def several_gateways(scenario: OrderScenario) -> None:
    """Pay a part by PayPal and the rest by card."""
    scenario.checkout(2, 4)
    scenario.pay("paypal", scenario.part_of_due(37))
    scenario.pay()


def authorised_captured(scenario: OrderScenario) -> None:
    """Authorise at checkout and capture in two parcels."""
    scenario.checkout(2, 4)
    authorisation = scenario.pay(kind="AUTHORIZATION")
    scenario.advance(2, 24)
    scenario.pay(amount=scenario.part_of_due(60), kind="CAPTURE", parent=authorisation)
    scenario.advance(4, 30)
    scenario.pay(kind="CAPTURE", parent=authorisation)


def part_payment(scenario: OrderScenario) -> None:
    """Pay a third now, and in half of the cases the rest later."""
    scenario.checkout()
    scenario.pay(amount=scenario.part_of_due(33))
    if scenario.rng.random() < 0.5:
        scenario.advance(24, 90)
        scenario.pay()


def bank_deposit(scenario: OrderScenario) -> None:
    """Promise a bank deposit, which staff mark as received days later, as a payment of its own."""
    scenario.checkout()
    promised = scenario.pay("Bank Deposit", status="PENDING")
    scenario.advance(18, 72)
    scenario.pay("Bank Deposit", parent=promised)


def pending_then_settled(scenario: OrderScenario) -> None:
    """Pay manually; the payment is pending and succeeds later under the same id."""
    scenario.checkout()
    payment = scenario.pay("manual", status="PENDING")
    scenario.advance(5, 72)
    payment.settle(scenario.now)


def failed_then_paid(scenario: OrderScenario) -> None:
    """Pay by card; the first attempt fails, the second succeeds."""
    scenario.checkout()
    scenario.pay(status="FAILURE")
    scenario.advance(0.1, 0.5)
    scenario.pay()


def voided(scenario: OrderScenario) -> None:
    """Authorise, void and cancel, without any payment."""
    scenario.checkout()
    authorisation = scenario.pay(kind="AUTHORIZATION")
    scenario.advance(1, 40)
    scenario.pay(amount=authorisation.amount, kind="VOID", parent=authorisation)
    scenario.cancel("FRAUD")


def cash_with_change(scenario: OrderScenario) -> None:
    """Pay in notes and receive change, at a total that coins can pay."""
    _sell_at_total(scenario, (4500, 3990, 1270))
    due = scenario.ledger.outstanding
    note = next(cents for cents in (2000, 5000, 10_000) if cents > due.shop)
    tendered = scenario.pay("cash", Amount(note, note))
    change = Amount(note, note) - due
    scenario.ledger.move(
        Transaction(scenario.ledger.next_id(), "CHANGE", "SUCCESS", "cash", change, scenario.now, tendered)
    )


def cash_rounded_down(scenario: OrderScenario) -> None:
    """Pay less cash than the total, since no coin is below ten cents."""
    _sell_at_total(scenario, (1003, 2754, 4941))
    _pay_rounded(scenario)


def cash_rounded_up(scenario: OrderScenario) -> None:
    """Pay more cash than the total, since no coin is below ten cents."""
    _sell_at_total(scenario, (1008, 2759, 4946))
    _pay_rounded(scenario)


def _sell_at_total(scenario: OrderScenario, totals: tuple[int, ...]) -> None:
    """Sell one item in person, at one of the totals in cents."""
    scenario.sell_in_person()
    scenario.set_guest(address=False)
    scenario.add(scenario.line(scenario.pick_item(), cents=scenario.rng.choice(totals)))
    scenario.place()


def _pay_rounded(scenario: OrderScenario) -> None:
    due = scenario.ledger.outstanding.shop
    off = due % 10
    rounding = -off if off <= 5 else 10 - off
    scenario.pay("cash").rounding = Amount(rounding, rounding)


def gift_card_part(scenario: OrderScenario) -> None:
    """Pay a part by gift card and the rest by card."""
    scenario.checkout(2, 4)
    scenario.pay("gift_card", scenario.part_of_due(55))
    scenario.pay()


def unpaid_waiting(scenario: OrderScenario) -> None:
    """Place an order without payment; the promised payment may be pending."""
    scenario.checkout()
    if scenario.rng.random() < 0.5:
        scenario.pay("Bank Deposit", status="PENDING")


def unknown_gateway(scenario: OrderScenario) -> None:
    """Pay by a gateway that `books.yaml` does not map."""
    scenario.checkout(1, 2)
    scenario.pay("mystery_pay")


def paid_in_two_parts(scenario: OrderScenario) -> None:
    """Pay half by PayPal and half by card days later."""
    scenario.checkout()
    scenario.pay("paypal", scenario.part_of_due(50))
    scenario.advance(10, 72)
    scenario.pay(CARD)
