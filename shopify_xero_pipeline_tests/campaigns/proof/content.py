"""What an organisation of Xero holds, told by identity: no GUIDs, no instants of change, nothing in the order it came.

FullyPaidOnDate is left out too: it is the day of whatever money or credit happened to be written last.

Two organisations hold the same books if their contents are equal. What may differ between two ways of syncing the
same history is decided in `histories.py`, not here.
"""

from dataclasses import dataclass
from typing import Any

from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.records import Contact, Document, Item, Line

Facts = dict[str, Any]


@dataclass(frozen=True)
class Content:
    """Everything in Xero by identity.

    Attributes:
        contacts: by ContactNumber.
        items: by what they are called, which a code is not part of; see `item_code` for that.
        documents: by type and identity of their reference (`<order>/<agreement>`).
        payments: by reference and document; with amount, day and account.
        allocations: by credit note and invoice; with amount and day.
    """

    contacts: dict[str, Facts]
    items: dict[str, Facts]
    documents: dict[str, Facts]
    payments: dict[str, Facts]
    allocations: dict[str, Facts]


def content_of(books: XeroBooks) -> Content:
    """Return what an organisation holds."""
    accounts = {account["AccountID"]: account["Code"] for account in books.accounts}
    names = {document.id: _identity(document) for document in books.documents.values()}
    contacts = {contact.id: contact.number for contact in books.contacts.values()}
    return Content(
        contacts=_once((contact.number, _contact(contact)) for contact in books.contacts.values()),
        items=_once((item.code, _item(item)) for item in books.items.values()),
        documents=_once(
            (names[document.id], _document(document, contacts[document.contact_id]))
            for document in books.documents.values()
        ),
        payments=_once(
            (
                f"{payment.reference} on {names[payment.document_id]}",
                {
                    "amount": payment.amount,
                    "date": payment.date,
                    "account": accounts[payment.account_id],
                    "status": payment.status,
                },
            )
            for payment in books.payments.values()
        ),
        allocations=_once(
            (
                f"{names[one.credit_note_id]} to {names[one.invoice_id]}",
                {"amount": one.amount, "date": one.date},
            )
            for one in books.allocations.values()
        ),
    )


def _once(pairs: Any) -> dict[str, Facts]:
    """Collect by identity; the same identity twice is the one thing that may never be."""
    found: dict[str, Facts] = {}
    for identity, facts in pairs:
        assert identity not in found, f"twice in Xero: {identity}"
        found[identity] = facts
    return dict(sorted(found.items()))


def _identity(document: Document) -> str:
    marker = document.reference.rpartition("shopify:")[2]
    return f"{document.type} {marker or document.number}"


def _contact(contact: Contact) -> Facts:
    return {
        "name": contact.name,
        "status": contact.status,
        **contact.texts,
        "addresses": contact.addresses,
        "phones": contact.phones,
        "is_customer": contact.is_customer,
    }


def _item(item: Item) -> Facts:
    return {"name": item.name, "description": item.description, "price": item.sales_price}


def _document(document: Document, contact: str) -> Facts:
    return {
        "number": document.number,
        "reference": document.reference,
        "contact": contact,
        "date": document.date,
        "due_date": document.due_date,
        "url": document.url,
        "amounts": document.line_amount_types,
        "currency": document.currency,
        "lines": [_line(line) for line in document.lines],
        "total": document.total,
        "total_tax": document.total_tax,
        "status": document.status,
        "paid": document.paid,
        "credited": document.credited,
        "outstanding": document.outstanding,
    }


def _line(line: Line) -> Facts:
    names = ("description", "quantity", "unit_amount", "discount_amount", "line_amount", "tax_type", "tax_amount")
    return {name: getattr(line, name) for name in (*names, "account_code")}
