"""Buyers in another currency whose rate moves: the difference on an account of its own, and only where it is one."""

from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import PostedRecords
from shopify_xero_pipeline.shopify.models import Agreement, Order, Refund, Sale, Transaction
from shopify_xero_pipeline.xero.models import Organisation
from shopify_xero_pipeline_tests.books.booking import DAY, blocked, edited, posted, refunded
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    bag,
    exchanged,
    ledger_of,
    line_item,
    order,
    organisation,
    refund,
    sale,
    shown_allocations,
    shown_documents,
    shown_line,
    shown_payments,
    transaction,
)
from shopify_xero_pipeline_tests.books.euros import LATER, OWN, PAID, money, moved, row, settled, sold
from shopify_xero_pipeline_tests.books.policy_examples import euros_captured, euros_given_back

ADJUST = BooksPolicy.from_yaml("refund: {uncovered: adjust}", "books.yaml")
PLACED = BooksPolicy(post_when="placed")
BACK = refunded(2, row("-17.24", "-20.00", "RETURN"), day=7, refund=31)
WITH_92 = (refund(31, 92, at=LATER),)


def test_what_a_refund_costs_more_by_the_rate_is_a_credit_note_of_its_own_paid_by_the_same_refund() -> None:
    books = posted(euros_given_back("17.50"))
    assert money(books) == (
        [OWN, ("SH-1001-R2", "-17.24", "0"), ("SH-1001-X92", "-0.26", "0")],
        [("SH-1001", "38.79", "601"), ("SH-1001-R2", "17.24", "601"), ("SH-1001-X92", "0.26", "601")],
        [],
    )
    document = books.documents[2]
    assert [shown_line(line) for line in document.lines] == [("0.26", "0", "861", "NONE")]
    assert document.lines[0].description == "Exchange difference"
    assert document.date.isoformat() == "2026-09-29"
    assert (books.exchange, books.expected_sales, books.expected_money) == (
        Decimal("-0.26"),
        Decimal("21.55"),
        Decimal("21.29"),
    )
    assert books.warnings == ()


def test_what_a_refund_costs_less_by_the_rate_is_an_invoice_of_its_own_allocated_to_the_credit_that_is_left() -> None:
    books = posted(euros_given_back("17.00"))
    assert money(books) == (
        [OWN, ("SH-1001-R2", "-17.24", "0"), ("SH-1001-X92", "0.24", "0")],
        [("SH-1001", "38.79", "601"), ("SH-1001-R2", "17.00", "601")],
        [("SH-1001-R2", "SH-1001-X92", "0.24")],
    )
    assert books.exchange == Decimal("0.24")


@pytest.mark.parametrize(
    ("cost", "document", "payments", "allocations"),
    [
        ("39.15", "0.36", [("SH-1001", "38.79", "601"), ("SH-1001-X92", "0.36", "601")], []),
        ("38.50", "-0.29", [("SH-1001", "38.50", "601")], [("SH-1001-X92", "SH-1001", "0.29")]),
    ],
)
def test_what_is_captured_at_another_rate_settles_the_invoice_and_the_difference_is_booked_beside_it(
    cost: str, document: str, payments: list[Any], allocations: list[Any]
) -> None:
    books = posted(euros_captured(cost))
    assert money(books) == ([OWN, ("SH-1001-X92", document, "0")], payments, allocations)
    assert settled(books)


@pytest.mark.parametrize("cost", ["17.50", "17.00"])
def test_amounts_that_settle_exactly_in_the_customers_currency_need_no_statement_of_shopifys(cost: str) -> None:
    assert money(posted(euros_given_back(cost, exchange=None))) == money(posted(euros_given_back(cost)))


def test_a_statement_in_positive_amounts_says_the_same() -> None:
    positive = exchanged("17.24", "17.50")
    assert money(posted(euros_given_back("17.50", exchange=positive))) == money(posted(euros_given_back("17.50")))


def test_a_refund_at_the_orders_own_rate_has_no_difference() -> None:
    books = posted(euros_given_back("17.24", exchange=None))
    assert [document.number for document in books.documents] == ["SH-1001", "SH-1001-R2"]
    assert books.exchange == 0


