"""Money that came beyond what was sold and went back by the same account: the two cancel out, as change does.

Only the cancelling belongs here. It is decided at the moment money goes back, from what was sold, credited and paid by
then, so that what happens to the order later changes nothing of it; money that is posted already stays.
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
    case: OrderContext, booked: Sequence[BookedAgreement], moved: Sequence[CashMovement]
) -> list[CashMovement]:
    """Return the money without what came too much and was given back, in the same order.

    Args:
        case: the order.
        booked: its agreements with their documents.
        moved: its money, in time order.
    """
    amounts = {movement.transaction_id: movement.amount for movement in moved}
    for place, returned in enumerate(moved):
        if returned.direction is Direction.OUT:
            _cancel(case, booked, moved[:place], returned, amounts)
    kept = (replace(movement, amount=amounts[movement.transaction_id]) for movement in moved)
    return [movement for movement in kept if movement.amount or movement.rounding or movement.exchange]


def _cancel(
    case: OrderContext,
    booked: Sequence[BookedAgreement],
    earlier: Sequence[CashMovement],
    returned: CashMovement,
    amounts: dict[str, Decimal],
) -> None:
    """Take from a refund, and from the payments before it, what neither an invoice nor a credit note calls for."""
    sold, credited = _documents_until(case, booked, returned)
    paid, repaid = (_sum(earlier, direction, amounts) for direction in (Direction.IN, Direction.OUT))
    too_much = min(paid - sold, repaid + amounts[returned.transaction_id] - credited)
    for received in reversed(earlier):
        if received.direction is Direction.IN and _went_one_way(received, returned):
            free = min(too_much, *(_unposted(case, movement, amounts) for movement in (received, returned)))
            if free > 0:
                amounts[received.transaction_id] -= free
                amounts[returned.transaction_id] -= free
                too_much -= free


def _went_one_way(received: CashMovement, returned: CashMovement) -> bool:
    """Return whether money came and went by one account; what is left to others has none, but its gateway."""
    same_gateway = received.gateway.strip().casefold() == returned.gateway.strip().casefold()
    return received.account == returned.account and (same_gateway or not returned.is_left_to_others)


def _documents_until(
    case: OrderContext, booked: Sequence[BookedAgreement], returned: CashMovement
) -> tuple[Decimal, Decimal]:
    """Return what was sold and what was credited by then, the refund's own credit note in any case."""
    sold = credited = ZERO
    for entry in booked:
        refund = case.refund_of(entry.entry)
        own = refund is not None and returned.transaction_id in map(legacy_id, refund.transaction_ids)
        if entry.document is not None and (own or entry.entry.happened_at <= returned.moved_at):
            total = signed_total(entry.document)
            sold, credited = sold + max(total, ZERO), credited + max(-total, ZERO)
    return sold, credited


def _sum(movements: Sequence[CashMovement], direction: Direction, amounts: dict[str, Decimal]) -> Decimal:
    return sum((amounts[one.transaction_id] for one in movements if one.direction is direction), ZERO)


def _unposted(case: OrderContext, movement: CashMovement, amounts: dict[str, Decimal]) -> Decimal:
    """Return how much of a movement may still cancel out: nothing that is posted, and no rounded cash."""
    posted = [one.amount for one in case.ledger.payments if one.transaction_id == movement.transaction_id]
    amount = amounts[movement.transaction_id]
    return ZERO if movement.rounding else min(amount, amount + movement.exchange - sum(posted, ZERO))
