"""Kinds of orders by what is sold and to whom; all are paid at once unless their name differs.

Each function plays one order and is listed in `schedule.py`. Later events are in `aftermath.py`, kinds of payment in
`payments.py`.
"""

from datetime import timedelta

from shopify_xero_pipeline.sandbox.shop_generator.charges import Charge, Tax
from shopify_xero_pipeline.sandbox.shop_generator.people import address_abroad
from shopify_xero_pipeline.sandbox.shop_generator.scenario import CARD, EXPORT, GST, OrderScenario

_ALL = 10_000  # basis points


def plain_card(scenario: OrderScenario) -> None:
    """Sell a few goods with shipping, paid by card."""
    scenario.checkout()
    scenario.pay()


def order_discount(scenario: OrderScenario) -> None:
    """Take an amount off the order, distributed over its lines."""
    scenario.basket(3, 4)
    scenario.ship()
    scenario.discount(
        "AutomaticDiscountApplication", "Spring sale", amount=scenario.money(scenario.rng.choice((701, 500, 1)))
    )
    scenario.place()
    scenario.pay()


def line_discount(scenario: OrderScenario) -> None:
    """Take a share off one line, before other discounts."""
    lines = scenario.basket(2, 3)
    scenario.ship()
    scenario.discount("AutomaticDiscountApplication", "Two for less", lines[:1], method="EACH", basis_points=3333)
    scenario.place()
    scenario.pay()


def code_discount(scenario: OrderScenario) -> None:
    """Discount a line, then the whole order by code."""
    lines = scenario.basket(2, 4)
    scenario.ship()
    scenario.discount("AutomaticDiscountApplication", "Member price", lines[-1:], method="EACH", basis_points=500)
    scenario.discount("DiscountCodeApplication", "KIAORA12", basis_points=1250)
    scenario.place()
    scenario.pay()


def fully_discounted(scenario: OrderScenario) -> None:
    """Discount everything to zero, with shipping: PAID without a transaction."""
    scenario.basket(1, 2)
    shipping = scenario.ship()
    scenario.discount("DiscountCodeApplication", "ONTHEHOUSE", basis_points=_ALL)
    scenario.discount("DiscountCodeApplication", "FREESHIP", [shipping], target="SHIPPING_LINE", basis_points=_ALL)
    scenario.place()


def shipping_discount(scenario: OrderScenario) -> None:
    """Discount the shipping by half or in full."""
    scenario.basket()
    shipping, share = scenario.ship(1299), scenario.rng.choice((5000, _ALL))
    scenario.discount("DiscountCodeApplication", "SHIPLESS", [shipping], target="SHIPPING_LINE", basis_points=share)
    scenario.place()
    scenario.pay()


def guest(scenario: OrderScenario) -> None:
    """Sell to a buyer without a customer record."""
    scenario.set_guest()
    plain_card(scenario)


def gift_card_sold(scenario: OrderScenario) -> None:
    """Sell a gift card, without tax or revenue, and sometimes something else."""
    scenario.add(scenario.line(scenario.rng.choice(scenario.shop.catalogue.gift_cards())))
    scenario.basket(0, 1)
    scenario.place()
    scenario.pay()


def tip(scenario: OrderScenario) -> None:
    """Add a tip, a line of its own without tax."""
    scenario.basket(1, 2)
    scenario.add(scenario.charge("TIP", "Tip", scenario.rng.choice((200, 345, 500)), taxes=()))
    scenario.place()
    scenario.pay()


def zero_price_line(scenario: OrderScenario) -> None:
    """Add a free sample."""
    scenario.basket(1, 2)
    scenario.add(scenario.line(scenario.pick_item(), cents=0))
    scenario.ship()
    scenario.place()
    scenario.pay()


def custom_line(scenario: OrderScenario) -> None:
    """Create a draft order with a line that has no product."""
    scenario.mark_as_draft()
    scenario.basket(1, 1)
    scenario.add(scenario.charge("PRODUCT", "Engraving, two lines <special>", 2449, scenario.rng.randint(1, 3)))
    scenario.place()
    scenario.pay("manual")


def deleted_product(scenario: OrderScenario) -> None:
    """Sell a product that is deleted days later, so that the line loses product and variant."""
    scenario.add_product(scenario.shop.catalogue.season(scenario.day)[1], 2)
    scenario.basket(1, 1)
    scenario.ship()
    scenario.place()
    scenario.pay()


def changing_product(scenario: OrderScenario) -> None:
    """Sell a product whose SKU, title and price change after the sale."""
    scenario.add_product(scenario.shop.catalogue.season(scenario.day)[0])
    scenario.ship()
    scenario.place()
    scenario.pay()


def export(scenario: OrderScenario) -> None:
    """Sell abroad, with tax lines of 0 %."""
    person = scenario.header.person
    if person is not None:
        scenario.header.delivery = address_abroad(scenario.ledger.serial, person.state(scenario.now), scenario.rng)
    scenario.taxes = (EXPORT,)
    scenario.basket()
    scenario.ship(3850)
    scenario.place()
    scenario.pay(scenario.rng.choice((CARD, "paypal")))


