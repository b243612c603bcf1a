"""What money at another rate settles: the amount due at its own instant, its own credit note, a share, an excess."""

from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import PostedRecords
from shopify_xero_pipeline.shopify.models import Agreement, Order, Refund, Transaction
from shopify_xero_pipeline_tests.books.booking import DAY, blocked, edited, posted, refunded
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    bag,
    exchanged,
    ledger_of,
    organisation,
    refund,
    shown_allocations,
    shown_documents,
    shown_payments,
    transaction,
)
from shopify_xero_pipeline_tests.books.euros import (
    LATER,
    OWN,
    PAID,
    channel_tax,
    differences,
    moved,
    row,
    settled,
    sold,
)
from shopify_xero_pipeline_tests.books.policy_examples import euros_captured, euros_given_back

PLACED = BooksPolicy(post_when="placed")
ADJUST = BooksPolicy.from_yaml("refund: {uncovered: adjust}", "books.yaml")
YEN = organisation(base="JPY", currencies=("JPY",))
AUTHORISED = moved(90, "38.79", "45.00", "AUTHORIZATION", at=NOON)
WITH_92 = (refund(31, 92, at=LATER),)
WITHHELD = (channel_tax("4.31", "5.00"),)


def of_yen(*later: Agreement, money: list[Transaction], refunds: tuple[Refund, ...] = ()) -> Order:
    """Return an order of JPY 7425, EUR 45.00."""
    return sold(*later, money=money, refunds=refunds, total="7425", currency="JPY")


def test_money_that_arrives_before_the_first_agreement_settles_it() -> None:
    early = moved(91, "39.15", "45.00", at=NOON - DAY / 24)
    unpaid = edited(2, row("8.62", "10.00", number=2))
    assert differences(posted(sold(money=[early]))) == [("91", "0.36")]
    assert differences(posted(sold(unpaid, money=[early]))) == [("91", "0.36")]


def test_money_at_the_instant_of_an_edit_settles_what_was_due_before_it() -> None:
    less = edited(2, row("-8.62", "-10.00", "RETURN", number=2))
    books = posted(sold(less, money=[moved(91, "39.15", "45.00", at=NOON + DAY)]))
    assert differences(books) == [("91", "0.36")]
    assert shown_payments(books)[0] == ("SH-1001", "38.79", "601")


def test_money_at_the_instant_of_an_edit_settles_what_is_due_after_it() -> None:
    more = edited(2, row("8.62", "10.00", number=2))
    books = posted(sold(more, money=[moved(91, "48.00", "55.00", at=NOON + DAY)]))
    assert differences(books) == [("91", "0.59")]
    assert settled(books)


def test_the_third_of_three_payments_settles_what_the_first_two_left_due() -> None:
    payments = [
        moved(91, "8.62", "10.00", at=NOON),
        moved(92, "17.24", "20.00", at=NOON + DAY),
        moved(93, "13.50", "15.00"),
    ]
    books = posted(sold(money=payments))
    assert differences(books) == [("93", "0.57")]
    assert shown_payments(books)[:3] == [
        ("SH-1001", "8.62", "601"),
        ("SH-1001", "17.24", "601"),
        ("SH-1001", "12.93", "601"),
    ]
    assert settled(books)


def test_a_refund_of_one_euro_has_its_difference_too() -> None:
    """EUR 15.00 of the order are still unpaid."""
    back = refunded(2, row("-0.86", "-1.00", "RETURN"), day=7, refund=31)
    payments = [moved(91, "25.86", "30.00", at=NOON), moved(92, "0.96", "1.00", "REFUND", parent=91)]
    books = posted(sold(back, money=payments, refunds=WITH_92))
    assert differences(books) == [("92", "-0.10")]


def test_one_euro_of_a_capture_at_a_stated_rate_settles_its_share() -> None:
    part = moved(91, "0.95", "1.00", "CAPTURE", parent=90, exchange=exchanged("0.86", "0.95"))
    assert differences(posted(sold(money=[AUTHORISED, part]))) == [("91", "0.09")]


def test_two_cents_can_come_from_conversion_and_are_no_difference() -> None:
    def part(cost: str) -> Order:
        statement = exchanged("23.27", cost)
        return sold(money=[AUTHORISED, moved(91, cost, "27.00", "CAPTURE", parent=90, exchange=statement)])

    within, beyond = posted(part("23.29")), posted(part("23.30"))
    assert (differences(within), shown_payments(within)) == ([], [("SH-1001", "23.29", "601")])
    assert (differences(beyond), shown_payments(beyond)[0]) == ([("91", "0.03")], ("SH-1001", "23.27", "601"))


