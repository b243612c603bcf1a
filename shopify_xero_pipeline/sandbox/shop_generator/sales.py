"""Kinds of orders by what is sold and to whom; all are paid at once unless their name says otherwise.

Each function tells one order and is listed in `schedule`. What happens to orders later is told in `aftermath`, ways of
paying in `payments`.
"""

from datetime import timedelta

from shopify_xero_pipeline.sandbox.shop_generator.charges import Charge, Tax
from shopify_xero_pipeline.sandbox.shop_generator.people import address_abroad
from shopify_xero_pipeline.sandbox.shop_generator.story import CARD, EXPORT, GST, Story

_ALL = 10_000


def plain_card(story: Story) -> None:
    """A few goods and shipping, paid by card."""
    story.checkout()
    story.pay()


def order_discount(story: Story) -> None:
    """An amount off the order, spread over its lines."""
    story.basket(3, 4)
    story.ship()
    story.discount("AutomaticDiscountApplication", "Spring sale", amount=story.money(story.rng.choice((701, 500, 1))))
    story.place()
    story.pay()


def line_discount(story: Story) -> None:
    """A share off one line, before anything else."""
    lines = story.basket(2, 3)
    story.ship()
    story.discount("AutomaticDiscountApplication", "Two for less", lines[:1], method="EACH", basis_points=3333)
    story.place()
    story.pay()


def code_discount(story: Story) -> None:
    """A line discount and then a code over the whole order."""
    lines = story.basket(2, 4)
    story.ship()
    story.discount("AutomaticDiscountApplication", "Member price", lines[-1:], method="EACH", basis_points=500)
    story.discount("DiscountCodeApplication", "KIAORA12", basis_points=1250)
    story.place()
    story.pay()


def fully_discounted(story: Story) -> None:
    """Everything is free, shipping too: PAID without a transaction."""
    story.basket(1, 2)
    shipping = story.ship()
    story.discount("DiscountCodeApplication", "ONTHEHOUSE", basis_points=_ALL)
    story.discount("DiscountCodeApplication", "FREESHIP", [shipping], target="SHIPPING_LINE", basis_points=_ALL)
    story.place()


def shipping_discount(story: Story) -> None:
    """Shipping half price or free."""
    story.basket()
    shipping, share = story.ship(1299), story.rng.choice((5000, _ALL))
    story.discount("DiscountCodeApplication", "SHIPLESS", [shipping], target="SHIPPING_LINE", basis_points=share)
    story.place()
    story.pay()


def guest(story: Story) -> None:
    """Nobody the shop keeps a record of."""
    story.nobody()
    plain_card(story)


def gift_card_sold(story: Story) -> None:
    """A gift card and something else: no tax and no revenue on the card."""
    story.add(story.line(story.rng.choice(story.stall.catalogue.gift_cards())))
    story.basket(0, 1)
    story.place()
    story.pay()


def tip(story: Story) -> None:
    """A tip is a line of its own and bears no tax."""
    story.basket(1, 2)
    story.add(story.charge("TIP", "Tip", story.rng.choice((200, 345, 500)), taxes=()))
    story.place()
    story.pay()


def zero_price_line(story: Story) -> None:
    """A free sample goes along."""
    story.basket(1, 2)
    story.add(story.line(story.some_ware(), cents=0))
    story.ship()
    story.place()
    story.pay()


def custom_line(story: Story) -> None:
    """A draft order with a line that is no product."""
    story.as_draft()
    story.basket(1, 1)
    story.add(story.charge("PRODUCT", "Engraving, two lines <special>", 2449, story.rng.randint(1, 3)))
    story.place()
    story.pay("manual")


def deleted_product(story: Story) -> None:
    """A product that the shop deletes days later: the line loses product and variant."""
    story.of_product(story.stall.catalogue.season(story.day)[1], 2)
    story.basket(1, 1)
    story.ship()
    story.place()
    story.pay()


def changing_product(story: Story) -> None:
    """A product that gets another SKU, title and price after the sale."""
    story.of_product(story.stall.catalogue.season(story.day)[0])
    story.ship()
    story.place()
    story.pay()


def export(story: Story) -> None:
    """Sent abroad: tax lines of 0 %."""
    person = story.header.person
    if person is not None:
        story.header.delivery = address_abroad(story.ledger.serial, person.state(story.now), story.rng)
    story.taxes = (EXPORT,)
    story.basket()
    story.ship(3850)
    story.place()
    story.pay(story.rng.choice((CARD, "paypal")))


