"""What is posted and no longer fits, and what falls into a locked period: word for word, with what stands in Xero."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import PostedAllocation, PostedDocument, PostedPayment, PostedRecords
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.xero.models import Kind, Organisation
from shopify_xero_pipeline_tests.books.builders import NOON, agreement, order, organisation, sale, transaction

DAY = timedelta(days=1)
SOLD = agreement(1, sale("100.00"))
PAID = [transaction(91, "100.00")]
RETURNED = agreement(2, sale("-10.00", action="RETURN"), reason="REFUND", at=NOON + DAY)


def posted_document(**changes: Any) -> PostedRecords:
    content: dict[str, Any] = {
        "kind": Kind.INVOICE,
        "shopify_id": "5001/1",
        "number": "SH-1001",
        "date": date(2026, 9, 22),
        "contact_id": "7",
        "total": Decimal("100.00"),
    }
    return PostedRecords(documents=(PostedDocument(**{**content, **changes}),))


def placed(transaction_id: str, document_id: str, amount: str) -> PostedRecords:
    on = date(2026, 9, 22)
    entry = PostedPayment(transaction_id=transaction_id, document_id=document_id, amount=Decimal(amount), date=on)
    return PostedRecords(payments=(entry,))


def allocated(credit_note_id: str, invoice_id: str) -> PostedRecords:
    entry = PostedAllocation(
        credit_note_id=credit_note_id, invoice_id=invoice_id, amount=Decimal("10.00"), date=date(2026, 9, 22)
    )
    return PostedRecords(allocations=(entry,))


def blocked(subject: Order, ledger: PostedRecords, xero: Organisation | None = None) -> str:
    books = build_order_books(subject, BooksPolicy(), xero or organisation(), ledger)
    assert books.outcome.value == "blocked"
    return books.reason


@pytest.mark.parametrize(
    ("subject", "ledger", "reason"),
    [
        (
            order(SOLD, transactions=PAID),
            posted_document(shopify_id="5001/77", number="SH-1001-E77"),
            "SH-1001-E77 is posted, but Shopify's history no longer contains that document; compare it with Xero",
        ),
        (
            order(SOLD, transactions=PAID),
            posted_document(total=Decimal("99.00")),
            "SH-1001 is posted as invoice of 99.00, but by Shopify's history it is now invoice of 100.00; a posted"
            " document is never rewritten: compare it with Xero",
        ),
        (
            order(SOLD, transactions=PAID),
            posted_document(kind=Kind.CREDIT_NOTE),
            "SH-1001 is posted as credit note of 100.00, but by Shopify's history it is now invoice of 100.00; a posted"
            " document is never rewritten: compare it with Xero",
        ),
        (
            order(SOLD, transactions=PAID),
            placed("91", "5001/77", "10.00"),
            "transaction 91 was posted on document 5001/77, which Shopify's history no longer contains; compare the"
            " order with Xero",
        ),
        (
            order(SOLD, RETURNED, transactions=PAID),
            placed("91", "5001/2", "10.00"),
            "transaction 91 was posted on document 5001/2, which Shopify's history no longer contains; compare the"
            " order with Xero",
        ),
        (
            order(SOLD, transactions=PAID),
            placed("91", "5001/1", "100.01"),
            "100.01 of transaction 91 is posted on SH-1001, more than the transaction's 100.00 or the document's 100.00"
            " allow; compare it with Xero",
        ),
        (
            order(SOLD, transactions=PAID),
            placed("66", "5001/1", "10.00"),
            "10.00 of transaction 66 is posted in Xero, but Shopify's history no longer contains that money; compare"
            " the order with Xero",
        ),
        (
            order(SOLD, transactions=PAID),
            allocated("5001/77", "5001/1"),
            "credit of 10.00 was allocated between documents 5001/77 and 5001/1, which Shopify's history no longer"
            " contains; compare the order with Xero",
        ),
        (
            order(SOLD, RETURNED, transactions=PAID),
            allocated("5001/2", "5001/77"),
            "credit of 10.00 was allocated between documents 5001/2 and 5001/77, which Shopify's history no longer"
            " contains; compare the order with Xero",
        ),
    ],
)
def test_what_is_posted_and_no_longer_fits_says_what_is_posted(
    subject: Order, ledger: PostedRecords, reason: str
) -> None:
    assert blocked(subject, ledger=ledger) == reason


def test_a_locked_day_says_which_document_and_what_to_do() -> None:
    assert blocked(order(SOLD, transactions=PAID), PostedRecords(), organisation(locked=date(2026, 9, 30))) == (
        "SH-1001 is dated 2026-09-22, but Xero's lock date is 2026-09-30; change the lock date in Xero temporarily, or,"
        " to date it on the first open day, add to books.yaml: locked_period: next_open_day"
    )


def test_a_locked_day_of_a_payment_or_an_allocation_names_it() -> None:
    back = agreement(2, sale("-10.00", action="RETURN"), reason="REFUND")
    both = PostedRecords(
        documents=(
            *posted_document().documents,
            *posted_document(
                kind=Kind.CREDIT_NOTE, shopify_id="5001/2", number="SH-1001-R2", total=Decimal("10.00")
            ).documents,
        )
    )
    locked = organisation(locked=date(2026, 9, 30))
    assert blocked(order(SOLD, transactions=PAID), ledger=posted_document(), xero=locked).startswith(
        "the payment of transaction 91 is dated 2026-09-22, but Xero's lock date is 2026-09-30; "
    )
    assert blocked(order(SOLD, back), ledger=both, xero=locked).startswith(
        "the allocation of SH-1001-R2 to SH-1001 is dated 2026-09-22, but Xero's lock date is 2026-09-30; "
    )
