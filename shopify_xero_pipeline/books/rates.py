"""What Shopify states of rates that moved: `currencyExchangeAdjustment` of a transaction.

Source: docs/contracts/shopify_orders.md §4.6.

Only reading its statements belongs here; what they do to an order's money is in `exchange_differences.py`.
"""

from collections.abc import Collection
from decimal import Decimal

from shopify_xero_pipeline.books.cash_movements import CashMovement
from shopify_xero_pipeline.books.currency import round_half_up, smallest_unit
from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.two_currencies import presentment_amount
from shopify_xero_pipeline.shopify.models import ExchangeAdjustment, Transaction, legacy_id


def has_another_rate(case: OrderContext, transaction_id: str, moved: Collection[str]) -> bool:
    """Return whether the rate is known to have moved before a transaction, or before one it goes back to.

    Args:
        case: the order.
        transaction_id: of the transaction.
        moved: transactions of which it is known without a statement.
    """
    transaction = _transaction(case, transaction_id)
    while transaction is not None:
        stated = _statement(case, transaction)
        if stated is not None and stated.final_amount_set.amount != stated.original_amount_set.amount:
            return True
        if transaction.legacy_id in moved:
            return True
        transaction = _parent(case, transaction)
    return False


def check_stated_difference(case: OrderContext, movement: CashMovement, settled: Decimal) -> None:
    """Refuse a difference where Shopify states another one.

    Args:
        case: the order.
        movement: money as it moved.
        settled: what it settles, at the rate of the order.

    Raises:
        Blocked: the statement is not of this money, or of another rate before it.
    """
    transaction = _transaction(case, movement.transaction_id)
    stated = _statement(case, transaction)
    if stated is None or abs(movement.amount - settled) <= smallest_unit(case.currency):
        return
    before, after = abs(stated.original_amount_set.amount), abs(stated.final_amount_set.amount)
    if after != movement.amount or not _may_be_before(case, transaction, before):
        raise OrderBlockedError(
            f"exchange difference: transaction {movement.transaction_id} moved {movement.amount} for"
            f" {settled}, but Shopify states that {before} became {after} with the rate;"
            " look at the order's payments in Shopify and enter it in Xero by hand"
        )


def _may_be_before(case: OrderContext, transaction: Transaction | None, before: Decimal) -> bool:
    """Return whether an amount may be stated as that at the parent's rate: its share of the parent, or all of it."""
    parent = _parent(case, transaction)
    if transaction is None or parent is None:
        return True
    amount = presentment_amount(case, transaction.amount_set)
    of = presentment_amount(case, parent.amount_set)
    if not amount or not of:
        return True
    whole = parent.amount_set.shop_money.amount
    share = round_half_up(whole * amount / of, case.currency)
    return before == whole or abs(before - share) <= smallest_unit(case.currency)


def _statement(case: OrderContext, transaction: Transaction | None) -> ExchangeAdjustment | None:
    stated = transaction.currency_exchange_adjustment if transaction is not None else None
    return stated if stated is not None and stated.final_amount_set.currency_code == case.currency else None


def _parent(case: OrderContext, transaction: Transaction | None) -> Transaction | None:
    parent = transaction.parent_id if transaction is not None else None
    return _transaction(case, legacy_id(parent)) if parent else None


def _transaction(case: OrderContext, transaction_id: str) -> Transaction | None:
    return next((entry for entry in case.order.transactions if entry.legacy_id == transaction_id), None)
