"""Which calendar day a record bears, and what becomes of a day that Xero has locked.

Only days belong here (docs/books.md §9). A day is fixed when the record is first planned, so what is posted keeps its
own.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.errors import Blocked
from shopify_xero_pipeline.books.order_context import Case
from shopify_xero_pipeline.shopify.models import Agreement, Transaction


@dataclass(frozen=True)
class Dated:
    """The day a record bears, and the true day where a locked period moved it."""

    day: date
    moved_from: date | None = None

    @property
    def note(self) -> str:
        """Words for the description of a moved document, or ''."""
        return f" (dated {self.moved_from.isoformat()} in Shopify)" if self.moved_from else ""


def agreement_day(case: Case, entry: Agreement) -> date:
    """Return the day of an agreement: the order's own, its refund's, else when it happened."""
    if case.main is not None and entry.id == case.main.id:
        return case.day(case.order.processed_at)
    refund = case.refund_of(entry)
    return case.day(refund.processed_at if refund is not None else entry.happened_at)


def transaction_day(case: Case, transaction: Transaction) -> date:
    """Return the day money moved."""
    return case.day(transaction.processed_at or transaction.created_at)


def open_day(case: Case, day: date, what: str) -> Dated:
    """Return the day a new record may bear.

    Raises:
        Blocked: the day is locked in Xero and `locked_period` is `block`.
    """
    locked_until = case.organisation.locked_until
    if locked_until is None or day > locked_until:
        return Dated(day)
    if case.policy.locked_period == "next_open_day":
        return Dated(locked_until + timedelta(days=1), moved_from=day)
    raise Blocked(
        f"{what} is dated {day}, but Xero is locked up to {locked_until}; move the lock date in Xero for a moment,"
        " or, to date it on the first open day,"
        f" {remedies.setting(case.policy, '', 'locked_period', 'next_open_day').text}"
    )


def document_day(case: Case, tail: str, day: date, what: str) -> Dated:
    """Return the frozen day of a posted document, else the day a new one may bear."""
    posted = case.posted.get(case.document_id(tail))
    if posted is None:
        return open_day(case, day, what)
    return Dated(posted.date, moved_from=day if day < posted.date else None)


def due_day(case: Case, day: date) -> date:
    """Return when an invoice is due: the last day of the payment terms, never before its own day."""
    terms = case.order.payment_terms
    dues = [case.day(schedule.due_at) for schedule in terms.payment_schedules if schedule.due_at] if terms else []
    return max([*dues, day])
