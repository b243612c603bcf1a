"""Every reason for which an order is blocked, waits or is skipped, word for word: a merchant acts on them."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.documents import book_agreement
from shopify_xero_pipeline.books.invariants import check_sales
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import PostedRecords
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.xero.models import Organisation
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    account,
    agreement,
    bag,
    order,
    organisation,
    sale,
    tax,
    transaction,
)

DAY = timedelta(days=1)
SOLD = agreement(1, sale("100.00"))
PAID = [transaction(91, "100.00")]
LATER = NOON + 5 * DAY
FIFTH = date(2026, 9, 25)
LINES = BooksPolicy.from_yaml("post_when: placed\ntax: {mode: lines}", "books.yaml")
RETURNED = agreement(2, sale("-10.00", action="RETURN"), reason="REFUND", at=NOON + DAY)


def sold(*rows: Any, **more: Any) -> Order:
    """An order of one entry, paid in part, so that it would be posted."""
    return order(agreement(1, *rows), **{"transactions": [transaction(99, "1.00")], **more})


def paid(*money: Any, **more: Any) -> Order:
    return order(SOLD, **{"transactions": list(money), **more})


def blocked(subject: Order, policy: BooksPolicy | None = None, xero: Organisation | None = None) -> str:
    books = build_order_books(subject, policy or BooksPolicy(), xero or organisation())
    assert books.outcome.value == "blocked"
    return books.reason


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (
            sold(sale("5.00", number=61, line_type="UNKNOWN")),
            "sale 61 has the type UNKNOWN, which is not supported; enter this order in Xero by hand",
        ),
        (
            sold(sale("5.00", number=61, action="UNKNOWN")),
            "sale 61 has the action UNKNOWN, which is not supported; enter this order in Xero by hand",
        ),
        (
            sold(sale("50.00", tax("6.52"), number=61, line_type="GIFT_CARD")),
            "sale 61 is a gift card with tax, which is not supported; enter this order in Xero by hand",
        ),
        (
            sold(sale("11.50", tax("1.49"), number=61, total_tax="1.50")),
            "sale 61: its taxes add up to 1.49, but Shopify states 1.50 of tax; check the order in Shopify and enter"
            " it in Xero by hand",
        ),
        (
            order(SOLD, agreement(2, sale("1.00"), reason="UNKNOWN"), transactions=PAID),
            "agreement 2 has the reason UNKNOWN, which is not supported; enter this order in Xero by hand",
        ),
        (
            sold(sale("-1.00")),
            "the order's original total is negative, -1.00; enter it in Xero by hand",
        ),
        (
            order(agreement(2, sale("9.00"), reason="REFUND"), transactions=PAID),
            "Shopify's sales ledger has no agreement for the order itself; enter this order in Xero by hand",
        ),
        (
            paid(transaction(91, "1.00", "TRANSMUTATION"), transaction(92, "1.00")),
            "transaction 91 has the kind TRANSMUTATION, which is not supported; wait until Shopify settles"
            " it, or enter this order in Xero by hand",
        ),
        (
            paid(transaction(91, "1.00", status="UNKNOWN")),
            "transaction 91 has the status UNKNOWN, which is not supported; wait until Shopify settles it,"
            " or enter this order in Xero by hand",
        ),
        (
            paid(transaction(91, "1.00", gateway=None)),
            "transaction 91 names no gateway; enter this order's payments in Xero by hand",
        ),
        (
            paid(transaction(91, "1.00", gateway="mystery_pay")),
            "no account for money through mystery_pay; if it is paid into 604 604, add to books.yaml: payments:"
            " {shopify_payments: '601', paypal: '602', cash: '603', manual: '604', Bank Deposit: '604', mystery_pay:"
            " '604'}",
        ),
        (
            paid(transaction(91, "-1.00")),
            "transaction 91 has a negative amount, -1.00; enter this order in Xero by hand",
        ),
        (
            paid(transaction(91, "5.00", "CHANGE", gateway="cash"), transaction(92, "100.00")),
            "transaction 91 gives 5.00 of change (cash), but no sale received that much; check the order's"
            " payments in Shopify",
        ),
        (
            paid(transaction(91, "100.00"), transaction(92, "50.00")),
            "payments exceed the invoices: 50.00 of transaction 92 (shopify_payments) has no invoice, all invoices add"
            " up to 100.00; check the order's payments in Shopify",
        ),
        (
            order(SOLD, RETURNED, transactions=[*PAID, transaction(92, "15.00", "REFUND")]),
            "refunds exceed the credit notes: 5.00 of transaction 92 (shopify_payments) has no credit note, all credit"
            " notes add up to 10.00; to book it on accounts.adjustments (208), add to books.yaml: refund: {uncovered:"
            " adjust}",
        ),
        (
            paid(transaction(91, "100.00", currency="USD"), net_payment_set=bag("100.00")),
            "an amount of 100.00 is in USD, but the order is in NZD; the shop's currency was changed: enter this order"
            " in Xero by hand",
        ),
        (
            order(SOLD, RETURNED, transactions=PAID, current_total_price_set=bag("80.00")),
            "the documents add up to 100.00 + -10.00 = 90.00, but Shopify's current total is 80.00; check the order"
            " in Shopify and enter it in Xero by hand",
        ),
        (
            paid(*PAID, net_payment_set=bag("90.00")),
            "the transactions add up to 100.00, but Shopify's net payment is 90.00; check the order in Shopify and"
            " enter it in Xero by hand",
        ),
        (
            paid(*PAID, original_total_price_set=bag("100.06")),
            "Shopify's total is 100.06, its rows add up to 100.00: a gap of 0.06, more than rounding.cap 0.05 in"
            " books.yaml; check the order in Shopify",
        ),
    ],
)
def test_an_order_that_has_no_rule_says_what_where_and_what_to_do(subject: Order, reason: str) -> None:
    assert blocked(subject) == reason


@pytest.mark.parametrize(
    ("row", "policy", "reason"),
    [
        (
            sale("0.00", tax("1.50", rate=None), number=61, action="UPDATE"),
            "tax: {rates: [{title: GST, tax_type: X}]}",
            "sale 61: a tax of 1.50 on 0.00 has no rate, so its base is unknown; enter this order in Xero by hand",
        ),
        (
            sale("12.00", tax("2.00", "VAT", "0.20")),
            "tax: {rates: [{rate: 0, tax_type: ZERO}]}",
            "no tax rate for VAT 20 %; with Xero's code for it instead of TAX_TYPE, add to books.yaml under tax.rates:"
            " - {title: VAT, rate: 0.2, tax_type: TAX_TYPE}",
        ),
        (
            sale("11.20", tax("0.50", "GST", "0.05"), tax("0.70", "QST", None)),
            "tax: {rates: [{rate: 0, tax_type: ZERO}]}",
            "no tax rate for GST 5 % + QST; with Xero's code for it instead of TAX_TYPE, add to books.yaml under"
            " tax.rates: - {combination: [{title: GST, rate: 0.05}, {title: QST}], tax_type: TAX_TYPE}",
        ),
        (
            sale("10.10", tax("0.10", "City Tax", "0.010")),
            "tax: {mode: lines}",
            "no account for the tax City Tax 1 %; with Xero's code for it instead of ACCOUNT, add to books.yaml under"
            " tax: lines: [{title: City Tax, rate: 0.01, account: ACCOUNT}]",
        ),
    ],
)
def test_a_tax_that_books_yaml_does_not_cover_says_what_to_add(row: Any, policy: str, reason: str) -> None:
    assert blocked(sold(row), BooksPolicy.from_yaml(policy, "books.yaml")) == reason


def test_a_tax_of_no_listed_rate_names_the_country_the_goods_go_to() -> None:
    subject = sold(sale("12.00", tax("2.00", "VAT", "0.2")), shipping_address={"country_code_v2": "CA"})
    assert blocked(subject).startswith("no tax rate for VAT 20 % (goods to CA); with Xero's code for it")


def test_an_order_from_before_the_start_date_says_what_to_set() -> None:
    subject = order(SOLD, transactions=[transaction(91, "100.00", at=LATER)])
    assert blocked(subject, BooksPolicy(start_date=FIFTH)) == (
        "opening: placed before the start date 2026-09-25 and changed or paid since; enter it in Xero by hand, or, to"
        " post only the later part, add to books.yaml: opening: post"
    )


def test_money_for_an_invoice_of_the_earlier_books_says_where_it_belongs() -> None:
    subject = order(SOLD, transactions=[transaction(91, "100.00", at=LATER)])
    assert blocked(subject, BooksPolicy(start_date=FIFTH, opening="post")) == (
        "payments exceed the invoices: 100.00 of transaction 91 (shopify_payments) has no invoice, all invoices add up"
        " to 0; the order is from before the start date 2026-09-25: enter the money in Xero on its earlier invoice"
    )
    on_the_day = order(SOLD, transactions=[*PAID, transaction(92, "5.00")])
    assert blocked(on_the_day, BooksPolicy(start_date=date(2026, 9, 22))).endswith(
        "; check the order's payments in Shopify"
    )


@pytest.mark.parametrize("amount", ["1.235", "12345678901234567890.00"])
def test_an_amount_xero_cannot_keep_says_which(amount: str) -> None:
    subject = order(agreement(1, sale(amount)))
    assert blocked(subject, BooksPolicy(post_when="placed")) == (
        f"currency_precision: NZD {amount} has more digits than Xero stores; enter this order in Xero by hand"
    )


def test_a_currency_or_an_account_in_another_one_says_what_to_do_in_xero() -> None:
    euros = order(agreement(1, sale("10.00", currency="EUR")), currency="EUR")
    assert blocked(euros, BooksPolicy(post_when="placed")) == (
        "the order is in EUR, which is not enabled in Xero (base currency NZD); add EUR in Xero under Settings,"
        " Currencies"
    )
    dollars = organisation(accounts=[account("601", "BANK", "ASSET", currency="USD")])
    assert blocked(order(SOLD, transactions=PAID), xero=dollars) == (
        "payments.shopify_payments names account 601, whose currency in Xero is USD, but the order is in NZD; name an"
        " account in NZD there"
    )
    liability = organisation(accounts=[account("830", "CURRLIAB", "LIABILITY", pays=True, currency="USD")])
    by_card = order(SOLD, transactions=[transaction(91, "100.00", gateway="gift_card")])
    assert blocked(by_card, xero=liability).startswith(
        "accounts.gift_cards names account 830, whose currency in Xero is USD"
    )


def test_the_channels_account_in_another_currency_names_its_setting() -> None:
    remitted = agreement(1, sale("115.00", tax("15.00", channel_liable=True)))
    subject = order(remitted, transactions=[transaction(91, "100.00")], display_financial_status="PAID")
    dollars = organisation(accounts=[account("835", "CURRLIAB", "LIABILITY", pays=True, currency="USD")])
    assert blocked(subject, xero=dollars).startswith(
        "accounts.channel_tax names account 835, whose currency in Xero is USD"
    )


def test_an_order_called_paid_and_short_of_something_else_than_the_channels_tax_says_both_figures() -> None:
    remitted = agreement(1, sale("115.00", tax("15.00", channel_liable=True)))
    subject = order(remitted, transactions=[transaction(91, "99.00")], display_financial_status="PAID")
    assert blocked(subject) == (
        "Shopify calls the order paid, but 16.00 is missing, and the tax its sales channel remits is 15.00; check the"
        " order's payments in Shopify"
    )


def test_the_sum_of_an_order_from_before_the_start_date_shows_what_came_before_it() -> None:
    subject = order(
        SOLD,
        agreement(2, sale("-30.00", action="RETURN"), reason="RETURN", at=LATER),
        transactions=PAID,
        current_total_price_set=bag("60.00"),
    )
    assert blocked(subject, BooksPolicy(start_date=FIFTH, opening="post")) == (
        "the documents add up to 100.00 + -30.00 = 70.00, but Shopify's current total is 60.00; check the order in"
        " Shopify and enter it in Xero by hand"
    )


def test_documents_that_are_none_at_all_add_up_to_nothing() -> None:
    subject = order(
        agreement(1, sale("0.00")),
        transactions=[transaction(91, "5.00", at=LATER)],
        current_total_price_set=bag("5.00"),
    )
    assert blocked(subject, BooksPolicy(start_date=FIFTH, opening="post")) == (
        "the documents add up to nothing = 0.00, but Shopify's current total is 5.00; check the order in Shopify and"
        " enter it in Xero by hand"
    )


def test_lines_that_lost_tax_name_their_entry_and_both_sums() -> None:
    subject = order(agreement(41, sale("115.00", tax("15.00"))))
    context = OrderContext(subject, BooksPolicy(), organisation(), PostedRecords())
    built = book_agreement(context, subject.agreements[0], "7", is_zero_value=False)
    wrong = built.lines[0].model_copy(update={"tax_amount": Decimal("14.99")})
    with pytest.raises(OrderBlockedError) as caught:
        check_sales(context, [replace(built, lines=(wrong,))])
    assert str(caught.value) == (
        "agreement 41: the lines carry 14.99 of tax, but its sales state 15.00; check the order in Shopify and enter"
        " it in Xero by hand"
    )


def verdict(subject: Order, **choices: Any) -> tuple[str, str]:
    books = build_order_books(subject, BooksPolicy(**choices), organisation())
    return books.outcome.value, books.reason


def test_an_order_that_is_not_posted_says_why() -> None:
    assert verdict(order(SOLD, test=True)) == ("skipped", "a test order: no goods and no money moved")
    assert verdict(order(SOLD)) == (
        "waiting",
        "waiting for the first payment (post_when: paid); Shopify calls it unpaid",
    )
    assert verdict(order(SOLD, display_financial_status="PARTIALLY_PAID"))[1].endswith("calls it partially paid")
    assert verdict(order(agreement(1, sale("0.00")))) == (
        "skipped",
        "total of zero: every agreement nets to zero and no money moved (zero_value: skip)",
    )
    assert verdict(order(SOLD, cancelled_at=NOON)) == (
        "skipped",
        "cancelled before anything was posted, and never paid",
    )
    assert verdict(order(SOLD, transactions=PAID), start_date=FIFTH) == (
        "skipped",
        "placed before the start date 2026-09-25 and unchanged since",
    )
