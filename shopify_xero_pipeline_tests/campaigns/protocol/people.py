"""What a person does in Xero to an order of ours while it is being loaded; the rules for it are the sandbox's."""

from collections.abc import Callable
from decimal import Decimal

from shopify_xero_pipeline_tests.campaigns.protocol.organisation import Organisation

Act = Callable[[Organisation, str], None]


def void(xero: Organisation, number: str) -> None:
    """voids an invoice"""
    xero.person.void_document(xero.person.invoice(number))


def pay(xero: Organisation, number: str) -> None:
    """pays an invoice"""
    bill = xero.person.invoice(number)
    xero.person.pay(bill, bill.outstanding, "601", bill.date, "by hand")


def remove(xero: Organisation, number: str) -> None:
    """deletes a payment"""
    bill = xero.person.invoice(number)
    paid = [one for one in xero.books.payments.values() if one.document_id == bill.id and one.status != "DELETED"]
    if not paid:
        raise LookupError(number)
    xero.person.delete_payment(paid[0])


def edit(xero: Organisation, number: str) -> None:
    """edits an invoice"""
    xero.person.edit_document(xero.person.invoice(number), reference="edited by hand")


def occupy(xero: Organisation, number: str) -> None:
    """enters an invoice under our number"""
    xero.person.enter_invoice(
        {
            "Type": "ACCREC",
            "InvoiceNumber": number,
            "Contact": {"Name": f"By hand {number}"},
            "LineItems": [{"Description": "By hand", "Quantity": 1, "UnitAmount": Decimal(5), "AccountCode": "200"}],
            "Status": "AUTHORISED",
        }
    )


ACTS: tuple[Act, ...] = (void, pay, remove, edit, occupy)