def two_euros_too_much(exchange: Any) -> Order:
    """Return the order with EUR 22.00, 19.25, given back for goods of EUR 20.00."""
    return sold(
        BACK, money=[PAID, moved(92, "19.25", "22.00", "REFUND", parent=91, exchange=exchange)], refunds=WITH_92
    )


@pytest.mark.parametrize("exchange", [None, exchanged("-18.96", "-19.25")])
def test_money_given_back_beyond_the_goods_stays_uncovered_at_what_it_cost(exchange: Any) -> None:
    subject = two_euros_too_much(exchange)
    assert blocked(subject).startswith("refunds exceed the credit notes: 1.75 of transaction 92")
    books = posted(subject, ADJUST)
    assert money(books) == (
        [OWN, ("SH-1001-R2", "-17.24", "0"), ("SH-1001-X92", "-0.26", "0"), ("SH-1001-M92", "-1.75", "0")],
        [
            ("SH-1001", "38.79", "601"),
            ("SH-1001-R2", "17.24", "601"),
            ("SH-1001-X92", "0.26", "601"),
            ("SH-1001-M92", "1.75", "601"),
        ],
        [],
    )


def test_a_refund_for_nothing_returned_is_no_exchange_difference() -> None:
    stated = moved(92, "17.50", "20.00", "REFUND", parent=91, exchange=exchanged("-17.24", "-17.50"))
    for one in (moved(92, "17.50", "20.00", "REFUND", parent=91), stated):
        assert blocked(sold(money=[PAID, one])).startswith("refunds exceed the credit notes: 17.50 of transaction 92")


@pytest.mark.parametrize(
    ("original", "final"),
    [("-17.40", "-17.50"), ("-17.24", "-17.60"), ("-16.00", "-17.50")],
    ids=["another rate of the parent", "another amount than moved", "another rate altogether"],
)
@pytest.mark.parametrize("policy", [BooksPolicy(), ADJUST])
def test_a_statement_of_shopifys_that_does_not_explain_the_difference_blocks_the_order(
    original: str, final: str, policy: BooksPolicy
) -> None:
    reason = blocked(euros_given_back("17.50", exchange=exchanged(original, final)), policy)
    assert reason == (
        f"exchange difference: transaction 92 moved 17.50 for 17.24, but Shopify states that {original[1:]} became"
        f" {final[1:]} with the rate; check the order's payments in Shopify and enter it in Xero by hand"
    )


def test_shopify_may_state_the_whole_of_the_parent_as_the_amount_before() -> None:
    whole = exchanged("-38.79", "-17.50")
    assert money(posted(euros_given_back("17.50", exchange=whole))) == money(posted(euros_given_back("17.50")))


def test_a_statement_in_another_currency_than_the_shops_is_no_statement() -> None:
    other = exchanged("-20.00", "-20.30", currency="EUR")
    assert money(posted(euros_given_back("17.50", exchange=other))) == money(posted(euros_given_back("17.50")))


def test_money_in_the_shops_own_currency_has_no_exchange_difference_whatever_is_stated() -> None:
    subject = order(
        agreement(1, sale("38.79", line=11)),
        refunded(2, sale("-17.24", action="RETURN", line=11), day=7, refund=31),
        lines=[line_item(11, "38.79")],
        transactions=[
            transaction(91, "38.79"),
            transaction(92, "17.50", "REFUND", at=LATER, exchange=exchanged("-17.24", "-17.50")),
        ],
        refunds=WITH_92,
    )
    assert blocked(subject).startswith("refunds exceed the credit notes: 0.26")


def test_an_order_of_which_an_amount_is_not_shown_in_the_customers_currency_is_kept_as_before() -> None:
    row_without = sale("-17.24", line=11, action="RETURN")
    back = refunded(2, row_without, day=7, refund=31)
    subject = sold(back, money=[PAID, moved(92, "17.50", "20.00", "REFUND")], refunds=WITH_92)
    assert blocked(subject).startswith("refunds exceed the credit notes: 0.26")
    in_dollars = transaction(92, "17.50", "REFUND", at=LATER, presentment=("29.00", "NZD"))
    assert blocked(sold(BACK, money=[PAID, in_dollars], refunds=WITH_92)).startswith("refunds exceed the credit notes")


