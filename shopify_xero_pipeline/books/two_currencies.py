"""Shopify's figures of an order in the shop's currency and in the presentment currency, the customer's.

This module only reads amounts and the changed rates that Shopify states, `currencyExchangeAdjustment` of a transaction
(docs/contracts/shopify_orders.md §4.6). `exchange_differences.py` applies them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from shopify_xero_pipeline.books.cash_movements import CashMovement
from shopify_xero_pipeline.books.currency import ZERO, round_half_up, smallest_unit
from shopify_xero_pipeline.books.documents import BookedAgreement, signed_total
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.shopify.models import Agreement, ExchangeAdjustment, Transaction, legacy_id


@dataclass(frozen=True)
class AmountPair:
    """One amount in the shop's currency and in the customer's."""

    shop: Decimal = ZERO
    presentment: Decimal = ZERO

    def __add__(self, other: "AmountPair") -> "AmountPair":
        return AmountPair(self.shop + other.shop, self.presentment + other.presentment)

    def __sub__(self, other: "AmountPair") -> "AmountPair":
        return self + other.times(-1)

    def times(self, factor: int) -> "AmountPair":
        """Return both amounts, multiplied by a factor."""
        return AmountPair(self.shop * factor, self.presentment * factor)


def totals(context: OrderContext, bookings: Iterable[BookedAgreement]) -> dict[str, AmountPair] | None:
    """Return the documents' totals by Shopify id, credit notes negative.

    Args:
        context: the order.
        bookings: its agreements with their documents.

    Returns:
        None if the order has one currency, or if a sale has no amount in the customer's currency.
    """
    if context.order.presentment_currency_code == context.currency:
        return None
    sums = {}
    for booking in bookings:
        if booking.document is not None:
            presentment = _presentment_total(context, booking)
            if presentment is None:
                return None
            sums[booking.document.shopify_id] = AmountPair(signed_total(booking.document), presentment)
    return sums


def _presentment_total(context: OrderContext, booking: BookedAgreement) -> Decimal | None:
    """Return a document's total in the customer's currency by Shopify's figures; None if an amount is missing."""
    sales = booking.agreement.sales
    is_main = context.is_main(booking.agreement)
    bags = [context.order.original_total_price_set] if is_main else [sale.total_amount for sale in sales]
    amounts = [context.presentment_amount(bag) for bag in bags]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, ZERO) if len(known) == len(amounts) else None


def channel_taxes(context: OrderContext, agreements: Iterable[Agreement]) -> AmountPair:
    """Return the sum of the taxes in agreements that the sales channel remits.

    Args:
        context: the order.
        agreements: agreements of the order.
    """
    taxes = (
        tax for agreement in agreements for sale in agreement.sales for tax in sale.taxes if tax.tax_line.channel_liable
    )
    return sum(
        (AmountPair(tax.amount.shop_money.amount, context.presentment_amount(tax.amount) or ZERO) for tax in taxes),
        AmountPair(),
    )


def has_another_rate(context: OrderContext, transaction_id: str, at_other_rates: Collection[str]) -> bool:
    """Return whether the rate of a transaction, or of one of its parents, is known to differ from the order's.

    Args:
        context: the order.
        transaction_id: digits of the transaction's id.
        at_other_rates: transactions with a different rate that Shopify does not state.
    """
    transaction = _transaction(context, transaction_id)
    while transaction is not None:
        stated = _statement(context, transaction)
        if stated is not None and stated.final_amount_set.amount != stated.original_amount_set.amount:
            return True
        if transaction.legacy_id in at_other_rates:
            return True
        transaction = _parent(context, transaction)
    return False


def check_stated_difference(context: OrderContext, movement: CashMovement, settled: Decimal) -> None:
    """Check a computed exchange difference against Shopify's statement.

    Args:
        context: the order.
        movement: money as it moved.
        settled: the amount that it settles, at the rate of the order, in the shop's currency.

    Raises:
        OrderBlockedError: the statement has another amount, or another rate before the change.
    """
    transaction = _transaction(context, movement.transaction_id)
    stated = _statement(context, transaction)
    if stated is None or abs(movement.amount - settled) <= smallest_unit(context.currency):
        return
    before, after = abs(stated.original_amount_set.amount), abs(stated.final_amount_set.amount)
    if after != movement.amount or not _may_be_before(context, transaction, before):
        raise OrderBlockedError(
            f"exchange difference: transaction {movement.transaction_id} moved {movement.amount} for"
            f" {settled}, but Shopify states that {before} became {after} with the rate;"
            " check the order's payments in Shopify and enter it in Xero by hand"
        )


def _may_be_before(context: OrderContext, transaction: Transaction | None, before: Decimal) -> bool:
    """Return whether an amount is at the parent's rate: the transaction's share of the parent, or all of the parent."""
    parent = _parent(context, transaction)
    if transaction is None or parent is None:
        return True
    amount = context.presentment_amount(transaction.amount_set)
    parent_amount = context.presentment_amount(parent.amount_set)
    if not amount or not parent_amount:
        return True
    whole = parent.amount_set.shop_money.amount
    share = round_half_up(whole * amount / parent_amount, context.currency)
    return before == whole or abs(before - share) <= smallest_unit(context.currency)


def _statement(context: OrderContext, transaction: Transaction | None) -> ExchangeAdjustment | None:
    stated = transaction.currency_exchange_adjustment if transaction is not None else None
    return stated if stated is not None and stated.final_amount_set.currency_code == context.currency else None


def _parent(context: OrderContext, transaction: Transaction | None) -> Transaction | None:
    parent = transaction.parent_id if transaction is not None else None
    return _transaction(context, legacy_id(parent)) if parent else None


def _transaction(context: OrderContext, transaction_id: str) -> Transaction | None:
    return next(
        (transaction for transaction in context.order.transactions if transaction.legacy_id == transaction_id), None
    )
