from datetime import UTC, datetime, timedelta

import pytest

from shopify_xero_pipeline.sandbox.shop_generator.charges import Charge, Discount, Tax
from shopify_xero_pipeline.sandbox.shop_generator.ledger import Ledger, Transaction
from shopify_xero_pipeline.sandbox.shop_generator.money import Amount, Currencies, total

NOON = datetime(2026, 9, 21, 0, 0, tzinfo=UTC)


def home(cents: int) -> Amount:
    return Amount(cents, cents)


def charge(
    cents: int, quantity: int = 1, included: bool = True, rate: int = 1000, line_type: str = "PRODUCT"
) -> Charge:
    return Charge(1, line_type, "Thing", quantity, home(cents), included, (Tax("GST", rate),))


def placed(*charges: Charge, included: bool = True) -> Ledger:
    ledger = Ledger(5_000_000_000_001, Currencies("NZD", "NZD"), included, list(charges))
    for each in charges:
        each.settle_taxes()
    ledger.place(NOON)
    return ledger


def paid(ledger: Ledger, cents: int, kind: str = "SALE", gateway: str = "card", status: str = "SUCCESS") -> Transaction:
    return ledger.move(Transaction(ledger.next_id(), kind, status, gateway, home(cents), NOON))


def test_tax_is_inside_the_price_and_follows_the_discount() -> None:
    # The first worked example of books.md: 2 x 33.00 less 7.00 and shipping 11.00 at 10 % make 70.00 with 6.36 tax.
    goods, shipping = charge(3300, 2), charge(1100, line_type="SHIPPING")
    Discount(0, "ManualDiscountApplication", "Off", amount=home(700)).on([goods])
    ledger = placed(goods, shipping)

    assert [row.total for row in ledger.rows()] == [home(5900), home(1100)]
    assert [row.tax for row in ledger.rows()] == [home(536), home(100)]
    assert ledger.original_total == home(7000)


def test_the_unit_that_carries_the_odd_cent_comes_back_at_its_own_price() -> None:
    # The second and third: 3 x 10.00 less 0.01 and 20 % on top; one unit comes back at 9.99 and 2.00 of tax.
    goods = charge(1000, 3, included=False, rate=2000)
    Discount(0, "ManualDiscountApplication", "Off", amount=home(1)).on([goods])
    ledger = placed(goods, included=False)
    payment = paid(ledger, 3599)
    refund, rows = ledger.take_back(NOON + timedelta(days=9), [(goods, 1)])
    ledger.agree(refund.at, "REFUND", rows, refund=refund)
    ledger.pay_back(refund, home(1199))

    assert [row.total for row in rows] == [home(-1199)]
    assert rows[0].tax == home(-200)
    assert rows[0].quantity == -1
    assert ledger.current_total == home(2400)
    assert ledger.net_payment == home(2400)
    assert ledger.refundable(payment) == home(2400)


def test_the_units_of_a_line_come_back_one_by_one_to_the_last_cent() -> None:
    goods = charge(1000, 3, rate=1500)
    Discount(0, "ManualDiscountApplication", "Off", basis_points=3333).on([goods])
    ledger = placed(goods)
    rows = [row for _ in range(3) for row in ledger.take_back(NOON, [(goods, 1)])[1]]

    assert ledger.original_total == home(2000)
    assert [row.total for row in rows] == [home(-666), home(-667), home(-667)]
    assert total(row.tax for row in rows) == home(-261)


def test_a_refund_goes_back_over_the_payments_oldest_first() -> None:
    goods = charge(10000)
    ledger = placed(goods)
    gift, card = paid(ledger, 3000, gateway="gift_card"), paid(ledger, 7000)
    refund, rows = ledger.take_back(NOON, [(goods, 1)])
    ledger.agree(NOON, "REFUND", rows, refund=refund)
    ledger.pay_back(refund, home(4500))

    assert [(t.parent, t.amount) for t in refund.transactions] == [(gift, home(3000)), (card, home(1500))]


def test_no_more_goes_back_than_was_paid() -> None:
    ledger = placed(charge(1000))
    paid(ledger, 500)
    refund, _ = ledger.take_back(NOON, [])

    with pytest.raises(ValueError, match="exceeds the payments"):
        ledger.pay_back(refund, home(501))


@pytest.mark.parametrize(
    ("movements", "cancelled", "status"),
    [
        ([], False, "PENDING"),
        ([], True, "VOIDED"),
        ([("AUTHORIZATION", 1000, "SUCCESS")], False, "AUTHORIZED"),
        ([("AUTHORIZATION", 1000, "SUCCESS"), ("VOID", 1000, "SUCCESS")], False, "VOIDED"),
        ([("SALE", 1000, "FAILURE")], False, "PENDING"),
        ([("SALE", 1000, "PENDING")], False, "PENDING"),
        ([("SALE", 400, "SUCCESS")], False, "PARTIALLY_PAID"),
        ([("SALE", 1000, "SUCCESS")], False, "PAID"),
        ([("SALE", 1500, "SUCCESS"), ("CHANGE", 500, "SUCCESS")], False, "PAID"),
        ([("SALE", 1000, "SUCCESS"), ("REFUND", 300, "SUCCESS")], False, "PARTIALLY_REFUNDED"),
        ([("SALE", 1000, "SUCCESS"), ("REFUND", 300, "PENDING")], False, "PAID"),
        ([("SALE", 1000, "SUCCESS"), ("REFUND", 1000, "SUCCESS")], True, "REFUNDED"),
    ],
)
def test_the_financial_status_follows_successful_transactions_only(
    movements: list[tuple[str, int, str]], cancelled: bool, status: str
) -> None:
    ledger = placed(charge(1000))
    for kind, cents, outcome in movements:
        paid(ledger, cents, kind, status=outcome)

    assert ledger.financial_status(cancelled) == status


def test_two_taxes_in_one_price_add_up_to_the_tax_at_both_rates_together() -> None:
    goods = Charge(1, "PRODUCT", "Yacht", 1, home(12345), True, (Tax("GST", 1500), Tax("Luxury levy", 250)))
    goods.settle_taxes()

    assert goods.tax_amounts == (home(1576), home(263))  # together 123.45 x 17.5 / 117.5 = 18.39
    assert goods.tax == home(1839)
