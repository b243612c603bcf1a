"""Properties: whatever an order went through, its books add up, or the order is blocked for a reason on the list.

The orders come from a small model of their own: cents, a few rows per agreement, money that mostly but not always fits.
"""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopify_xero_pipeline.books.orders import keep_order
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.shopify.models import Agreement, Order, Sale, SaleTax, Transaction
from shopify_xero_pipeline.xero.models import CreditNote, Invoice, Kind
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    ledger_of,
    line_item,
    order,
    organisation,
    refund,
    sale,
    tax,
    transaction,
)

pytestmark = pytest.mark.campaign

RATES = {"GST": "0.15", "Levy": "0.05", "Free": "0"}
TAX_TYPES = {"GST": "T15", "Levy": "T5", "Free": "T0"}
POLICY = BooksPolicy.from_yaml(
    "post_when: placed\ntax:\n  rates:\n"
    + "".join(
        f"    - {{title: {title}, rate: {rate}, tax_type: {TAX_TYPES[title]}}}\n" for title, rate in RATES.items()
    )
    + "    - {combination: [{title: GST}, {title: Levy}], tax_type: T20}\n",
    "books.yaml",
)
LISTED = ("payments exceed the invoices", "refunds exceed the credit notes", "the order began with", "sale ")
SMALL = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def text(cents: int) -> str:
    return str(Decimal(cents).scaleb(-2))


@st.composite
def sale_rows(draw: st.DrawFn, sign: int) -> Sale:
    """A row of so many cents with tax near what its rates give, and now and then a cent or more beside it."""
    cents = sign * draw(st.integers(0, 9000))
    titles = draw(st.sampled_from([(), ("GST",), ("Free",), ("GST", "Levy"), ("Levy", "GST")]))
    taxes: list[SaleTax] = []
    for title in titles:
        exact = cents * Decimal(RATES[title]) / (1 + sum(Decimal(RATES[other]) for other in titles))
        off = draw(st.sampled_from([0, 0, 0, 1, -1])) if RATES[title] != "0" else 0
        taxes.append(tax(text(int(exact) + off), title, RATES[title]))
    line_type = draw(st.sampled_from(["PRODUCT", "PRODUCT", "PRODUCT", "SHIPPING", "TIP", "FEE", "ADJUSTMENT"]))
    action = draw(st.sampled_from(["ORDER", "UPDATE"] if sign > 0 else ["RETURN", "UPDATE"]))
    return sale(text(cents), *taxes, line_type=line_type, action=action, quantity=draw(st.integers(0, 4)), line=11)


@st.composite
def agreements(draw: st.DrawFn, number: int) -> Agreement:
    """The order's beginning, or a later entry of sales and returns mixed."""
    at = NOON + timedelta(days=number)
    if number == 1:
        return agreement(1, *draw(st.lists(sale_rows(1), min_size=1, max_size=3)), at=at)
    signs = draw(st.lists(st.sampled_from([1, -1, -1]), min_size=1, max_size=3))
    rows = [draw(sale_rows(sign)) for sign in signs]
    reason = draw(st.sampled_from(["ORDER_EDIT", "RETURN", "REFUND"]))
    return agreement(number, *rows, reason=reason, at=at, refund=number if reason == "REFUND" else None)


@st.composite
def histories(draw: st.DrawFn) -> Order:
    """An order with its agreements and money of which some fits its documents exactly."""
    entries = [draw(agreements(number)) for number in range(1, draw(st.integers(1, 4)) + 1)]
    nets = [sum((row.total_amount.shop_money.amount for row in entry.sales), Decimal(0)) for entry in entries]
    money: list[Transaction] = []
    for number, net in enumerate(nets, start=1):
        share = draw(st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)]))
        amount = (abs(net) * share).quantize(Decimal("0.01"))
        status = draw(st.sampled_from(["SUCCESS", "SUCCESS", "PENDING", "FAILURE"]))
        kind = "SALE" if net > 0 else "REFUND"
        extra = draw(st.sampled_from(["0.00"] * 9 + ["0.01"]))
        rounding = draw(st.sampled_from([None, None, "0.02"]))
        at = NOON + timedelta(days=number, hours=1)
        money.append(
            transaction(
                90 + number, str(amount + Decimal(extra)), kind, status=status, at=at, gateway="cash", rounding=rounding
            )
        )
    return order(
        *entries,
        lines=[line_item(11, text(draw(st.integers(0, 5000))))],
        transactions=money,
        refunds=[refund(number, 90 + number) for number in range(2, len(entries) + 1)],
        taxes_included=draw(st.booleans()),
    )