def test_money_for_all_of_an_invoice_settles_it_although_a_credit_note_is_open() -> None:
    """EUR 20.00 came off, so that EUR 25.00 are due, but all of EUR 45.00 is captured."""
    less = edited(2, row("-17.24", "-20.00", "RETURN", number=2))
    captured = moved(91, "39.15", "45.00", "CAPTURE", parent=90, exchange=exchanged("38.79", "39.15"))
    books = posted(sold(less, money=[AUTHORISED, captured]))
    assert differences(books) == [("91", "0.36")]
    assert shown_payments(books)[0] == ("SH-1001", "38.79", "601")


@pytest.mark.parametrize(("euros", "excess"), [("45.02", "0.71"), ("45.03", "0.03")])
def test_two_cents_beyond_the_amount_due_are_no_sign_of_another_rate(euros: str, excess: str) -> None:
    """EUR 0.02 beyond 45.00 can come from conversion, so nothing shows which part of 39.50 is for the order."""
    assert blocked(sold(money=[moved(91, "39.50", euros)])).startswith(
        f"payments exceed the invoices: {excess} of transaction 91"
    )


def test_a_refund_beyond_one_euro_of_goods_settles_the_goods_and_leaves_the_excess() -> None:
    back = refunded(2, row("-0.86", "-1.00", "RETURN"), day=7, refund=31)
    subject = sold(back, money=[PAID, moved(92, "9.90", "11.00", "REFUND", parent=91)], refunds=WITH_92)
    books = posted(subject, ADJUST)
    assert shown_documents(books)[2:] == [("SH-1001-X92", "-0.04", "0"), ("SH-1001-M92", "-9.00", "0")]
    assert settled(books)


def test_two_refunds_of_one_credit_note_settle_it_together_while_the_order_is_not_paid() -> None:
    """EUR 15.00 of the order are still unpaid, so nothing is due to the customer but the credit note itself."""
    back = refunded(2, row("-17.24", "-20.00", "RETURN"), day=7, refund=31)
    payments = [
        moved(91, "25.86", "30.00", at=NOON),
        moved(92, "10.34", "12.00", "REFUND"),
        moved(93, "7.20", "8.00", "REFUND"),
    ]
    books = posted(sold(back, money=payments, refunds=(refund(31, 92, 93, at=LATER),)))
    assert differences(books) == [("93", "-0.30")]
    assert shown_payments(books) == [
        ("SH-1001", "25.86", "601"),
        ("SH-1001-R2", "10.34", "601"),
        ("SH-1001-R2", "6.90", "601"),
        ("SH-1001-X93", "0.30", "601"),
    ]


def test_a_refund_settles_its_own_credit_note_even_if_that_is_recorded_a_day_later() -> None:
    """EUR 5.00 of EUR 50.00 were paid too much; they go back with the EUR 20.00 for the goods."""
    back = refunded(2, row("-17.24", "-20.00", "RETURN"), day=8, refund=31)
    payments = [moved(91, "43.10", "50.00", at=NOON), moved(92, "22.00", "25.00", "REFUND", parent=91)]
    books = posted(sold(back, money=payments, refunds=WITH_92))
    assert differences(books) == [("92", "-0.45")]
    assert settled(books)


def test_the_rate_of_a_payment_that_nothing_states_holds_for_its_refund_in_part() -> None:
    """EUR 45.00 were paid for 39.15, which settles 38.79; of EUR 30.00 for the goods, EUR 20.00 go back."""
    back = refunded(2, row("-25.86", "-30.00", "RETURN"), day=7, refund=31)
    paid, part = moved(91, "39.15", "45.00", at=NOON), moved(92, "17.40", "20.00", "REFUND", parent=91)
    books = posted(sold(back, money=[paid, part], refunds=WITH_92))
    assert differences(books) == [("91", "0.36"), ("92", "-0.16")]
    at_order_rate = posted(sold(back, money=[PAID, part], refunds=WITH_92))
    assert differences(at_order_rate) == []


def test_a_payment_that_was_posted_before_exchange_differences_were_booked_stays_as_it_is() -> None:
    first = moved(91, "23.76", "27.00", "CAPTURE", parent=90, exchange=exchanged("23.27", "23.76"))
    subject = sold(money=[AUTHORISED, first])
    ledger = ledger_of(posted(subject))
    earlier = PostedRecords(
        documents=ledger.documents[:1],
        payments=(ledger.payments[0].model_copy(update={"amount": Decimal("23.76")}),),
    )
    books = posted(subject, ledger=earlier)
    assert (shown_documents(books), shown_payments(books)) == ([OWN], [("SH-1001", "23.76", "601")])


