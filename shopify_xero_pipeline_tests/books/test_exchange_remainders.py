"""A remainder in the shop's currency where none is left in the customer's: which movement takes it, if any may."""

from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.records import PostedRecords
from shopify_xero_pipeline.shopify.models import Agreement, Order, Transaction
from shopify_xero_pipeline_tests.books.booking import DAY, blocked, edited, posted, refunded
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    exchanged,
    ledger_of,
    organisation,
    refund,
    shown_allocations,
    shown_payments,
)
from shopify_xero_pipeline_tests.books.euros import (
    LATER,
    OWN,
    PAID,
    channel_tax,
    differences,
    money,
    moved,
    row,
    settled,
    sold,
)

WITHHELD = (channel_tax("4.31", "5.00"),)
AUTHORISED = moved(90, "38.79", "45.00", "AUTHORIZATION", at=NOON)
PARTLY_PAID = moved(91, "25.86", "29.99", at=NOON)
LESS = edited(2, row("-12.94", "-15.01", "RETURN", number=2))


def test_an_odd_cent_that_an_edit_leaves_belongs_to_the_payment_before_it() -> None:
    """EUR 29.99 are paid for 25.86, then EUR 15.01 come off at 12.94: 38.79 less 12.94 is 25.85."""
    books = posted(sold(LESS, money=[PARTLY_PAID]))
    assert money(books) == (
        [OWN, ("SH-1001-E2", "-12.94", "0"), ("SH-1001-X91", "0.01", "0")],
        [("SH-1001", "25.85", "601"), ("SH-1001-X91", "0.01", "601")],
        [("SH-1001-E2", "SH-1001", "12.94")],
    )


def test_nothing_is_left_over_if_the_edit_takes_off_what_the_payment_left() -> None:
    exact = edited(2, row("-12.93", "-15.01", "RETURN", number=2))
    assert differences(posted(sold(exact, money=[PARTLY_PAID]))) == []


def test_what_is_left_in_the_customers_currency_too_is_no_remainder() -> None:
    less = edited(2, row("-12.94", "-15.00", "RETURN", number=2))
    books = posted(sold(less, money=[PARTLY_PAID]))
    assert (differences(books), shown_payments(books)) == ([], [("SH-1001", "25.86", "601")])


def test_a_larger_remainder_belongs_to_money_that_nothing_explained_when_it_moved() -> None:
    """EUR 30.00 are paid for 27.00; only when the rest comes off is it clear that they were for 25.86."""
    less = edited(2, row("-12.93", "-15.00", "RETURN", number=2))
    books = posted(sold(less, money=[moved(91, "27.00", "30.00", at=NOON)]))
    assert money(books) == (
        [OWN, ("SH-1001-E2", "-12.93", "0"), ("SH-1001-X91", "1.14", "0")],
        [("SH-1001", "25.86", "601"), ("SH-1001-X91", "1.14", "601")],
        [("SH-1001-E2", "SH-1001", "12.93")],
    )


def two_parts(cost: str, less: Agreement | None = None) -> Order:
    """Return an order of which EUR 20.00 and 15.00 are captured, the second at a stated rate, and EUR 10.00 come off.

    The second part, 13.50, settles three fifths of what the first left of 38.79.
    """
    first = moved(91, cost, "20.00", "CAPTURE", at=NOON)
    second = moved(92, "13.50", "15.00", "CAPTURE", parent=90, exchange=exchanged("12.93", "13.50"), at=NOON + DAY)
    edit = less or edited(2, row("-8.62", "-10.00", "RETURN", number=2), day=2)
    return sold(edit, money=[AUTHORISED, first, second])


@pytest.mark.parametrize(
    ("cost", "first", "second"),
    [
        ("18.00", "0.30", "1.03"),  # 12.47 for the second part: 0.30 too much is settled
        ("17.14", None, "0.47"),  # 12.99: 0.04 too little, a cent for each of two rows and two movements
        ("17.12", "-0.05", "0.50"),  # 13.00: 0.05 too little
    ],
)
def test_an_explained_movement_takes_odd_cents_only(cost: str, first: str | None, second: str) -> None:
    books = posted(two_parts(cost))
    assert differences(books) == [*([("91", first)] if first else []), ("92", second)]
    assert settled(books)


def test_odd_yen_are_whole_yen() -> None:
    """The second part of 2600 yen settles 2476 of 4127: with 3298 before it, a yen of 5775 is missing."""

    def of_yen(number: int, amount: str, euros: str, kind: str = "CAPTURE", **more: object) -> Transaction:
        return moved(number, amount, euros, kind, currency="JPY", **more)

    parts = [
        of_yen(90, "7425", "45.00", "AUTHORIZATION", at=NOON),
        of_yen(91, "3298", "20.00", at=NOON),
        of_yen(92, "2600", "15.00", parent=90, exchange=exchanged("2475", "2600", "JPY"), at=NOON + DAY),
    ]
    less = edited(2, row("-1650", "-10.00", "RETURN", number=2, currency="JPY"), day=2)
    subject = sold(less, money=parts, total="7425", currency="JPY")
    books = posted(subject, xero=organisation(base="JPY", currencies=("JPY",)))
    assert differences(books) == [("92", "123")]
    assert settled(books)


