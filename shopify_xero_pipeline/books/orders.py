"""Books of one order, the entry point of this package.

This module only runs the steps in order. The rules are in other modules: scope (`outcome.py`), documents and lines
(`documents.py`, `lines.py`), money (`cash_movements.py`, `payment_allocation.py`, `settlement.py`) and control totals
(`invariants.py`).
"""

from collections.abc import Collection
from decimal import Decimal

from shopify_xero_pipeline.books.accounts import override_warnings
from shopify_xero_pipeline.books.cash_movements import cash_movements, cash_rounding, net_payment, waits_for_others
from shopify_xero_pipeline.books.contacts import contact_from_order
from shopify_xero_pipeline.books.currency import ZERO, require_enabled
from shopify_xero_pipeline.books.documents import book_agreement, signed_total
from shopify_xero_pipeline.books.invariants import (
    check_money,
    check_posted,
    check_sales,
    earlier_sales,
    money_of_others,
)
from shopify_xero_pipeline.books.numbering import EXCHANGE, is_of_money
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.books.outcome import NotPostable, PostingScope, posting_scope
from shopify_xero_pipeline.books.payment_allocation import CHANNEL_TRANSACTION, settle_order
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedRecords
from shopify_xero_pipeline.books.tax_base import tax_base_warnings
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.xero.models import Contact, Organisation

NOTHING_POSTED = PostedRecords()


def build_order_books(
    order: Order,
    policy: BooksPolicy,
    organisation: Organisation,
    posted_records: PostedRecords = NOTHING_POSTED,
    *,
    shop_handle: str | None = None,
    taken: Collection[str] = (),
) -> OrderBooks:
    """Return the records that must exist in Xero for an order, or the reason why none may.

    The function is pure and deterministic: the same arguments give the same bytes. The records include those already
    posted; `changes/` compares them with Xero. No content of an order raises an exception: an unsupported order is
    blocked.

    Args:
        order: the order with its whole history.
        policy: the merchant's choices.
        organisation: currencies, accounts and lock dates of Xero.
        posted_records: the order's records that are posted, or planned and not yet rejected.
        shop_handle: the shop's name in admin URLs (`name` of `name.myshopify.com`); None for no links.
        taken: numbers of documents in Xero that belong to other orders.

    Returns:
        The order's books with its outcome; only the outcome `post` has records.
    """
    context = OrderContext(
        order, policy, organisation, posted_records, shop_handle, frozenset(number.casefold() for number in taken)
    )
    try:
        scope = posting_scope(context)
        if isinstance(scope, NotPostable):
            return _figures(order, scope.outcome, scope.reason)
        return _build_posting(context, scope)
    except OrderBlockedError as blocked:
        return _figures(order, Outcome.BLOCKED, str(blocked))


def _build_posting(context: OrderContext, scope: PostingScope) -> OrderBooks:
    require_enabled(context.currency, context.organisation)
    if context.main is None:
        raise OrderBlockedError(
            "Shopify's sales ledger has no agreement for the order itself; enter this order in Xero by hand"
        )
    contact_id, contact, warnings = _contact(context)
    bookings = [
        book_agreement(context, agreement, contact_id, is_zero_value=scope.is_zero_value)
        for agreement in scope.agreements
    ]
    check_sales(context, bookings)
    settlement = settle_order(context, bookings, cash_movements(context, scope.transactions), contact_id)
    payments = [payment for payment in settlement.payments if not payment.shopify_id.startswith(CHANNEL_TRANSACTION)]
    left_to_others = money_of_others(context, scope.transactions, payments)
    check_money(context, scope.transactions, payments, left_to_others)
    check_posted(context, settlement.documents)
    if not settlement.documents:
        return _figures(context.order, Outcome.SKIPPED, "nothing to post: every agreement nets to zero")
    books = _figures(context.order, Outcome.POST, "")
    money_moved = net_payment(context, scope.transactions)
    money_before = net_payment(context, context.order.transactions) - money_moved
    exchange = sum(
        (signed_total(document) for document in settlement.documents if is_of_money(document.shopify_id, EXCHANGE)),
        ZERO,
    )
    return books.model_copy(
        update={
            "contact": contact,
            "documents": settlement.documents,
            "payments": settlement.payments,
            "allocations": settlement.allocations,
            "warnings": (
                *warnings,
                *override_warnings(context),
                *tax_base_warnings(context, bookings),
                *_outstanding_warning(books, exchange),
                *settlement.warnings,
            ),
            "earlier_sales": earlier_sales(context, scope.agreements),
            "earlier_money": money_before,
            # What Shopify's net payment does not include.
            "cash_rounding": money_moved + cash_rounding(context, scope.transactions) - (books.money - money_before),
            "channel_paid": settlement.channel_paid,
            "exchange": exchange,
            "left_to_others": left_to_others,
            "waits_for_others": waits_for_others(context),
        }
    )


def _contact(context: OrderContext) -> tuple[str, Contact | None, tuple[str, ...]]:
    """Return the Contact of an order: that of its first posted document, even if the customer has changed since."""
    built = contact_from_order(context.order, context.policy)
    posted_ids = [document.contact_id for document in context.posted_records.documents]
    if posted_ids and posted_ids[0] != built.contact.shopify_id:
        return posted_ids[0], None, ()
    return built.contact.shopify_id, built.contact, built.warnings


def _outstanding_warning(books: OrderBooks, exchange: Decimal) -> tuple[str, ...]:
    due = books.sales - books.money
    if books.outstanding in (due, due + exchange):
        return ()
    return (f"Shopify's outstanding amount is {books.outstanding}, but its total less its payments is {due}",)


def _figures(order: Order, outcome: Outcome, reason: str) -> OrderBooks:
    return OrderBooks(
        order_id=order.legacy_id,
        order_name=order.name,
        outcome=outcome,
        reason=reason,
        currency=order.currency_code,
        sales=order.current_total_price_set.shop_money.amount + ZERO,
        tax=order.current_total_tax_set.shop_money.amount + ZERO,
        money=order.net_payment_set.shop_money.amount + ZERO,
        outstanding=order.total_outstanding_set.shop_money.amount + ZERO,
    )
