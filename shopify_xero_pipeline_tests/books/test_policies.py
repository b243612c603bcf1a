"""Each policy of `books.yaml` in each of its values: what it changes, and that the default is the default."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.shopify.models import Address, Order, PaymentTerms
from shopify_xero_pipeline_tests.books.booking import DAY, blocked, edited, left_alone, posted, refunded
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    bag,
    ledger_of,
    line_item,
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

SOLD = agreement(1, sale("115.00", tax("15.00"), line=11))
LINES = [line_item(11, "115.00")]
PAID = [transaction(91, "115.00")]
OF_115 = order(SOLD, lines=LINES, transactions=PAID)


def chosen(text: str) -> BooksPolicy:
    """Return the policies of a `books.yaml` that says only this."""
    return BooksPolicy.from_yaml(text, "books.yaml")


def first_lines(subject: Order, text: str) -> list[tuple[str, str, str, str]]:
    """Return the lines of an order's first document under such a `books.yaml`."""
    return [shown_line(line) for line in posted(subject, chosen(text)).documents[0].lines]


def test_post_when_paid_waits_for_the_first_payment_and_placed_does_not() -> None:
    unpaid = order(SOLD, lines=LINES, display_financial_status="PENDING")
    assert left_alone(unpaid) == (
        "waiting",
        "waiting for the first payment (post_when: paid); Shopify calls it pending",
    )
    assert left_alone(unpaid, chosen("post_when: paid")) == left_alone(unpaid)
    assert shown_documents(posted(unpaid, chosen("post_when: placed"))) == [("SH-1001", "115.00", "15.00")]


def test_with_post_when_paid_a_first_payment_of_a_cent_posts_every_agreement_so_far() -> None:
    added = edited(2, sale("20.00", tax("2.61")))
    deposit = order(SOLD, added, lines=LINES, transactions=[transaction(91, "0.01", at=NOON + DAY)])
    assert shown_documents(posted(deposit)) == [("SH-1001", "115.00", "15.00"), ("SH-1001-E2", "20.00", "2.61")]


@pytest.mark.parametrize("text", ["post_when: paid", "post_when: placed"])
def test_an_order_with_payment_terms_is_posted_when_placed_under_either_policy(text: str) -> None:
    on_terms = order(SOLD, lines=LINES, payment_terms=PaymentTerms(payment_schedules=()))
    assert shown_documents(posted(on_terms, chosen(text))) == [("SH-1001", "115.00", "15.00")]


@pytest.mark.parametrize("text", ["post_when: paid", "post_when: placed"])
def test_an_order_cancelled_unpaid_before_it_was_posted_is_skipped_under_either_policy(text: str) -> None:
    gone = order(SOLD, edited(2, sale("-115.00", tax("-15.00"), action="RETURN")), cancelled_at=NOON + DAY)
    assert left_alone(gone, chosen(text)) == ("skipped", "cancelled before anything was posted, and never paid")


@pytest.mark.parametrize("text", ["", "post_when: placed", "zero_value: post", "opening: post"])
def test_test_orders_are_skipped_under_every_policy(text: str) -> None:
    bogus = order(SOLD, lines=LINES, transactions=[transaction(91, "115.00", gateway="bogus")], test=True)
    assert left_alone(bogus, chosen(text)) == ("skipped", "a test order: no goods and no money moved")


def older_order() -> Order:
    later = NOON + 10 * DAY
    return order(
        SOLD,
        refunded(2, sale("-23.00", tax("-3.00"), action="RETURN", line=11), day=10, refund=31),
        lines=LINES,
        transactions=[*PAID, transaction(92, "23.00", "REFUND", at=later)],
        refunds=[refund(31, 92, at=later)],
    )


def test_opening_block_lists_an_older_order_that_was_refunded_and_post_keeps_the_refund_only() -> None:
    start = "start_date: 2026-10-01\n"
    assert blocked(older_order(), chosen(start)).startswith("opening: placed before the start date 2026-10-01")
    assert blocked(older_order(), chosen(start + "opening: block")).startswith("opening: ")
    books = posted(older_order(), chosen(start + "opening: post"))
    assert shown_documents(books) == [("SH-1001-R2", "-23.00", "3.00")]
    assert shown_payments(books) == [("SH-1001-R2", "23.00", "601")]
    assert (books.earlier_sales, books.earlier_money) == (Decimal("115.00"), Decimal("115.00"))


def test_zero_value_skip_leaves_a_free_order_out_and_post_makes_an_invoice_of_nothing() -> None:
    free = order(agreement(1, sale("0.00", tax("0.00"), line=11)), lines=LINES)
    assert left_alone(free, chosen("zero_value: skip")) == left_alone(free)
    assert left_alone(free)[0] == "skipped"
    assert shown_documents(posted(free, chosen("zero_value: post"))) == [("SH-1001", "0.00", "0.00")]


