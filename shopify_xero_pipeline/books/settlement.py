"""The settlement of an order: money onto documents, what is left allocated (docs/books.md §5).

Only the algorithm belongs here. It knows documents and movements, not where they come from; placements and
allocations already posted are fixed, a payment for ever, an allocation unless later money needs its place.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.books.cash_movements import SIDE, CashMovement
from shopify_xero_pipeline.books.currency import ZERO
from shopify_xero_pipeline.books.dates import first_open_date
from shopify_xero_pipeline.books.documents import AnyDocument
from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.order_context import OrderContext, numeric
from shopify_xero_pipeline.books.records import PostedPayment
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Allocation, Kind, Payment

Pair = tuple[str, str]


@dataclass(frozen=True)
class PaymentApplication:
    """Part of a movement on a document; `posted` if an earlier run placed it."""

    movement: CashMovement
    document: AnyDocument
    amount: Decimal
    posted: PostedPayment | None = None


@dataclass
class SettlementState:
    """Documents and what is still open on each, filled step by step."""

    case: OrderContext
    documents: list[AnyDocument]
    applications: list[PaymentApplication] = field(default_factory=list)
    open_amounts: dict[str, Decimal] = field(default_factory=dict)
    unapplied_amounts: dict[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.open_amounts = {document.shopify_id: document.total for document in self.documents}

    def add(self, document: AnyDocument) -> None:
        """Put one more document on the desk."""
        self.documents.append(document)
        self.open_amounts[document.shopify_id] = document.total

    def document(self, document_id: str) -> AnyDocument:
        """Return a document on the desk by its Shopify id."""
        return next(document for document in self.documents if document.shopify_id == document_id)

    def documents_of_kind(self, kind: Kind) -> list[AnyDocument]:
        """Return the invoices or the credit notes, in document order."""
        return [document for document in self.documents if document.kind is kind]

    def add_movements(self, movements: Iterable[CashMovement]) -> None:
        """Receive money to be placed; what was placed by earlier runs is placed again, unchanged.

        Raises:
            Blocked: an earlier placement no longer fits its movement or its document.
        """
        for movement in movements:
            self.unapplied_amounts[movement.transaction_id] = movement.applicable_amount + movement.amount_of_others
            for posted in self.case.ledger.payments:
                if posted.transaction_id == movement.transaction_id:
                    self._put_posted(movement, posted)

    def apply(self, movement: CashMovement, documents: Sequence[AnyDocument | None]) -> None:
        """Place what is left of a movement on these documents, in order, never twice on one."""
        done = {entry.document.shopify_id for entry in self.applications if entry.movement is movement}
        for document in documents:
            if document is None or document.kind is not SIDE[movement.direction] or document.shopify_id in done:
                continue
            amount = min(self.unapplied_amounts[movement.transaction_id], self.open_amounts[document.shopify_id])
            if amount > 0:
                self._put(PaymentApplication(movement, document, amount))

    def reserve(self, left: Decimal, documents: Sequence[AnyDocument | None]) -> None:
        """Keep room free for a refund under way, without placing it."""
        for document in documents:
            if document is not None and document.kind is Kind.CREDIT_NOTE:
                amount = min(left, self.open_amounts[document.shopify_id])
                self.open_amounts[document.shopify_id] -= amount
                left -= amount

    def _put_posted(self, movement: CashMovement, posted: PostedPayment) -> None:
        document_id, amount = posted.document_id, posted.amount
        document = self.document(document_id) if document_id in self.open_amounts else None
        if document is None or document.kind is not SIDE[movement.direction]:
            raise OrderBlockedError(
                f"transaction {movement.transaction_id} was posted on document {document_id}, which Shopify's"
                " history no longer gives; compare the order with Xero"
            )
        if amount > min(self.unapplied_amounts[movement.transaction_id], self.open_amounts[document_id]):
            raise OrderBlockedError(
                f"{amount} of transaction {movement.transaction_id} is posted on {document.number}, more than the"
                f" transaction's {movement.applicable_amount} or the document's {document.total} allow; compare it with Xero"
            )
        self._put(PaymentApplication(movement, document, amount, posted))

    def _put(self, placement: PaymentApplication) -> None:
        self.applications.append(placement)
        self.unapplied_amounts[placement.movement.transaction_id] -= placement.amount
        self.open_amounts[placement.document.shopify_id] -= placement.amount


def build_payments(desk: SettlementState) -> tuple[Payment, ...]:
    """Return a payment for each placement, in document order; what is left to others has one only if it is posted.

    Raises:
        Blocked: a new payment would fall into a locked period.
    """
    order = {document.shopify_id: index for index, document in enumerate(desk.documents)}
    placed = sorted(
        [entry for entry in desk.applications if entry.posted or not entry.movement.is_left_to_others],
        key=lambda entry: (
            order[entry.document.shopify_id],
            entry.movement.moved_at,
            numeric(entry.movement.transaction_id),
        ),
    )
    return tuple(_payment(desk.case, placement) for placement in placed)


def build_allocations(desk: SettlementState) -> tuple[Allocation, ...]:
    """Return what is set off: posted allocations that still fit, then oldest credit note to oldest invoice.

    Raises:
        Blocked: a new allocation would fall into a locked period, or a posted one names a document that is not there.
    """
    kept = _kept(desk)
    amounts: dict[Pair, Decimal] = {pair: amount for pair, (amount, _) in kept.items()}
    for credit_note in _of_money_first(desk.documents_of_kind(Kind.CREDIT_NOTE)):
        for invoice in _of_money_first(desk.documents_of_kind(Kind.INVOICE)):
            amount = min(desk.open_amounts[credit_note.shopify_id], desk.open_amounts[invoice.shopify_id])
            if amount > 0:
                pair = (credit_note.shopify_id, invoice.shopify_id)
                amounts[pair] = amounts.get(pair, ZERO) + amount
                _use(desk, pair, amount)
    days = {pair: day for pair, (amount, day) in kept.items() if amounts[pair] == amount}
    order = {document.shopify_id: index for index, document in enumerate(desk.documents)}
    pairs = sorted(amounts, key=lambda pair: (order[pair[0]], order[pair[1]]))
    return tuple(_allocation(desk, pair, amounts[pair], days.get(pair)) for pair in pairs)


def _of_money_first(documents: Sequence[AnyDocument]) -> list[AnyDocument]:
    """A document of money alone closes what its own money left open, before a later document can take that place."""
    return sorted(documents, key=lambda document: document.shopify_id.rpartition("/")[2].isdigit())


def _kept(desk: SettlementState) -> Mapping[Pair, tuple[Decimal, date]]:
    """Posted allocations, as far as no money stands where they stood."""
    sums: dict[Pair, Decimal] = defaultdict(lambda: ZERO)
    days: dict[Pair, date] = {}
    for posted in desk.case.ledger.allocations:
        pair = (posted.credit_note_id, posted.invoice_id)
        if pair[0] not in desk.open_amounts or pair[1] not in desk.open_amounts:
            raise OrderBlockedError(
                f"credit of {posted.amount} was allocated between documents {pair[0]} and {pair[1]}, which"
                " Shopify's history no"
                " longer gives; compare the order with Xero"
            )
        sums[pair] += posted.amount
        days[pair] = max(posted.date, days.get(pair, posted.date))
    kept = {}
    for pair, amount in sums.items():
        if amount <= min(desk.open_amounts[pair[0]], desk.open_amounts[pair[1]]):
            kept[pair] = (amount, days[pair])
            _use(desk, pair, amount)
    return kept


def _use(desk: SettlementState, pair: Pair, amount: Decimal) -> None:
    for document_id in pair:
        desk.open_amounts[document_id] -= amount


def _payment(case: OrderContext, placement: PaymentApplication) -> Payment:
    movement, document, posted = placement.movement, placement.document, placement.posted
    what = f"the payment of transaction {movement.transaction_id}"
    day = posted.date if posted else first_open_date(case, max(movement.posting_date, document.date), what).posting_date
    return Payment(
        shopify_id=f"{movement.transaction_id}/{document.number}",
        order_id=case.order_id,
        order_name=case.order.name,
        document_kind=SIDE[movement.direction],
        document_id=document.shopify_id,
        document_number=document.number,
        account_code=(posted.account if posted else "") or movement.account,
        date=day,
        amount=placement.amount,
        currency=case.currency,
        gateway=movement.gateway,
        reference=references.of_payment(case.order_id, movement.transaction_id),
    )


def _allocation(desk: SettlementState, pair: Pair, amount: Decimal, frozen: date | None) -> Allocation:
    credit_note, invoice = (desk.document(document_id) for document_id in pair)
    what = f"the allocation of {credit_note.number} to {invoice.number}"
    return Allocation(
        shopify_id=f"{credit_note.number}/{invoice.number}/{amount.normalize():f}",
        order_id=desk.case.order_id,
        order_name=desk.case.order.name,
        credit_note_id=credit_note.shopify_id,
        credit_note_number=credit_note.number,
        invoice_id=invoice.shopify_id,
        invoice_number=invoice.number,
        amount=amount,
        date=frozen or first_open_date(desk.case, max(credit_note.date, invoice.date), what).posting_date,
        currency=desk.case.currency,
    )
