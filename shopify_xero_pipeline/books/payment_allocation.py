"""Settlement of an order: its documents, payments and allocations (docs/books.md §4 channelLiable, §5).

This module handles cash rounding, exchange differences, uncovered refunds and tax that a sales channel remits.
`settlement.py` applies money to documents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.cash_movements import CashMovement, Direction
from shopify_xero_pipeline.books.currency import ZERO, require_account, require_account_fits
from shopify_xero_pipeline.books.dates import agreement_date
from shopify_xero_pipeline.books.documents import AnyDocument, BookedAgreement, adjustment_document, signed_total
from shopify_xero_pipeline.books.exchange_differences import convert_at_order_rate
from shopify_xero_pipeline.books.lines import adjustment_line
from shopify_xero_pipeline.books.numbering import EXCHANGE, ROUNDING, UNCOVERED_REFUND
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.books.overpayments import offset_overpayments
from shopify_xero_pipeline.books.settlement import SettlementState, build_allocations, build_payments
from shopify_xero_pipeline.shopify.models import Agreement, legacy_id
from shopify_xero_pipeline.xero.models import Allocation, Kind, Line, Payment, kind_label

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
    settlement = SettlementState(context, contact_id, list(agreement_documents))
    refund_documents = _refund_documents(context, bookings)
    converted = convert_at_order_rate(context, bookings, refund_documents, movements)
    movements = offset_overpayments(context, bookings, converted.movements)
    accounts = context.policy.accounts
    rounding = _Difference(ROUNDING, "rounding", "Cash rounding", accounts.rounding)
    exchange = _Difference(EXCHANGE, "exchange", "Exchange difference", accounts.exchange)
    # By transaction, the documents that no other money settles.
    own_documents = [_add_differences(settlement, movements, rounding)]
    if any(movement.exchange for movement in movements):
        require_account("accounts.exchange", accounts.exchange, context.organisation)
        own_documents.append(_add_differences(settlement, movements, exchange))
    own_documents.append(_add_posted_uncovered_refunds(settlement, movements))
    settlement.add_movements(movements)
    # Each movement first settles its own documents, so that no other movement takes their room.
    for movement in movements:
        settlement.apply(movement, [documents.get(movement.transaction_id) for documents in own_documents])
        settlement.apply(movement, [refund_documents.get(movement.transaction_id)])
    for movement in movements:
        settlement.apply(movement, agreement_documents)
        _handle_unapplied_money(settlement, movement)
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
    settlement: SettlementState, movements: Sequence[CashMovement], kind: _Difference
) -> Mapping[str, AnyDocument]:
    """Add the document of each difference; return by transaction those that the same money settles.

    A document is on the movement's side if the difference is positive, else on the other side, to be allocated.
    """
    documents = {}
    for movement in movements:
        amount: Decimal = getattr(movement, kind.field)
        if amount:
            side = Kind.INVOICE if (amount > 0) == (movement.direction is Direction.IN) else Kind.CREDIT_NOTE
            line = adjustment_line(settlement.context, kind.description, kind.account, abs(amount))
            document = _add_document(settlement, movement, side, kind.letter, line)
            if amount > 0:
                documents[movement.transaction_id] = document
    return documents


def _add_posted_uncovered_refunds(
    settlement: SettlementState, movements: Sequence[CashMovement]
) -> Mapping[str, AnyDocument]:
    """Add the posted credit notes of uncovered refunds; return them by transaction."""
    credit_notes = {}
    for movement in movements:
        posted = settlement.context.posted_document(UNCOVERED_REFUND + movement.transaction_id)
        if posted is not None:
            credit_notes[movement.transaction_id] = _add_uncovered_refund(settlement, movement, posted.total)
    return credit_notes


def _add_uncovered_refund(settlement: SettlementState, movement: CashMovement, amount: Decimal) -> AnyDocument:
    context = settlement.context
    account = context.policy.accounts.adjustments
    line = adjustment_line(context, "Refund beyond what was returned", account, amount)
    return _add_document(settlement, movement, Kind.CREDIT_NOTE, UNCOVERED_REFUND, line)


def _add_document(
    settlement: SettlementState, movement: CashMovement, kind: Kind, letter: str, line: Line
) -> AnyDocument:
    document = adjustment_document(
        settlement.context,
        kind=kind,
        letter=letter,
        transaction_id=movement.transaction_id,
        day=movement.posting_date,
        line=line,
        contact_id=settlement.contact_id,
    )
    settlement.add(document)
    return document


def _handle_unapplied_money(settlement: SettlementState, movement: CashMovement) -> None:
    """Post a credit note for an uncovered refund, or block the order if money exceeds the documents."""
    excess = settlement.unapplied_amounts[movement.transaction_id]
    if not excess:
        return
    if movement.direction is Direction.OUT and settlement.context.policy.refund.uncovered == "adjust":
        settlement.apply(movement, [_add_uncovered_refund(settlement, movement, excess)])
        return
    if movement.is_left_to_others:
        return
    total = sum((document.total for document in settlement.documents_of_kind(movement.side)), ZERO)
    if movement.direction is Direction.IN:
        raise OrderBlockedError(
            f"payments exceed the invoices: {excess} of transaction {movement.transaction_id} ({movement.gateway}) has"
            f" no invoice, all invoices add up to {total}; {_excess_remedy(settlement.context)}"
        )
    raise OrderBlockedError(
        f"refunds exceed the credit notes: {excess} of transaction {movement.transaction_id} ({movement.gateway})"
        f" has no credit note, all credit notes add up to {total}; to book it on accounts.adjustments"
        f" ({settlement.context.policy.accounts.adjustments}),"
        f" {remedies.setting(settlement.context.policy, 'refund', 'uncovered', 'adjust').sentence}"
    )


def _unapplied_money_warnings(settlement: SettlementState, movements: Sequence[CashMovement]) -> tuple[str, ...]:
    """Return a warning for each movement left to others that exceeds the documents."""
    return tuple(
        f"{settlement.unapplied_amounts[movement.transaction_id]} of transaction {movement.transaction_id}"
        f" ({movement.gateway}) has no {kind_label(movement.side)}; this gateway's money is entered in Xero"
        " by others, so they decide about it"
        for movement in movements
        if movement.is_left_to_others and settlement.unapplied_amounts[movement.transaction_id]
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
    context = settlement.context
    taxes = [_channel_tax(booking) for booking in bookings]
    total = sum(taxes, ZERO)
    posted_ids = [payment.transaction_id for payment in context.posted_records.payments]
    is_posted = any(posted_id.startswith(CHANNEL_TRANSACTION) for posted_id in posted_ids)
    if not any(taxes):
        return ZERO
    documents = [booking.document for booking in bookings if booking.document is not None]
    paid = sum((movement.sign * movement.amount for movement in movements), ZERO)
    gap = sum(map(signed_total, documents), ZERO) - paid + pending_refunds
    status = context.order.display_financial_status
    is_withheld = gap == total and (is_posted or (total != 0 and status in PAID_STATUS))
    if not is_withheld:
        if gap and total and status == "PAID":
            raise OrderBlockedError(
                f"Shopify calls the order paid, but {gap} is missing, and the tax its sales channel remits is {total};"
                " check the order's payments in Shopify"
            )
        if not is_posted:
            return ZERO
    channel = [
        _channel_movement(context, booking.agreement, amount)
        for booking, amount in zip(bookings, taxes, strict=True)
        if amount
    ]
    settlement.add_movements(channel)
    if is_withheld:
        for movement in channel:
            settlement.apply(movement, documents)
    applications = [application for application in settlement.applications if application.movement in channel]
    return sum((application.movement.sign * application.amount for application in applications), ZERO)


def _channel_tax(booking: BookedAgreement) -> Decimal:
    """Return the tax that the sales channel remits, in the sign of the ledger."""
    return sum((booking.sign * tax.amount for sale in booking.sales for tax in sale.row.channel_taxes), ZERO)


def _channel_movement(context: OrderContext, agreement: Agreement, amount: Decimal) -> CashMovement:
    account = context.policy.accounts.channel_tax
    require_account_fits(account, context.currency, "accounts.channel_tax", context.organisation)
    return CashMovement(
        transaction_id=CHANNEL_TRANSACTION + agreement.legacy_id,
        direction=Direction.IN if amount > 0 else Direction.OUT,
        amount=abs(amount),
        rounding=ZERO,
        posting_date=agreement_date(context, agreement),
        moved_at=agreement.happened_at,
        gateway=CHANNEL_GATEWAY,
        account=account,
    )


def _check_posted_payments(settlement: SettlementState) -> None:
    """Block the order if a posted payment has no transaction any more."""
    known = {application.movement.transaction_id for application in settlement.applications}
    for posted in settlement.context.posted_records.payments:
        if posted.transaction_id not in known:
            raise OrderBlockedError(
                f"{posted.amount} of transaction {posted.transaction_id} is posted in Xero, but Shopify's history no"
                " longer contains that money; compare the order with Xero"
            )