def test_the_first_invoice_is_compared_by_the_orders_original_total_in_euros() -> None:
    """The rows add up to EUR 44.99, but the order was placed for EUR 45.00, and they are paid."""
    stated = bag("38.79", "NZD", ("45.00", "EUR"))
    subject = sold(money=[moved(91, "39.15", "45.00")], euros="44.99", original_total_price_set=stated)
    assert differences(posted(subject)) == [("91", "0.36")]


def test_no_difference_is_computed_if_one_row_has_no_amount_in_euros() -> None:
    """Without the row's amount nothing shows what was due, so 39.15 for an order of 38.79 is too much."""
    back = refunded(2, row("-17.24", "-20.00", "RETURN"), day=7, refund=31)
    in_dollars = back.sales[0].model_copy(update={"total_amount": bag("-17.24")})
    subject = sold(
        back.model_copy(update={"sales": (in_dollars,)}),
        money=[moved(91, "39.15", "45.00", at=NOON), moved(92, "17.24", "20.00", "REFUND")],
        refunds=WITH_92,
    )
    assert blocked(subject).startswith("payments exceed the invoices: 0.36 of transaction 91")


def test_money_in_another_currency_than_the_order_is_not_compared() -> None:
    back = refunded(2, row("-17.24", "-20.00", "RETURN"), day=7, refund=31)
    in_dollars = transaction(92, "17.50", "REFUND", at=LATER, presentment=("29.00", "NZD"))
    assert blocked(sold(back, money=[PAID, in_dollars], refunds=WITH_92)).startswith(
        "refunds exceed the credit notes: 0.26 of transaction 92"
    )


def test_a_channel_that_withholds_its_tax_settles_the_rest_at_its_rate() -> None:
    paid = moved(91, "35.00", "40.00", at=NOON)
    books = posted(sold(money=[paid], taxes=WITHHELD, display_financial_status="PAID"))
    assert differences(books) == [("91", "0.52")]
    assert shown_payments(books) == [
        ("SH-1001", "34.48", "601"),
        ("SH-1001", "4.31", "835"),
        ("SH-1001-X91", "0.52", "601"),
    ]
    assert settled(books)


def test_once_a_channel_withheld_its_tax_that_tax_is_not_what_later_money_settles() -> None:
    """EUR 5.00 arrive with goods of EUR 5.00, 4.40: they are for the goods, not for the tax of EUR 5.00, 4.31."""
    more = edited(2, row("4.40", "5.00", number=2))
    payments = [moved(91, "35.00", "40.00", at=NOON), moved(92, "4.50", "5.00", at=NOON + DAY)]
    books = posted(sold(more, money=payments, taxes=WITHHELD, display_financial_status="PAID"))
    assert differences(books) == [("91", "0.52"), ("92", "0.10")]
    assert settled(books)


def test_while_no_tax_is_withheld_money_settles_what_was_due_with_the_tax() -> None:
    """EUR 15.00 were due, 12.93; with goods of EUR 5.00, 4.40, and without the tax they would be 13.02."""
    more = edited(2, row("4.40", "5.00", number=2))
    payments = [moved(91, "25.86", "30.00", at=NOON), moved(92, "13.50", "15.00", at=NOON + DAY)]
    books = posted(sold(more, money=payments, taxes=WITHHELD, display_financial_status="PARTIALLY_PAID"))
    assert differences(books) == [("92", "0.57")]


def test_shares_of_yen_are_whole_yen() -> None:
    """EUR 27.10 of EUR 45.00 are 4471.5 of 7425 yen."""
    authorised = moved(90, "7425", "45.00", "AUTHORIZATION", at=NOON, currency="JPY")
    part = moved(91, "4600", "27.10", "CAPTURE", parent=90, currency="JPY", exchange=exchanged("4472", "4600", "JPY"))
    books = posted(of_yen(money=[authorised, part]), xero=YEN)
    assert shown_payments(books) == [("SH-1001", "4472", "601"), ("SH-1001-X91", "128", "601")]


def test_an_excess_of_yen_is_whole_yen() -> None:
    """EUR 2.00 beyond 45.00 are 340.4 of 8000 yen."""
    paid = moved(91, "8000", "47.00", currency="JPY")
    reason = blocked(of_yen(money=[paid]), PLACED, xero=YEN)
    assert reason.startswith("payments exceed the invoices: 340 of transaction 91")


