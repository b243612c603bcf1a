"""Blocked orders counted by reason: what one change mends is one kind."""

from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.block_summary import count_blocked_orders
from shopify_xero_pipeline.books.records import OrderBooks, Outcome


def books(outcome: Outcome, reason: str = "") -> OrderBooks:
    nothing = Decimal(0)
    figures = {"sales": nothing, "tax": nothing, "money": nothing, "outstanding": nothing}
    return OrderBooks(order_id="1", order_name="#1", outcome=outcome, reason=reason, currency="NZD", **figures)


def blocked(reason: str) -> OrderBooks:
    return books(Outcome.BLOCKED, reason)


LOCKED = "SH-{} is dated 2026-09-2{}, but Xero is locked; move it, or, add to books.yaml: locked_period: next_open_day"
POSTED, WAITING, SKIPPED = books(Outcome.POST), books(Outcome.WAITING, "later"), books(Outcome.SKIPPED, "a test order")


def test_orders_that_wait_or_are_skipped_by_rule_are_neither_blocked_nor_counted() -> None:
    found = count_blocked_orders([POSTED, WAITING, SKIPPED, blocked("no rule; enter it by hand")])
    assert (found.count, found.of) == (1, 2)
    assert count_blocked_orders([WAITING, SKIPPED]).of == 0


def test_reasons_that_one_line_mends_or_that_differ_in_figures_alone_are_one_kind_the_most_frequent_first() -> None:
    found = count_blocked_orders(
        [
            blocked("sale 7 has no rule; enter it by hand"),
            blocked(LOCKED.format(1001, 1)),
            blocked(LOCKED.format(1002, 2)),
            blocked("sale 81 has no rule; enter it by hand"),
            blocked(LOCKED.format(1003, 3)),
        ]
    )
    assert found.reasons == ((3, LOCKED.format(1001, 1)), (2, "sale 7 has no rule; enter it by hand"))


def test_reasons_of_one_remedy_are_one_kind_and_reasons_of_two_are_two() -> None:
    """One line mends both cards; each of the two gateways needs a line of its own, which only a digit tells apart."""
    adjust = "refunds exceed the credit notes: {} has no credit note; add to books.yaml: refund: {{uncovered: adjust}}"
    gateway = "no account for money through pay{0}; add to books.yaml under payments: pay{0}: '604'"
    reasons = [adjust.format("visa"), gateway.format(1), adjust.format("amex"), gateway.format(2)]
    assert count_blocked_orders(map(blocked, reasons)).reasons == ((2, reasons[0]), (1, reasons[1]), (1, reasons[3]))


def test_the_most_frequent_kind_is_first_and_of_equals_the_first_one() -> None:
    reasons = ["b is wrong", "a is wrong", "c is wrong", "c is wrong"]
    assert count_blocked_orders(map(blocked, reasons)).reasons == (
        (2, "c is wrong"),
        (1, "b is wrong"),
        (1, "a is wrong"),
    )


@pytest.mark.parametrize(("posted", "stopped", "are_most"), [(1, 1, False), (1, 2, True), (0, 1, True), (0, 0, False)])
def test_most_are_more_than_half(posted: int, stopped: int, are_most: bool) -> None:
    assert count_blocked_orders([POSTED] * posted + [blocked("no")] * stopped).are_most is are_most