def captures(*later: Agreement, more: tuple[Transaction, ...] = (), refunds: tuple[Refund, ...] = ()) -> Order:
    """Return the order captured in two parcels: EUR 27.00 for 23.76 (a gain), EUR 18.00 for 15.30 (a loss)."""
    parcels = [
        moved(90, "38.79", "45.00", "AUTHORIZATION", at=NOON),
        moved(91, "23.76", "27.00", "CAPTURE", parent=90, exchange=exchanged("23.27", "23.76"), at=NOON + DAY),
        moved(92, "15.30", "18.00", "CAPTURE", parent=90, exchange=exchanged("15.52", "15.30"), at=NOON + 2 * DAY),
    ]
    return sold(*later, money=[*parcels, *more], refunds=refunds)


def test_two_parcels_captured_at_two_rates_settle_the_invoice_together() -> None:
    books = posted(captures())
    assert money(books) == (
        [OWN, ("SH-1001-X91", "0.49", "0"), ("SH-1001-X92", "-0.22", "0")],
        [("SH-1001", "23.27", "601"), ("SH-1001", "15.30", "601"), ("SH-1001-X91", "0.49", "601")],
        [("SH-1001-X92", "SH-1001", "0.22")],
    )
    assert settled(books)


def test_a_part_that_is_captured_at_another_rate_settles_its_share_of_the_invoice() -> None:
    first = captures().transactions[:2]
    books = posted(sold(money=[*first]))
    assert shown_documents(books) == [OWN, ("SH-1001-X91", "0.49", "0")]
    assert shown_payments(books) == [("SH-1001", "23.27", "601"), ("SH-1001-X91", "0.49", "601")]


def test_a_part_paid_at_another_rate_that_nothing_states_is_no_difference_until_the_rest_is_paid() -> None:
    part, rest = moved(91, "23.76", "27.00", at=NOON), moved(92, "15.30", "18.00")
    books = posted(sold(money=[part]))
    assert money(books) == ([OWN], [("SH-1001", "23.76", "601")], [])
    books = posted(sold(money=[part, rest]), ledger=ledger_of(books))
    assert money(books) == (
        [OWN, ("SH-1001-X92", "0.27", "0")],
        [("SH-1001", "23.76", "601"), ("SH-1001", "15.03", "601"), ("SH-1001-X92", "0.27", "601")],
        [],
    )


def test_a_refund_of_money_that_was_captured_at_another_rate_already_is_measured_by_the_rate_of_the_order() -> None:
    """The parent stands at 0.88; EUR 20.00 of it, 17.60, go back at 0.90: 0.40 by Shopify's statement, 0.76 in all."""
    again = moved(93, "18.00", "20.00", "REFUND", parent=91, exchange=exchanged("-17.60", "-18.00"))
    back = refunded(2, row("-17.24", "-20.00", "RETURN"), day=7, refund=31)
    books = posted(captures(back, more=(again,), refunds=(refund(31, 93, at=LATER),)))
    assert ("SH-1001-X93", "-0.76", "0") in shown_documents(books)
    assert settled(books)


def test_a_refund_of_older_credit_settles_its_share_of_all_credit_if_shopify_states_the_rate() -> None:
    # EUR 20.00 came off before EUR 10.00 of the other 25.00 were paid; EUR 5.00 go back, 1.00 of them for this refund
    less = edited(2, row("-17.24", "-20.00", "RETURN", number=2))
    back = refunded(3, row("-0.86", "-1.00", "RETURN", number=3), day=7, refund=31)
    paid = moved(91, "8.62", "10.00", at=NOON + 2 * DAY)
    returned = moved(92, "4.70", "5.00", "REFUND", parent=91, exchange=exchanged("-4.31", "-4.70"))
    books = posted(sold(less, back, money=[paid, returned], refunds=WITH_92))
    assert money(books)[0][3:] == [("SH-1001-X92", "-0.39", "0")]
    assert money(books)[1] == [
        ("SH-1001", "8.62", "601"),
        ("SH-1001-E2", "3.45", "601"),
        ("SH-1001-R3", "0.86", "601"),
        ("SH-1001-X92", "0.39", "601"),
    ]


