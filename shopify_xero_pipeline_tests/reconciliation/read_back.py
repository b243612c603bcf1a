"""Xero's read-back of hand-made records: elements as its lists show them, lines and all.

Source: docs/contracts/xero.md §6.3, §6.4.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, reconcile_day
from shopify_xero_pipeline.reconciliation.movements import AccountNames, account_names
from shopify_xero_pipeline.reconciliation.order_records import ReconciliationInputs
from shopify_xero_pipeline.reconciliation.shopify_movements import movements_by_order
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.xero.models import AnyRecord, CreditNote, Invoice, Kind, Line, Payment
from shopify_xero_pipeline_tests.books.builders import organisation
from shopify_xero_pipeline_tests.support.rows import mapped, shown

Mirror = dict[Kind, list[MirrorRecord]]


def milliseconds(day: date) -> str:
    """Return a day as Xero writes it."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return f"/Date({int(midnight.timestamp() * 1000)}+0000)/"


def element(record: AnyRecord, due: str = "0") -> dict[str, Any]:
    """Return what Xero's list shows of a document or a payment that stands there as it was posted."""
    if isinstance(record, Payment):
        type_ = "ACCREC" if record.document_kind is Kind.INVOICE else "ACCRECCREDIT"
        return {
            "Date": milliseconds(record.date),
            "Amount": record.amount,
            "PaymentType": "ACCRECPAYMENT" if type_ == "ACCREC" else "ARCREDITPAYMENT",
            "Account": {"Code": record.account_code},
            "Invoice": {"Type": type_, "InvoiceNumber": record.document_number, "CurrencyCode": record.currency},
        }
    assert isinstance(record, Invoice | CreditNote)
    return {
        "Date": milliseconds(record.date),
        "CurrencyCode": record.currency,
        "LineAmountTypes": record.line_amount_types,
        "LineItems": [line_element(line) for line in record.lines],
        "Total": record.total,
        "TotalTax": record.total_tax,
        ("AmountDue" if record.kind is Kind.INVOICE else "RemainingCredit"): Decimal(due),
    }


def line_element(line: Line) -> dict[str, object]:
    """Return a line as Xero shows it."""
    return {
        "AccountCode": line.account_code,
        "TaxType": line.tax_type,
        "TaxAmount": line.tax_amount,
        "LineAmount": line.amount,
    }


class House:
    """Hand-made orders carried into a mapping and a mirror, without a network: what a load would have done.

    `dues` names what Xero shows outstanding by document number; everything else is paid.
    """

    def __init__(
        self,
        *orders: Order,
        policy: BooksPolicy | None = None,
        dues: dict[str, str] | None = None,
        currency: str = "NZD",
        locked: date | None = None,
    ) -> None:
        self.policy = policy or BooksPolicy()
        self.organisation = organisation(base=currency, currencies=(currency,), locked=locked)
        self.account_names: AccountNames = account_names(self.policy, self.organisation)
        self.orders = orders
        self.books: list[OrderBooks] = [build_order_books(order, self.policy, self.organisation) for order in orders]
        self.mapped: list[MappedRecord] = []
        self.mirror: Mirror = {Kind.INVOICE: [], Kind.CREDIT_NOTE: [], Kind.PAYMENT: []}
        for books in self.books:
            for record in (*books.documents, *books.payments, *books.allocations):
                self._post(record, (dues or {}).get(record.natural_key, "0"))

    def change(self, key: str, **fields: object) -> None:
        """Change fields of what Xero shows under a natural key, as a person would."""
        for kind, rows in self.mirror.items():
            for place, row in enumerate(rows):
                if row.natural_key == key:
                    content = element(self._record(key)) | fields
                    self.mirror[kind][place] = shown(kind, row.xero_id, key, row.status, row.reference, **content)

    def reconcile(self, day: date) -> DayReconciliation:
        """Compare the orders as those of one day."""
        moved = movements_by_order(self.orders, self.books, self.policy, self.organisation, self.account_names)
        return reconcile_day(
            day, self.books, ReconciliationInputs(self.mapped, self.mirror, []), moved, self.account_names
        )

    @property
    def shown(self) -> Sequence[MirrorRecord]:
        """Everything the mirror holds."""
        return [row for rows in self.mirror.values() for row in rows]

    @property
    def records(self) -> Iterable[AnyRecord]:
        """Everything that was posted."""
        return [one for books in self.books for one in (*books.documents, *books.payments)]

    def _post(self, record: AnyRecord, due: str) -> None:
        row = mapped(record, f"x-{len(self.mapped)}")
        self.mapped.append(row)
        if record.kind in self.mirror:
            reference = getattr(record, "reference", "")
            found = shown(record.kind, row.xero_id, record.natural_key, reference=reference, **element(record, due))
            self.mirror[record.kind].append(found)

    def _record(self, key: str) -> AnyRecord:
        return next(one for one in self.records if one.natural_key == key)
