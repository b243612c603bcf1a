"""The books of an order in one call, for tests that expect it to be posted, or blocked."""

from datetime import timedelta

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedRecords
from shopify_xero_pipeline.shopify.models import Agreement, Order, Sale
from shopify_xero_pipeline.xero.models import Organisation
from shopify_xero_pipeline_tests.books.builders import NOON, agreement, organisation

PLACED = BooksPolicy(post_when="placed")
DAY = timedelta(days=1)


def posted(
    subject: Order,
    policy: BooksPolicy | None = None,
    ledger: PostedRecords | None = None,
    xero: Organisation | None = None,
) -> OrderBooks:
    """Return the books of an order that must be posted."""
    books = build_order_books(subject, policy or BooksPolicy(), xero or organisation(), ledger or PostedRecords())
    assert books.outcome is Outcome.POST, books.reason
    return books


def blocked(
    subject: Order,
    policy: BooksPolicy | None = None,
    ledger: PostedRecords | None = None,
    xero: Organisation | None = None,
) -> str:
    """Return why an order is blocked; nothing of it may be left to write."""
    books = build_order_books(subject, policy or BooksPolicy(), xero or organisation(), ledger or PostedRecords())
    assert books.outcome is Outcome.BLOCKED, books
    assert (books.documents, books.payments, books.allocations, books.contact) == ((), (), (), None)
    return books.reason


def left_alone(subject: Order, policy: BooksPolicy | None = None) -> tuple[str, str]:
    """Return outcome and reason of an order that is neither posted nor blocked."""
    books = build_order_books(subject, policy or BooksPolicy(), organisation())
    assert books.outcome in {Outcome.WAITING, Outcome.SKIPPED}, books.reason
    return books.outcome.value, books.reason


def refunded(number: int, *rows: Sale, day: int = 1, refund: int | None = None) -> Agreement:
    """Return a refund in the sales ledger, so many days after the order."""
    return agreement(number, *rows, reason="REFUND", at=NOON + day * DAY, refund=refund)


def edited(number: int, *rows: Sale, day: int = 1) -> Agreement:
    """Return an edit in the sales ledger, so many days after the order."""
    return agreement(number, *rows, reason="ORDER_EDIT", at=NOON + day * DAY)


def returned(number: int, *rows: Sale, day: int = 1) -> Agreement:
    """Return a return or an exchange in the sales ledger, so many days after the order."""
    return agreement(number, *rows, reason="RETURN", at=NOON + day * DAY)
