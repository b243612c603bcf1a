"""Settlement of an order: its documents, payments and allocations (docs/books.md §4 channelLiable, §5).

This module handles cash rounding, exchange differences, uncovered refunds and tax that a sales channel remits.
`settlement.py` applies money to documents.
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
    """The documents, payments and allocations of an order.

    Attributes:
        channel_paid: net payments from the sales channel's tax account, in the shop's currency.
        warnings: money left to others that no document can take.
    """

    documents: tuple[AnyDocument, ...]
    payments: tuple[Payment, ...]
    allocations: tuple[Allocation, ...]
    channel_paid: Decimal
    warnings: tuple[str, ...] = ()


def settle_order(
    context: OrderContext, bookings: Sequence[BookedAgreement], movements: Sequence[CashMovement], contact_id: str
) -> Settlement:
    """Apply an order's money to its documents.

    Args:
        context: the order.
        bookings: its agreements, in time order.
        movements: its money, in time order.
        contact_id: the Contact of its documents.

    Raises:
        OrderBlockedError: money exceeds the documents, or a posted payment no longer fits.
    """
    agreement_documents = [booking.document for booking in bookings if booking.document is not None]
    settlement = SettlementState(context, list(agreement_documents))
    refund_documents = _refund_documents(context, bookings)
    converted = convert_at_order_rate(context, bookings, refund_documents, movements)
    movements = offset_overpayments(context, bookings, converted.movements)
    rounding = _add_rounding_documents(settlement, movements, contact_id)
    exchange = _add_exchange_documents(settlement, movements, contact_id)
    uncovered = _add_posted_uncovered_refunds(settlement, movements, contact_id)
    settlement.add_movements(movements)
    # Each movement first settles its own documents, so that no other movement takes their room.
    for movement in movements:
        own_documents = [documents.get(movement.transaction_id) for documents in (rounding, exchange, uncovered)]
        settlement.apply(movement, own_documents)
        settlement.apply(movement, [refund_documents.get(movement.transaction_id)])
    for movement in movements:
        settlement.apply(movement, agreement_documents)
        _handle_unapplied_money(settlement, movement, contact_id)
    channel_paid = _settle_channel_tax(settlement, bookings, movements, sum(converted.pending.values(), ZERO))
    _check_posted_payments(settlement)
    payments = build_payments(settlement)
    # Before the allocations: they must not use the credit that pending refunds need.
    for transaction_id, amount in converted.pending.items():
        settlement.reserve(amount, [refund_documents.get(transaction_id), *agreement_documents])
    return Settlement(
        documents=tuple(settlement.documents),
        payments=payments,
        allocations=build_allocations(settlement),
        channel_paid=channel_paid,
        warnings=_unapplied_money_warnings(settlement, movements),
    )


def _refund_documents(context: OrderContext, bookings: Sequence[BookedAgreement]) -> Mapping[str, AnyDocument]:
    """Return, by transaction, the document of the transaction's refund."""
    documents = {}
    for booking in bookings:
        refund = context.refund_of(booking.agreement)
        if refund is not None and booking.document is not None:
            documents.update({legacy_id(transaction): booking.document for transaction in refund.transaction_ids})
    return documents


def _add_rounding_documents(
    settlement: SettlementState, movements: Sequence[CashMovement], contact_id: str
) -> Mapping[str, AnyDocument]:
    """Add the document of each cash rounding; return by transaction those that the same cash settles."""
    account = settlement.context.policy.accounts.rounding
    return _add_differences(
        settlement, movements, contact_id, _Difference(ROUNDING, "rounding", "Cash rounding", account)
    )


def _add_exchange_documents(
    settlement: SettlementState, movements: Sequence[CashMovement], contact_id: str
) -> Mapping[str, AnyDocument]:
    """Add the document of each exchange difference; return by transaction those that the same money settles."""
    if any(movement.exchange for movement in movements):
        require_account(
            "accounts.exchange", settlement.context.policy.accounts.exchange, settlement.context.organisation
        )
    account = settlement.context.policy.accounts.exchange
    return _add_differences(
        settlement, movements, contact_id, _Difference(EXCHANGE, "exchange", "Exchange difference", account)
    )


