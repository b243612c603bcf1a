"""Algorithm that applies money to documents and allocates the remaining credit (docs/books.md §5).

This module does not depend on the origin of documents and movements. Posted payments are fixed. A posted allocation is
fixed unless a later payment needs its amount.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.books.cash_movements import CashMovement
from shopify_xero_pipeline.books.currency import ZERO
from shopify_xero_pipeline.books.dates import first_open_date
from shopify_xero_pipeline.books.documents import AnyDocument
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext, numeric
from shopify_xero_pipeline.books.records import PostedPayment
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Allocation, Kind, Payment

Pair = tuple[str, str]


@dataclass(frozen=True)
class PaymentApplication:
    """An amount of a movement that pays or refunds a document; `posted` is the payment of an earlier run, if any."""

    movement: CashMovement
    document: AnyDocument
    amount: Decimal
    posted: PostedPayment | None = None


@dataclass
class SettlementState:
    """Progress of a settlement.

    Attributes:
        context: the order.
        contact_id: the Contact of its documents.
        documents: all documents so far.
        applications: all applications so far.
        open_amounts: by Shopify id of the document, its amount that is not settled yet.
        unapplied_amounts: by transaction, the money that is not applied yet.
    """

    context: OrderContext
    contact_id: str
    documents: list[AnyDocument]
    applications: list[PaymentApplication] = field(default_factory=list)
    open_amounts: dict[str, Decimal] = field(init=False)
    unapplied_amounts: dict[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.open_amounts = {document.shopify_id: document.total for document in self.documents}

    def add(self, document: AnyDocument) -> None:
        """Add a document."""
        self.documents.append(document)
        self.open_amounts[document.shopify_id] = document.total

    def document(self, document_id: str) -> AnyDocument:
        """Return a document by its Shopify id."""
        return next(document for document in self.documents if document.shopify_id == document_id)

    def documents_of_kind(self, kind: Kind) -> list[AnyDocument]:
        """Return the invoices or the credit notes, in the order in which they were added."""
        return [document for document in self.documents if document.kind is kind]

    def add_movements(self, movements: Iterable[CashMovement]) -> None:
        """Add money, and apply the part that earlier runs posted to the same documents.

        Args:
            movements: the money, in time order.

        Raises:
            OrderBlockedError: a posted payment no longer fits its movement or its document.
        """
        for movement in movements:
            self.unapplied_amounts[movement.transaction_id] = movement.applicable_amount + movement.excess_amount
            for posted in self.context.posted_payments(movement.transaction_id):
                self._apply_posted(movement, posted)

    def apply(self, movement: CashMovement, documents: Sequence[AnyDocument | None]) -> None:
        """Apply the rest of a movement to documents, in order, at most once to each.

        Args:
            movement: the money.
            documents: candidates; None and documents of the other side are ignored.
        """
        applied_ids = {
            application.document.shopify_id for application in self.applications if application.movement is movement
        }
        for document in documents:
            if document is None or document.kind is not movement.side or document.shopify_id in applied_ids:
                continue
            amount = min(self.unapplied_amounts[movement.transaction_id], self.open_amounts[document.shopify_id])
            if amount > 0:
                self._add_application(PaymentApplication(movement, document, amount))

    def reserve(self, remaining: Decimal, documents: Sequence[AnyDocument | None]) -> None:
        """Reserve credit for a pending refund without applying it.

        Args:
            remaining: the amount to reserve, in the shop's currency.
            documents: candidates in order; only credit notes count.
        """
        for document in documents:
            if document is not None and document.kind is Kind.CREDIT_NOTE:
                amount = min(remaining, self.open_amounts[document.shopify_id])
                self.open_amounts[document.shopify_id] -= amount
                remaining -= amount

    def _apply_posted(self, movement: CashMovement, posted: PostedPayment) -> None:
        document_id, amount = posted.document_id, posted.amount
        document = self.document(document_id) if document_id in self.open_amounts else None
        if document is None or document.kind is not movement.side:
            raise OrderBlockedError(
                f"transaction {movement.transaction_id} was posted on document {document_id}, which Shopify's"
                " history no longer contains; compare the order with Xero"
            )
        if amount > min(self.unapplied_amounts[movement.transaction_id], self.open_amounts[document_id]):
            raise OrderBlockedError(
                f"{amount} of transaction {movement.transaction_id} is posted on {document.number}, more than the"
                f" transaction's {movement.applicable_amount} or the document's {document.total} allow; compare it with"
                " Xero"
            )
        self._add_application(PaymentApplication(movement, document, amount, posted))

    def _add_application(self, application: PaymentApplication) -> None:
        self.applications.append(application)
        self.unapplied_amounts[application.movement.transaction_id] -= application.amount
        self.open_amounts[application.document.shopify_id] -= application.amount


def build_payments(settlement: SettlementState) -> tuple[Payment, ...]:
    """Return a payment for each application, in document order; money left to others has one only if it is posted.

    Raises:
        OrderBlockedError: a new payment would fall into a locked period.
    """
    order = {document.shopify_id: index for index, document in enumerate(settlement.documents)}
    applications = sorted(
        settlement.applications,
        key=lambda application: (
            order[application.document.shopify_id],
            application.movement.moved_at,
            numeric(application.movement.transaction_id),
        ),
    )
    return tuple(
        _payment(settlement.context, application)
        for application in applications
        if application.posted or not application.movement.is_left_to_others
    )


def build_allocations(settlement: SettlementState) -> tuple[Allocation, ...]:
    """Return the allocations: posted ones that still fit, then the oldest credit note to the oldest invoice.

    Raises:
        OrderBlockedError: a new allocation would fall into a locked period, or a posted one names a missing document.
    """
    applied = _apply_posted_allocations(settlement)
    amounts: dict[Pair, Decimal] = {pair: amount for pair, (amount, _) in applied.items()}
    for credit_note in _transaction_documents_first(settlement.documents_of_kind(Kind.CREDIT_NOTE)):
        for invoice in _transaction_documents_first(settlement.documents_of_kind(Kind.INVOICE)):
            amount = min(settlement.open_amounts[credit_note.shopify_id], settlement.open_amounts[invoice.shopify_id])
            if amount > 0:
                pair = (credit_note.shopify_id, invoice.shopify_id)
                amounts[pair] = amounts.get(pair, ZERO) + amount
                _reduce_open_amounts(settlement, pair, amount)
    days = {pair: day for pair, (amount, day) in applied.items() if amounts[pair] == amount}
    order = {document.shopify_id: index for index, document in enumerate(settlement.documents)}
    pairs = sorted(amounts, key=lambda pair: (order[pair[0]], order[pair[1]]))
    return tuple(_allocation(settlement, pair, amounts[pair], days.get(pair)) for pair in pairs)


def _transaction_documents_first(documents: Sequence[AnyDocument]) -> list[AnyDocument]:
    """Return documents of transactions before those of agreements, in stable order.

    A transaction's document closes the amount that its own money left open, before a later document can take it.
    """
    return sorted(documents, key=lambda document: document.shopify_id.rpartition("/")[2].isdigit())


def _apply_posted_allocations(settlement: SettlementState) -> Mapping[Pair, tuple[Decimal, date]]:
    """Apply posted allocations unless a payment took their amount; return amount and date of each applied one."""
    sums: dict[Pair, Decimal] = defaultdict(lambda: ZERO)
    days: dict[Pair, date] = {}
    for posted in settlement.context.posted_records.allocations:
        pair = (posted.credit_note_id, posted.invoice_id)
        if pair[0] not in settlement.open_amounts or pair[1] not in settlement.open_amounts:
            raise OrderBlockedError(
                f"credit of {posted.amount} was allocated between documents {pair[0]} and {pair[1]}, which Shopify's"
                " history no longer contains; compare the order with Xero"
            )
        sums[pair] += posted.amount
        days[pair] = max(posted.date, days.get(pair, posted.date))
    applied = {}
    for pair, amount in sums.items():
        if amount <= min(settlement.open_amounts[pair[0]], settlement.open_amounts[pair[1]]):
            applied[pair] = (amount, days[pair])
            _reduce_open_amounts(settlement, pair, amount)
    return applied


def _reduce_open_amounts(settlement: SettlementState, pair: Pair, amount: Decimal) -> None:
    for document_id in pair:
        settlement.open_amounts[document_id] -= amount


def _payment(context: OrderContext, application: PaymentApplication) -> Payment:
    movement, document, posted = application.movement, application.document, application.posted
    what = f"the payment of transaction {movement.transaction_id}"
    day = (
        posted.date
        if posted
        else first_open_date(context, max(movement.posting_date, document.date), what).posting_date
    )
    return Payment(
        shopify_id=f"{movement.transaction_id}/{document.number}",
        order_id=context.order_id,
        order_name=context.order.name,
        document_kind=movement.side,
        document_id=document.shopify_id,
        document_number=document.number,
        account_code=(posted.account if posted else "") or movement.account,
        date=day,
        amount=application.amount,
        currency=context.currency,
        gateway=movement.gateway,
        reference=references.of_payment(context.order_id, movement.transaction_id),
    )


def _allocation(settlement: SettlementState, pair: Pair, amount: Decimal, posted_date: date | None) -> Allocation:
    credit_note, invoice = (settlement.document(document_id) for document_id in pair)
    what = f"the allocation of {credit_note.number} to {invoice.number}"
    return Allocation(
        shopify_id=f"{credit_note.number}/{invoice.number}/{amount.normalize():f}",
        order_id=settlement.context.order_id,
        order_name=settlement.context.order.name,
        credit_note_id=credit_note.shopify_id,
        credit_note_number=credit_note.number,
        invoice_id=invoice.shopify_id,
        invoice_number=invoice.number,
        amount=amount,
        date=posted_date or first_open_date(settlement.context, max(credit_note.date, invoice.date), what).posting_date,
        currency=settlement.context.currency,
    )