def test_everything_given_back_over_two_gateways_at_another_rate_settles_each_cent() -> None:
    back = refunded(2, row("-38.79", "-45.00", "RETURN"), day=7, refund=31)
    money_in = [
        moved(91, "8.62", "10.00", at=NOON, gateway="gift_card"),
        moved(92, "30.17", "35.00", at=NOON),
        moved(93, "8.50", "10.00", "REFUND", parent=91, gateway="gift_card", exchange=exchanged("-8.62", "-8.50")),
        moved(94, "29.75", "35.00", "REFUND", parent=92, exchange=exchanged("-30.17", "-29.75")),
    ]
    books = posted(sold(back, money=money_in, refunds=(refund(31, 93, 94, at=LATER),)))
    assert shown_documents(books)[2:] == [("SH-1001-X93", "0.12", "0"), ("SH-1001-X94", "0.42", "0")]
    assert settled(books)
    assert books.warnings == ()


def test_a_refund_under_way_keeps_free_what_it_will_settle_and_no_more() -> None:
    """The second credit note stays free for the invoice of the hat that is not paid yet."""
    hat = edited(3, row("8.62", "10.00", number=3))
    second = refunded(4, row("-4.31", "-5.00", "RETURN", number=4), day=8, refund=32)
    under_way = moved(92, "17.90", "20.00", "REFUND", parent=91, status="PENDING")
    subject = sold(hat, BACK, second, money=[PAID, under_way], refunds=(*WITH_92, refund(32, at=LATER)))
    books = posted(subject)
    assert shown_allocations(books) == [("SH-1001-R4", "SH-1001-E3", "4.31")]
    through = subject.model_copy(
        update={
            "transactions": (PAID, moved(92, "17.90", "20.00", "REFUND", parent=91)),
            "net_payment_set": bag("20.89"),
        }
    )
    after = posted(through, ledger=ledger_of(books))
    assert ("SH-1001-X92", "-0.66", "0") in shown_documents(after)
    assert shown_allocations(after) == shown_allocations(books)


def test_money_paid_too_much_and_given_back_at_another_rate_leaves_the_difference_alone() -> None:
    subject = sold(money=[moved(91, "43.10", "50.00", at=NOON), moved(92, "4.50", "5.00", "REFUND", parent=91)])
    books = posted(subject)
    assert money(books) == (
        [OWN, ("SH-1001-X92", "-0.19", "0")],
        [("SH-1001", "38.79", "601"), ("SH-1001-X92", "0.19", "601")],
        [],
    )
    assert settled(books)


def test_odd_cents_of_conversion_are_settled_where_nothing_is_left_to_pay_in_the_customers_currency() -> None:
    """EUR 15.01 come back unpaid, 12.94 by its row and 12.93 by the rate; the rest of EUR 29.99 is paid for 25.86."""
    back = refunded(2, row("-12.94", "-15.01", "RETURN"), refund=31)
    subject = sold(back, money=[moved(91, "25.86", "29.99")], refunds=(refund(31),))
    books = posted(subject, PLACED)
    assert settled(books)
    assert shown_documents(books)[2:] == [("SH-1001-X91", "0.01", "0")]


def test_a_sale_without_a_parent_at_another_rate_is_settled_by_the_customers_currency() -> None:
    books = posted(sold(money=[moved(91, "39.15", "45.00")]), PLACED)
    assert shown_documents(books) == [OWN, ("SH-1001-X91", "0.36", "0")]
    assert settled(books)