def test_locked_period_block_names_the_day_and_next_open_day_moves_to_it() -> None:
    locked = organisation(locked=date(2026, 9, 30))
    for text in ("", "locked_period: block"):
        assert "SH-1001 is dated 2026-09-22, but Xero's lock date is 2026-09-30" in blocked(
            OF_115, chosen(text), xero=locked
        )
    books = posted(OF_115, chosen("locked_period: next_open_day"), xero=locked)
    assert (books.documents[0].date, books.payments[0].date) == (date(2026, 10, 1), date(2026, 10, 1))


def test_refund_uncovered_block_lists_the_order_and_adjust_credits_what_is_uncovered() -> None:
    subject = order(SOLD, lines=LINES, transactions=[*PAID, transaction(92, "10.00", "REFUND", at=NOON + DAY)])
    assert blocked(subject, chosen("")).endswith("add to books.yaml: refund: {uncovered: adjust}")
    chosen_so = blocked(subject, chosen("refund: {uncovered: block}"))
    assert chosen_so.endswith("set in books.yaml under refund: uncovered: adjust")
    books = posted(subject, chosen("refund: {uncovered: adjust}"))
    assert shown_documents(books) == [("SH-1001", "115.00", "15.00"), ("SH-1001-M92", "-10.00", "0")]
    assert shown_line(books.documents[1].lines[0]) == ("10.00", "0", "208", "NONE")
    assert shown_payments(books)[1:] == [("SH-1001-M92", "10.00", "601")]


def test_rounding_cap_is_how_far_rows_may_miss_the_total() -> None:
    def missing_by(gap: str, text: str = "") -> OrderBooks:
        total = bag(Decimal("115.00") + Decimal(gap))
        money = [transaction(91, str(Decimal("115.00") + Decimal(gap)))]
        subject = order(
            SOLD, lines=LINES, transactions=money, original_total_price_set=total, current_total_price_set=total
        )
        return build_order_books(subject, chosen(text), organisation())

    for gap in ("0.05", "-0.05"):
        assert shown_line(missing_by(gap).documents[0].lines[-1]) == (gap, "0", "860", "NONE")
    assert "a gap of 0.06, more than rounding.cap 0.05" in missing_by("0.06").reason
    assert "a gap of -0.01, more than rounding.cap 0" in missing_by("-0.01", "rounding: {cap: 0}").reason
    assert missing_by("0.10", "rounding: {cap: 0.10}").documents[0].total == Decimal("115.10")


def test_the_prefix_begins_every_number_and_may_be_nothing() -> None:
    subject = order(SOLD, edited(2, sale("20.00")), lines=LINES, transactions=PAID)
    assert [entry.number for entry in posted(subject, chosen("prefix: NZ.")).documents] == ["NZ.1001", "NZ.1001-E2"]
    assert [entry.number for entry in posted(subject, chosen("prefix: ''")).documents] == ["1001", "1001-E2"]


def test_a_new_prefix_leaves_numbers_already_given_as_they_are() -> None:
    ledger = ledger_of(posted(OF_115))
    added = order(SOLD, edited(2, sale("20.00")), lines=LINES, transactions=PAID)
    assert [entry.number for entry in posted(added, chosen("prefix: NEW-"), ledger).documents] == [
        "SH-1001",
        "SH-1001-E2",
    ]


@pytest.mark.parametrize(
    ("setting", "line_type"),
    [
        ("sales", "PRODUCT"),
        ("shipping", "SHIPPING"),
        ("fees", "FEE"),
        ("fees", "ADDITIONAL_FEE"),
        ("duties", "DUTY"),
        ("adjustments", "ADJUSTMENT"),
        ("tips", "TIP"),
        ("gift_cards", "GIFT_CARD"),
    ],
)
def test_each_account_of_books_yaml_is_the_account_of_its_rows(setting: str, line_type: str) -> None:
    subject = order(agreement(1, sale("10.00", line_type=line_type)), transactions=[transaction(91, "10.00")])
    assert first_lines(subject, f"accounts: {{{setting}: '999'}}")[0][2] == "999"


def test_the_gift_card_account_takes_what_is_sold_and_pays_what_is_used() -> None:
    subject = order(
        agreement(1, sale("10.00", line_type="GIFT_CARD")), transactions=[transaction(91, "10.00", gateway="gift_card")]
    )
    books = posted(subject, chosen("accounts: {gift_cards: '999'}"))
    assert (books.documents[0].lines[0].account_code, books.payments[0].account_code) == ("999", "999")


def test_the_channels_tax_account_takes_the_tax_and_pays_what_the_channel_kept_back() -> None:
    row = sale("115.00", tax("15.00", channel_liable=True))
    short = order(agreement(1, row), transactions=[transaction(91, "100.00")], display_financial_status="PAID")
    books = posted(short, chosen("accounts: {channel_tax: '999'}"))
    assert [line.account_code for line in books.documents[0].lines] == ["200", "999"]
    assert shown_payments(books) == [("SH-1001", "100.00", "601"), ("SH-1001", "15.00", "999")]


