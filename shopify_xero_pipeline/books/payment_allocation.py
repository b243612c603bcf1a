"""An order's money brought to its documents: cash rounding, exchange differences, uncovered refunds, channels' tax.

Only what is special about some money belongs here (docs/books.md §4 channelLiable, §5); the placing itself is done in
`settlement.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.cash_movements import SIDE, CashMovement, Direction
from shopify_xero_pipeline.books.currency import ZERO, require_account, require_account_fits
from shopify_xero_pipeline.books.dates import agreement_date
from shopify_xero_pipeline.books.documents import AnyDocument, BookedAgreement, adjustment_document, signed_total
from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.exchange_differences import convert_at_order_rate
from shopify_xero_pipeline.books.lines import adjustment_line
from shopify_xero_pipeline.books.numbering import EXCHANGE, ROUNDING, UNCOVERED_REFUND
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.overpayments import offset_overpayments
from shopify_xero_pipeline.books.settlement import SettlementState, build_allocations, build_payments
from shopify_xero_pipeline.books.tax import sale_taxes
from shopify_xero_pipeline.shopify.models import legacy_id
from shopify_xero_pipeline.xero.models import Allocation, Kind, Payment

CHANNEL_TRANSACTION = "channel-tax-"
CHANNEL_GATEWAY = "channel_tax"
PAID_STATUS = frozenset({"PAID", "PARTIALLY_REFUNDED", "REFUNDED"})


@dataclass(frozen=True)
class Settlement:
    """All documents of an order, its payments and allocations; `channel_paid` came from the channel's account.

    `warnings` name money left to others for which no document has room.
    """

    documents: tuple[AnyDocument, ...]
    payments: tuple[Payment, ...]
    allocations: tuple[Allocation, ...]
    channel_paid: Decimal
    warnings: tuple[str, ...] = ()


def settle_order(
    case: OrderContext, booked: Sequence[BookedAgreement], moved: Sequence[CashMovement], contact_id: str
) -> Settlement:
    """Place an order's money on its documents.

    Args:
        case: the order.
        booked: its agreements, in order.
        moved: its money, in time order.
        contact_id: the contact of its documents.

    Raises:
        Blocked: more money than documents, or money posted earlier that no longer fits.
    """
    ordinary = [entry.document for entry in booked if entry.document is not None]
    desk = SettlementState(case, list(ordinary))
    own = _own_credit_notes(case, booked)
    converted = convert_at_order_rate(case, booked, own, moved)
    moved = offset_overpayments(case, booked, converted.movements)
    rounding = _add_rounding_documents(desk, moved, contact_id)
    exchange = _add_exchange_documents(desk, moved, contact_id)
    covers = _add_posted_covers(desk, moved, contact_id)
    desk.add_movements(moved)
    for movement in moved:
        desk.apply(movement, [found.get(movement.transaction_id) for found in (rounding, exchange, covers)])
        desk.apply(movement, [own.get(movement.transaction_id)])
    for movement in moved:
        desk.apply(movement, ordinary)
        _handle_unapplied_money(desk, movement, contact_id)
    channel_paid = _settle_channel_tax(desk, booked, moved, sum(converted.pending.values(), ZERO))
    _check_posted_placements(desk)
    payments = build_payments(desk)
    for transaction_id, amount in converted.pending.items():
        desk.reserve(amount, [own.get(transaction_id), *ordinary])
    return Settlement(
        tuple(desk.documents), payments, build_allocations(desk), channel_paid, _without_room(desk, moved)
    )


def _own_credit_notes(case: OrderContext, booked: Sequence[BookedAgreement]) -> Mapping[str, AnyDocument]:
    """Return, by transaction, the document of the refund it belongs to."""
    own = {}
    for entry in booked:
        refund = case.refund_of(entry.entry)
        if refund is not None and entry.document is not None:
            own.update({legacy_id(transaction): entry.document for transaction in refund.transaction_ids})
    return own


def _add_rounding_documents(
    desk: SettlementState, moved: Sequence[CashMovement], contact_id: str
) -> Mapping[str, AnyDocument]:
    """Add the document of each cash rounding; return those that the same cash settles, by transaction."""
    account = desk.case.policy.accounts.rounding
    return _add_differences(desk, moved, contact_id, _Difference(ROUNDING, "rounding", "Cash rounding", account))


def _add_exchange_documents(
    desk: SettlementState, moved: Sequence[CashMovement], contact_id: str
) -> Mapping[str, AnyDocument]:
    """Add the document of each exchange difference; return those that the same money settles, by transaction."""
    if any(movement.exchange for movement in moved):
        require_account("accounts.exchange", desk.case.policy.accounts.exchange, desk.case.organisation)
    account = desk.case.policy.accounts.exchange
    return _add_differences(desk, moved, contact_id, _Difference(EXCHANGE, "exchange", "Exchange difference", account))


@dataclass(frozen=True)
class _Difference:
    """A kind of difference between what moved and what it settles: an amount of a movement, and how it is booked."""

    letter: str
    amount: str
    words: str
    account: str


def _add_differences(
    desk: SettlementState, moved: Sequence[CashMovement], contact_id: str, kind: _Difference
) -> Mapping[str, AnyDocument]:
    settled = {}
    for movement in moved:
        amount: Decimal = getattr(movement, kind.amount)
        if amount:
            document = _difference_document(desk.case, movement, amount, contact_id, kind)
            desk.add(document)
            if amount > 0:
                settled[movement.transaction_id] = document
    return settled


def _difference_document(
    case: OrderContext, movement: CashMovement, amount: Decimal, contact_id: str, kind: _Difference
) -> AnyDocument:
    """More money than it settles: a document on the money's own side; less: one on the other side, to be allocated."""
    came_in = movement.direction is Direction.IN
    return adjustment_document(
        case,
        kind=Kind.INVOICE if (amount > 0) == came_in else Kind.CREDIT_NOTE,
        letter=kind.letter,
        transaction_id=movement.transaction_id,
        day=movement.posting_date,
        line=adjustment_line(case, kind.words, kind.account, abs(amount)),
        contact_id=contact_id,
    )


