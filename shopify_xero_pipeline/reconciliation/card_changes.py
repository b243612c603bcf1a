"""What a compared day adds to the gift-card liability in Xero, by date and line of the roll-forward.

A month needs every change since the first day of the books, because a card may be used years after its sale. So the
changes are stored beside the day, and a month reads no record of a compared order. This module only derives the
changes from a comparison; the roll-forward is in `gift_cards.py`.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.reconciliation.movements import FrozenModel, Movement, StatementSection
from shopify_xero_pipeline.reconciliation.rollup import group_by

SOLD, REDEEMED, REFUNDED = "sold, less taken back", "redeemed", "refunded to cards"
LINE_OF_SECTION = {
    StatementSection.SALES: (SOLD, 1),
    StatementSection.TAX: (SOLD, 1),
    StatementSection.PAYMENTS: (REDEEMED, -1),
    StatementSection.REFUNDS: (REFUNDED, 1),
}
"""The line of the roll-forward, and its sign, by section of a movement on the liability account."""


class CardChange(FrozenModel):
    """A change of the liability in Xero by the posted orders of a day, in `currency`.

    Attributes:
        posted: the date of the documents and payments.
        line: the line of the roll-forward.
        amount: the change; a positive one adds to the liability.
    """

    posted: date
    currency: str
    line: str
    amount: Decimal


def card_changes(movements: Iterable[Movement], code: str) -> list[CardChange]:
    """Return the changes of the liability by date, currency and line; zeros are left out.

    Args:
        movements: the movements of a day's posted orders.
        code: the code of the liability account.
    """
    groups = group_by(
        ((movement.posted, movement.currency, *LINE_OF_SECTION[movement.side]), movement.xero)
        for movement in movements
        if movement.key == code and movement.side in LINE_OF_SECTION
    )
    sums = {key: sum(amounts, Decimal(0)) for key, amounts in groups.items()}
    return [
        CardChange(posted=posted, currency=currency, line=line, amount=sign * amount)
        for (posted, currency, line, sign), amount in sorted(sums.items())
        if amount
    ]
