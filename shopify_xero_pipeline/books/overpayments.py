"""Overpayments that went back through the same account: payment and repayment cancel out, as change does.

The amount depends only on the order's sales, credit notes and payments when the money goes back, so later changes of
the order do not alter it. Posted payments stay.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from shopify_xero_pipeline.books.cash_movements import CashMovement, Direction
from shopify_xero_pipeline.books.currency import ZERO
from shopify_xero_pipeline.books.documents import BookedAgreement, signed_total
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.shopify.models import legacy_id


def offset_overpayments(
    context: OrderContext, bookings: Sequence[BookedAgreement], movements: Sequence[CashMovement]
) -> list[CashMovement]:
    """Return the movements without overpayments that were paid back, in the same order.

    Args:
        context: the order.
        bookings: its agreements with their documents.
        movements: its money, in time order.
    """
    amounts = {movement.transaction_id: movement.amount for movement in movements}
    for index, repayment in enumerate(movements):
        if repayment.direction is Direction.OUT:
            _offset(context, bookings, movements[:index], repayment, amounts)
    if all(movement.amount == amounts[movement.transaction_id] for movement in movements):
        remaining: Sequence[CashMovement] = movements
    else:
        remaining = [replace(movement, amount=amounts[movement.transaction_id]) for movement in movements]
    return [movement for movement in remaining if movement.amount or movement.rounding or movement.exchange]


def _offset(
    context: OrderContext,
    bookings: Sequence[BookedAgreement],
    earlier: Sequence[CashMovement],
    repayment: CashMovement,
    amounts: dict[str, Decimal],
) -> None:
    """Subtract from a repayment and from earlier payments the amount that no invoice and no credit note explains."""
    invoiced, credited = _totals_until(context, bookings, repayment)
    paid, repaid = (
        sum((amounts[movement.transaction_id] for movement in earlier if movement.direction is direction), ZERO)
        for direction in (Direction.IN, Direction.OUT)
    )
    excess = min(paid - invoiced, repaid + amounts[repayment.transaction_id] - credited)
    for payment in reversed(earlier):
        if payment.direction is Direction.IN and _has_same_account(payment, repayment):
            amount = min(excess, *(_unposted_amount(context, movement, amounts) for movement in (payment, repayment)))
            if amount > 0:
                amounts[payment.transaction_id] -= amount
                amounts[repayment.transaction_id] -= amount
                excess -= amount


def _has_same_account(payment: CashMovement, repayment: CashMovement) -> bool:
    """Return whether money came and went through one account; money left to others has no account, but a gateway."""
    same_gateway = payment.gateway.strip().casefold() == repayment.gateway.strip().casefold()
    return payment.account == repayment.account and (same_gateway or not repayment.is_left_to_others)


def _totals_until(
    context: OrderContext, bookings: Sequence[BookedAgreement], repayment: CashMovement
) -> tuple[Decimal, Decimal]:
    """Return the totals of invoices and credit notes until a repayment, including the repayment's own credit note."""
    invoiced = credited = ZERO
    for booking in bookings:
        refund = context.refund_of(booking.agreement)
        is_own = refund is not None and repayment.transaction_id in map(legacy_id, refund.transaction_ids)
        if booking.document is not None and (is_own or booking.agreement.happened_at <= repayment.moved_at):
            total = signed_total(booking.document)
            invoiced, credited = invoiced + max(total, ZERO), credited + max(-total, ZERO)
    return invoiced, credited


def _unposted_amount(context: OrderContext, movement: CashMovement, amounts: dict[str, Decimal]) -> Decimal:
    """Return how much of a movement can be offset: no posted part, and nothing of rounded cash."""
    posted = sum((payment.amount for payment in context.posted_payments(movement.transaction_id)), ZERO)
    amount = amounts[movement.transaction_id]
    return ZERO if movement.rounding else min(amount, amount + movement.exchange - posted)