def duty_and_fee(story: Story) -> None:
    """Sent abroad with the duty and a customs fee collected at checkout."""
    person = story.header.person
    if person is not None:
        story.header.delivery = address_abroad(story.ledger.serial, person.state(story.now), story.rng)
    story.taxes = (EXPORT,)
    story.basket(1, 2)
    story.ship(3850)
    duty = story.add(story.charge("DUTY", "Import duty", 1287, taxes=()))
    duty.detail = "6109.10"
    story.add(story.charge("ADDITIONAL_FEE", "Customs clearance", 995))
    story.place()
    story.pay()


def tax_exempt(story: Story) -> None:
    """A buyer who pays no tax: no tax lines at all."""
    story.taxes = ()
    story.header.tax_exempt = True
    story.header.tags.append("tax-exempt")
    plain_card(story)


def unmapped_tax(story: Story) -> None:
    """A tax nobody has told the books about, beside the usual one."""
    story.basket(1, 1)
    story.taxes = (GST, Tax("Luxury levy", 250))
    story.add(story.line(story.some_ware(10_000)))
    story.place()
    story.pay()


def marketplace_tax(story: Story) -> None:
    """Sold through a marketplace that remits the tax itself."""
    story.header.source = "4815162342"
    story.taxes = (Tax("GST", 1500, channel_liable=True),)
    plain_card(story)


def marketplace_kept_tax(story: Story) -> None:
    """Sold through a marketplace that pays out the price without the tax it remits itself."""
    story.header.source = "4815162342"
    story.taxes = (Tax("GST", 1500, channel_liable=True),)
    story.checkout()
    story.pay_without_channel_tax()


def pos_card(story: Story) -> None:
    """Sold at the counter, by card, often to nobody in particular."""
    story.at_the_counter()
    if story.rng.random() < 0.5:
        story.nobody(address=False)
    story.basket()
    story.place()
    story.pay()


def draft_with_terms(story: Story) -> None:
    """A draft order at prices without tax, payable in thirty days; not paid yet."""
    story.as_draft()
    story.ledger.taxes_included = False
    story.on_account(30)
    story.checkout(2, 4)


def company_b2b(story: Story) -> None:
    """A company buys on account and pays within days."""
    story.company()
    story.header.po_number = f"PO-{story.rng.randrange(1000, 9999)}"
    story.on_account(14)
    story.checkout(2, 5)
    story.later(20, 60)
    story.pay("Bank Deposit")


def company_by_card(story: Story) -> None:
    """A company pays at once, prices without tax, a discount on the order."""
    story.company()
    story.basket(3, 5)
    story.ship()
    story.discount("ManualDiscountApplication", "Trade", amount=story.money(1001))
    story.place()
    story.pay()


def test_order(story: Story) -> None:
    """The shop tries itself out."""
    story.header.test = True
    story.checkout(1, 2)
    story.pay("bogus")


def many_lines(story: Story) -> None:
    """More lines than one page of anything: 55 of them."""
    wares = story.rng.sample(story.stall.catalogue.wares, 55)
    for ware in wares:
        story.add(story.line(ware, story.rng.randint(1, 3)))
    story.ship(4500)
    story.discount("DiscountCodeApplication", "BULK", amount=story.money(9999))
    story.place()
    story.pay()


def foreign_currency(story: Story) -> None:
    """The customer pays in Australian dollars; some of it goes back later."""
    story.pay_in("AUD", 10_873)
    story.basket(2, 3)
    story.ship(1995)
    story.discount("DiscountCodeApplication", "GDAY", amount=story.money(700))
    story.place()
    story.pay()
    story.later()
    line: Charge = story.ledger.charges[0]
    story.refund([(line, 1)])


def back_dated(story: Story) -> None:
    """Keyed in two days after it happened."""
    story.header.processed_at -= timedelta(days=2)
    story.header.source = "580111"
    plain_card(story)


def awkward_customer(story: Story) -> None:
    """A customer whose record trips contacts up: namesakes, no name, no e-mail, strange letters."""
    people = story.stall.people.awkward
    story.buyer(people[story.day.toordinal() % len(people)])
    plain_card(story)


def customer_moves(story: Story) -> None:
    """A customer who marries and moves house days later."""
    story.buyer(story.stall.people.newcomers(story.day).mover)
    plain_card(story)


def customer_merged(story: Story) -> None:
    """A customer whom staff merge into another one days later."""
    story.buyer(story.stall.people.newcomers(story.day).duplicate)
    plain_card(story)


def customer_forgotten(story: Story) -> None:
    """A customer who has all personal data erased days later."""
    story.buyer(story.stall.people.newcomers(story.day).forgotten)
    plain_card(story)
