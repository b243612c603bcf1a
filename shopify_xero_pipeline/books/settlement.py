"""The settlement of an order: money onto documents, what is left allocated (docs/books.md §5).

Only the algorithm belongs here. It knows documents and movements, not where they come from; placements and
allocations already posted are fixed, a payment for ever, an allocation unless later money needs its place.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.books.cash_movements import SIDE, Movement
from shopify_xero_pipeline.books.currency import ZERO
from shopify_xero_pipeline.books.dates import open_day
from shopify_xero_pipeline.books.documents import AnyDocument
from shopify_xero_pipeline.books.errors import Blocked
from shopify_xero_pipeline.books.order_context import Case, numeric
from shopify_xero_pipeline.books.records import PostedPlacement
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Allocation, Kind, Payment

Pair = tuple[str, str]


@dataclass(frozen=True)
class Placement:
    """Part of a movement on a document; `posted` if an earlier run placed it."""

    movement: Movement
    document: AnyDocument
    amount: Decimal
    posted: PostedPlacement | None = None


@dataclass
class Desk:
    """Documents and what is still open on each, filled step by step."""

    case: Case
    documents: list[AnyDocument]
    placements: list[Placement] = field(default_factory=list)
    room: dict[str, Decimal] = field(default_factory=dict)
    left: dict[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.room = {document.shopify_id: document.total for document in self.documents}

    def add(self, document: AnyDocument) -> None:
        """Put one more document on the desk."""
        self.documents.append(document)
        self.room[document.shopify_id] = document.total

    def document(self, document_id: str) -> AnyDocument:
        """Return a document on the desk by its Shopify id."""
        return next(document for document in self.documents if document.shopify_id == document_id)

    def of(self, kind: Kind) -> list[AnyDocument]:
        """Return the invoices or the credit notes, in document order."""
        return [document for document in self.documents if document.kind is kind]

    def take(self, movements: Iterable[Movement]) -> None:
        """Receive money to be placed; what was placed by earlier runs is placed again, unchanged.

        Raises:
            Blocked: an earlier placement no longer fits its movement or its document.
        """
        for movement in movements:
            self.left[movement.transaction_id] = movement.placed + movement.beside
            for posted in self.case.ledger.placements:
                if posted.transaction_id == movement.transaction_id:
                    self._put_posted(movement, posted)

    def put(self, movement: Movement, documents: Sequence[AnyDocument | None]) -> None:
        """Place what is left of a movement on these documents, in order, never twice on one."""
        done = {entry.document.shopify_id for entry in self.placements if entry.movement is movement}
        for document in documents:
            if document is None or document.kind is not SIDE[movement.direction] or document.shopify_id in done:
                continue
            amount = min(self.left[movement.transaction_id], self.room[document.shopify_id])
            if amount > 0:
                self._put(Placement(movement, document, amount))

    def reserve(self, left: Decimal, documents: Sequence[AnyDocument | None]) -> None:
        """Keep room free for a refund under way, without placing it."""
        for document in documents:
            if document is not None and document.kind is Kind.CREDIT_NOTE:
                amount = min(left, self.room[document.shopify_id])
                self.room[document.shopify_id] -= amount
                left -= amount

    def _put_posted(self, movement: Movement, posted: PostedPlacement) -> None:
        document_id, amount = posted.document_id, posted.amount
        document = self.document(document_id) if document_id in self.room else None
        if document is None or document.kind is not SIDE[movement.direction]:
            raise Blocked(
                f"transaction {movement.transaction_id} was posted on document {document_id}, which Shopify's"
                " history no longer gives; compare the order with Xero"
            )
        if amount > min(self.left[movement.transaction_id], self.room[document_id]):
            raise Blocked(
                f"{amount} of transaction {movement.transaction_id} is posted on {document.number}, more than the"
                f" transaction's {movement.placed} or the document's {document.total} allow; compare it with Xero"
            )
        self._put(Placement(movement, document, amount, posted))

    def _put(self, placement: Placement) -> None:
        self.placements.append(placement)
        self.left[placement.movement.transaction_id] -= placement.amount
        self.room[placement.document.shopify_id] -= placement.amount


def payments_of(desk: Desk) -> tuple[Payment, ...]:
    """Return a payment for each placement, in document order; what is left to others has one only if it is posted.

    Raises:
        Blocked: a new payment would fall into a locked period.
    """
    order = {document.shopify_id: index for index, document in enumerate(desk.documents)}
    placed = sorted(
        [entry for entry in desk.placements if entry.posted or not entry.movement.is_left_to_others],
        key=lambda entry: (
            order[entry.document.shopify_id],
            entry.movement.moment,
            numeric(entry.movement.transaction_id),
        ),
    )
    return tuple(_payment(desk.case, placement) for placement in placed)


def allocations_of(desk: Desk) -> tuple[Allocation, ...]:
    """Return what is set off: posted allocations that still fit, then oldest credit note to oldest invoice.

    Raises:
        Blocked: a new allocation would fall into a locked period, or a posted one names a document that is not there.
    """
    kept = _kept(desk)
    amounts: dict[Pair, Decimal] = {pair: amount for pair, (amount, _) in kept.items()}
    for credit_note in _of_money_first(desk.of(Kind.CREDIT_NOTE)):
        for invoice in _of_money_first(desk.of(Kind.INVOICE)):
            amount = min(desk.room[credit_note.shopify_id], desk.room[invoice.shopify_id])
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


def _kept(desk: Desk) -> Mapping[Pair, tuple[Decimal, date]]:
    """Posted allocations, as far as no money stands where they stood."""
    sums: dict[Pair, Decimal] = defaultdict(lambda: ZERO)
    days: dict[Pair, date] = {}
    for posted in desk.case.ledger.allocations:
        pair = (posted.credit_note_id, posted.invoice_id)
        if pair[0] not in desk.room or pair[1] not in desk.room:
            raise Blocked(
                f"credit of {posted.amount} was allocated between documents {pair[0]} and {pair[1]}, which"
                " Shopify's history no"
                " longer gives; compare the order with Xero"
            )
        sums[pair] += posted.amount
        days[pair] = max(posted.date, days.get(pair, posted.date))
    kept = {}
    for pair, amount in sums.items():
        if amount <= min(desk.room[pair[0]], desk.room[pair[1]]):
            kept[pair] = (amount, days[pair])
            _use(desk, pair, amount)
    return kept


def _use(desk: Desk, pair: Pair, amount: Decimal) -> None:
    for document_id in pair:
        desk.room[document_id] -= amount


def _payment(case: Case, placement: Placement) -> Payment:
    movement, document, posted = placement.movement, placement.document, placement.posted
    what = f"the payment of transaction {movement.transaction_id}"
    day = posted.date if posted else open_day(case, max(movement.day, document.date), what).day
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


def _allocation(desk: Desk, pair: Pair, amount: Decimal, frozen: date | None) -> Allocation:
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
        date=frozen or open_day(desk.case, max(credit_note.date, invoice.date), what).day,
        currency=desk.case.currency,
    )
