"""Account of a sale.

This module only chooses the account, by the table of sale types in docs/books.md §3.
"""

from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.policy import AccountOverride
from shopify_xero_pipeline.shopify.models import LineItem, Sale, legacy_id


def line_item_of(context: OrderContext, sale: Sale) -> LineItem | None:
    """Return the order line of a sale, or None if the sale has none."""
    return context.line_items.get(legacy_id(sale.line_item_id)) if sale.line_item_id else None


def account_of(context: OrderContext, sale: Sale) -> str:
    """Return the account code of a sale.

    Raises:
        OrderBlockedError: the sale has an unsupported type.
    """
    accounts = context.policy.accounts
    if sale.line_type == "PRODUCT":
        return _sales_account(context, line_item_of(context, sale))
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
