"""Which calendar day a record bears, and what becomes of a day that Xero has locked.

Only days belong here (docs/books.md §9). A day is fixed when the record is first planned, so what is posted keeps its
own.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.shopify.models import Agreement, Transaction


@dataclass(frozen=True)
class PostingDate:
    """The day a record bears, and the true day where a locked period moved it."""

    posting_date: date
    original_date: date | None = None

    @property
    def note(self) -> str:
        """Words for the description of a moved document, or ''."""
        return f" (dated {self.original_date.isoformat()} in Shopify)" if self.original_date else ""


def agreement_date(case: OrderContext, entry: Agreement) -> date:
    """Return the day of an agreement: the order's own, its refund's, else when it happened."""
    if case.main is not None and entry.id == case.main.id:
        return case.day(case.order.processed_at)
    refund = case.refund_of(entry)
    return case.day(refund.processed_at if refund is not None else entry.happened_at)


def transaction_date(case: OrderContext, transaction: Transaction) -> date:
    """Return the day money moved."""
    return case.day(transaction.processed_at or transaction.created_at)


def first_open_date(case: OrderContext, day: date, what: str) -> PostingDate:
    """Return the day a new record may bear.

    Raises:
        Blocked: the day is locked in Xero and `locked_period` is `block`.
    """
    locked_until = case.organisation.locked_until
    if locked_until is None or day > locked_until:
        return PostingDate(day)
    if case.policy.locked_period == "next_open_day":
        return PostingDate(locked_until + timedelta(days=1), original_date=day)
    raise OrderBlockedError(
        f"{what} is dated {day}, but Xero is locked up to {locked_until}; move the lock date in Xero for a moment,"
        " or, to date it on the first open day,"
        f" {remedies.setting(case.policy, '', 'locked_period', 'next_open_day').sentence}"
    )


def document_date(case: OrderContext, tail: str, day: date, what: str) -> PostingDate:
    """Return the frozen day of a posted document, else the day a new one may bear."""
    posted = case.posted.get(case.document_id(tail))
    if posted is None:
        return first_open_date(case, day, what)
    return PostingDate(posted.date, original_date=day if day < posted.date else None)


def due_date(case: OrderContext, day: date) -> date:
    """Return when an invoice is due: the last day of the payment terms, never before its own day."""
    terms = case.order.payment_terms
    dues = [case.day(schedule.due_at) for schedule in terms.payment_schedules if schedule.due_at] if terms else []
    return max([*dues, day])