def _add_posted_covers(
    desk: SettlementState, moved: Sequence[CashMovement], contact_id: str
) -> Mapping[str, AnyDocument]:
    """Put back on the desk the credit notes that earlier runs made for uncovered refunds."""
    covers = {}
    for movement in moved:
        posted = desk.case.posted.get(desk.case.document_id(UNCOVERED_REFUND + movement.transaction_id))
        if posted is not None:
            covers[movement.transaction_id] = _cover(desk.case, movement, posted.total, contact_id)
            desk.add(covers[movement.transaction_id])
    return covers


def _cover(case: OrderContext, movement: CashMovement, amount: Decimal, contact_id: str) -> AnyDocument:
    return adjustment_document(
        case,
        kind=Kind.CREDIT_NOTE,
        letter=UNCOVERED_REFUND,
        transaction_id=movement.transaction_id,
        day=movement.posting_date,
        line=adjustment_line(case, "Refund beyond what was returned", case.policy.accounts.adjustments, amount),
        contact_id=contact_id,
    )


def _handle_unapplied_money(desk: SettlementState, movement: CashMovement, contact_id: str) -> None:
    """Deal with money for which no document has room."""
    excess = desk.unapplied_amounts[movement.transaction_id]
    if not excess:
        return
    if movement.direction is Direction.OUT and desk.case.policy.refund.uncovered == "adjust":
        cover = _cover(desk.case, movement, excess, contact_id)
        desk.add(cover)
        desk.apply(movement, [cover])
        return
    if movement.is_left_to_others:
        return
    side = SIDE[movement.direction]
    total = sum((document.total for document in desk.documents_of_kind(side)), ZERO)
    if movement.direction is Direction.IN:
        raise OrderBlockedError(
            f"payments exceed the invoices: {excess} of transaction {movement.transaction_id}"
            f" ({movement.gateway}) has no invoice, all invoices add up to {total}; {_where_to_look(desk.case)}"
        )
    raise OrderBlockedError(
        f"refunds exceed the credit notes: {excess} of transaction {movement.transaction_id} ({movement.gateway})"
        f" has no credit note, all credit notes add up to {total}; to book it on accounts.adjustments"
        f" ({desk.case.policy.accounts.adjustments}),"
        f" {remedies.setting(desk.case.policy, 'refund', 'uncovered', 'adjust').sentence}"
    )


