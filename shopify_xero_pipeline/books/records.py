"""What the books say of one order: the records that must exist, or why none may.

Only shapes belong here; the rules that fill them stand in `orders.py` and its neighbours. `OrderLedger` is what
earlier runs have posted of the same order, handed in by `changes/`, so that numbers, dates and placements once made
stay as they are.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.xero.models import Allocation, Contact, CreditNote, Invoice, Kind, Payment


class Outcome(StrEnum):
    """What becomes of an order."""

    POST = "post"
    WAITING = "waiting"
    SKIPPED = "skipped"
    BLOCKED = "blocked"


class PostedDocument(BaseModel):
    """A document whose number and date are frozen: posted, or planned and not yet refused for good."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    shopify_id: str
    number: str
    date: date
    contact_id: str
    total: Decimal


class PostedPayment(BaseModel):
    """Money already placed: a transaction (by digits) on a document (by Shopify id).

    `account` is where it was posted; empty where that is not known.
    """

    model_config = ConfigDict(frozen=True)

    transaction_id: str
    document_id: str
    amount: Decimal
    date: date
    account: str = ""


class PostedAllocation(BaseModel):
    """Credit already allocated from one document of ours to another (by Shopify id)."""

    model_config = ConfigDict(frozen=True)

    credit_note_id: str
    invoice_id: str
    amount: Decimal
    date: date


class PostedRecords(BaseModel):
    """Everything posted of one order so far; empty for a new one."""

    model_config = ConfigDict(frozen=True)

    documents: tuple[PostedDocument, ...] = ()
    payments: tuple[PostedPayment, ...] = ()
    allocations: tuple[PostedAllocation, ...] = ()


class OrderBooks(BaseModel):
    """The books of one order. `reason` is plain words: why waiting, skipped or blocked, and what to do about it.

    `sales`, `tax` and `money` are Shopify's own figures (current total, its tax, net payment) in `currency`, kept
    beside the documents for reconciliation. A blocked, waiting or skipped order has no records.

    What lies between those figures and the records: `sales_before` and `money_before` happened before the start date
    and are not in these books, `cash_rounding` is cash that moved beyond Shopify's net payment, `channel_paid` is tax
    a sales channel kept back, paid from its own account, `exchange` is what documents for exchange differences add up
    to, credit notes negative, `left_to_others` is money that others enter in Xero. `waits_for_others` if they enter
    any, that under way included.
    """

    model_config = ConfigDict(frozen=True)

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
        """What the documents of agreements add up to, credit notes negative; `/C…`, `/X…` and `/M…` stand aside."""
        return self.sales - self.earlier_sales

    @property
    def expected_money(self) -> Decimal:
        """What all payments add up to, refunds of credit notes negative."""
        return self.money - self.earlier_money + self.cash_rounding + self.channel_paid - self.left_to_others
