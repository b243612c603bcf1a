"""The comparison of Xero's documents with their orders: totals, taxes, amounts due and payments.

Shopify's side is in `shopify_figures.py`, Xero's comes from its API. Differences are returned as sentences.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline_tests.campaigns.proof.shopify_figures import ZERO, Entry, OrderFigures, digits, order_figures

CASH = "C"
EXCHANGE = "X"
ODD_CENTS = Decimal("0.03")
"""The maximum difference that conversion leaves on a part of the amount due of an order in another currency."""


@dataclass(frozen=True)
class PostedDocument:
    """One document in Xero, with the order's sign: a credit note's figures are negative.

    `tax` is TotalTax; `tax_lines` is the sum of the lines on tax accounts.
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
    """Yield the differences between Shopify and Xero for each posted order; none if all agree.

    Args:
        nodes: the orders at the end.
        documents: all of Xero's invoices and credit notes, with their lines.
        tax_accounts: the accounts of tax lines.
    """
    posted = by_order(documents, tax_accounts)
    for node in nodes:
        documents_of_order = posted.get(digits(node["id"]))
        if documents_of_order:
            order = order_figures(node)
            problems = (*_ledger(order, documents_of_order), *_money(order, documents_of_order))
            yield from (f"{order.name}: {problem}" for problem in problems)


def by_order(
    documents: Sequence[Mapping[str, Any]], tax_accounts: Sequence[str]
) -> dict[str, dict[str, PostedDocument]]:
    """Return the documents by order, and by the agreement (or letter and transaction) of their reference."""
    posted: dict[str, dict[str, PostedDocument]] = defaultdict(dict)
    for document in documents:
        order_id, _, tail = document["Reference"].rpartition("shopify:")[2].partition("/")
        assert tail not in posted[order_id], f"two documents have the reference {document['Reference']}"
        posted[order_id][tail] = _posted_document(document, tax_accounts)
    return posted


def _posted_document(document: Mapping[str, Any], tax_accounts: Sequence[str]) -> PostedDocument:
    is_invoice = document["Type"] == "ACCREC"
    sign = 1 if is_invoice else -1
    taxes = [_exact(line["LineAmount"]) for line in document["LineItems"] if line["AccountCode"] in tax_accounts]
    return PostedDocument(
        number=document["InvoiceNumber" if is_invoice else "CreditNoteNumber"],
        total=sign * _exact(document["Total"]),
        tax=sign * _exact(document["TotalTax"]),
        tax_lines=sign * sum(taxes, ZERO),
        due=sign * _exact(document["AmountDue" if is_invoice else "RemainingCredit"]),
        status=document["Status"],
    )


def _exact(number: object) -> Decimal:
    return Decimal(str(number))


def _ledger(order: OrderFigures, posted: Mapping[str, PostedDocument]) -> Iterator[str]:
    """Check that each entry with an amount has a document of exactly its total and its tax."""
    for tail, entry in order.entries.items():
        if tail in posted:
            yield from _entry(entry, posted[tail])
        elif entry.net:
            yield f"agreement {tail} of {entry.net} has no document"
    for tail in posted.keys() - order.entries.keys():
        is_exchange = tail[:1] == EXCHANGE and tail[1:] in order.moved_abroad
        if not tail.startswith(CASH) and not is_exchange:
            yield f"{posted[tail].number} stands for nothing in Shopify's ledger"
    rounding = sum((document.total for tail, document in posted.items() if tail.startswith(CASH)), ZERO)
    if rounding != order.cash_rounding:
        yield f"cash rounding is {rounding}, in Shopify {order.cash_rounding}"


def _entry(entry: Entry, document: PostedDocument) -> Iterator[str]:
    if document.total != entry.net:
        yield f"{document.number} is of {document.total}, in Shopify {entry.net}"
    if document.tax + document.tax_lines != entry.tax:
        yield f"{document.number} has tax {document.tax} + {document.tax_lines} on lines, in Shopify {entry.tax}"
    if document.tax not in (entry.tax - entry.channel_tax, ZERO):
        yield f"{document.number} has TotalTax {document.tax}, of {entry.tax} a channel remits {entry.channel_tax}"


def _money(order: OrderFigures, posted: Mapping[str, PostedDocument]) -> Iterator[str]:
    """Check that the amount due is Shopify's, on one side only, and that PAID agrees with Shopify's status."""
    dues = [document.due for document in posted.values()]
    is_converted_part = bool(order.moved_abroad) and order.outstanding != 0
    if abs(sum(dues, ZERO) - order.outstanding) > (ODD_CENTS if is_converted_part else ZERO):
        yield f"{sum(dues, ZERO)} is due in Xero, in Shopify {order.outstanding}"
    if order.refunds_under_way:
        return
    if any(due > 0 for due in dues) and any(due < 0 for due in dues):
        yield f"invoices are open beside credit notes: {dues}"
    invoices_paid = all(document.status == "PAID" for document in posted.values() if document.total > 0)
    if invoices_paid != order.paid:
        words = "are PAID, Shopify does not call" if invoices_paid else "are not PAID, Shopify calls"
        yield f"invoices {words} the order paid"
