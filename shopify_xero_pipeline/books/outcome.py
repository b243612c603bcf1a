"""Whether an order is posted now, later or never, and which part of it: what docs/books.md §6.2 decides first.

Only the verdict belongs here, always with a reason in plain words.
"""

from dataclasses import dataclass
from datetime import datetime

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.cash_movements import check_transactions, moves_money, was_paid
from shopify_xero_pipeline.books.currency import ZERO
from shopify_xero_pipeline.books.dates import agreement_date, transaction_date
from shopify_xero_pipeline.books.documents import net_amount
from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.gift_cards import discount_on_card
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.records import Outcome
from shopify_xero_pipeline.shopify.models import Agreement, Order, Transaction


@dataclass(frozen=True)
class PostingScope:
    """The part of an order these books keep: all of it, but for orders placed before the start date."""

    agreements: tuple[Agreement, ...]
    transactions: tuple[Transaction, ...]
    is_zero_value: bool = False


@dataclass(frozen=True)
class NotPostable:
    """The order is not posted, and why."""

    outcome: Outcome
    reason: str


def has_activity_since(order: Order, instant: datetime) -> bool:
    """Return whether anything was sold, returned or paid on an order at an instant or later."""
    moments = [entry.happened_at for entry in order.agreements]
    moments += [entry.processed_at or entry.created_at for entry in order.transactions]
    moments += [refund.processed_at for refund in order.refunds]
    return any(moment >= instant for moment in moments)


def posting_scope(case: OrderContext) -> PostingScope | NotPostable:
    """Return what of an order is to be posted, or why nothing is.

    Raises:
        Blocked: the order has no rule.
    """
    if case.order.test:
        return NotPostable(Outcome.SKIPPED, "a test order: no goods and no money moved")
    scope = _since_start(case)
    if isinstance(scope, NotPostable):
        return scope
    check_transactions(case)
    is_zero_value = _is_zero_value(case)
    keeps_zero_value = is_zero_value and (case.policy.zero_value == "post" or _gives_cards_away(case))
    scope = PostingScope(scope.agreements, scope.transactions, keeps_zero_value)
    return scope if case.ledger.documents or keeps_zero_value else _not_yet(case, is_zero_value) or scope


def _since_start(case: OrderContext) -> PostingScope | NotPostable:
    """Cut-over: of an order placed before the start date only what came later, if the merchant wants it."""
    start = case.policy.start_date
    everything = PostingScope(case.agreements, case.order.transactions)
    began_here = case.main is not None and case.document_id(case.main.legacy_id) in case.posted
    if case.day(case.order.processed_at) >= start or began_here:
        return everything
    placed = {entry.transaction_id for entry in case.ledger.payments}
    later = PostingScope(
        tuple(
            entry
            for entry in case.agreements
            if agreement_date(case, entry) >= start or case.document_id(entry.legacy_id) in case.posted
        ),
        tuple(
            entry
            for entry in case.order.transactions
            if moves_money(entry) and (transaction_date(case, entry) >= start or entry.legacy_id in placed)
        ),
    )
    if not later.agreements and not later.transactions:
        return NotPostable(Outcome.SKIPPED, f"placed before the start date {start} and unchanged since")
    if case.policy.opening == "block":
        raise OrderBlockedError(
            f"opening: placed before the start date {start} and changed or paid since; enter it in Xero by hand, or,"
            f" to post only what came later, {remedies.setting(case.policy, '', 'opening', 'post').sentence}"
        )
    return later


def _is_zero_value(case: OrderContext) -> bool:
    """Every agreement nets to nothing and no money moved."""
    moved = any(moves_money(entry) and entry.amount_set.shop_money.amount for entry in case.order.transactions)
    return not moved and not any(net_amount(case, entry) for entry in case.agreements)


def _gives_cards_away(case: OrderContext) -> bool:
    """Gift cards went out for nothing: they are owed for, though the order is worth nothing."""
    return bool(sum((discount_on_card(case, sale) for entry in case.agreements for sale in entry.sales), ZERO))


def _not_yet(case: OrderContext, is_zero_value: bool) -> NotPostable | None:
    """Return why an order of which nothing is posted yet is left alone, if it is."""
    if is_zero_value:
        return NotPostable(
            Outcome.SKIPPED, "worth nothing: every entry nets to zero and no money moved (zero_value: skip)"
        )
    if was_paid(case):
        return None
    if case.order.cancelled_at is not None:
        return NotPostable(Outcome.SKIPPED, "cancelled before anything was posted, and never paid")
    if case.policy.post_when == "paid" and case.order.payment_terms is None:
        status = (case.order.display_financial_status or "unpaid").lower().replace("_", " ")
        return NotPostable(
            Outcome.WAITING, f"waiting for the first payment (post_when: paid); Shopify calls it {status}"
        )
    return None
