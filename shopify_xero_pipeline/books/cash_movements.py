"""From transactions to movements of money: what came in, what went out, on which account and on which day.

Only the reading of transactions belongs here (docs/books.md §5, first paragraph, and cash rounding); on which document
the money is placed is decided in `settlement.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from shopify_xero_pipeline.books.currency import ZERO, require_account_fits, shop_amount
from shopify_xero_pipeline.books.dates import transaction_date
from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.order_context import OrderContext, numeric
from shopify_xero_pipeline.books.policy import GIFT_CARD_GATEWAY
from shopify_xero_pipeline.books.unmapped import no_account
from shopify_xero_pipeline.shopify.models import Transaction, legacy_id
from shopify_xero_pipeline.xero.models import Kind

MONEY_IN = frozenset({"SALE", "CAPTURE"})
MONEY_OUT = frozenset({"REFUND", "CHANGE"})
NO_MONEY = frozenset({"AUTHORIZATION", "EMV_AUTHORIZATION", "VOID", "SUGGESTED_REFUND"})
PENDING = frozenset({"PENDING", "AWAITING_RESPONSE"})
STATUSES = PENDING | {"SUCCESS", "FAILURE", "ERROR"}


class Direction(StrEnum):
    """Whether money came to the shop or left it."""

    IN = "in"
    OUT = "out"


SIDE = {Direction.IN: Kind.INVOICE, Direction.OUT: Kind.CREDIT_NOTE}
"""Which documents money is placed on."""


@dataclass(frozen=True)
class CashMovement:
    """Money that moved or will. `amount` is what it settles, `rounding` how much more cash moved (negative: less).

    `presentment` is the amount in the customer's currency, None if Shopify gives it in another than the order's.
    `exchange` is how much more moved than it settles, because the rate did (negative: less). `is_left_to_others` if
    they enter it in Xero: it takes its place on documents, but no payment is posted.
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
    def applicable_amount(self) -> Decimal:
        """What is placed on the order's own documents: the amount, less what of it never moved."""
        return self.amount + min(self.rounding, ZERO) + min(self.exchange, ZERO)

    @property
    def amount_of_others(self) -> Decimal:
        """What moved beyond the amount: it is placed on documents of its own."""
        return max(self.rounding, ZERO) + max(self.exchange, ZERO)


def check_transactions(case: OrderContext) -> None:
    """Refuse what these books cannot read.

    Raises:
        Blocked: a transaction has a kind or status without a rule.
    """
    for transaction in case.order.transactions:
        if transaction.kind not in MONEY_IN | MONEY_OUT | NO_MONEY:
            raise OrderBlockedError(_no_rule(transaction, f"kind {transaction.kind}"))
        if transaction.status not in STATUSES:
            raise OrderBlockedError(_no_rule(transaction, f"status {transaction.status}"))


def moves_money(transaction: Transaction) -> bool:
    """Return whether a transaction moved money: a success of a kind that does."""
    return transaction.status == "SUCCESS" and transaction.kind in MONEY_IN | MONEY_OUT


def was_paid(case: OrderContext) -> bool:
    """Return whether anything was ever paid on the order, of any amount."""
    return any(entry.status == "SUCCESS" and entry.kind in MONEY_IN for entry in case.order.transactions)


def cash_movements(case: OrderContext, transactions: Iterable[Transaction]) -> list[CashMovement]:
    """Return the money that moved, in time order, change given already subtracted from the cash taken.

    Raises:
        Blocked: a gateway has no account, or change was given for which no cash was taken.
    """
    moved = sorted((entry for entry in transactions if moves_money(entry)), key=_moment)
    found = {entry.legacy_id: _movement(case, entry) for entry in moved if entry.kind != "CHANGE"}
    for change in moved:
        if change.kind == "CHANGE":
            _subtract(case, change, moved, found)
    return [movement for movement in found.values() if movement.amount or movement.rounding]


def pending_refunds(case: OrderContext) -> list[CashMovement]:
    """Return the refunds that are under way: money kept free for them, through whatever gateway."""
    waiting = [entry for entry in case.order.transactions if entry.kind == "REFUND" and entry.status in PENDING]
    return [_plain_movement(case, entry, "") for entry in waiting]


