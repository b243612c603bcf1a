"""Every kind of agreement becomes one document, or none; what was posted first is never touched."""

from shopify_xero_pipeline.books.policy import AccountOverride, AccountPolicy, BooksPolicy
from shopify_xero_pipeline.xero.models import CreditNote, Invoice
from shopify_xero_pipeline_tests.books.booking import (
    DAY,
    PLACED,
    blocked,
    edited,
    left_alone,
    posted,
    refunded,
    returned,
)
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    ledger_of,
    line_item,
    order,
    refund,
    sale,
    shown_allocations,
    shown_documents,
    shown_line,
    shown_payments,
    tax,
    transaction,
)

SOLD = agreement(1, sale("100.00", tax("13.04"), quantity=2, line=11))
LINES = [line_item(11, "50.00"), line_item(12, "20.00", title="Bowl"), line_item(13, "34.50", title="Vase")]
PAID = transaction(91, "100.00")


def test_a_line_removed_from_a_paid_order_is_a_credit_note_that_waits_for_the_refund() -> None:
    removed = edited(2, sale("-50.00", tax("-6.52"), action="RETURN", quantity=-1, line=11))
    books = posted(order(SOLD, removed, lines=LINES, transactions=[PAID]))
    assert shown_documents(books) == [("SH-1001", "100.00", "13.04"), ("SH-1001-E2", "-50.00", "6.52")]
    assert [shown_line(line) for line in books.documents[1].lines] == [("50.00", "6.52", "200", "OUTPUT2")]
    assert (shown_payments(books), shown_allocations(books)) == ([("SH-1001", "100.00", "601")], [])


def test_a_line_removed_before_the_payment_is_credit_allocated_to_the_invoice() -> None:
    removed = edited(2, sale("-50.00", tax("-6.52"), action="RETURN", quantity=-1, line=11))
    books = posted(order(SOLD, removed, lines=LINES, transactions=[transaction(91, "50.00", at=NOON + DAY)]))
    assert shown_payments(books) == [("SH-1001", "50.00", "601")]
    assert shown_allocations(books) == [("SH-1001-E2", "SH-1001", "50.00")]


def test_a_line_removed_and_another_added_in_one_edit_are_one_document_of_the_difference() -> None:
    swap = edited(
        2,
        sale("-50.00", tax("-6.52"), action="RETURN", quantity=-1, line=11),
        sale("20.00", tax("2.61"), line=12),
    )
    books = posted(order(SOLD, swap, lines=LINES, transactions=[PAID]))
    assert shown_documents(books)[1:] == [("SH-1001-E2", "-30.00", "3.91")]
    assert [shown_line(line)[:2] for line in books.documents[1].lines] == [("50.00", "6.52"), ("-20.00", "-2.61")]


def test_an_added_line_is_an_invoice_with_its_own_unit_price() -> None:
    added = edited(2, sale("40.00", tax("5.22"), quantity=2, line=12))
    books = posted(order(SOLD, added, lines=LINES, transactions=[PAID]))
    (line,) = books.documents[1].lines
    assert (line.description, str(line.quantity), str(line.unit_amount)) == ("Bowl", "2", "20.00")
    assert shown_documents(books)[1:] == [("SH-1001-E2", "40.00", "5.22")]


def test_an_exchange_for_something_cheaper_is_one_credit_note_with_both_signs() -> None:
    exchange = returned(
        2,
        sale("-50.00", tax("-6.52"), action="RETURN", quantity=-1, line=11),
        sale("34.50", tax("4.50"), line=13),
    )
    money = [PAID, transaction(92, "15.50", "REFUND", at=NOON + DAY)]
    books = posted(order(SOLD, exchange, lines=LINES, transactions=money))
    note = books.documents[1]
    assert isinstance(note, CreditNote)
    assert [shown_line(line)[:2] for line in note.lines] == [("50.00", "6.52"), ("-34.50", "-4.50")]
    assert all(line.discount_amount is None for line in note.lines)
    assert shown_documents(books)[1:] == [("SH-1001-T2", "-15.50", "2.02")]
    assert shown_payments(books)[1:] == [("SH-1001-T2", "15.50", "601")]


def test_an_exchange_for_something_dearer_is_one_invoice_with_both_signs() -> None:
    dearer = sale("69.00", tax("9.00"), quantity=2, line=13)
    exchange = returned(2, sale("-50.00", tax("-6.52"), action="RETURN", quantity=-1, line=11), dearer)
    money = [PAID, transaction(92, "19.00", at=NOON + DAY)]
    books = posted(order(SOLD, exchange, lines=LINES, transactions=money))
    assert isinstance(books.documents[1], Invoice)
    assert [shown_line(line)[:2] for line in books.documents[1].lines] == [("-50.00", "-6.52"), ("69.00", "9.00")]
    assert shown_documents(books)[1:] == [("SH-1001-T2", "19.00", "2.48")]
    assert shown_payments(books)[1:] == [("SH-1001-T2", "19.00", "601")]