@dataclass(frozen=True)
class _Difference:
    """A kind of difference between a movement and the amount that it settles.

    Attributes:
        letter: the letter in the document's number.
        field: the field of `CashMovement` with the amount.
        description: the text of the document's line.
        account: the account code.
    """

    letter: str
    field: str
    description: str
    account: str


def _add_differences(
    settlement: SettlementState, movements: Sequence[CashMovement], contact_id: str, kind: _Difference
) -> Mapping[str, AnyDocument]:
    documents = {}
    for movement in movements:
        amount: Decimal = getattr(movement, kind.field)
        if amount:
            document = _difference_document(settlement.context, movement, amount, contact_id, kind)
            settlement.add(document)
            if amount > 0:
                documents[movement.transaction_id] = document
    return documents


def _difference_document(
    context: OrderContext, movement: CashMovement, amount: Decimal, contact_id: str, kind: _Difference
) -> AnyDocument:
    """Return the document of a difference, on the movement's side if positive, else on the other, to be allocated."""
    is_received = movement.direction is Direction.IN
    return adjustment_document(
        context,
        kind=Kind.INVOICE if (amount > 0) == is_received else Kind.CREDIT_NOTE,
        letter=kind.letter,
        transaction_id=movement.transaction_id,
        day=movement.posting_date,
        line=adjustment_line(context, kind.description, kind.account, abs(amount)),
        contact_id=contact_id,
    )


def _add_posted_uncovered_refunds(
    settlement: SettlementState, movements: Sequence[CashMovement], contact_id: str
) -> Mapping[str, AnyDocument]:
    """Add the posted credit notes of uncovered refunds; return them by transaction."""
    credit_notes = {}
    for movement in movements:
        posted = settlement.context.posted_documents.get(
            settlement.context.document_id(UNCOVERED_REFUND + movement.transaction_id)
        )
        if posted is not None:
            credit_note = _uncovered_refund(settlement.context, movement, posted.total, contact_id)
            credit_notes[movement.transaction_id] = credit_note
            settlement.add(credit_note)
    return credit_notes


def _uncovered_refund(context: OrderContext, movement: CashMovement, amount: Decimal, contact_id: str) -> AnyDocument:
    return adjustment_document(
        context,
        kind=Kind.CREDIT_NOTE,
        letter=UNCOVERED_REFUND,
        transaction_id=movement.transaction_id,
        day=movement.posting_date,
        line=adjustment_line(context, "Refund beyond what was returned", context.policy.accounts.adjustments, amount),
        contact_id=contact_id,
    )


def _handle_unapplied_money(settlement: SettlementState, movement: CashMovement, contact_id: str) -> None:
    """Post a credit note for an uncovered refund, or block the order if money exceeds the documents."""
    excess = settlement.unapplied_amounts[movement.transaction_id]
    if not excess:
        return
    if movement.direction is Direction.OUT and settlement.context.policy.refund.uncovered == "adjust":
        credit_note = _uncovered_refund(settlement.context, movement, excess, contact_id)
        settlement.add(credit_note)
        settlement.apply(movement, [credit_note])
        return
    if movement.is_left_to_others:
        return
    side = SIDE[movement.direction]
    total = sum((document.total for document in settlement.documents_of_kind(side)), ZERO)
    if movement.direction is Direction.IN:
        raise OrderBlockedError(
            f"payments exceed the invoices: {excess} of transaction {movement.transaction_id}"
            f" ({movement.gateway}) has no invoice, all invoices add up to {total};"
            f" {_excess_remedy(settlement.context)}"
        )
    raise OrderBlockedError(
        f"refunds exceed the credit notes: {excess} of transaction {movement.transaction_id} ({movement.gateway})"
        f" has no credit note, all credit notes add up to {total}; to book it on accounts.adjustments"
        f" ({settlement.context.policy.accounts.adjustments}),"
        f" {remedies.setting(settlement.context.policy, 'refund', 'uncovered', 'adjust').sentence}"
    )


def _unapplied_money_warnings(settlement: SettlementState, movements: Sequence[CashMovement]) -> tuple[str, ...]:
    """Return a warning for each movement left to others that exceeds the documents."""
    unapplied = [
        (movement, settlement.unapplied_amounts[movement.transaction_id])
        for movement in movements
        if movement.is_left_to_others
    ]
    return tuple(
        f"{amount} of transaction {movement.transaction_id} ({movement.gateway}) has no"
        f" {SIDE[movement.direction].value.replace('_', ' ')}; this gateway's money is entered in Xero by others,"
        " so they decide about it"
        for movement, amount in unapplied
        if amount
    )