def test_the_rounding_account_takes_cents_and_cash_rounding() -> None:
    cash = [transaction(91, "115.00", gateway="cash", rounding="0.02")]
    books = posted(order(SOLD, lines=LINES, transactions=cash), chosen("accounts: {rounding: '999'}"))
    assert shown_line(books.documents[1].lines[0]) == ("0.02", "0", "999", "NONE")


@pytest.mark.parametrize("written", ["shopify_payments", "Shopify_Payments", " SHOPIFY_PAYMENTS "])
def test_a_gateway_is_found_however_books_yaml_writes_it(written: str) -> None:
    policy = chosen(f"payments: {{'{written}': '699'}}")
    assert shown_payments(posted(OF_115, policy)) == [("SH-1001", "115.00", "699")]


def test_the_gateways_of_books_yaml_replace_the_default_ones_all_together() -> None:
    paypal = order(SOLD, lines=LINES, transactions=[transaction(91, "115.00", gateway="paypal")])
    assert "no account for money through paypal" in blocked(paypal, chosen("payments: {cash: '603'}"))


def test_tax_none_is_the_type_of_gift_cards_tips_adjustments_and_rounding() -> None:
    rows = [sale("1.00", line_type=kind) for kind in ("GIFT_CARD", "TIP", "ADJUSTMENT")]
    cash = [transaction(91, "3.00", gateway="cash", rounding="0.05")]
    books = posted(order(agreement(1, *rows), transactions=cash), chosen("tax: {none: BASEXCLUDED}"))
    assert {line.tax_type for document in books.documents for line in document.lines} == {"BASEXCLUDED"}


def test_tax_untaxed_is_the_type_of_goods_and_shipping_without_tax_by_country_where_it_matters() -> None:
    rows = [sale("10.00"), sale("2.00", line_type="SHIPPING")]
    text = "tax: {untaxed: EXEMPTOUTPUT, untaxed_by_country: {AU: ZERORATED}}"

    def types(country: str | None) -> set[str]:
        to = Address(country_code_v2=country) if country else None
        subject = order(agreement(1, *rows), transactions=[transaction(91, "12.00")], shipping_address=to)
        return {row[3] for row in first_lines(subject, text)}

    assert (types(None), types("NZ"), types("AU")) == ({"EXEMPTOUTPUT"}, {"EXEMPTOUTPUT"}, {"ZERORATED"})


RATES = """
tax:
  rates:
    - {title: VAT, rate: 0.2, tax_type: UK}
    - {title: VAT, rate: 0.2, country: IE, tax_type: OSS_IE}
    - {title: VAT, tax_type: OTHER}
    - {rate: 0, tax_type: ZERO}
"""


@pytest.mark.parametrize(
    ("title", "rate", "amount", "country", "expected"),
    [
        ("VAT", "0.2", "2.00", "GB", "UK"),
        ("vat ", "0.20", "2.00", "GB", "UK"),
        ("VAT", "0.2", "2.00", "IE", "OSS_IE"),
        ("VAT", "0.21", "2.00", "IE", "OTHER"),
        ("Anything", "0", "0.00", "GB", "ZERO"),
        ("VAT", "0", "0.00", "GB", "OTHER"),
    ],
)
def test_a_tax_is_found_by_title_rate_and_country_and_the_entry_that_says_most_wins(
    title: str, rate: str, amount: str, country: str, expected: str
) -> None:
    subject = order(
        agreement(1, sale("12.00", tax(amount, title, rate))),
        transactions=[transaction(91, "12.00")],
        shipping_address=Address(country_code_v2=country),
    )
    assert first_lines(subject, RATES)[0][3] == expected


def test_of_two_entries_that_say_as_much_the_first_wins() -> None:
    text = "tax: {rates: [{title: GST, tax_type: BY_TITLE}, {rate: 0.15, tax_type: BY_RATE}]}"
    assert first_lines(OF_115, text)[0][3] == "BY_TITLE"


def test_tax_mode_rates_leaves_the_tax_on_the_line_and_lines_puts_it_beside_it() -> None:
    assert first_lines(OF_115, "tax: {mode: rates}") == [("115.00", "15.00", "200", "OUTPUT2")]
    assert first_lines(OF_115, "tax: {mode: lines, lines: [{title: GST, account: '820'}]}") == [
        ("100.00", "0", "200", "NONE"),
        ("15.00", "0", "820", "NONE"),
    ]


def test_the_time_zone_decides_on_which_day_an_order_is_dated() -> None:
    # Noon of 22 September in Auckland is the evening of 21 September in New York.
    def dated(text: str, **more: Any) -> date:
        return posted(order(SOLD, lines=LINES, transactions=PAID, **more), chosen(text)).documents[0].date

    assert dated("time_zone: Pacific/Auckland") == date(2026, 9, 22)
    assert dated("time_zone: America/New_York") == date(2026, 9, 21)


def test_the_start_date_is_the_first_day_that_is_kept() -> None:
    assert posted(OF_115, chosen("start_date: 2026-09-22")).documents
    assert left_alone(OF_115, chosen("start_date: 2026-09-23"))[0] == "skipped"
