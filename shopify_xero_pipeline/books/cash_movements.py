"""Cash movements of an order, read from its transactions.

This module only reads transactions (docs/books.md §5). `settlement.py` applies the movements to documents.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from shopify_xero_pipeline.books.currency import ZERO, require_account_fits, shop_amount
from shopify_xero_pipeline.books.dates import transaction_date
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext, numeric
from shopify_xero_pipeline.books.policy import GIFT_CARD_GATEWAY
from shopify_xero_pipeline.books.unmapped import no_account
from shopify_xero_pipeline.shopify.models import Transaction, legacy_id
from shopify_xero_pipeline.xero.models import Kind

MONEY_IN = frozenset({"SALE", "CAPTURE"})
MONEY_OUT = frozenset({"REFUND", "CHANGE"})
MONEY = MONEY_IN | MONEY_OUT
KINDS = MONEY | {"AUTHORIZATION", "EMV_AUTHORIZATION", "VOID", "SUGGESTED_REFUND"}
PENDING = frozenset({"PENDING", "AWAITING_RESPONSE"})
OPEN_OR_DONE = PENDING | {"SUCCESS"}
STATUSES = OPEN_OR_DONE | {"FAILURE", "ERROR"}


class Direction(StrEnum):
    """Direction of a cash movement, seen from the shop."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True)
class CashMovement:
    """Money received or paid out, or a pending refund. Amounts are in the shop's currency.

    Attributes:
        transaction_id: digits of the transaction's id.
        direction: received or paid out.
        amount: the amount to settle, without rounding and exchange difference.
        rounding: cash that moved beyond `amount` because of cash rounding; negative if less moved.
        posting_date: the day in the shop's time zone.
        moved_at: the instant.
        gateway: the payment gateway, as Shopify names it.
        account: the account code of the gateway.
        presentment: the amount in the customer's currency; None if Shopify gives it in another currency.
        exchange: money that moved beyond `amount` because the exchange rate changed; negative if less moved.
        is_left_to_others: whether others enter the money in Xero. It is applied to documents but not posted.
    """

    transaction_id: str
    direction: Direction
    amount: Decimal
    rounding: Decimal
    posting_date: date
    moved_at: datetime
    gateway: str
    account: str
    presentment: Decimal | None = None
    exchange: Decimal = ZERO
    is_left_to_others: bool = False

    @property
    def side(self) -> Kind:
        """The kind of the documents to which the movement is applied."""
        return Kind.INVOICE if self.direction is Direction.IN else Kind.CREDIT_NOTE

    @property
    def sign(self) -> int:
        """The sign of the movement in the order's balance: -1 if it was paid out."""
        return 1 if self.direction is Direction.IN else -1

    @property
    def applicable_amount(self) -> Decimal:
        """The part for the order's own documents: the amount, less the part that never moved."""
        return self.amount + min(self.rounding, ZERO) + min(self.exchange, ZERO)

    @property
    def excess_amount(self) -> Decimal:
        """The excess over the amount, which has documents of its own."""
        return max(self.rounding, ZERO) + max(self.exchange, ZERO)


def check_transactions(context: OrderContext) -> None:
    """Check that the kind and status of each transaction are supported.

    Raises:
        OrderBlockedError: a kind or a status is not supported.
    """
    for transaction in context.order.transactions:
        if transaction.kind not in KINDS:
            raise OrderBlockedError(_unsupported(transaction, f"kind {transaction.kind}"))
        if transaction.status not in STATUSES:
            raise OrderBlockedError(_unsupported(transaction, f"status {transaction.status}"))


def moves_money(transaction: Transaction) -> bool:
    """Return whether a transaction succeeded and is of a kind that moves money."""
    return transaction.status == "SUCCESS" and transaction.kind in MONEY


def was_paid(context: OrderContext) -> bool:
    """Return whether the order has a successful payment of any amount."""
    return any(moves_money(transaction) and transaction.kind in MONEY_IN for transaction in context.order.transactions)


def cash_movements(context: OrderContext, transactions: Iterable[Transaction]) -> list[CashMovement]:
    """Return the cash movements of transactions in time order; change is subtracted from its sale.

    Args:
        context: the order.
        transactions: transactions of the order.

    Raises:
        OrderBlockedError: a gateway has no account, or change exceeds the cash received.
    """
    in_order = sorted(filter(moves_money, transactions), key=_moment)
    payments = [transaction for transaction in in_order if transaction.kind != "CHANGE"]
    movements = {transaction.legacy_id: _movement(context, transaction) for transaction in payments}
    for change in in_order:
        if change.kind == "CHANGE":
            _subtract_change(context, change, payments, movements)
    return [movement for movement in movements.values() if movement.amount or movement.rounding]


