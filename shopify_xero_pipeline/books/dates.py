"""Posting dates of records, and the policy for dates in a locked period (docs/books.md §9).

The date of a record is fixed when the record is first planned. Posted records keep their dates.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.shopify.models import Agreement, Transaction


@dataclass(frozen=True)
class PostingDate:
    """A record's posting date, with its original date if a locked period moved it."""

    posting_date: date
    original_date: date | None = None

    @property
    def note(self) -> str:
        """Note for the description of a document with a moved date, or ''."""
        return f" (dated {self.original_date.isoformat()} in Shopify)" if self.original_date else ""


def agreement_date(context: OrderContext, agreement: Agreement) -> date:
    """Return the day of an agreement: that of the order, of its refund, or of the agreement itself."""
    if context.is_main(agreement):
        return context.day(context.order.processed_at)
    refund = context.refund_of(agreement)
    return context.day(refund.processed_at if refund is not None else agreement.happened_at)


def transaction_date(context: OrderContext, transaction: Transaction) -> date:
    """Return the day on which a transaction moved money."""
    return context.day(transaction.processed_at or transaction.created_at)


def first_open_date(context: OrderContext, day: date, what: str) -> PostingDate:
    """Return the posting date of a new record.

    Args:
        context: the order.
        day: the record's original date, in the shop's time zone.
        what: the record, as the subject of the error message.

    Raises:
        OrderBlockedError: the date is locked in Xero and `locked_period` is `block`.
    """
    locked_until = context.organisation.locked_until
    if locked_until is None or day > locked_until:
        return PostingDate(day)
    if context.policy.locked_period == "next_open_day":
        return PostingDate(locked_until + timedelta(days=1), original_date=day)
    raise OrderBlockedError(
        f"{what} is dated {day}, but Xero's lock date is {locked_until}; change the lock date in Xero temporarily,"
        " or, to date it on the first open day,"
        f" {remedies.setting(context.policy, '', 'locked_period', 'next_open_day').sentence}"
    )


def document_date(context: OrderContext, tail: str, day: date, what: str) -> PostingDate:
    """Return the date of a posted document, else that of a new one.

    Args:
        context: the order.
        tail: the document's id within the order.
        day: the document's original date, in the shop's time zone.
        what: the document, as the subject of the error message.

    Raises:
        OrderBlockedError: a new document would fall into a locked period and `locked_period` is `block`.
    """
    posted = context.posted_document(tail)
    if posted is None:
        return first_open_date(context, day, what)
    return PostingDate(posted.date, original_date=day if day < posted.date else None)


def due_date(context: OrderContext, day: date) -> date:
    """Return the due date of an invoice: the last date of the payment terms, but not before the invoice's own date."""
    terms = context.order.payment_terms
    due_dates = (
        [context.day(schedule.due_at) for schedule in terms.payment_schedules if schedule.due_at] if terms else []
    )
    return max([*due_dates, day])
