"""Deterministic numbers and references of documents (docs/books.md §1).

The caller passes the numbers of documents of other orders in `OrderContext.taken`.
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
NAME_LIMIT = 150  # leaves room for prefix, letters and ids within Xero's 255 characters


def number_of_agreement(context: OrderContext, agreement: Agreement) -> str:
    """Return `SH-1001` for an order's first agreement, `SH-1001-E77` for a later one."""
    if context.is_main(agreement):
        return _base_number(context)
    return _number(context, agreement.legacy_id, LETTERS[agreement.reason] + agreement.legacy_id)


def number_of_transaction(context: OrderContext, letter: str, transaction_id: str) -> str:
    """Return the number of a document of a transaction: `SH-1001-C55`.

    Args:
        context: the order.
        letter: ROUNDING, EXCHANGE or UNCOVERED_REFUND.
        transaction_id: digits of the transaction's id.
    """
    return _number(context, letter + transaction_id, letter + transaction_id)


def is_of_money(document_id: str, letter: str) -> bool:
    """Return whether a document (by Shopify id) is that of a transaction, with a letter."""
    return document_id.rpartition("/")[2].startswith(letter)


def document_reference(context: OrderContext, tail: str) -> str:
    """Return a document's reference, by which a rebuild matches: `#1001 shopify:<order id>/<agreement id>`."""
    name = truncate(strip_control_chars(context.order.name) or context.order_id, NAME_LIMIT)
    return references.of_document(name, context.document_id(tail))


def sanitize_order_name(name: str) -> str:
    """Return an order name for numbers, without leading # and with hyphens for characters outside `[A-Za-z0-9._-]`."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", strip_control_chars(name).removeprefix("#"))[:NAME_LIMIT]


def _number(context: OrderContext, tail: str, ending: str) -> str:
    return _posted_number(context, tail) or _unused_number(context, f"{_base_number(context)}-{ending}")


def _base_number(context: OrderContext) -> str:
    number = _posted_number(context, context.main.legacy_id) if context.main is not None else None
    return number or _unused_number(
        context, context.policy.prefix + (sanitize_order_name(context.order.name) or context.order_id)
    )


def _posted_number(context: OrderContext, tail: str) -> str | None:
    posted = context.posted_document(tail)
    return posted.number if posted is not None else None


def _unused_number(context: OrderContext, number: str) -> str:
    """Return a number, followed by the order's id if a document of another order has the number."""
    return f"{number}-{context.order_id}" if number.casefold() in context.taken else number
