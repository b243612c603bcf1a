"""How a record in Xero names the record of Shopify that it stands for: ContactNumber and Reference (docs/books.md §1).

Only the spelling belongs here. A Contact's number is `shopify:<id>`, a document's reference `#1001 shopify:<order
id>/<agreement id>`, a Payment's `shopify:<order id>/<transaction id>`; nothing else is posted without one.
"""

import re
from typing import NamedTuple

PREFIX = "shopify:"
_OF_ORDER = re.compile(r"shopify:(\d+)/")
_WHOLE = re.compile(r"shopify:(?P<order>\d+)/(?P<part>\S+)$")


class Reference(NamedTuple):
    """The order that a document or a Payment belongs to, and which part of the order it stands for."""

    order_id: str
    part: str


def contact_number(shopify_id: str) -> str:
    """Return the ContactNumber of a Contact; its Shopify id is `<customer id>`, `company:<id>` or `guest`."""
    return f"{PREFIX}{shopify_id}"


def of_contact_number(number: str) -> str:
    """Return the Shopify id in a ContactNumber of ours."""
    return number.removeprefix(PREFIX)


def is_own_contact_number(number: str) -> bool:
    """Tell whether a ContactNumber is one of ours."""
    return number.startswith(PREFIX)


def of_document(order_name: str, document_id: str) -> str:
    """Return the Reference of a document: the name for people, then `shopify:<order id>/<agreement id>`."""
    return f"{order_name} {PREFIX}{document_id}"


def of_payment(order_id: str, transaction_id: str) -> str:
    """Return the Reference of a Payment."""
    return f"{PREFIX}{order_id}/{transaction_id}"


def order_name(reference: str) -> str:
    """Return the name for people with which a document's Reference begins."""
    return reference.partition(f" {PREFIX}")[0]


def is_own(reference: str) -> bool:
    """Tell whether a Reference names a record of Shopify anywhere in it."""
    return PREFIX in reference


def order_ids(reference: str) -> list[str]:
    """Return the ids of all orders that a Reference names, also after words that a person put around them."""
    return _OF_ORDER.findall(reference)


def parse(reference: str) -> Reference | None:
    """Return the order and the part that a Reference ends with, or None if it does not end so."""
    found = _WHOLE.search(reference)
    return None if found is None else Reference(found["order"], found["part"])
