"""Every document that Xero answers with, against the order it stands for: totals, taxes, what is due, what is paid.

The comparison only: Shopify's side comes from `shopify_says.py`, Xero's from its API. Says in words what disagrees.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline_tests.campaigns.proof.shopify_says import ZERO, Entry, Said, digits, said

CASH = "C"
EXCHANGE = "X"
ODD_CENTS = Decimal("0.03")
"""How much conversion may leave on a part of what is due of an order in another currency."""


@dataclass(frozen=True)
class Kept:
    """One document as Xero answers it, in the order's sign: a credit note's figures are negative.

    `tax` is TotalTax; `tax_lines` stands on lines of the tax accounts.
    """

    number: str
    total: Decimal
    tax: Decimal
    tax_lines: Decimal
    due: Decimal
    status: str


def disagreements(
    nodes: Iterable[Node], documents: Sequence[Mapping[str, Any]], tax_accounts: Sequence[str]
) -> Iterator[str]:
    """Tell what differs between Shopify and Xero for every order that is posted; nothing if all agree.

    Args:
        nodes: orders as they stand in the end.
        documents: all of Xero's invoices and credit notes, with their lines.
        tax_accounts: accounts whose lines are taxes.
    """
    posted = by_order(documents, tax_accounts)
    for node in nodes:
        kept = posted.get(digits(node["id"]))
        if kept:
            order = said(node)
            yield from (f"{order.name}: {what}" for what in (*_ledger(order, kept), *_money(order, kept)))


def by_order(documents: Sequence[Mapping[str, Any]], tax_accounts: Sequence[str]) -> dict[str, dict[str, Kept]]:
    """Return the documents of each order by the agreement (or letter and transaction) their reference names."""
    found: dict[str, dict[str, Kept]] = defaultdict(dict)
    for document in documents:
        order_id, _, tail = document["Reference"].rpartition("shopify:")[2].partition("/")
        assert tail not in found[order_id], f"two documents say {document['Reference']}"
        found[order_id][tail] = _kept(document, tax_accounts)
    return found


def _kept(document: Mapping[str, Any], tax_accounts: Sequence[str]) -> Kept:
    is_invoice = document["Type"] == "ACCREC"
    sign = 1 if is_invoice else -1
    taxes = [_exact(line["LineAmount"]) for line in document["LineItems"] if line["AccountCode"] in tax_accounts]
    return Kept(
        number=document["InvoiceNumber" if is_invoice else "CreditNoteNumber"],
        total=sign * _exact(document["Total"]),
        tax=sign * _exact(document["TotalTax"]),
        tax_lines=sign * sum(taxes, ZERO),
        due=sign * _exact(document["AmountDue" if is_invoice else "RemainingCredit"]),
        status=document["Status"],
    )


def _exact(number: object) -> Decimal:
    return Decimal(str(number))


def _ledger(order: Said, kept: Mapping[str, Kept]) -> Iterator[str]:
    """Each entry that is worth anything has its document, of exactly its total and its tax."""
    for tail, entry in order.entries.items():
        if tail in kept:
            yield from _entry(entry, kept[tail])
        elif entry.net:
            yield f"agreement {tail} of {entry.net} has no document"
    for tail in kept.keys() - order.entries.keys():
        is_exchange = tail[:1] == EXCHANGE and tail[1:] in order.moved_abroad
        if not tail.startswith(CASH) and not is_exchange:
            yield f"{kept[tail].number} stands for nothing in Shopify's ledger"
    rounding = sum((document.total for tail, document in kept.items() if tail.startswith(CASH)), ZERO)
    if rounding != order.cash_rounding:
        yield f"cash rounding is {rounding}, Shopify says {order.cash_rounding}"


def _entry(entry: Entry, document: Kept) -> Iterator[str]:
    if document.total != entry.net:
        yield f"{document.number} is of {document.total}, Shopify says {entry.net}"
    if document.tax + document.tax_lines != entry.tax:
        yield f"{document.number} has tax {document.tax} + {document.tax_lines} on lines, Shopify says {entry.tax}"
    if document.tax not in (entry.tax - entry.channel_tax, ZERO):
        yield f"{document.number} has TotalTax {document.tax}, of {entry.tax} a channel remits {entry.channel_tax}"


def _money(order: Said, kept: Mapping[str, Kept]) -> Iterator[str]:
    """What is due is what Shopify says is outstanding, on one side only; invoices are PAID when Shopify says so."""
    dues = [document.due for document in kept.values()]
    is_converted_part = bool(order.moved_abroad) and order.outstanding != 0
    if abs(sum(dues, ZERO) - order.outstanding) > (ODD_CENTS if is_converted_part else ZERO):
        yield f"{sum(dues, ZERO)} is due in Xero, Shopify says {order.outstanding}"
    if order.refunds_under_way:
        return
    if any(due > 0 for due in dues) and any(due < 0 for due in dues):
        yield f"invoices are open beside credit notes: {dues}"
    invoices_paid = all(document.status == "PAID" for document in kept.values() if document.total > 0)
    if invoices_paid != order.paid:
        words = "are PAID, Shopify does not call" if invoices_paid else "are not PAID, Shopify calls"
        yield f"invoices {words} the order paid"
