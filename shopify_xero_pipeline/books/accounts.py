"""Account of a sale, by the table of sale types in docs/books.md §3, and the discount on a gift card.

The liability of a gift card is its face value, the unit price of the order line, because the holder can spend that
much. A discount does not lower the liability; it has an account of its own.
"""

from decimal import Decimal

from shopify_xero_pipeline.books.currency import ZERO, round_half_up, shop_amount
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.books.policy import AccountOverride
from shopify_xero_pipeline.shopify.models import LineItem, Sale


def account_of(context: OrderContext, sale: Sale) -> str:
    """Return the account code of a sale.

    Raises:
        OrderBlockedError: the sale has an unsupported type.
    """
    accounts = context.policy.accounts
    if sale.line_type == "PRODUCT":
        return _sales_account(context, context.line_item_of(sale))
    by_type = {
        "SHIPPING": accounts.shipping,
        "FEE": accounts.fees,
        "ADDITIONAL_FEE": accounts.fees,
        "DUTY": accounts.duties,
        "TIP": accounts.tips,
        "GIFT_CARD": accounts.gift_cards,
        "ADJUSTMENT": accounts.adjustments,
    }
    if sale.line_type not in by_type:
        raise OrderBlockedError(
            f"sale {sale.legacy_id} has the type {sale.line_type}, which is not supported;"
            " enter this order in Xero by hand"
        )
    return by_type[sale.line_type]


def discount_on_card(context: OrderContext, sale: Sale) -> Decimal:
    """Return the discount of a gift card sale, face value less total, in the sign of the ledger; 0 for other sales.

    A sale with the action UPDATE changes the price of cards already sold, so all of it is discount. A sale without an
    order line, or above the face value, has no discount.
    """
    if sale.line_type != "GIFT_CARD":
        return ZERO
    item = context.line_item_of(sale)
    if item is None:
        return ZERO
    total = shop_amount(sale.total_amount, context.currency)
    if sale.action_type == "UPDATE":
        return -total
    price = item.original_unit_price_set.shop_money.amount
    face = (
        round_half_up(price, context.currency)
        * abs(sale.quantity or 1)  # a sale without a quantity is one card
        * (-1 if sale.action_type == "RETURN" else 1)
    )
    return face - total if abs(face) > abs(total) else ZERO


def override_warnings(context: OrderContext) -> tuple[str, ...]:
    """Return a warning for each order line with a deleted product, to which overrides by type or tag cannot apply."""
    overrides = context.policy.accounts.overrides
    if not any(override.product_type or override.tag for override in overrides):
        return ()
    line_ids = [line.legacy_id for line in context.order.line_items if line.product is None]
    return tuple(
        f"line {line_id}: its product was deleted in Shopify, so overrides by product type or tag do not apply to it"
        for line_id in line_ids
    )


def _sales_account(context: OrderContext, item: LineItem | None) -> str:
    if item is None:
        return context.policy.accounts.sales
    matches = (override.account for override in context.policy.accounts.overrides if _matches(override, item))
    return next(matches, context.policy.accounts.sales)


def _matches(override: AccountOverride, item: LineItem) -> bool:
    product = item.product
    conditions = [
        (override.sku, [item.sku or ""]),
        (override.vendor, [item.vendor or (product.vendor if product else "")]),
        (override.product_type, [product.product_type if product else ""]),
        (override.tag, list(product.tags) if product else []),
    ]
    return all(
        condition.strip().casefold() in [value.strip().casefold() for value in values]
        for condition, values in conditions
        if condition
    )
