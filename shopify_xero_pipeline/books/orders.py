"""The books of one order: the way in to this room.

Only the order of the steps belongs here; each rule stands in a module of its own: what is posted at all (`outcome.py`),
documents and their lines (`documents.py`, `lines.py`), money (`cash_movements.py`, `payment_allocation.py`,
`settlement.py`), what must hold (`invariants.py`).
"""

from collections.abc import Collection
from decimal import Decimal

from shopify_xero_pipeline.books.accounts import unsure_overrides
from shopify_xero_pipeline.books.cash_movements import cash_movements, cash_rounding, net_payment, waits_for_others
from shopify_xero_pipeline.books.contacts import build_order_contact, contact_warnings
from shopify_xero_pipeline.books.currency import ZERO, require_enabled
from shopify_xero_pipeline.books.documents import book_agreement, signed_total
from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.invariants import (
    check_money,
    check_posted,
    check_sales,
    earlier_sales,
    money_of_others,
)
from shopify_xero_pipeline.books.numbering import EXCHANGE, is_of_money
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.outcome import NotPostable, PostingScope, posting_scope
from shopify_xero_pipeline.books.payment_allocation import CHANNEL_TRANSACTION, settle_order
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedRecords
from shopify_xero_pipeline.books.tax_bases import narrow_bases
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.xero.models import Contact, Organisation

NOTHING_POSTED = PostedRecords()


def build_order_books(
    order: Order,
    policy: BooksPolicy,
    organisation: Organisation,
    ledger: PostedRecords = NOTHING_POSTED,
    *,
    shop_handle: str | None = None,
    taken: Collection[str] = (),
) -> OrderBooks:
    """Return what must exist in Xero for an order, or why nothing may.

    Pure and deterministic: the same arguments give the same bytes. The records are all that must exist, those already
    posted included; what differs from Xero is found out by `changes/`. Never raises for anything an order holds: what
    has no rule is blocked.

    Args:
        order: the order with its whole history.
        policy: the merchant's choices.
        organisation: currencies, accounts and lock dates of Xero.
        ledger: what is posted of the order, or planned and not yet refused.
        shop_handle: the shop's name in admin addresses (`name` of `name.myshopify.com`), for links; None for none.
        taken: numbers of documents in Xero that are not this order's.
    """
    case = OrderContext(
        order, policy, organisation, ledger, shop_handle, frozenset(number.casefold() for number in taken)
    )
    try:
        scope = posting_scope(case)
        if isinstance(scope, NotPostable):
            return _figures(order, scope.outcome, scope.reason)
        return _posted(case, scope)
    except OrderBlockedError as blocked:
        return _figures(order, Outcome.BLOCKED, str(blocked))


def _posted(case: OrderContext, scope: PostingScope) -> OrderBooks:
    require_enabled(case.currency, case.organisation)
    if case.main is None:
        raise OrderBlockedError(
            "Shopify's ledger has no entry of the order's beginning; enter this order in Xero by hand"
        )
    contact_id, contact, warnings = _contact(case)
    booked = [book_agreement(case, entry, contact_id, is_zero_value=scope.is_zero_value) for entry in scope.agreements]
    check_sales(case, booked)
    settled = settle_order(case, booked, cash_movements(case, scope.transactions), contact_id)
    paid = [payment for payment in settled.payments if not payment.shopify_id.startswith(CHANNEL_TRANSACTION)]
    left_to_others = money_of_others(case, scope.transactions, paid)
    check_money(case, scope.transactions, paid, left_to_others)
    check_posted(case, settled.documents)
    if not settled.documents:
        return _figures(case.order, Outcome.SKIPPED, "nothing to post: every entry nets to zero")
    books = _figures(case.order, Outcome.POST, "")
    money_before = net_payment(case, case.order.transactions) - net_payment(case, scope.transactions)
    exchange = sum((signed_total(one) for one in settled.documents if is_of_money(one.shopify_id, EXCHANGE)), ZERO)
    return books.model_copy(
        update={
            "contact": contact,
            "documents": settled.documents,
            "payments": settled.payments,
            "allocations": settled.allocations,
            "warnings": (
                *warnings,
                *unsure_overrides(case),
                *narrow_bases(case, scope.agreements),
                *_outstanding(books, exchange),
                *settled.warnings,
            ),
            "earlier_sales": earlier_sales(case, scope.agreements),
            "earlier_money": money_before,
            "cash_rounding": _beyond_net_payment(case, scope, books.money - money_before),
            "channel_paid": settled.channel_paid,
            "exchange": exchange,
            "left_to_others": left_to_others,
            "waits_for_others": waits_for_others(case),
        }
    )


def _contact(case: OrderContext) -> tuple[str, Contact | None, tuple[str, ...]]:
    """All documents of an order use the contact of its first posted one, whoever the customer is now."""
    contact = build_order_contact(case.order, case.policy)
    posted = [document.contact_id for document in case.ledger.documents]
    if posted and posted[0] != contact.shopify_id:
        return posted[0], None, ()
    return contact.shopify_id, contact, contact_warnings(case.order, case.policy)


def _beyond_net_payment(case: OrderContext, scope: PostingScope, money: Decimal) -> Decimal:
    """Return the cash rounding that Shopify's net payment leaves out."""
    return net_payment(case, scope.transactions) + cash_rounding(case, scope.transactions) - money


def _outstanding(books: OrderBooks, exchange: Decimal) -> tuple[str, ...]:
    due = books.sales - books.money
    if books.outstanding in (due, due + exchange):
        return ()
    return (f"Shopify says {books.outstanding} is outstanding, its own total less its payments is {due}",)


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
