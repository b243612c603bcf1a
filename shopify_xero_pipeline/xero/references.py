"""The texts by which a record of Shopify is recognised in Xero: ContactNumber, Reference and the keys of money.

This module only has their format (docs/books.md §1). A Contact's number is `shopify:<id>`, a document's reference
`#1001 shopify:<order id>/<agreement id>`, a Payment's `shopify:<order id>/<transaction id>`. Every posted Contact,
document and Payment has one. The key of a Payment is `<reference>|<document number>`, the key of an Allocation
`<Credit Note number>|<Invoice number>|<amount>`. An Invoice also has a link to its order.
"""

import re
from decimal import Decimal
from typing import NamedTuple

PREFIX = "shopify:"
_ORDER_PATTERN = re.compile(r"shopify:(\d+)/")
_ORDER_LINK = re.compile(r'"Url":"https://admin\.shopify\.com/store/[^"/]+/orders/(\d+)"')
_REFERENCE_PATTERN = re.compile(r"shopify:(?P<order>\d+)/(?P<part>\S+)$")


class Reference(NamedTuple):
    """The order of a document or Payment, and the part of the order that it stands for."""

    order_id: str
    part: str


def contact_number(shopify_id: str) -> str:
    """Return the ContactNumber of a Contact; its Shopify id is `<customer id>`, `company:<id>` or `guest`."""
    return f"{PREFIX}{shopify_id}"


def of_contact_number(number: str) -> str:
    """Return the Shopify id in our ContactNumber."""
    return number.removeprefix(PREFIX)


def is_own_contact_number(number: str) -> bool:
    """Return whether a ContactNumber is ours."""
    return number.startswith(PREFIX)


def of_document(order_name: str, document_id: str) -> str:
    """Return the Reference of a document, `<order name> shopify:<order id>/<agreement id>`."""
    return f"{order_name} {PREFIX}{document_id}"


def of_payment(order_id: str, transaction_id: str) -> str:
    """Return the Reference of a Payment, `shopify:<order id>/<transaction id>`."""
    return f"{PREFIX}{order_id}/{transaction_id}"


def order_name(reference: str) -> str:
    """Return the order name at the start of a document's Reference."""
    return reference.partition(f" {PREFIX}")[0]


def is_own(reference: str) -> bool:
    """Return whether a Reference contains our mark anywhere."""
    return PREFIX in reference


def order_ids(reference: str) -> list[str]:
    """Return the ids of all orders in a Reference, also among a person's own words."""
    return _ORDER_PATTERN.findall(reference)


def parse(reference: str) -> Reference | None:
    """Return the order and the part at the end of a Reference, or None without them."""
    match = _REFERENCE_PATTERN.search(reference)
    return None if match is None else Reference(match["order"], match["part"])


def orders_of(reference: str, payload: str) -> list[str]:
    """Return the ids of the orders of a document, from its reference or, if a person changed it, from its link.

    Args:
        reference: the Reference of the document in Xero.
        payload: the document as JSON, not parsed, because most documents are recognised by their reference.
    """
    return order_ids(reference) or _ORDER_LINK.findall(payload)


def payment_key(reference: str, document: str) -> str:
    """Return the key of a Payment, from its Reference and the number (or the id) of its document."""
    return f"{reference}|{document}"


def allocation_key(note_number: str, invoice_number: str, amount: Decimal) -> str:
    """Return the key of an Allocation, from the numbers of its documents and its amount.

    Args:
        note_number: number of the Credit Note.
        invoice_number: number of the Invoice.
        amount: the amount, in any notation.
    """
    return f"{note_number}|{invoice_number}|{amount.normalize():f}"


def documents_of(kind: str, key: str) -> list[str]:
    """Return the numbers of the documents of a Payment or Allocation; other kinds have none.

    Args:
        kind: the kind of the record.
        key: its natural key.
    """
    if kind == "allocation":
        return key.split("|")[:2]
    return [key.rpartition("|")[2]] if kind == "payment" else []
