"""What becomes of an order, when, dated when, numbered how; and what must hold before anything is planned."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.numbering import sanitize_order_name
from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy, RoundingPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedDocument, PostedRecords
from shopify_xero_pipeline.shopify.models import Company, Order, PaymentSchedule, PaymentTerms
from shopify_xero_pipeline.xero.models import Invoice, Kind, Organisation
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    bag,
    customer,
    gid,
    invoice,
    ledger_of,
    order,
    organisation,
    refund,
    sale,
    shown_documents,
    shown_line,
    shown_payments,
    tax,
    transaction,
)

DAY = timedelta(days=1)
SOLD = agreement(1, sale("100.00"))
PAID = [transaction(91, "100.00")]
PLACED = BooksPolicy(post_when="placed")


def kept(
    subject: Order, policy: BooksPolicy | None = None, ledger: PostedRecords | None = None, **more: Any
) -> OrderBooks:
    xero = more.pop("xero", None)
    assert xero is None or isinstance(xero, Organisation)
    return build_order_books(
        subject, policy or BooksPolicy(), xero or organisation(), ledger or PostedRecords(), **more
    )


def verdict(subject: Order, policy: BooksPolicy | None = None) -> tuple[str, str]:
    books = kept(subject, policy)
    return books.outcome.value, books.reason


def test_an_order_without_any_payment_waits() -> None:
    outcome, reason = verdict(order(SOLD, display_financial_status="AUTHORIZED"))
    assert (outcome, reason) == (
        "waiting",
        "waiting for the first payment (post_when: paid); Shopify calls it authorized",
    )
    assert kept(order(SOLD, transactions=[transaction(91, "1.00")])).outcome is Outcome.POST
    assert kept(order(SOLD), PLACED).outcome is Outcome.POST


def test_an_order_with_payment_terms_is_posted_when_placed_and_due_on_their_last_day() -> None:
    schedules = (
        PaymentSchedule(due_at=datetime(2026, 10, 31, tzinfo=UTC)),
        PaymentSchedule(due_at=datetime(2026, 9, 30, tzinfo=UTC)),
        PaymentSchedule(due_at=None),
    )
    books = kept(order(SOLD, payment_terms=PaymentTerms(payment_schedules=schedules)))
    assert invoice(books, "SH-1001").due_date == date(2026, 10, 31)
    past = PaymentTerms(payment_schedules=(PaymentSchedule(due_at=datetime(2026, 9, 1, tzinfo=UTC)),))
    assert invoice(kept(order(SOLD, payment_terms=past)), "SH-1001").due_date == date(2026, 9, 22)


def test_an_order_cancelled_unpaid_before_it_was_posted_is_skipped() -> None:
    back = agreement(2, sale("-100.00", action="RETURN"), reason="ORDER_EDIT", at=NOON + DAY)
    cancelled = order(SOLD, back, cancelled_at=NOON + DAY)
    assert verdict(cancelled) == ("skipped", "cancelled before anything was posted, and never paid")
    assert verdict(cancelled, PLACED)[0] == "skipped"


def test_a_test_order_is_skipped() -> None:
    assert verdict(order(SOLD, transactions=PAID, test=True))[0] == "skipped"


def test_an_order_worth_nothing_is_skipped_or_posted_as_the_merchant_says() -> None:
    free = order(agreement(1, sale("0.00", tax("0.00"))))
    assert verdict(free)[0] == "skipped"
    books = kept(free, BooksPolicy(zero_value="post"))
    assert shown_documents(books) == [("SH-1001", "0.00", "0.00")]


def test_an_order_that_began_with_nothing_and_grew_has_no_first_invoice() -> None:
    grown = order(
        agreement(1, sale("0.00", tax("0.00"))),
        agreement(2, sale("20.00"), reason="ORDER_EDIT", at=NOON + DAY),
        transactions=[transaction(91, "20.00")],
    )
    assert shown_documents(kept(grown)) == [("SH-1001-E2", "20.00", "0")]


def test_an_order_whose_every_entry_cancels_out_though_money_moved_has_nothing_to_post() -> None:
    swap = order(agreement(1, sale("5.00"), sale("-5.00")), transactions=[transaction(91, "0.01", gateway="cash")])
    assert verdict(swap)[0] == "blocked"
    policy = BooksPolicy(start_date=date(2026, 9, 23), opening="post")
    old = order(SOLD, agreement(2, sale("0.00"), reason="REFUND", at=NOON + 3 * DAY), transactions=PAID)
    assert verdict(old, policy) == ("skipped", "nothing to post: every agreement nets to zero")


def test_entries_that_cancel_out_per_account_and_tax_need_no_document() -> None:
    pair = agreement(
        2,
        sale("4.00", line_type="ADJUSTMENT"),
        sale("-4.00", line_type="ADJUSTMENT"),
        reason="REFUND",
        at=NOON + DAY,
    )
    assert shown_documents(kept(order(SOLD, pair, transactions=PAID))) == [("SH-1001", "100.00", "0")]


def test_later_entries_are_lettered_by_their_reason() -> None:
    entries = [
        agreement(number, sale("1.00"), reason=reason, at=NOON + number * DAY)
        for number, reason in enumerate(["ORDER_EDIT", "RETURN", "REFUND", "ORDER"], start=2)
    ]
    books = kept(order(SOLD, *entries, transactions=PAID))
    assert [entry.number for entry in books.documents] == [
        "SH-1001",
        "SH-1001-E2",
        "SH-1001-T3",
        "SH-1001-R4",
        "SH-1001-O5",
    ]


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (order(agreement(1, sale("-1.00")), transactions=PAID), "the order's original total is negative, -1.00"),
        (order(agreement(2, sale("1.00"), reason="UNKNOWN"), SOLD, transactions=PAID), "the reason UNKNOWN"),
        (order(agreement(2, sale("9.00"), reason="REFUND"), transactions=PAID), "no agreement for the order itself"),
        (order(transactions=PAID), "no agreement for the order itself"),
    ],
)
def test_an_entry_without_a_rule_blocks_the_order(subject: Order, words: str) -> None:
    outcome, reason = verdict(subject)
    assert outcome == "blocked"
    assert words in reason


def test_a_document_says_who_it_is_and_links_the_order() -> None:
    books = kept(order(SOLD, transactions=PAID), shop_handle="kiwi-shop")
    (document,) = books.documents
    assert isinstance(document, Invoice)
    assert document.shopify_id == "5001/1"
    assert document.reference == "#1001 shopify:5001/1"
    assert document.url == "https://admin.shopify.com/store/kiwi-shop/orders/5001"
    assert invoice(kept(order(SOLD, transactions=PAID), shop_handle="xerographica"), "SH-1001").url is None
    assert invoice(kept(order(SOLD, transactions=PAID)), "SH-1001").url is None


def test_characters_that_do_not_belong_in_a_number_become_hyphens() -> None:
    assert [sanitize_order_name(name) for name in ("#1001", "EN/10 01#A", "#é7", "1.0_0-1")] == [
        "1001",
        "EN-10-01-A",
        "-7",
        "1.0_0-1",
    ]
    assert kept(order(SOLD, transactions=PAID, name="#")).documents[0].number == "SH-5001"


def test_a_number_once_given_survives_a_renamed_order_and_later_documents_follow_it() -> None:
    before = kept(order(SOLD, transactions=PAID))
    added = agreement(2, sale("5.00"), reason="ORDER_EDIT", at=NOON + DAY)
    after = kept(order(SOLD, added, transactions=PAID, name="#2002"), ledger=ledger_of(before))
    assert [entry.number for entry in after.documents] == ["SH-1001", "SH-1001-E2"]
    assert after.documents[1].reference == "#2002 shopify:5001/2"


def test_a_number_of_somebody_elses_document_gets_the_orders_id() -> None:
    added = agreement(2, sale("5.00"), reason="ORDER_EDIT", at=NOON + DAY)
    subject = order(SOLD, added, transactions=PAID)
    assert [entry.number for entry in kept(subject, taken=["sh-1001"]).documents] == ["SH-1001-5001", "SH-1001-5001-E2"]
    assert [entry.number for entry in kept(subject, taken=["SH-1001-E2"]).documents] == ["SH-1001", "SH-1001-E2-5001"]


def test_a_refund_is_dated_by_its_refund_record_and_other_entries_by_when_they_happened() -> None:
    books = kept(
        order(
            SOLD,
            agreement(2, sale("-10.00"), reason="REFUND", refund=31, at=NOON + DAY),
            agreement(3, sale("-10.00"), reason="REFUND", refund=99, at=NOON + 2 * DAY),
            agreement(4, sale("5.00"), reason="ORDER_EDIT", at=NOON + 3 * DAY),
            transactions=PAID,
            refunds=[refund(31, at=NOON + 9 * DAY)],
        )
    )
    assert [entry.date for entry in books.documents] == [
        date(2026, 9, 22),
        date(2026, 10, 1),
        date(2026, 9, 24),
        date(2026, 9, 25),
    ]


def test_both_sides_of_a_daylight_saving_night_are_dated_by_the_shops_clock() -> None:
    def day(hour: int, minute: int, of: int) -> date:
        at = datetime(2026, 9, of, hour, minute, tzinfo=UTC)
        return kept(order(agreement(1, sale("1.00"), at=at), at=at), PLACED).documents[0].date

    assert day(11, 59, 26) == date(2026, 9, 26)  # 23:59 at UTC+12
    assert day(12, 0, 26) == date(2026, 9, 27)
    assert day(10, 59, 27) == date(2026, 9, 27)  # 23:59 at UTC+13
    assert day(11, 0, 27) == date(2026, 9, 28)


def test_a_locked_day_blocks_and_names_the_lock_date() -> None:
    books = kept(order(SOLD, transactions=PAID), xero=organisation(locked=date(2026, 9, 22)))
    assert books.outcome is Outcome.BLOCKED
    assert "SH-1001 is dated 2026-09-22, but Xero's lock date is 2026-09-22" in books.reason
    assert kept(order(SOLD, transactions=PAID), xero=organisation(locked=date(2026, 9, 21))).outcome is Outcome.POST


def test_a_locked_day_moves_to_the_next_open_one_if_the_merchant_says_so_and_stays_there() -> None:
    policy = BooksPolicy(locked_period="next_open_day")
    subject = order(SOLD, transactions=PAID)
    moved = kept(subject, policy, xero=organisation(locked=date(2026, 9, 30)))
    assert (moved.documents[0].date, moved.payments[0].date) == (date(2026, 10, 1), date(2026, 10, 1))
    assert moved.documents[0].lines[0].description == "Product (dated 2026-09-22 in Shopify)"
    again = kept(subject, policy, ledger_of(moved), xero=organisation(locked=date(2026, 10, 31)))
    assert (again.documents, again.payments) == (moved.documents, moved.payments)


def test_what_is_posted_is_not_touched_by_a_later_lock_but_new_money_is() -> None:
    before = kept(order(SOLD, transactions=[transaction(91, "60.00")]))
    later = order(SOLD, transactions=[transaction(91, "60.00"), transaction(92, "40.00", at=NOON + DAY)])
    books = kept(later, ledger=ledger_of(before), xero=organisation(locked=date(2026, 9, 30)))
    assert "the payment of transaction 92 is dated 2026-09-23" in books.reason


def test_all_documents_of_an_order_use_the_contact_of_its_first_posted_one() -> None:
    before = kept(order(SOLD, transactions=PAID))
    assert before.contact is not None
    added = agreement(2, sale("5.00"), reason="ORDER_EDIT", at=NOON + DAY)
    after = kept(order(SOLD, added, transactions=PAID, buyer=customer(8)), ledger=ledger_of(before))
    assert {entry.contact_id for entry in after.documents} == {"7"}
    assert after.contact is None


def test_the_buyers_company_is_the_contact() -> None:
    books = kept(order(SOLD, transactions=PAID, company=Company(id=gid("Company", 3), name="Acme Ltd")))
    assert books.contact is not None
    assert (books.contact.contact_number, books.contact.name) == ("shopify:company:3", "Acme Ltd")
    assert books.documents[0].contact_id == "company:3"


def test_the_gap_of_a_cent_is_closed_by_a_rounding_line_on_the_first_document() -> None:
    totals: Any = {"original_total_price_set": bag("100.01"), "current_total_price_set": bag("100.01")}
    books = kept(order(SOLD, transactions=[transaction(91, "100.01")], **totals))
    assert [shown_line(line) for line in books.documents[0].lines] == [
        ("100.00", "0", "200", "NONE"),
        ("0.01", "0", "860", "NONE"),
    ]
    assert shown_documents(books) == [("SH-1001", "100.01", "0")]


def test_a_gap_above_the_cap_blocks_with_the_arithmetic() -> None:
    outcome, reason = verdict(order(SOLD, transactions=PAID, original_total_price_set=bag("100.06")))
    assert outcome == "blocked"
    assert "Shopify's total is 100.06, its rows add up to 100.00: a gap of 0.06, more than rounding.cap 0.05" in reason
    strict = BooksPolicy(rounding=RoundingPolicy(cap=Decimal(0)))
    assert verdict(order(SOLD, transactions=PAID, original_total_price_set=bag("100.01")), strict)[0] == "blocked"


def test_documents_that_are_not_shopifys_current_total_block_with_the_arithmetic() -> None:
    back = agreement(2, sale("-30.00"), reason="RETURN", at=NOON + DAY)
    outcome, reason = verdict(order(SOLD, back, transactions=PAID, current_total_price_set=bag("80.00")))
    assert outcome == "blocked"
    assert "add up to 100.00 + -30.00 = 70.00, but Shopify's current total is 80.00" in reason


def test_a_third_decimal_blocks() -> None:
    subject = order(agreement(1, sale("1.235", currency="KWD")), currency="KWD")
    books = build_order_books(subject, PLACED, organisation(currencies=("NZD", "KWD")))
    assert books.outcome is Outcome.BLOCKED
    assert books.reason.startswith("currency_precision: KWD 1.235 has more digits")
    fine = order(agreement(1, sale("1.230", currency="KWD")), currency="KWD")
    assert build_order_books(fine, PLACED, organisation(currencies=("NZD", "KWD"))).documents[0].total == Decimal(
        "1.23"
    )


def test_an_amount_too_large_to_be_real_blocks_instead_of_failing() -> None:
    huge = order(agreement(1, sale("1" + "0" * 40)))
    assert kept(huge, PLACED).outcome is Outcome.BLOCKED


def test_a_currency_xero_has_not_enabled_blocks() -> None:
    subject = order(agreement(1, sale("10.00", currency="EUR")), currency="EUR")
    books = build_order_books(subject, PLACED, organisation())
    assert "the order is in EUR, which is not enabled in Xero (base currency NZD)" in books.reason


START = BooksPolicy(start_date=date(2026, 9, 25))
START_POST = BooksPolicy(start_date=date(2026, 9, 25), opening="post")


def test_an_order_from_before_the_start_date_that_did_not_change_is_skipped() -> None:
    outcome, reason = verdict(order(SOLD, transactions=PAID), START)
    assert (outcome, reason) == ("skipped", "placed before the start date 2026-09-25 and unchanged since")


def old_order_refunded() -> Order:
    back = agreement(2, sale("-30.00"), reason="REFUND", refund=31, at=NOON + 5 * DAY)
    return order(
        SOLD,
        back,
        transactions=[*PAID, transaction(92, "30.00", "REFUND", at=NOON + 5 * DAY)],
        refunds=[refund(31, 92, at=NOON + 5 * DAY)],
    )


def test_an_order_from_before_the_start_date_that_changed_later_blocks_by_default() -> None:
    outcome, reason = verdict(old_order_refunded(), START)
    assert outcome == "blocked"
    assert "add to books.yaml: opening: post" in reason


def test_of_an_order_from_before_the_start_date_only_what_came_later_is_posted_if_wanted() -> None:
    books = kept(old_order_refunded(), START_POST)
    assert shown_documents(books) == [("SH-1001-R2", "-30.00", "0")]
    assert shown_payments(books) == [("SH-1001-R2", "30.00", "601")]
    assert (books.expected_sales, books.expected_money) == (Decimal("-30.00"), Decimal("-30.00"))
    again = kept(old_order_refunded(), START_POST, ledger_of(books))
    assert (again.documents, again.payments) == (books.documents, books.payments)


def test_money_for_an_invoice_of_the_earlier_books_has_no_document_here() -> None:
    paid_later = order(SOLD, transactions=[transaction(91, "100.00", at=NOON + 5 * DAY)])
    outcome, reason = verdict(paid_later, START_POST)
    assert outcome == "blocked"
    assert reason.startswith("payments exceed the invoices")


def test_an_order_already_kept_here_stays_whole_when_the_start_date_moves_on() -> None:
    before = kept(old_order_refunded())
    after = kept(old_order_refunded(), START, ledger_of(before))
    assert (after.documents, after.payments) == (before.documents, before.payments)


def test_a_posted_document_that_shopify_no_longer_gives_blocks() -> None:
    gone = PostedDocument(
        kind=Kind.INVOICE,
        shopify_id="5001/77",
        number="SH-1001-E77",
        date=date(2026, 9, 22),
        contact_id="7",
        total=Decimal("5.00"),
    )
    books = kept(order(SOLD, transactions=PAID), ledger=PostedRecords(documents=(gone,)))
    assert "SH-1001-E77 is posted, but Shopify's history no longer contains that document" in books.reason


def test_a_posted_document_of_another_total_blocks_with_both() -> None:
    before = ledger_of(kept(order(SOLD, transactions=PAID)))
    other = before.documents[0].model_copy(update={"total": Decimal("99.00")})
    books = kept(order(SOLD, transactions=PAID), ledger=PostedRecords(documents=(other,)))
    assert "SH-1001 is posted as invoice of 99.00, but by Shopify's history it is now invoice of 100.00" in books.reason


def test_figures_of_shopify_are_kept_beside_the_documents_even_of_a_blocked_order() -> None:
    books = kept(
        order(agreement(1, sale("11.50", tax("1.50", "Strange", "0.3"))), transactions=[transaction(91, "5.00")])
    )
    assert books.outcome is Outcome.BLOCKED
    assert (books.sales, books.tax, books.money, books.outstanding) == (
        Decimal("11.50"),
        Decimal("1.50"),
        Decimal("5.00"),
        Decimal("6.50"),
    )


def test_the_same_order_always_gives_the_same_bytes() -> None:
    subject = old_order_refunded()
    shuffled = subject.model_copy(
        update={"agreements": subject.agreements[::-1], "transactions": subject.transactions[::-1]}
    )
    assert kept(subject).model_dump_json() == kept(subject).model_dump_json() == kept(shuffled).model_dump_json()