def test_an_even_exchange_of_the_same_account_and_tax_needs_no_document() -> None:
    exchange = returned(
        2,
        sale("-50.00", tax("-6.52"), action="RETURN", quantity=-1, line=11),
        sale("50.00", tax("6.52"), line=14),
    )
    lines = [*LINES, line_item(14, "50.00", title="Jug")]
    books = posted(order(SOLD, exchange, lines=lines, transactions=[PAID]))
    assert shown_documents(books) == [("SH-1001", "100.00", "13.04")]


def test_an_even_exchange_between_accounts_is_an_invoice_of_nothing_with_both_rows() -> None:
    exchange = returned(
        2,
        sale("-50.00", tax("-6.52"), action="RETURN", quantity=-1, line=11),
        sale("50.00", tax("6.52"), line=14),
    )
    lines = [*LINES, line_item(14, "50.00", title="Atlas", sku="ATLAS")]
    books_account = BooksPolicy(accounts=AccountPolicy(overrides=(AccountOverride(sku="ATLAS", account="201"),)))
    books = posted(order(SOLD, exchange, lines=lines, transactions=[PAID]), books_account)
    assert shown_documents(books)[1:] == [("SH-1001-T2", "0.00", "0.00")]
    assert [shown_line(line)[::2] for line in books.documents[1].lines] == [("-50.00", "200"), ("50.00", "201")]


WITH_SHIPPING = agreement(
    1,
    sale("100.00", tax("13.04"), quantity=2, line=11),
    sale("11.50", tax("1.50"), line_type="SHIPPING", title="Courier"),
)
PAID_WITH_SHIPPING = transaction(91, "111.50")


def test_the_shipping_refunded_in_full_comes_back_on_the_shipping_account() -> None:
    back = refunded(2, sale("-11.50", tax("-1.50"), line_type="SHIPPING", action="RETURN", title="Courier"), refund=31)
    money = [PAID_WITH_SHIPPING, transaction(92, "11.50", "REFUND", at=NOON + DAY)]
    books = posted(order(WITH_SHIPPING, back, lines=LINES, transactions=money, refunds=[refund(31, 92, at=NOON + DAY)]))
    assert [shown_line(line) for line in books.documents[1].lines] == [("11.50", "1.50", "205", "OUTPUT2")]
    assert shown_payments(books)[1:] == [("SH-1001-R2", "11.50", "601")]


def test_part_of_the_shipping_is_refunded_with_its_part_of_the_tax() -> None:
    back = refunded(2, sale("-4.60", tax("-0.60"), line_type="SHIPPING", action="RETURN", title="Courier"), refund=31)
    money = [PAID_WITH_SHIPPING, transaction(92, "4.60", "REFUND", at=NOON + DAY)]
    books = posted(order(WITH_SHIPPING, back, lines=LINES, transactions=money, refunds=[refund(31, 92, at=NOON + DAY)]))
    assert [shown_line(line) for line in books.documents[1].lines] == [("4.60", "0.60", "205", "OUTPUT2")]


def amount_refunded(*rows: str, money: str) -> list[tuple[str, str, str, str]]:
    """Return the credit note of a refund with these adjusting rows beside 50.00 of goods."""
    goods = sale("-50.00", tax("-6.52"), action="RETURN", quantity=-1, line=11)
    adjusting = [sale(row, line_type="ADJUSTMENT", action="UPDATE") for row in rows]
    back = refunded(2, goods, *adjusting, refund=31)
    transactions = [PAID, transaction(92, money, "REFUND", at=NOON + DAY)]
    books = posted(order(SOLD, back, lines=LINES, transactions=transactions, refunds=[refund(31, 92)]))
    assert shown_payments(books)[1:] == [("SH-1001-R2", money, "601")]
    return [shown_line(line) for line in books.documents[1].lines]


def test_a_refund_of_less_than_what_came_back_keeps_the_difference_on_adjustments() -> None:
    assert amount_refunded("10.00", money="40.00") == [
        ("50.00", "6.52", "200", "OUTPUT2"),
        ("-10.00", "0", "208", "NONE"),
    ]


def test_a_refund_of_more_than_what_came_back_gives_the_difference_from_adjustments() -> None:
    assert amount_refunded("-5.00", money="55.00") == [
        ("50.00", "6.52", "200", "OUTPUT2"),
        ("5.00", "0", "208", "NONE"),
    ]


def test_a_refund_of_an_amount_without_any_goods_is_a_credit_note_on_adjustments() -> None:
    back = refunded(2, sale("-15.00", line_type="ADJUSTMENT", action="UPDATE", title="Goodwill"), refund=31)
    money = [PAID, transaction(92, "15.00", "REFUND", at=NOON + DAY)]
    books = posted(order(SOLD, back, lines=LINES, transactions=money, refunds=[refund(31, 92)]))
    assert [shown_line(line) for line in books.documents[1].lines] == [("15.00", "0", "208", "NONE")]
    assert shown_payments(books)[1:] == [("SH-1001-R2", "15.00", "601")]