def test_kept_event_by_event_the_books_are_those_that_are_kept_at_once() -> None:
    whole = captures(
        refunded(2, row("-17.24", "-20.00", "RETURN"), day=7, refund=31),
        more=(moved(93, "18.00", "20.00", "REFUND", parent=91, exchange=exchanged("-17.60", "-18.00")),),
        refunds=(refund(31, 93, at=LATER),),
    )
    ledger = PostedRecords()
    for count in range(1, 5):
        entries = whole.agreements[: 2 if count == 4 else 1]
        content = whole.model_copy(update={"transactions": whole.transactions[:count], "agreements": entries})
        totals = order(*entries, transactions=content.transactions)
        step = content.model_copy(
            update={
                "current_total_price_set": totals.current_total_price_set,
                "net_payment_set": totals.net_payment_set,
                "refunds": whole.refunds if count == 4 else (),
            }
        )
        ledger = ledger_of(posted(step, PLACED, ledger))
    again = posted(whole, PLACED, ledger)
    at_once = posted(whole, PLACED)
    assert ledger_of(again) == ledger_of(at_once)


def test_credit_left_open_before_exchange_differences_were_booked_is_settled_now() -> None:
    """Posted without its difference by an earlier version: the invoice of the difference closes the credit note."""
    before = posted(euros_given_back("17.00"))
    ledger = ledger_of(before)
    earlier = PostedRecords(documents=ledger.documents[:2], payments=ledger.payments)
    assert posted(euros_given_back("17.00"), ledger=earlier) == before


def test_an_excess_that_was_posted_as_an_uncovered_refund_stays_one() -> None:
    ledger = ledger_of(posted(two_euros_too_much(None), ADJUST))
    cover = ledger.documents[3].model_copy(update={"total": Decimal("2.01")})
    places = [*ledger.payments[:2], ledger.payments[3].model_copy(update={"amount": Decimal("2.01")})]
    earlier = PostedRecords(documents=(*ledger.documents[:2], cover), payments=tuple(places))
    books = posted(two_euros_too_much(None), ADJUST, earlier)
    assert shown_documents(books) == [OWN, ("SH-1001-R2", "-17.24", "0"), ("SH-1001-M92", "-2.01", "0")]


@pytest.mark.parametrize("shopify_says", ["0.00", "0.26"])
def test_whether_shopify_counts_the_difference_as_outstanding_or_not_nothing_is_warned_of(shopify_says: str) -> None:
    books = posted(euros_given_back("17.50").model_copy(update={"total_outstanding_set": bag(shopify_says)}))
    assert books.warnings == ()


def test_without_the_account_an_order_that_needs_it_is_blocked_and_others_are_not() -> None:
    chart = organisation()
    xero = chart.model_copy(update={"accounts": tuple(one for one in chart.accounts if one.code != "861")})
    assert blocked(euros_given_back("17.50"), xero=xero) == (
        "this order needs accounts.exchange, account 861, which does not exist or is not active in Xero;"
        " create it in Xero, or name another account in books.yaml as accounts.exchange"
    )
    assert posted(euros_given_back("17.24", exchange=None), xero=xero).exchange == 0
    other = BooksPolicy.from_yaml("accounts: {exchange: '860'}", "books.yaml")
    books = build_order_books(euros_given_back("17.50"), other, xero)
    assert books.documents[2].lines[0].account_code == "860"


def test_yen_have_no_decimals_and_their_differences_neither() -> None:
    def yen(total: str, euros: str, action: str = "ORDER") -> Sale:
        return sale(total, line=11, action=action, presentment=(euros, "EUR"), currency="JPY")

    def paid(number: int, amount: str, euros: str, kind: str = "SALE", **more: Any) -> Transaction:
        return transaction(number, amount, kind, currency="JPY", presentment=(euros, "EUR"), **more)

    subject = order(
        agreement(1, yen("7425", "45.00")),
        refunded(2, yen("-3300", "-20.00", "RETURN"), day=7, refund=31),
        lines=[line_item(11, "7425", currency="JPY")],
        transactions=[paid(91, "7425", "45.00"), paid(92, "3380", "20.00", "REFUND", at=LATER)],
        refunds=WITH_92,
        currency="JPY",
        presentment="EUR",
        original_total_price_set=bag("7425", "JPY", ("45.00", "EUR")),
    )
    xero: Organisation = organisation(base="JPY", currencies=("JPY",))
    books = posted(subject, xero=xero)
    assert shown_documents(books)[2] == ("SH-1001-X92", "-80", "0")
    assert settled(books)