def statement(order: Order, original: str, final: str, currency: str = "NZD") -> Order:
    """Return an order in which Shopify states another amount before and after for its last transaction."""
    *others, last = order.transactions
    changed = last.model_copy(update={"currency_exchange_adjustment": exchanged(original, final, currency)})
    return order.model_copy(update={"transactions": (*others, changed)})


@pytest.mark.parametrize("cost", ["17.24", "17.25", "17.23"])
def test_a_statement_is_not_compared_where_the_difference_is_a_cent_or_none(cost: str) -> None:
    plain = posted(euros_given_back(cost, exchange=None))
    assert posted(statement(euros_given_back(cost), "-16.00", "-17.00")) == plain


def test_a_statement_may_be_off_by_a_cent_before_the_rate_changed() -> None:
    plain = posted(euros_given_back("17.50"))
    for before in ("-17.23", "-17.25"):
        assert posted(statement(euros_given_back("17.50"), before, "-17.50")) == plain


def test_a_statement_for_a_payment_without_a_parent_has_no_share_to_compare_with() -> None:
    alone = sold(money=[moved(91, "39.15", "45.00", exchange=exchanged("30.00", "39.15"))])
    assert differences(posted(alone)) == [("91", "0.36")]


def test_a_parent_that_shopify_does_not_list_is_none() -> None:
    alone = sold(money=[moved(91, "39.15", "45.00", parent=89, exchange=exchanged("30.00", "39.15"))])
    assert differences(posted(alone)) == [("91", "0.36")]


def test_a_parent_in_another_currency_than_the_customers_has_no_share_to_compare_with() -> None:
    first, captured = euros_captured("39.15").transactions
    in_dollars = first.model_copy(update={"amount_set": bag("38.79")})
    subject = euros_captured("39.15").model_copy(update={"transactions": (in_dollars, captured)})
    assert differences(posted(statement(subject, "30.00", "39.15"))) == [("92", "0.36")]


def test_statements_in_yen_may_be_off_by_a_yen() -> None:
    """EUR 20.05 are 3308.25 of 7425 yen, which Shopify states as 3307 or as 3309."""

    def given_back(cost: str, before: str, after: str) -> Order:
        back = refunded(2, row("-3308", "-20.05", "RETURN", currency="JPY"), day=7, refund=31)
        returned = moved(
            92, cost, "20.05", "REFUND", parent=91, currency="JPY", exchange=exchanged(before, after, "JPY")
        )
        paid = moved(91, "7425", "45.00", at=NOON, currency="JPY")
        return of_yen(back, money=[paid, returned], refunds=WITH_92)

    for before in ("-3307", "-3308", "-3309"):
        assert differences(posted(given_back("3380", before, "-3380"), xero=YEN)) == [("92", "-72")]
    assert blocked(given_back("3380", "-3310", "-3380"), xero=YEN).startswith("exchange difference: transaction 92")
    assert differences(posted(given_back("3309", "-3000", "-3100"), xero=YEN)) == [("92", "-1")]


def test_allocations_close_what_the_edit_and_the_money_leave_open() -> None:
    less = edited(2, row("-8.62", "-10.00", "RETURN", number=2))
    books = posted(sold(less, money=[moved(91, "30.50", "35.00", at=NOON + 2 * DAY)]))
    assert differences(books) == [("91", "0.33")]
    assert shown_allocations(books) == [("SH-1001-E2", "SH-1001", "8.62")]
    assert settled(books)


def test_change_in_euros_comes_off_the_cash_in_both_currencies() -> None:
    """EUR 50.00 in cash are 43.50; EUR 5.00 of change are 4.35: the order's EUR 45.00 came in for 39.15."""
    cash, change = (
        moved(91, "43.50", "50.00", gateway="cash", at=NOON),
        moved(92, "4.35", "5.00", "CHANGE", parent=91, gateway="cash", at=NOON),
    )
    books = posted(sold(money=[cash, change]))
    assert shown_payments(books) == [("SH-1001", "38.79", "603"), ("SH-1001-X91", "0.36", "603")]


def test_change_of_cash_that_is_not_shown_in_euros_comes_off_in_the_shops_currency_alone() -> None:
    cash = transaction(91, "43.14", gateway="cash")
    change = transaction(92, "4.35", "CHANGE", parent=91, gateway="cash")
    assert shown_payments(posted(sold(money=[cash, change]))) == [("SH-1001", "38.79", "603")]