def _excess_remedy(context: OrderContext) -> str:
    """Return the remedy for money without an invoice; that of an earlier order may pay an invoice of earlier books."""
    start = context.policy.start_date
    if context.day(context.order.processed_at) < start:
        return f"the order is from before the start date {start}: enter the money in Xero on its earlier invoice"
    return "check the order's payments in Shopify"


def _settle_channel_tax(
    settlement: SettlementState,
    bookings: Sequence[BookedAgreement],
    movements: Sequence[CashMovement],
    pending_refunds: Decimal,
) -> Decimal:
    """Settle the sales channel's tax from its account if exactly that tax is missing; return the net amount."""
    taxes = {booking.agreement.legacy_id: _channel_tax(settlement.context, booking) for booking in bookings}
    total = sum(taxes.values(), ZERO)
    payments = settlement.context.posted_records.payments
    is_posted = any(payment.transaction_id.startswith(CHANNEL_TRANSACTION) for payment in payments)
    if not any(taxes.values()):
        return ZERO
    gap = _unpaid(bookings, movements) + pending_refunds
    is_withheld = gap == total and (
        is_posted or (total != 0 and settlement.context.order.display_financial_status in PAID_STATUS)
    )
    if not is_withheld:
        if gap and total and settlement.context.order.display_financial_status == "PAID":
            raise OrderBlockedError(
                f"Shopify calls the order paid, but {gap} is missing, and the tax its sales channel remits is {total};"
                " check the order's payments in Shopify"
            )
        if not is_posted:
            return ZERO
    channel = [movement for booking in bookings for movement in _channel_movement(settlement.context, booking, taxes)]
    settlement.add_movements(channel)
    if is_withheld:
        for movement in channel:
            settlement.apply(movement, [booking.document for booking in bookings])
    return sum(
        (
            _signed(application.amount, application.movement)
            for application in settlement.applications
            if application.movement in channel
        ),
        ZERO,
    )


def _unpaid(bookings: Sequence[BookedAgreement], movements: Sequence[CashMovement]) -> Decimal:
    """Return the documents' total less the money that moved."""
    total = sum((signed_total(booking.document) for booking in bookings if booking.document is not None), ZERO)
    return total - sum((_signed(movement.amount, movement) for movement in movements), ZERO)


def _signed(amount: Decimal, movement: CashMovement) -> Decimal:
    return amount if movement.direction is Direction.IN else -amount


def _channel_tax(context: OrderContext, booking: BookedAgreement) -> Decimal:
    taxes = [tax for sale in booking.agreement.sales for tax in sale_taxes(context, sale, 1)]
    return sum((tax.amount for tax in taxes if tax.channel_liable), ZERO)


def _channel_movement(
    context: OrderContext, booking: BookedAgreement, taxes: Mapping[str, Decimal]
) -> list[CashMovement]:
    agreement = booking.agreement
    amount = taxes[agreement.legacy_id]
    if not amount:
        return []
    account = context.policy.accounts.channel_tax
    require_account_fits(account, context.currency, "accounts.channel_tax", context.organisation)
    return [
        CashMovement(
            transaction_id=CHANNEL_TRANSACTION + agreement.legacy_id,
            direction=Direction.IN if amount > 0 else Direction.OUT,
            amount=abs(amount),
            rounding=ZERO,
            posting_date=agreement_date(context, agreement),
            moved_at=agreement.happened_at,
            gateway=CHANNEL_GATEWAY,
            account=account,
        )
    ]


def _check_posted_payments(settlement: SettlementState) -> None:
    """Block the order if a posted payment has no transaction any more."""
    known = {application.movement.transaction_id for application in settlement.applications}
    for posted in settlement.context.posted_records.payments:
        if posted.transaction_id not in known:
            raise OrderBlockedError(
                f"{posted.amount} of transaction {posted.transaction_id} is posted in Xero, but Shopify's history"
                " no longer contains"
                " that money; compare the order with Xero"
            )
