"""Posting scope of an order: whether it is posted now, later or never, and which part of it (docs/books.md §6.2).

An order that is not posted has a reason for people.
"""

from dataclasses import dataclass
from datetime import datetime

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.accounts import discount_on_card
from shopify_xero_pipeline.books.cash_movements import check_transactions, moves_money, was_paid
from shopify_xero_pipeline.books.currency import ZERO
from shopify_xero_pipeline.books.dates import agreement_date, transaction_date
from shopify_xero_pipeline.books.documents import net_amount
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.books.records import Outcome
from shopify_xero_pipeline.shopify.models import Agreement, Order, Transaction


@dataclass(frozen=True)
class PostingScope:
    """The part of an order in these books: all of it, except for orders placed before the start date."""

    agreements: tuple[Agreement, ...]
    transactions: tuple[Transaction, ...]
    is_zero_value: bool = False


@dataclass(frozen=True)
class NotPostable:
    """The outcome and the reason of an order that is not posted."""

    outcome: Outcome
    reason: str


def has_activity_since(order: Order, instant: datetime) -> bool:
    """Return whether an order has a sale, a return or a payment at an instant or later."""
    moments = [agreement.happened_at for agreement in order.agreements]
    moments += [transaction.processed_at or transaction.created_at for transaction in order.transactions]
    moments += [refund.processed_at for refund in order.refunds]
    return any(moment >= instant for moment in moments)


def posting_scope(context: OrderContext) -> PostingScope | NotPostable:
    """Return the part of an order to post, or the reason why none is posted.

    Raises:
        OrderBlockedError: a transaction is not supported, or `opening` blocks the order.
    """
    if context.order.test:
        return NotPostable(Outcome.SKIPPED, "a test order: no goods and no money moved")
    scope = _since_start(context)
    if isinstance(scope, NotPostable):
        return scope
    check_transactions(context)
    is_zero_value = _is_zero_value(context)
    posts_zero_value = is_zero_value and (
        context.policy.zero_value == "post"
        # Gift cards that were given away are a liability even if the order's total is zero.
        or sum((discount_on_card(context, sale) for sale in context.sales), ZERO) != 0
    )
    scope = PostingScope(scope.agreements, scope.transactions, posts_zero_value)
    if context.posted_records.documents or posts_zero_value:
        return scope
    return _reason_not_to_post(context, is_zero_value) or scope


def _since_start(context: OrderContext) -> PostingScope | NotPostable:
    """Return the part of an order from the start date on.

    Of an order placed earlier, only the later part is posted, and only if `opening` is `post`.
    """
    start = context.policy.start_date
    whole_order = PostingScope(context.agreements, context.order.transactions)
    is_first_posted = context.main is not None and context.posted_document(context.main.legacy_id) is not None
    if context.day(context.order.processed_at) >= start or is_first_posted:
        return whole_order
    posted_ids = {payment.transaction_id for payment in context.posted_records.payments}
    later = PostingScope(
        tuple(
            agreement
            for agreement in context.agreements
            if agreement_date(context, agreement) >= start or context.posted_document(agreement.legacy_id) is not None
        ),
        tuple(
            transaction
            for transaction in context.order.transactions
            if moves_money(transaction)
            and (transaction_date(context, transaction) >= start or transaction.legacy_id in posted_ids)
        ),
    )
    if not later.agreements and not later.transactions:
        return NotPostable(Outcome.SKIPPED, f"placed before the start date {start} and unchanged since")
    if context.policy.opening == "block":
        raise OrderBlockedError(
            f"opening: placed before the start date {start} and changed or paid since; enter it in Xero by hand, or,"
            f" to post only the later part, {remedies.setting(context.policy, '', 'opening', 'post').sentence}"
        )
    return later


def _is_zero_value(context: OrderContext) -> bool:
    """Return whether every agreement nets to zero and no money moved."""
    has_money = any(
        moves_money(transaction) and transaction.amount_set.shop_money.amount
        for transaction in context.order.transactions
    )
    return not has_money and not any(net_amount(context, agreement) for agreement in context.agreements)


def _reason_not_to_post(context: OrderContext, is_zero_value: bool) -> NotPostable | None:
    """Return why an order without posted documents is not posted now; None if it is."""
    if is_zero_value:
        return NotPostable(
            Outcome.SKIPPED, "total of zero: every agreement nets to zero and no money moved (zero_value: skip)"
        )
    if was_paid(context):
        return None
    if context.order.cancelled_at is not None:
        return NotPostable(Outcome.SKIPPED, "cancelled before anything was posted, and never paid")
    if context.policy.post_when == "paid" and context.order.payment_terms is None:
        status = (context.order.display_financial_status or "unpaid").lower().replace("_", " ")
        return NotPostable(
            Outcome.WAITING, f"waiting for the first payment (post_when: paid); Shopify calls it {status}"
        )
    return None
