"""Data model of an order's books: the records that must exist, or the reason why none may.

This module has no rules. `changes/` passes the order's posted records as `PostedRecords`, so that posted numbers, dates
and payments do not change.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.xero.models import Allocation, Contact, CreditNote, Invoice, Kind, Payment


class Outcome(StrEnum):
    """Outcome of an order: post, waiting, skipped or blocked."""

    POST = "post"
    WAITING = "waiting"
    SKIPPED = "skipped"
    BLOCKED = "blocked"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class PostedDocument(_Record):
    """A document with fixed number and date, posted or planned and not finally rejected."""

    kind: Kind
    shopify_id: str
    number: str
    date: date
    contact_id: str
    total: Decimal


class PostedPayment(_Record):
    """A posted payment of a transaction (by digits) on a document (by Shopify id).

    `account` is the code of its account; '' if unknown.
    """

    transaction_id: str
    document_id: str
    amount: Decimal
    date: date
    account: str = ""


class PostedAllocation(_Record):
    """A posted allocation of a credit note to an invoice (both by Shopify id)."""

    credit_note_id: str
    invoice_id: str
    amount: Decimal
    date: date


class PostedRecords(_Record):
    """All posted records of one order; empty for a new order."""

    documents: tuple[PostedDocument, ...] = ()
    payments: tuple[PostedPayment, ...] = ()
    allocations: tuple[PostedAllocation, ...] = ()


class OrderBooks(_Record):
    """Books of one order. A waiting, skipped or blocked order has no records.

    All amounts are in `currency`. The figures from `earlier_sales` on reconcile Shopify's figures with the records.

    Attributes:
        reason: why the order is waiting, skipped or blocked, and the remedy, in plain words; '' if posted.
        sales: Shopify's current total.
        tax: the tax in Shopify's current total.
        money: Shopify's net payment.
        outstanding: Shopify's outstanding total.
        earlier_sales: agreements before the start date, which are not in these books.
        earlier_money: net payment before the start date, which is not in these books.
        cash_rounding: cash that moved beyond Shopify's net payment.
        channel_paid: tax that a sales channel withheld, paid from its own account.
        exchange: the total of the documents for exchange differences, credit notes negative.
        left_to_others: money that others enter in Xero.
        waits_for_others: whether others enter money of the order, completed or pending.
    """

    order_id: str
    order_name: str
    outcome: Outcome
    reason: str = ""
    currency: str
    sales: Decimal
    tax: Decimal
    money: Decimal
    outstanding: Decimal
    contact: Contact | None = None
    documents: tuple[Invoice | CreditNote, ...] = ()
    payments: tuple[Payment, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    warnings: tuple[str, ...] = ()
    earlier_sales: Decimal = Decimal(0)
    earlier_money: Decimal = Decimal(0)
    cash_rounding: Decimal = Decimal(0)
    channel_paid: Decimal = Decimal(0)
    exchange: Decimal = Decimal(0)
    left_to_others: Decimal = Decimal(0)
    waits_for_others: bool = False

    @property
    def expected_sales(self) -> Decimal:
        """The total of the agreements' documents, credit notes negative.

        Documents of transactions (`/C…`, `/X…`, `/M…`) are excluded.
        """
        return self.sales - self.earlier_sales

    @property
    def expected_money(self) -> Decimal:
        """The total of all payments, refunds of credit notes negative."""
        return self.money - self.earlier_money + self.cash_rounding + self.channel_paid - self.left_to_others
