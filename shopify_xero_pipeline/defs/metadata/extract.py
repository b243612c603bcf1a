"""Metadata of the orders extracted from Shopify."""

from collections.abc import Sequence
from typing import Any

from shopify_xero_pipeline.defs.metadata.tables import money_metadata
from shopify_xero_pipeline.reconciliation.rollup import by_currency
from shopify_xero_pipeline.shopify.models import Order


def order_metadata(orders: Sequence[Order]) -> dict[str, Any]:
    """Return the number of a day's orders and their current total price by currency."""
    sales = by_currency((order.currency_code, order.current_total_price_set.shop_money.amount) for order in orders)
    return row_count_metadata(orders) | money_metadata("current sales", sales)


def row_count_metadata(records: Sequence[object]) -> dict[str, Any]:
    """Return the number of a day's records under the name that Dagster plots."""
    return {"dagster/row_count": len(records)}