def pending_refunds(context: OrderContext) -> list[CashMovement]:
    """Return the pending refunds of all gateways, without an account."""
    return [
        _plain_movement(context, transaction, "")
        for transaction in context.order.transactions
        if transaction.kind == "REFUND" and transaction.status in PENDING
    ]


def waits_for_others(context: OrderContext) -> bool:
    """Return whether others enter completed or pending money of the order in Xero."""
    return any(
        context.policy.is_left_to_others(transaction.gateway or "")
        for transaction in context.order.transactions
        if transaction.kind in MONEY and transaction.status in OPEN_OR_DONE
    )


def cash_rounding(context: OrderContext, transactions: Iterable[Transaction]) -> Decimal:
    """Return the net cash rounding of transactions, which their amounts do not include.

    Args:
        context: the order.
        transactions: transactions of the order; those without money count nothing.

    Returns:
        The amount in the shop's currency, positive if more cash was received.
    """
    movements = filter(moves_money, transactions)
    return sum((_sign(transaction) * _rounding(context, transaction) for transaction in movements), ZERO)


def net_payment(context: OrderContext, transactions: Iterable[Transaction]) -> Decimal:
    """Return money in less money out, without cash rounding, as in Shopify's net payment.

    Args:
        context: the order.
        transactions: transactions of the order; those without money count nothing.

    Returns:
        The amount in the shop's currency.
    """
    movements = filter(moves_money, transactions)
    return sum((_sign(entry) * shop_amount(entry.amount_set, context.currency) for entry in movements), ZERO)


def _movement(context: OrderContext, transaction: Transaction) -> CashMovement:
    gateway = transaction.gateway or ""
    account = context.policy.payment_account(gateway)
    if account is None:
        raise OrderBlockedError(no_account(context, transaction))
    if not context.policy.is_left_to_others(gateway):
        setting = "accounts.gift_cards" if gateway == GIFT_CARD_GATEWAY else f"payments.{gateway}"
        require_account_fits(account, context.currency, setting, context.organisation)
    movement = _plain_movement(context, transaction, account)
    if movement.amount < 0:
        raise OrderBlockedError(
            f"transaction {transaction.legacy_id} has a negative amount, {movement.amount};"
            " enter this order in Xero by hand"
        )
    return movement


def _plain_movement(context: OrderContext, transaction: Transaction, account: str) -> CashMovement:
    return CashMovement(
        transaction_id=transaction.legacy_id,
        direction=Direction.IN if transaction.kind in MONEY_IN else Direction.OUT,
        amount=shop_amount(transaction.amount_set, context.currency),
        rounding=_rounding(context, transaction),
        posting_date=transaction_date(context, transaction),
        moved_at=transaction.processed_at or transaction.created_at,
        gateway=transaction.gateway or "",
        account=account,
        presentment=context.presentment_amount(transaction.amount_set),
        is_left_to_others=context.policy.is_left_to_others(transaction.gateway or ""),
    )


def _subtract_change(
    context: OrderContext, change: Transaction, payments: list[Transaction], movements: dict[str, CashMovement]
) -> None:
    """Subtract change from its parent sale, else from the latest sale of its gateway before it.

    Later sales do not alter the result. `payments` are in time order.
    """
    amount = shop_amount(change.amount_set, context.currency)
    parent = legacy_id(change.parent_id) if change.parent_id else None
    sales = [payment for payment in payments if payment.kind == "SALE" and payment.gateway == change.gateway]
    before = [sale for sale in sales if _moment(sale) <= _moment(change)] or sales
    target = parent if parent in movements else (before[-1].legacy_id if before else None)
    sale = movements.get(target or "")
    if sale is None or sale.direction is Direction.OUT or sale.amount < amount:
        raise OrderBlockedError(
            f"transaction {change.legacy_id} gives {amount} of change ({change.gateway}), but no sale received that"
            " much; check the order's payments in Shopify"
        )
    rounding = sale.rounding - _rounding(context, change)
    change_presentment = change.amount_set.presentment_money.amount
    presentment = None if sale.presentment is None else sale.presentment - change_presentment
    movements[sale.transaction_id] = replace(
        sale, amount=sale.amount - amount, rounding=rounding, presentment=presentment
    )


def _sign(transaction: Transaction) -> int:
    return 1 if transaction.kind in MONEY_IN else -1


def _rounding(context: OrderContext, transaction: Transaction) -> Decimal:
    bag = transaction.amount_rounding_set
    return shop_amount(bag, context.currency) if bag is not None else ZERO


def _moment(transaction: Transaction) -> tuple[datetime, tuple[int, str]]:
    return transaction.processed_at or transaction.created_at, numeric(transaction.legacy_id)


def _unsupported(transaction: Transaction, what: str) -> str:
    return (
        f"transaction {transaction.legacy_id} has the {what}, which is not supported;"
        " wait until Shopify settles it, or enter this order in Xero by hand"
    )
