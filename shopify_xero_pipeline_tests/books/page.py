"""The tables of `docs/books.md`: as the page has them, and as an order's books give them.

Only tables belong here: reading them out of Markdown, and laying out documents, money and journal entries in the same
columns.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.xero.models import CreditNote, Invoice, Kind, Line

BOOKS_MD = Path(__file__).parents[2] / "docs" / "books.md"

Row = tuple[str, ...]
LINES = ("document", "date", "description", "quantity", "unit", "discount", "account", "tax type", "tax", "amount")
MONEY = ("money", "document", "date", "account", "amount")
JOURNAL = ("entry", "account", "debit", "credit")
RECEIVABLE, TAX = "610", "820"
SECTION_NUMBER = re.compile(r"^\d+(\.\d+)* ")
"""Of a heading such as `6.2 When an order is posted`; worked examples, such as `4a. A gift card`, are no sections."""


@dataclass(frozen=True)
class Table:
    """A table of the page with the heading and the line of text it stands under."""

    heading: str
    caption: str
    header: Row
    rows: tuple[Row, ...]


def cells(line: str) -> Row:
    """Return the cells of a line of a table."""
    return tuple(cell.strip() for cell in line.strip().strip("|").split("|"))


def tables(text: str) -> Iterator[Table]:
    """Yield the tables of a page in order."""
    heading, caption = "", ""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("#"):
            heading = caption = SECTION_NUMBER.sub("", line.lstrip("# "))
        elif line.startswith("| "):
            header = cells(line)
            next(lines)
            rows = []
            for row in lines:
                if not row.startswith("| "):
                    break
                rows.append(cells(row))
            yield Table(heading, caption, header, tuple(rows))
        elif line.strip():
            caption = line.strip().rstrip(":")


def line_rows(books: OrderBooks) -> list[Row]:
    """Return the rows of a table of documents: each line, then the document's tax and total."""
    rows: list[Row] = []
    for document in books.documents:
        day = document.date.isoformat()
        for line in document.lines:
            discount = "" if line.discount_amount is None else str(line.discount_amount)
            tax = _money(line.tax_amount)
            texts = (line.description, f"{line.quantity:f}", str(line.unit_amount), discount)
            rows.append((document.number, day, *texts, line.account_code, line.tax_type, tax, _money(line.amount)))
        what = "credit note" if isinstance(document, CreditNote) else "invoice"
        sums = (_money(document.total_tax), _money(document.total))
        rows.append((document.number, day, f"total of the {what}", "", "", "", "", "", *sums))
    return rows


def money_rows(books: OrderBooks) -> list[Row]:
    """Return the rows of a table of money: payments, refunds, allocations."""
    rows: list[Row] = []
    for payment in books.payments:
        what = "payment" if payment.document_kind is Kind.INVOICE else "refund"
        day = payment.date.isoformat()
        rows.append((what, payment.document_number, day, payment.account_code, str(payment.amount)))
    for entry in books.allocations:
        pair = f"{entry.credit_note_number} to {entry.invoice_number}"
        rows.append(("allocation", pair, entry.date.isoformat(), "", str(entry.amount)))
    return rows


def journal_rows(books: OrderBooks, names: dict[str, str]) -> list[Row]:
    """Return the rows of a table of journal entries: what the documents and payments amount to on the accounts."""
    rows: list[Row] = []
    for document in books.documents:
        sign = -1 if isinstance(document, CreditNote) else 1
        postings = [(RECEIVABLE, document.total), *_credits(document)]
        rows += _entry(document.number, [(code, sign * amount) for code, amount in postings], names)
    for payment in books.payments:
        sign = 1 if payment.document_kind is Kind.INVOICE else -1
        what = f"{'payment' if sign > 0 else 'refund'} of {payment.document_number}"
        postings = [(payment.account_code, sign * payment.amount), (RECEIVABLE, -sign * payment.amount)]
        rows += _entry(what, postings, names)
    return rows


def _credits(document: Invoice | CreditNote) -> list[tuple[str, Decimal]]:
    """Return the other side of an invoice's receivable: each line without its tax, then the tax."""
    inclusive = document.line_amount_types == "Inclusive"

    def net(line: Line) -> Decimal:
        return line.amount - line.tax_amount if inclusive else line.amount

    return [*((line.account_code, -net(line)) for line in document.lines), (TAX, -document.total_tax)]


def _entry(name: str, postings: Sequence[tuple[str, Decimal]], names: dict[str, str]) -> list[Row]:
    rows: list[tuple[str, ...]] = []
    for code, amount in sorted((posting for posting in postings if posting[1]), key=lambda posting: posting[1] < 0):
        account = f"{code} {names[code]}"
        sides = (_money(amount), "") if amount > 0 else ("", _money(-amount))
        rows.append((name, account, *sides))
        name = ""
    return rows


def _money(amount: Decimal) -> str:
    return f"{amount + 0:.2f}"
