"""Liability and discount of a GIFT_CARD sale (docs/books.md §3).

The liability is the card's face value, the unit price of the order line, because the holder can spend that much. A
discount does not lower the liability; it has an account of its own.
"""

from decimal import Decimal

from shopify_xero_pipeline.books.accounts import line_item_of
from shopify_xero_pipeline.books.currency import ZERO, round_half_up, shop_amount
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.shopify.models import Sale

GIFT_CARD = "GIFT_CARD"


def discount_on_card(context: OrderContext, sale: Sale) -> Decimal:
    """Return the discount of a gift card sale, face value less total, in the sign of the ledger; 0 for other sales.

    A sale with the action UPDATE changes the price of cards already sold, so all of it is discount. A sale without an
    order line, or above the face value, has no discount.
    """
    item = line_item_of(context, sale)
    if sale.line_type != GIFT_CARD or item is None:
        return ZERO
    total = shop_amount(sale.total_amount, context.currency)
    if sale.action_type == "UPDATE":
        return -total
    price = item.original_unit_price_set.shop_money.amount
    face = (
        round_half_up(price, context.currency)
        * (abs(sale.quantity or 0) or 1)  # a sale without a quantity is one card
        * (-1 if sale.action_type == "RETURN" else 1)
    )
    return face - total if abs(face) > abs(total) else ZERO