def waits_for_others(case: OrderContext) -> bool:
    """Return whether others enter money of the order in Xero, that under way included."""
    kinds, statuses = MONEY_IN | MONEY_OUT, PENDING | {"SUCCESS"}
    moved = [entry for entry in case.order.transactions if entry.kind in kinds and entry.status in statuses]
    return any(case.policy.is_left_to_others(entry.gateway or "") for entry in moved)


def cash_rounding(case: OrderContext, transactions: Iterable[Transaction]) -> Decimal:
    """Return by how much more cash came in, less what more went out, than the amounts say."""
    amounts = (
        _rounding(case, entry) * (1 if entry.kind in MONEY_IN else -1) for entry in transactions if moves_money(entry)
    )
    return sum(amounts, ZERO)


def net_payment(case: OrderContext, transactions: Iterable[Transaction]) -> Decimal:
    """Return money in less money out, as Shopify counts its net payment: without cash rounding."""
    amounts = (
        shop_amount(entry.amount_set, case.currency) * (1 if entry.kind in MONEY_IN else -1)
        for entry in transactions
        if moves_money(entry)
    )
    return sum(amounts, ZERO)


def _movement(case: OrderContext, transaction: Transaction) -> CashMovement:
    gateway = transaction.gateway or ""
    account = case.policy.payment_account(gateway)
    if account is None:
        raise OrderBlockedError(no_account(case, transaction))
    if not case.policy.is_left_to_others(gateway):
        _require_account_fits(case, gateway, account)
    movement = _plain_movement(case, transaction, account)
    if movement.amount < 0:
        raise OrderBlockedError(
            f"transaction {transaction.legacy_id} is of {movement.amount}, less than nothing;"
            " enter this order in Xero by hand"
        )
    return movement


def _require_account_fits(case: OrderContext, gateway: str, account: str) -> None:
    setting = "accounts.gift_cards" if gateway == GIFT_CARD_GATEWAY else f"payments.{gateway}"
    require_account_fits(account, case.currency, setting, case.organisation)


def _plain_movement(case: OrderContext, transaction: Transaction, account: str) -> CashMovement:
    money = transaction.amount_set.presentment_money
    return CashMovement(
        transaction_id=transaction.legacy_id,
        direction=Direction.IN if transaction.kind in MONEY_IN else Direction.OUT,
        amount=shop_amount(transaction.amount_set, case.currency),
        rounding=_rounding(case, transaction),
        posting_date=transaction_date(case, transaction),
        moved_at=transaction.processed_at or transaction.created_at,
        gateway=transaction.gateway or "",
        account=account,
        presentment=money.amount if money.currency_code == case.order.presentment_currency_code else None,
        is_left_to_others=case.policy.is_left_to_others(transaction.gateway or ""),
    )


def _subtract(
    case: OrderContext, change: Transaction, moved: list[Transaction], found: dict[str, CashMovement]
) -> None:
    """Take change from its own sale, else from the latest sale of its gateway before it: later sales alter nothing."""
    amount = shop_amount(change.amount_set, case.currency)
    parent = legacy_id(change.parent_id) if change.parent_id else None
    sales = [entry for entry in moved if entry.kind == "SALE" and entry.gateway == change.gateway]
    before = [entry for entry in sales if _moment(entry) <= _moment(change)] or sales
    target = parent if parent in found else (before[-1].legacy_id if before else None)
    sale = found.get(target or "")
    if sale is None or sale.direction is Direction.OUT or sale.amount < amount:
        raise OrderBlockedError(
            f"transaction {change.legacy_id} gives {amount} of change ({change.gateway}), but no sale of that"
            " much was taken;"
            " look at the order's payments in Shopify"
        )
    rounding, given = sale.rounding - _rounding(case, change), change.amount_set.presentment_money.amount
    presentment = None if sale.presentment is None else sale.presentment - given
    found[sale.transaction_id] = replace(sale, amount=sale.amount - amount, rounding=rounding, presentment=presentment)


def _rounding(case: OrderContext, transaction: Transaction) -> Decimal:
    bag = transaction.amount_rounding_set
    return shop_amount(bag, case.currency) if bag is not None else ZERO


def _moment(transaction: Transaction) -> tuple[datetime, tuple[int, str]]:
    return transaction.processed_at or transaction.created_at, numeric(transaction.legacy_id)


def _no_rule(transaction: Transaction, what: str) -> str:
    return (
        f"transaction {transaction.legacy_id} has the {what}, for which these books have no rule;"
        " wait until Shopify settles it, or enter this order in Xero by hand"
    )