def duty_and_fee(scenario: OrderScenario) -> None:
    """Sell abroad and collect the duty and a customs fee at checkout."""
    person = scenario.header.person
    if person is not None:
        scenario.header.delivery = address_abroad(scenario.ledger.serial, person.state(scenario.now), scenario.rng)
    scenario.taxes = (EXPORT,)
    scenario.basket(1, 2)
    scenario.ship(3850)
    duty = scenario.add(scenario.charge("DUTY", "Import duty", 1287, taxes=()))
    duty.detail = "6109.10"
    scenario.add(scenario.charge("ADDITIONAL_FEE", "Customs clearance", 995))
    scenario.place()
    scenario.pay()


def tax_exempt(scenario: OrderScenario) -> None:
    """Sell to a tax-exempt buyer, without tax lines."""
    scenario.taxes = ()
    scenario.header.tax_exempt = True
    scenario.header.tags.append("tax-exempt")
    plain_card(scenario)


def unmapped_tax(scenario: OrderScenario) -> None:
    """Charge a tax that `books.yaml` does not map, beside the usual tax."""
    scenario.basket(1, 1)
    scenario.taxes = (GST, Tax("Luxury levy", 250))
    scenario.add(scenario.line(scenario.pick_item(10_000)))
    scenario.place()
    scenario.pay()


def marketplace_tax(scenario: OrderScenario) -> None:
    """Sell through a marketplace that remits the tax itself."""
    scenario.header.source = "4815162342"
    scenario.taxes = (Tax("GST", 1500, channel_liable=True),)
    plain_card(scenario)


def marketplace_kept_tax(scenario: OrderScenario) -> None:
    """Sell through a marketplace that pays out the price without the tax that it remits."""
    scenario.header.source = "4815162342"
    scenario.taxes = (Tax("GST", 1500, channel_liable=True),)
    scenario.checkout()
    scenario.pay_without_channel_tax()


def pos_card(scenario: OrderScenario) -> None:
    """Sell in person by card, half of the time without a customer record."""
    scenario.sell_in_person()
    if scenario.rng.random() < 0.5:
        scenario.set_guest(address=False)
    scenario.basket()
    scenario.place()
    scenario.pay()


def draft_with_terms(scenario: OrderScenario) -> None:
    """Create a draft order at prices without tax, payable in thirty days and unpaid."""
    scenario.mark_as_draft()
    scenario.ledger.taxes_included = False
    scenario.set_terms(30)
    scenario.checkout(2, 4)


def company_b2b(scenario: OrderScenario) -> None:
    """Sell to a company on account; it pays within days."""
    scenario.set_company()
    scenario.header.po_number = f"PO-{scenario.rng.randrange(1000, 9999)}"
    scenario.set_terms(14)
    scenario.checkout(2, 5)
    scenario.advance(20, 60)
    scenario.pay("Bank Deposit")


def company_by_card(scenario: OrderScenario) -> None:
    """Sell to a company that pays at once, at prices without tax, with a discount on the order."""
    scenario.set_company()
    scenario.basket(3, 5)
    scenario.ship()
    scenario.discount("ManualDiscountApplication", "Trade", amount=scenario.money(1001))
    scenario.place()
    scenario.pay()


def test_order(scenario: OrderScenario) -> None:
    """Place a test order."""
    scenario.header.test = True
    scenario.checkout(1, 2)
    scenario.pay("bogus")


def many_lines(scenario: OrderScenario) -> None:
    """Sell 55 lines, more than a page of any connection."""
    items = scenario.rng.sample(scenario.shop.catalogue.items, 55)
    for item in items:
        scenario.add(scenario.line(item, scenario.rng.randint(1, 3)))
    scenario.ship(4500)
    scenario.discount("DiscountCodeApplication", "BULK", amount=scenario.money(9999))
    scenario.place()
    scenario.pay()


def foreign_currency(scenario: OrderScenario) -> None:
    """Sell in Australian dollars and refund a unit later."""
    scenario.pay_in("AUD", 10_873)
    scenario.basket(2, 3)
    scenario.ship(1995)
    scenario.discount("DiscountCodeApplication", "GDAY", amount=scenario.money(700))
    scenario.place()
    scenario.pay()
    scenario.advance()
    line: Charge = scenario.ledger.charges[0]
    scenario.refund([(line, 1)])


def back_dated(scenario: OrderScenario) -> None:
    """Enter an order two days after its sale."""
    scenario.header.processed_at -= timedelta(days=2)
    scenario.header.source = "580111"
    plain_card(scenario)


def awkward_customer(scenario: OrderScenario) -> None:
    """Sell to a customer who is hard to turn into a Contact: a namesake, no name, no e-mail, unusual letters."""
    people = scenario.shop.people.awkward
    scenario.set_buyer(people[scenario.day.toordinal() % len(people)])
    plain_card(scenario)


def customer_moves(scenario: OrderScenario) -> None:
    """Sell to a customer whose name and address change days later."""
    scenario.set_buyer(scenario.shop.people.newcomers(scenario.day).mover)
    plain_card(scenario)


def customer_merged(scenario: OrderScenario) -> None:
    """Sell to a customer who is merged into another one days later."""
    scenario.set_buyer(scenario.shop.people.newcomers(scenario.day).duplicate)
    plain_card(scenario)


def customer_forgotten(scenario: OrderScenario) -> None:
    """Sell to a customer whose personal data are erased days later."""
    scenario.set_buyer(scenario.shop.people.newcomers(scenario.day).forgotten)
    plain_card(scenario)
