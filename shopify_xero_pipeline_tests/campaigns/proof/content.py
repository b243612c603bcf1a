"""The content of a Xero organisation by identity, without GUIDs, instants of change and order of creation.

FullyPaidOnDate is left out too, since it is the day of the money or credit written last.

Two organisations have the same books if their contents are equal. Permitted differences between two ways to sync the
same history are in `histories.py`.
"""

from dataclasses import dataclass
from typing import Any

from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.records import Contact, Document, Item, Line

Facts = dict[str, Any]


@dataclass(frozen=True)
class Content:
    """All records in Xero by identity.

    Attributes:
        contacts: by ContactNumber.
        items: by Code; the facts are name, description and price.
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
    """Return the content of an organisation."""
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
                f"{names[allocation.credit_note_id]} to {names[allocation.invoice_id]}",
                {"amount": allocation.amount, "date": allocation.date},
            )
            for allocation in books.allocations.values()
        ),
    )


def _once(pairs: Any) -> dict[str, Facts]:
    """Collect records by identity; a duplicate identity raises."""
    records: dict[str, Facts] = {}
    for identity, facts in pairs:
        assert identity not in records, f"twice in Xero: {identity}"
        records[identity] = facts
    return dict(sorted(records.items()))


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
