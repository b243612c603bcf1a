"""What is owed for a gift card that was sold: its face value, whatever was paid for it.

Only the split of a GIFT_CARD row belongs here (docs/books.md §3). A discount on a card is not a smaller card: the
holder can spend the unit price of the line, so that much is owed, and the discount is booked on an account of its own.
"""

from decimal import Decimal

from shopify_xero_pipeline.books.accounts import line_item_of
from shopify_xero_pipeline.books.currency import ZERO, round_half_up, shop_amount
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.shopify.models import Sale

GIFT_CARD = "GIFT_CARD"


def discount_on_card(case: OrderContext, sale: Sale) -> Decimal:
    """Return by how much more than a row's total is owed for its cards, in the sign of the ledger; 0 for other rows.

    A row that changes the price of cards already sold (action UPDATE) changes no card: all of it is discount. A row
    without its order line, or of more than the cards' face value, is owed as it stands.
    """
    item = line_item_of(case, sale)
    if sale.line_type != GIFT_CARD or item is None:
        return ZERO
    total = shop_amount(sale.total_amount, case.currency)
    if sale.action_type == "UPDATE":
        return -total
    price = item.original_unit_price_set.shop_money.amount
    face = (
        round_half_up(price, case.currency)
        * (abs(sale.quantity or 0) or 1)
        * (-1 if sale.action_type == "RETURN" else 1)
    )
    return face - total if abs(face) > abs(total) else ZERO