def ledger_tax(subject: Order) -> dict[str, Decimal]:
    """Tax of the sales ledger by tax type, combinations of one row together."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in subject.agreements:
        for row in entry.sales:
            titles = [found.tax_line.title for found in row.taxes]
            name = "T20" if len(titles) == 2 else TAX_TYPES[titles[0]] if titles else "NONE"
            sums[name] += sum(found.amount.shop_money.amount for found in row.taxes)
    return {name: amount for name, amount in sums.items() if amount}


def document_tax(books: OrderBooks) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for document in books.documents:
        for line in document.lines:
            sums[line.tax_type] += line.tax_amount if isinstance(document, Invoice) else -line.tax_amount
    return {name: amount for name, amount in sums.items() if amount}


def assert_xero_would_take(books: OrderBooks) -> None:
    """Every rule of Xero's about lines, payments and allocations that these books must keep (Xero fact sheet 6)."""
    for document in books.documents:
        assert document.total >= 0
        for line in document.lines:
            assert line.description
            assert line.quantity > 0
            assert abs(line.tax_amount) <= abs(line.unit_amount)
            assert line.discount_amount is None or (isinstance(document, Invoice) and line.discount_amount > 0)
    settled: dict[str, Decimal] = defaultdict(Decimal)
    for payment in books.payments:
        assert payment.amount > 0
        settled[payment.document_id] += payment.amount
    for allocation in books.allocations:
        assert allocation.amount > 0
        settled[allocation.invoice_id] += allocation.amount
        settled[allocation.credit_note_id] += allocation.amount
    assert all(settled[document.shopify_id] <= document.total for document in books.documents)


def assert_adds_up(subject: Order, books: OrderBooks) -> None:
    own = [document for document in books.documents if document.shopify_id.split("/")[1].isdigit()]
    totals = [-document.total if isinstance(document, CreditNote) else document.total for document in own]
    assert sum(totals, Decimal(0)) == subject.current_total_price_set.shop_money.amount
    first = [document.total for document in own if document.shopify_id == "5001/1"]
    assert sum(first) == subject.original_total_price_set.shop_money.amount
    assert document_tax(books) == ledger_tax(subject)
    paid = [entry.amount if entry.document_kind is Kind.INVOICE else -entry.amount for entry in books.payments]
    assert sum(paid, Decimal(0)) == subject.net_payment_set.shop_money.amount + books.cash_rounding


@SMALL
@given(histories())
def test_books_add_up_or_the_order_is_blocked_for_a_listed_reason(subject: Order) -> None:
    books = keep_order(subject, POLICY, organisation())
    if books.outcome is Outcome.POST:
        assert_adds_up(subject, books)
        assert_xero_would_take(books)
        assert len({document.number for document in books.documents}) == len(books.documents)
        assert len({payment.shopify_id for payment in books.payments}) == len(books.payments)
    else:
        assert books.reason
        assert books.outcome is Outcome.SKIPPED or books.reason.startswith(LISTED)
        assert (books.documents, books.payments, books.allocations) == ((), (), ())


@SMALL
@given(histories(), st.integers(1, 4))
def test_books_kept_step_by_step_never_change_what_was_posted(subject: Order, steps: int) -> None:
    known = subject.agreements[:steps]
    money = [entry for entry in subject.transactions if int(entry.legacy_id) <= 90 + steps]
    earlier = order(
        *known,
        lines=subject.line_items,
        transactions=money,
        refunds=subject.refunds,
        taxes_included=subject.taxes_included,
    )
    before = keep_order(earlier, POLICY, organisation())
    after = keep_order(subject, POLICY, organisation(), ledger_of(before))
    if before.outcome is not Outcome.POST or after.outcome is not Outcome.POST:
        return
    assert_adds_up(subject, after)
    assert_xero_would_take(after)
    assert set(before.documents) <= set(after.documents)
    assert set(before.payments) <= set(after.payments)
    again = keep_order(subject, POLICY, organisation(), ledger_of(after))
    assert again.model_dump_json() == after.model_dump_json()