def _without_room(desk: SettlementState, moved: Sequence[CashMovement]) -> tuple[str, ...]:
    """Say what others have to decide: money left to them for which no document has room."""
    left = [
        (movement, desk.unapplied_amounts[movement.transaction_id]) for movement in moved if movement.is_left_to_others
    ]
    return tuple(
        f"{amount} of transaction {movement.transaction_id} ({movement.gateway}) has no"
        f" {SIDE[movement.direction].value.replace('_', ' ')}; its money is left to others, who decide about it"
        for movement, amount in left
        if amount
    )


def _where_to_look(case: OrderContext) -> str:
    """Say what to do about money without an invoice: of an older order it may pay one of the earlier books."""
    start = case.policy.start_date
    if case.day(case.order.processed_at) < start:
        return f"the order is from before the start date {start}: enter the money in Xero on its earlier invoice"
    return "look at the order's payments in Shopify"


def _settle_channel_tax(
    desk: SettlementState, booked: Sequence[BookedAgreement], moved: Sequence[CashMovement], under_way_back: Decimal
) -> Decimal:
    """Settle from its own account the tax a sales channel kept back, if that is exactly what is missing."""
    taxes = {entry.entry.legacy_id: _channel_tax(desk.case, entry) for entry in booked}
    total = sum(taxes.values(), ZERO)
    posted = any(placement.transaction_id.startswith(CHANNEL_TRANSACTION) for placement in desk.case.ledger.payments)
    if not any(taxes.values()):
        return ZERO
    gap = _gap(booked, moved) + under_way_back
    kept_back = gap == total and (posted or (total != 0 and desk.case.order.display_financial_status in PAID_STATUS))
    if not kept_back:
        if gap and total and desk.case.order.display_financial_status == "PAID":
            raise OrderBlockedError(
                f"Shopify calls the order paid, but {gap} is missing, and the tax its sales channel remits is {total};"
                " look at the order's payments in Shopify"
            )
        if not posted:
            return ZERO
    synthetic = [movement for entry in booked for movement in _channel_movement(desk.case, entry, taxes)]
    desk.add_movements(synthetic)
    if kept_back:
        for movement in synthetic:
            desk.apply(movement, [entry.document for entry in booked])
    return sum(
        (
            _signed(placement.amount, placement.movement)
            for placement in desk.applications
            if placement.movement in synthetic
        ),
        ZERO,
    )


def _gap(booked: Sequence[BookedAgreement], moved: Sequence[CashMovement]) -> Decimal:
    """Return what was sold and never paid."""
    sold = sum((signed_total(entry.document) for entry in booked if entry.document is not None), ZERO)
    return sold - sum((_signed(movement.amount, movement) for movement in moved), ZERO)


def _signed(amount: Decimal, movement: CashMovement) -> Decimal:
    return amount if movement.direction is Direction.IN else -amount


def _channel_tax(case: OrderContext, entry: BookedAgreement) -> Decimal:
    taxes = [tax for sale in entry.entry.sales for tax in sale_taxes(case, sale, 1)]
    return sum((tax.amount for tax in taxes if tax.channel_liable), ZERO)


def _channel_movement(case: OrderContext, entry: BookedAgreement, taxes: Mapping[str, Decimal]) -> list[CashMovement]:
    agreement = entry.entry
    amount = taxes[agreement.legacy_id]
    if not amount:
        return []
    account = case.policy.accounts.channel_tax
    require_account_fits(account, case.currency, "accounts.channel_tax", case.organisation)
    return [
        CashMovement(
            transaction_id=CHANNEL_TRANSACTION + agreement.legacy_id,
            direction=Direction.IN if amount > 0 else Direction.OUT,
            amount=abs(amount),
            rounding=ZERO,
            posting_date=agreement_date(case, agreement),
            moved_at=agreement.happened_at,
            gateway=CHANNEL_GATEWAY,
            account=account,
        )
    ]


def _check_posted_placements(desk: SettlementState) -> None:
    """Refuse money posted earlier that no transaction of the order stands for any more."""
    known = {entry.movement.transaction_id for entry in desk.applications}
    for posted in desk.case.ledger.payments:
        if posted.transaction_id not in known:
            raise OrderBlockedError(
                f"{posted.amount} of transaction {posted.transaction_id} is posted in Xero, but Shopify's history"
                " no longer gives"
                " that money; compare the order with Xero"
            )
