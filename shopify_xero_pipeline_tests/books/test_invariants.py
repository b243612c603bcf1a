"""The last look before anything is planned: documents that were built wrongly are caught, whoever built them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.documents import BookedAgreement, book_agreement
from shopify_xero_pipeline.books.invariants import check_money, check_sales
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import PostedRecords
from shopify_xero_pipeline_tests.books.builders import agreement, order, organisation, sale, tax, transaction


def context_and_booking() -> tuple[OrderContext, BookedAgreement]:
    subject = order(agreement(1, sale("115.00", tax("15.00"))), transactions=[transaction(91, "115.00")])
    context = OrderContext(subject, BooksPolicy(), organisation(), PostedRecords())
    return context, book_agreement(context, subject.agreements[0], "7", is_zero_value=False)


def test_lines_that_lost_an_amount_are_caught() -> None:
    context, booking = context_and_booking()
    line = booking.lines[0].model_copy(update={"unit_amount": Decimal("114.00")})
    with pytest.raises(
        OrderBlockedError, match=r"the first document has a total of 114\.00, but Shopify's original total is 115\.00"
    ):
        check_sales(context, [replace(booking, lines=(line,))])


def test_lines_that_lost_their_tax_are_caught() -> None:
    context, booking = context_and_booking()
    line = booking.lines[0].model_copy(update={"tax_amount": Decimal("14.99")})
    with pytest.raises(OrderBlockedError, match=r"the lines carry 14\.99 of tax, but its sales state 15\.00"):
        check_sales(context, [replace(booking, lines=(line,))])


def test_money_that_was_lost_is_caught() -> None:
    context, _ = context_and_booking()
    with pytest.raises(OrderBlockedError, match=r"the payments add up to 0, but 115\.00 moved in 1 transactions"):
        check_money(context, context.order.transactions, [])
