"""Numbers and references of documents: the same order and agreement always get the same ones.

Only identity belongs here (docs/books.md §1). Whether a number is somebody else's is known to the caller, who says so
in `Case.taken`.
"""

import re

from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.text import strip_control_chars, truncate
from shopify_xero_pipeline.shopify.models import Agreement
from shopify_xero_pipeline.xero import references

LETTERS = {"ORDER": "O", "ORDER_EDIT": "E", "RETURN": "T", "REFUND": "R"}
ROUNDING = "C"
EXCHANGE = "X"
UNCOVERED_REFUND = "M"
NAME_LIMIT = 150


def number_of_agreement(case: OrderContext, entry: Agreement) -> str:
    """Return `SH-1001` for the agreement an order began with, `SH-1001-E77` for a later one."""
    if case.main is not None and entry.id == case.main.id:
        return _base(case)
    return _number(case, entry.legacy_id, LETTERS[entry.reason] + entry.legacy_id)


def number_of_transaction(case: OrderContext, letter: str, transaction_id: str) -> str:
    """Return the number of a document that money, not an agreement, calls for: `SH-1001-C55`."""
    return _number(case, letter + transaction_id, letter + transaction_id)


def is_of_money(document_id: str, letter: str) -> bool:
    """Return whether a document (by Shopify id) is one that money called for, of the kind of a letter."""
    return document_id.rpartition("/")[2].startswith(letter)


def document_reference(case: OrderContext, tail: str) -> str:
    """Return a document's identity, on which a rebuild matches: `#1001 shopify:<order id>/<agreement id>`."""
    name = truncate(strip_control_chars(case.order.name) or case.order_id, NAME_LIMIT)
    return references.of_document(name, case.document_id(tail))


def sanitize_order_name(name: str) -> str:
    """Return an order name as it stands in numbers: no leading #, every character outside `[A-Za-z0-9._-]` a hyphen."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", strip_control_chars(name).removeprefix("#"))[:NAME_LIMIT]


def _number(case: OrderContext, tail: str, ending: str) -> str:
    return _frozen(case, tail) or _free(case, f"{_base(case)}-{ending}")


def _base(case: OrderContext) -> str:
    frozen = _frozen(case, case.main.legacy_id) if case.main is not None else None
    return frozen or _free(case, case.policy.prefix + (sanitize_order_name(case.order.name) or case.order_id))


def _frozen(case: OrderContext, tail: str) -> str | None:
    posted = case.posted.get(case.document_id(tail))
    return posted.number if posted is not None else None


def _free(case: OrderContext, number: str) -> str:
    """Append the order's id to a number that belongs to somebody else's document."""
    return f"{number}-{case.order_id}" if number.casefold() in case.taken else number