def test_goods_put_back_on_the_shelf_without_money_are_no_document() -> None:
    restocked = order(SOLD, refunded(2, refund=31), lines=LINES, transactions=[PAID], refunds=[refund(31)])
    assert shown_documents(posted(restocked)) == [("SH-1001", "100.00", "13.04")]


def test_a_return_that_is_only_opened_is_no_document() -> None:
    nothing_yet = returned(2, sale("0.00", action="RETURN", quantity=0, line=11))
    books = posted(order(SOLD, nothing_yet, lines=LINES, transactions=[PAID]))
    assert shown_documents(books) == [("SH-1001", "100.00", "13.04")]


def test_a_return_fee_kept_from_the_refund_is_revenue_on_the_fees_account() -> None:
    back = returned(
        2,
        sale("-50.00", tax("-6.52"), action="RETURN", quantity=-1, line=11),
        sale("5.75", tax("0.75"), line_type="FEE", title="Restocking fee"),
    )
    money = [PAID, transaction(92, "44.25", "REFUND", at=NOON + DAY)]
    books = posted(order(SOLD, back, lines=LINES, transactions=money))
    assert [shown_line(line) for line in books.documents[1].lines] == [
        ("50.00", "6.52", "200", "OUTPUT2"),
        ("-5.75", "-0.75", "206", "OUTPUT2"),
    ]
    assert shown_documents(books)[1:] == [("SH-1001-T2", "-44.25", "5.77")]


def test_a_line_that_was_edited_up_is_refunded_at_what_it_then_cost() -> None:
    dearer = edited(2, sale("11.50", tax("1.50"), action="UPDATE", quantity=0, line=11))
    back = refunded(3, sale("-111.50", tax("-14.54"), action="RETURN", quantity=-2, line=11), day=2, refund=31)
    money = [transaction(91, "111.50", at=NOON + DAY), transaction(92, "111.50", "REFUND", at=NOON + 2 * DAY)]
    refunds = [refund(31, 92, at=NOON + 2 * DAY)]
    books = posted(order(SOLD, dearer, back, lines=LINES, transactions=money, refunds=refunds))
    assert shown_documents(books) == [
        ("SH-1001", "100.00", "13.04"),
        ("SH-1001-E2", "11.50", "1.50"),
        ("SH-1001-R3", "-111.50", "14.54"),
    ]
    assert shown_payments(books) == [
        ("SH-1001", "100.00", "601"),
        ("SH-1001-E2", "11.50", "601"),
        ("SH-1001-R3", "111.50", "601"),
    ]


def test_a_line_added_by_an_edit_and_refunded_later_ends_at_nothing() -> None:
    added = edited(2, sale("20.00", tax("2.61"), line=12))
    back = refunded(3, sale("-20.00", tax("-2.61"), action="RETURN", quantity=-1, line=12), day=2, refund=31)
    money = [PAID, transaction(92, "20.00", at=NOON + DAY), transaction(93, "20.00", "REFUND", at=NOON + 2 * DAY)]
    subject = order(SOLD, added, back, lines=LINES, transactions=money, refunds=[refund(31, 93, at=NOON + 2 * DAY)])
    assert shown_documents(posted(subject))[1:] == [("SH-1001-E2", "20.00", "2.61"), ("SH-1001-R3", "-20.00", "2.61")]


def test_a_second_sale_on_the_same_order_is_an_invoice_of_its_own() -> None:
    second = agreement(2, sale("20.00", tax("2.61"), line=12), at=NOON + DAY)
    books = posted(order(SOLD, second, lines=LINES, transactions=[PAID, transaction(92, "20.00", at=NOON + DAY)]))
    assert shown_documents(books) == [("SH-1001", "100.00", "13.04"), ("SH-1001-O2", "20.00", "2.61")]


def test_later_events_never_change_the_documents_already_posted() -> None:
    added = edited(2, sale("20.00", tax("2.61"), line=12))
    before = posted(order(SOLD, lines=LINES, transactions=[PAID]))
    after = posted(order(SOLD, added, lines=LINES, transactions=[PAID]), ledger=ledger_of(before))
    last = refunded(3, sale("-50.00", tax("-6.52"), action="RETURN", line=11), day=2)
    late = posted(order(SOLD, added, last, lines=LINES, transactions=[PAID]), ledger=ledger_of(after))
    assert late.documents[:2] == after.documents
    assert late.documents[0] == before.documents[0]


def test_an_order_that_began_below_nothing_blocks() -> None:
    assert "the order's original total is negative, -5.00" in blocked(order(agreement(1, sale("-5.00"))), PLACED)


def test_a_zero_order_without_a_single_row_has_nothing_to_post_even_if_wanted() -> None:
    subject = order(agreement(1), edited(2, sale("5.00"), sale("-5.00")))
    assert left_alone(subject, BooksPolicy(zero_value="post")) == (
        "skipped",
        "nothing to post: every agreement nets to zero",
    )
