"""Which account of the chart a row of the sales ledger is booked on.

Only the choice of the account belongs here (docs/books.md §3, the table of sale rows).
"""

from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.policy import AccountOverride
from shopify_xero_pipeline.shopify.models import LineItem, Sale, legacy_id


def line_item_of(case: OrderContext, sale: Sale) -> LineItem | None:
    """Return the order line behind a row, if there is one."""
    return case.line_items.get(legacy_id(sale.line_item_id)) if sale.line_item_id else None


def account_of(case: OrderContext, sale: Sale) -> str:
    """Return the account of a row.

    Raises:
        Blocked: the row is of a type these books have no rule for.
    """
    accounts = case.policy.accounts
    if sale.line_type == "PRODUCT":
        return _sales_account(case, line_item_of(case, sale))
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
            f"sale {sale.legacy_id} is of the type {sale.line_type}, for which these books have no rule;"
            " enter this order in Xero by hand"
        )
    return by_type[sale.line_type]


def unsure_overrides(case: OrderContext) -> tuple[str, ...]:
    """Return a warning for lines whose product is gone, so that overrides by type or tag cannot be applied to them."""
    overrides = case.policy.accounts.overrides
    if not any(override.product_type or override.tag for override in overrides):
        return ()
    gone = [line.legacy_id for line in case.order.line_items if line.product is None]
    return tuple(f"line {line}: its product is gone, so its type and tags decide no account any more" for line in gone)


def _sales_account(case: OrderContext, item: LineItem | None) -> str:
    if item is None:
        return case.policy.accounts.sales
    fitting = (override.account for override in case.policy.accounts.overrides if _fits(override, item))
    return next(fitting, case.policy.accounts.sales)


def _fits(override: AccountOverride, item: LineItem) -> bool:
    product = item.product
    facts = [
        (override.sku, [item.sku or ""]),
        (override.vendor, [item.vendor or (product.vendor if product else "")]),
        (override.product_type, [product.product_type if product else ""]),
        (override.tag, list(product.tags) if product else []),
    ]
    return all(
        wanted.strip().casefold() in [fact.strip().casefold() for fact in known] for wanted, known in facts if wanted
    )
