"""The comparison of the books with the records of a round: each exactly once, and mapped to the right id."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.state.records import OPEN
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline_tests.campaigns.processes.workload import Row, kinds, wanted

GONE = ("VOIDED", "DELETED")


@dataclass
class Verdict:
    """The errors in the books; all empty if there are none.

    Attributes:
        duplicates: records that are in Xero more than once, or without being loaded.
        lost: records that are missing in Xero.
        wrong: messages for all other errors.
    """

    duplicates: list[Row] = field(default_factory=list)
    lost: list[Row] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether each record exists exactly once and no work is left."""
        return not (self.duplicates or self.lost or self.wrong)


def judge(books: XeroBooks, store: StateStore, days: int) -> Verdict:
    """Compare the books and the store with the records of the days.

    Args:
        books: Xero's books.
        store: the state store.
        days: the number of days in the round.
    """
    standing = list(_standing(books))
    have, want = Counter(row for row, _ in standing), Counter(wanted(days))
    return Verdict(
        duplicates=sorted((have - want).elements()),
        lost=sorted((want - have).elements()),
        wrong=[*_mismapped(standing, store), *_left_over(store)],
    )


def _standing(books: XeroBooks) -> Iterator[tuple[Row, str]]:
    """Yield each live record with its Xero id."""
    for contact in books.contacts.values():
        yield ("contact", contact.number, "0", "", ""), contact.id
    for item in books.items.values():
        yield ("item", item.code, _amount(item.sales_price), "", ""), item.id
    for document in books.documents.values():
        if document.status not in GONE:
            kind = "credit_note" if document.is_credit_note else "invoice"
            accounts = " ".join(line.account_code for line in document.lines)
            yield (kind, document.number, _amount(document.total), document.currency, accounts), document.id
    for payment in books.payments.values():
        if payment.status not in GONE:
            paid, account = books.documents[payment.document_id], books.account(account_id=payment.account_id) or {}
            key = f"{payment.reference}|{paid.number}"
            yield ("payment", key, _amount(payment.amount), paid.currency, str(account.get("Code"))), payment.id
    for allocation in books.allocations.values():
        note, bill = books.documents[allocation.credit_note_id], books.documents[allocation.invoice_id]
        key = f"{note.number}|{bill.number}|{_amount(allocation.amount)}"
        yield ("allocation", key, _amount(allocation.amount), note.currency, ""), allocation.id


def _amount(amount: Decimal | None) -> str:
    return f"{(amount or Decimal(0)).normalize():f}"


def _mismapped(standing: list[tuple[Row, str]], store: StateStore) -> Iterator[str]:
    ids = {(row[0], row[1]): xero_id for row, xero_id in reversed(standing)}
    mapped = {(kind, record.natural_key): record.xero_id for kind in kinds() for record in store.mapped(kind).values()}
    for key in sorted(ids.keys() | mapped.keys()):
        if ids.get(key) != mapped.get(key):
            yield f"{' '.join(key)}: Xero has {ids.get(key)}, the mapping {mapped.get(key)}"


def _left_over(store: StateStore) -> Iterator[str]:
    for state in OPEN:
        for operation in store.journal.in_state(state):
            yield f"{operation.kind} {operation.natural_key} is still {state}: {operation.reason}"
    for batch in store.journal.unsettled():
        yield f"batch {batch.id} is still {batch.state}"
    for error in store.failed_records():
        yield f"{error.kind} {error.natural_key} failed: {error.reason}"