def test_a_refund_that_settled_its_credit_note_exactly_takes_no_larger_remainder() -> None:
    """EUR 30.00 are paid for 27.00, EUR 20.00 go back for goods of 17.24, and the unpaid EUR 15.00 come off."""
    back = refunded(2, row("-17.24", "-20.00", "RETURN"), day=1, refund=31)
    less = edited(3, row("-12.93", "-15.00", "RETURN", number=3), day=8)
    payments = [moved(91, "27.00", "30.00", at=NOON), moved(92, "18.00", "20.00", "REFUND", at=NOON + DAY)]
    books = posted(sold(back, less, money=payments, refunds=(refund(31, 92, at=NOON + DAY),)))
    assert differences(books) == [("91", "1.14"), ("92", "-0.76")]
    assert settled(books)


def test_a_remainder_raises_what_a_refund_settles_or_lowers_it() -> None:
    """EUR 10.00 go back for 8.62 before their goods come off at 8.61 or 8.63."""
    for goods, difference in (("-8.61", "-0.01"), ("-8.63", "0.01")):
        less = edited(2, row(goods, "-10.00", "RETURN", number=2), day=8)
        books = posted(sold(less, money=[PAID, moved(92, "8.62", "10.00", "REFUND", parent=91)]))
        assert differences(books) == [("92", difference)]
        assert settled(books)


def test_money_that_is_posted_on_a_document_in_full_takes_no_remainder() -> None:
    before = posted(sold(money=[PARTLY_PAID]))
    books = posted(sold(LESS, money=[PARTLY_PAID]), ledger=ledger_of(before))
    assert money(books) == (
        [OWN, ("SH-1001-E2", "-12.94", "0")],
        [("SH-1001", "25.86", "601")],
        [("SH-1001-E2", "SH-1001", "12.93")],
    )


def test_money_of_which_a_cent_is_not_posted_yet_takes_that_cent() -> None:
    whole = ledger_of(posted(sold(LESS, money=[PARTLY_PAID])))
    earlier = PostedRecords(documents=whole.documents[:2], payments=whole.payments[:1])
    assert earlier.payments[0].amount == Decimal("25.85")
    assert differences(posted(sold(LESS, money=[PARTLY_PAID]), ledger=earlier)) == [("91", "0.01")]


def test_a_posted_difference_takes_no_remainder_but_an_earlier_payment_may() -> None:
    """By the posted difference 13.50 settled 12.99, so the four cents that are missing belong to the first."""
    ledger = ledger_of(posted(two_parts("17.14")))
    fixed = ledger.documents[-1].model_copy(update={"total": Decimal("0.51")})
    earlier = PostedRecords(documents=(*ledger.documents[:-1], fixed))
    assert earlier.documents[-1].number == "SH-1001-X92"
    books = posted(two_parts("17.14"), ledger=earlier)
    assert differences(books) == [("91", "-0.04"), ("92", "0.51")]
    assert settled(books)


def test_a_posted_difference_is_not_compared_with_a_later_statement_of_shopifys() -> None:
    ledger = ledger_of(posted(two_parts("17.14")))
    *others, second = two_parts("17.14").transactions
    restated = second.model_copy(update={"currency_exchange_adjustment": exchanged("11.00", "13.00")})
    subject = two_parts("17.14").model_copy(update={"transactions": (*others, restated)})
    assert differences(posted(subject, ledger=ledger)) == [("92", "0.47")]
    assert blocked(subject).startswith("exchange difference: transaction 92 moved 13.50 for 13.03")


def test_a_remainder_counts_as_paid_for_a_refund_under_way() -> None:
    """EUR 30.00 for 27.00 settle 25.88, so EUR 10.00 under way will settle 8.62: the goods' 8.60 and 0.02 of the edit.

    Nothing is left of the edit's credit for the hat, which is not paid yet.
    """
    less = edited(2, row("-12.93", "-15.00", "RETURN", number=2))
    back = refunded(3, row("-8.60", "-10.00", "RETURN", number=3), day=7, refund=31)
    hat = edited(4, row("8.62", "10.00", number=4), day=8)
    payments = [moved(91, "27.00", "30.00", at=NOON), moved(92, "9.00", "10.00", "REFUND", status="PENDING")]
    books = posted(sold(less, back, hat, money=payments, refunds=(refund(31, 92, at=LATER),)))
    assert differences(books) == [("91", "1.12")]
    assert shown_allocations(books) == [("SH-1001-E2", "SH-1001", "12.91")]


def test_a_remainder_is_what_is_left_without_the_tax_that_the_channel_withheld() -> None:
    """The channel keeps EUR 5.00, 4.31; EUR 10.00 are paid for 8.63 before goods of 8.62 are added."""
    payments = [moved(91, "34.48", "40.00", at=NOON), moved(92, "8.63", "10.00", at=NOON + DAY)]
    more = edited(2, row("8.62", "10.00", number=2), day=2)
    books = posted(sold(more, money=payments, taxes=WITHHELD, display_financial_status="PAID"))
    assert differences(books) == [("92", "0.01")]
    assert settled(books)


def test_a_tax_of_the_channel_that_the_customer_paid_in_full_is_no_remainder() -> None:
    books = posted(sold(LESS, money=[PARTLY_PAID], taxes=WITHHELD))
    assert differences(books) == [("91", "0.01")]
    assert settled(books)
