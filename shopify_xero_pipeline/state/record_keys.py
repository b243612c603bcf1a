"""Keys by which the store finds rows of the mapping and of the mirror, so that no question reads a whole kind.

A row has several keys: its number, the name and e-mail of a Contact, the orders in a reference, the documents of money,
the accounts of documents and Payments, and the day of a record of this project. They stand in `mapping_key` and
`mirror_key`, and each write of a row writes them in the same transaction. This module only derives keys; texts are
compared without regard to case, as Xero does.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from shopify_xero_pipeline.state.canonical import parse_exact_json
from shopify_xero_pipeline.state.row_checksums import Row
from shopify_xero_pipeline.xero import references

CONTACT, PAYMENT = "contact", "payment"
DOCUMENTS = ("invoice", "credit_note")
MILLISECONDS = re.compile(r"/Date\((-?\d+)")


def number_key(number: str) -> str:
    """Return the key of a natural key: a ContactNumber, Item code, document number, or the key of money."""
    return f"number:{number.casefold()}"


def foreign_key(number: str) -> str:
    """Return the key of the number of a document that belongs to no order."""
    return f"foreign:{number.casefold()}"


def name_key(name: str) -> str:
    """Return the key of a Contact's name."""
    return f"name:{name.casefold()}"


def email_key(email: str) -> str:
    """Return the key of a Contact's e-mail address."""
    return f"email:{email.casefold()}"


def order_key(order_id: str) -> str:
    """Return the key of an order, given by the digits of its id, to which a document or Payment refers."""
    return f"order:{order_id}"


def day_key(day: date) -> str:
    """Return the key of the calendar day of a document or Payment of this project; the keys sort by day."""
    return f"day:{day.isoformat()}"


def document_key(number: str) -> str:
    """Return the key of a document that a Payment or an Allocation is on, given by its number."""
    return f"document:{number}"


def account_key(code: str, day: date) -> str:
    """Return the key of an account on which a line of a document, or a Payment, is booked on a calendar day.

    The keys of an account sort by day.

    Args:
        code: the code of the account.
        day: the day of the document or Payment.
    """
    return f"account:{code}:{day.isoformat()}"


def account_range(code: str) -> tuple[str, str]:
    """Return the range of an account's keys: its first key, and the first text after all of them."""
    return f"account:{code}:", f"account:{code};"  # a semicolon follows a colon


def mapping_keys(row: Row) -> set[str]:
    """Return the keys of a row of the mapping.

    Args:
        row: values by column name.
    """
    keys = {number_key(row["natural_key"])} if row["natural_key"] else set()
    if row["kind"] == CONTACT and (name := parse_exact_json(row["payload"]).get("name")):
        keys.add(name_key(name))
    return keys


def mirror_keys(row: Row) -> set[str]:
    """Return the keys of a row of the mirror.

    Args:
        row: values by column name.
    """
    return {*_mirror_keys(row)}


def _mirror_keys(row: Row) -> Iterator[str]:
    kind, number = row["kind"], row["natural_key"]
    if number:
        yield number_key(number)
    fields = parse_exact_json(row["payload"]) if kind in (CONTACT, PAYMENT, *DOCUMENTS) else {}
    if kind == CONTACT:
        yield from _contact_keys(fields)
    if accounts := _accounts(kind, fields):
        day = _day(row, fields)
        yield from (account_key(code, day) for code in accounts)
    yield from (document_key(document) for document in references.documents_of(kind, number))
    if kind in DOCUMENTS:
        orders = references.orders_of(row["reference"], row["payload"])
    else:
        orders = references.order_ids(row["reference"]) if kind == PAYMENT else []
    yield from (order_key(order_id) for order_id in orders)
    if orders:
        yield day_key(_day(row, fields))
    elif number and kind in DOCUMENTS:
        yield foreign_key(number)


def _accounts(kind: str, fields: Mapping[str, Any]) -> set[str]:
    """Return the codes of the accounts of a document's lines, or of a Payment."""
    if kind == PAYMENT:
        return {str((fields.get("Account") or {}).get("Code") or "")} - {""}
    lines = (fields.get("LineItems") or ()) if kind in DOCUMENTS else ()
    return {str(line.get("AccountCode") or "") for line in lines} - {""}


def _contact_keys(fields: Mapping[str, Any]) -> Iterator[str]:
    if name := fields.get("Name"):
        yield name_key(name)
    if email := fields.get("EmailAddress"):
        yield email_key(email)


def _day(row: Row, fields: Mapping[str, Any]) -> date:
    """Return the day of a document or Payment, or else the day of its last change, as `Element.date` reads it."""
    if text := fields.get("DateString"):
        return date.fromisoformat(text[:10])
    match = MILLISECONDS.match(str(fields.get("Date") or ""))
    changed_at: datetime = row["updated_at"]
    return (datetime.fromtimestamp(int(match[1]) / 1000, UTC) if match else changed_at.astimezone(UTC)).date()
